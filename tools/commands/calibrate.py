"""`calibrate`: learn from a small sample how many tokens a job's texts are billed for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools import session
from tools.commands.jobs import chosen, refusals
from tools.failure import Failure
from tools.pulumi import open_stack

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_TEXTS = 300  # with 100, some samples are more than 5 % off on other English texts (B12)
MOST_TOKENS = 50_000  # of the whole request, whose limit is 300,000
MOST_OF_ONE = 6_000  # of one text, whose limit is 8,192, so that an estimate may be wrong


def calibrate(stack: str, target: str, job: str, *, local: bool) -> None:
    """Calibrate the deployment of a job.

    Args:
        stack: the stack's name.
        target: emulator or azure.
        job: whose texts are the sample.
        local: count with the tokenizer instead of asking the service.

    Raises:
        Failure: there is no such job, it has no texts, or the service refuses.
    """
    from tools import billed

    pulumi = open_stack(stack, target)
    outputs = pulumi.outputs()
    with session.connect(pulumi, outputs) as conn, refusals(stack):
        names = chosen(conn, job)
        if len(names) != 1:
            raise Failure("Calibration takes the texts of one job.", f"Name one: {', '.join(names)}.")
        deployment, price = _one(
            conn.execute(
                "SELECT d.name, d.price_per_million_tokens::float8 FROM vectorize.job_named(%s) AS j "
                "JOIN vectorize.deployment AS d ON d.name = j.deployment",
                names,
            ).fetchone()
        )
        found = conn.execute("SELECT content, tokens FROM vectorize.sample_texts(%s, %s)", [names[0], MOST_TEXTS])
        texts, estimated = fitting(found.fetchall())
        if not texts:
            raise Failure(f"Job {names[0]} has no text to send.", "Calibrate with a job whose table has rows.")
        where = f"sent to {outputs.get('openaiEndpoint')} in one request, about {estimated * price / 1e6:.6f} USD"
        if local:
            where = "counted here with cl100k, so nothing is paid"
        print(f"{len(texts)} texts of {names[0]}, about {estimated:,} tokens, {where}.", flush=True)
        counted = billed.by_tokenizer(texts) if local else billed.by_service(pulumi, outputs, deployment, texts)
        conn.add_notice_handler(lambda notice: print(f"The {notice.message_primary}."))
        conn.execute(
            "SELECT vectorize.calibrate(%s, %s, %s, %s)",
            [deployment, estimated, counted, None if local else names[0]],
        )
    print(f"The estimate was {100 * (estimated / counted - 1):+.1f} % off.")


def fitting(sample: Sequence[tuple[str, int]]) -> tuple[list[str], int]:
    """Return the texts that fit into one small request, and the estimate of their tokens."""
    texts: list[str] = []
    total = 0
    for content, tokens in sample:
        if tokens <= MOST_OF_ONE and total + tokens <= MOST_TOKENS:
            texts.append(content)
            total += tokens
    return texts, total


def _one(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if row is None:
        raise Failure("The job was removed in this moment.")
    return row
