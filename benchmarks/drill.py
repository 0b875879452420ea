"""The brownfield drill: a busy table with indexes and triggers of its own comes under a job by YAML alone.

`python -m benchmarks.drill` brings up a stack on the emulator and fills a table with texts that are on this machine, or
with lines of `--texts`. A writer changes 100 rows a second: first alone; then beside a client that has as many texts
embedded as the quota allows and throws the vectors away, which is what the emulator itself costs the machine; and then
while `pulumi up` declares the job and embeds every row. The model, which is another machine's on the service, takes
only processors that nobody else wants. The end state is checked: every vector is that of its row's present text, and no
more texts were sent than there are rows and changes. Every second change is one of a text, so the quota must allow more
than 50 texts a second, or the backfill never catches up with the writer.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import yaml

from benchmarks.busy_table import TABLE, Latencies, writing
from emulator.ai import vectors
from emulator.ai.computing import ONLY_IDLE
from emulator.ai.models import EMBEDDING_MODELS
from tools import session
from tools.places import ROOT
from tools.pulumi import open_stack

STACK = "drill"
CONFIG = ROOT / f"Pulumi.{STACK}.yaml"
PHASE_SECONDS = 60.0  # each of the two before the job
BATCH = 100  # the job's own default


def library_texts() -> Iterator[str]:
    """Yield docstrings of Python's packages and library that are installed here: prose that nobody chose for this."""
    paths = (Path(sysconfig.get_paths()[place]) for place in ("purelib", "stdlib"))
    for path in itertools.chain.from_iterable(sorted(place.rglob("*.py")) for place in paths):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError, OSError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
                text = ast.get_docstring(node)
                if text and len(text) > 60:
                    yield text[:4000]


def texts(path: str | None, rows: int) -> list[str]:
    """Return so many different texts, from the lines of a file or from this machine.

    Raises:
        SystemExit: there are too few.
    """
    source = Path(path).read_text(encoding="utf-8", errors="replace").splitlines() if path else library_texts()
    found = list(itertools.islice(dict.fromkeys(text.replace("\0", "") for text in source if text.strip()), rows))
    if len(found) < rows:
        sys.exit(f"There are {len(found):,} different texts, and {rows:,} are needed.")
    return found


@dataclass(frozen=True)
class Result:
    """What the drill found; seconds, counts, and the ratio of the writer's 95th percentiles."""

    rows: int
    texts_changed: int
    texts_sent: int
    wrong_vectors: int
    writer_errors: int
    median_before: float
    median_during: float
    p95_before: float
    p95_beside_calls: float
    p95_during: float
    p95_ratio: float
    p95_ratio_beside_calls: float
    up_seconds: float


def main() -> None:
    """Run the drill and print its result as JSON; exit with 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=60_000, help="rows of the table")
    parser.add_argument("--texts", help="a file with a text a line, instead of texts that are on this machine")
    parser.add_argument("--capacity", type=int, default=2000, help="thousands of tokens a minute of the deployment")
    parser.add_argument("--target", choices=("column", "table"), default="column")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    wanted = parser.parse_args()
    print(f"seed {wanted.seed}", file=sys.stderr)
    homes = Path(tempfile.mkdtemp(prefix="postgres-genai-drill-"))
    os.environ |= {"EMULATOR_HOME": str(homes / "emulator"), "STACKS_HOME": str(homes / "stacks"), ONLY_IDLE: "1"}
    try:
        result = run(wanted)
    finally:
        tools("down")
        CONFIG.unlink(missing_ok=True)
        shutil.rmtree(homes, ignore_errors=True)
    print(json.dumps(asdict(result), indent=1))
    sys.exit(
        1
        if result.wrong_vectors or result.writer_errors or result.texts_sent > result.rows + result.texts_changed
        else 0
    )


def run(wanted: argparse.Namespace) -> Result:
    """Bring up, fill, write, declare, check."""
    print(f"reading {wanted.rows:,} texts", file=sys.stderr)
    found = texts(wanted.texts, wanted.rows)
    configure(wanted, job=False)
    tools("up", "--stack", STACK)
    before, beside_calls, during = Latencies(), Latencies(), Latencies()
    with connection() as admin, connection() as writer:
        admin.execute(TABLE.encode())
        with admin.cursor().copy("COPY public.articles (n, title, body, category) FROM STDIN") as copy:
            for number, text in enumerate(found):
                copy.write_row((number, text.split("\n")[0][:80], text, f"category {number % 20}"))
        admin.execute("VACUUM ANALYZE public.articles")
        with writing(wanted.rows, before, writer, wanted.seed):
            time.sleep(PHASE_SECONDS)
        with writing(wanted.rows, beside_calls, writer, wanted.seed):
            call_without_job(found, wanted.capacity)
        sent = texts_sent()
        configure(wanted, job=True)
        began = time.monotonic()
        with writing(wanted.rows, during, writer, wanted.seed):
            tools("up", "--stack", STACK)
            took = time.monotonic() - began
        admin.execute("CALL vectorize.work('articles', 600)")  # what the writer changed at the very end
        return Result(
            rows=wanted.rows,
            texts_changed=(len(during.seconds) + 1) // 2,
            texts_sent=texts_sent() - sent,
            wrong_vectors=wrong_vectors(admin, wanted),
            writer_errors=len(before.errors) + len(beside_calls.errors) + len(during.errors),
            median_before=before.percentile(0.5),
            median_during=during.percentile(0.5),
            p95_before=before.percentile(0.95),
            p95_beside_calls=beside_calls.percentile(0.95),
            p95_during=during.percentile(0.95),
            p95_ratio=round(during.percentile(0.95) / before.percentile(0.95), 2),
            p95_ratio_beside_calls=round(beside_calls.percentile(0.95) / before.percentile(0.95), 2),
            up_seconds=round(took, 1),
        )


def call_without_job(found: list[str], capacity: int) -> None:
    """Have texts embedded at the pace of the quota for a while, by SQL, and throw the vectors away."""
    pages = itertools.cycle(found[start : start + BATCH] for start in range(0, len(found), BATCH))
    due = time.monotonic()
    end = due + PHASE_SECONDS
    with connection() as conn:
        while due < end:
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic())  # what a slow call left unused is gone: making up for it would be a burst
            page = next(pages)
            conn.execute("SELECT count(*) FROM azure_openai.create_embeddings('embedding', %s::text[], 100)", [page])
            due += sum(-(-len(text) // 4) for text in page) / (capacity * 1000 / 60)


def configure(wanted: argparse.Namespace, *, job: bool) -> None:
    """Write the stack's YAML: the local stack without its sample, and with the job or without."""
    config = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text(encoding="utf-8"))["config"]
    config["postgres-genai:namePrefix"] = STACK
    config["postgres-genai:sample"] = False
    config["postgres-genai:deployments"]["embedding"]["capacity"] = wanted.capacity
    declared = {
        "table": "public.articles",
        "template": "{title}\n{body}",
        "deployment": "embedding",
        "target": {"kind": wanted.target},
    }
    config["postgres-genai:jobs"] = {"articles": declared} if job else {}
    CONFIG.write_text(yaml.safe_dump({"config": config}, sort_keys=False), encoding="utf-8")


def tools(*arguments: str) -> None:
    """Run a command of the project, its output to this program's standard error."""
    subprocess.run([sys.executable, "-m", "tools", *arguments], cwd=ROOT, check=True, stdout=sys.stderr)


def connection() -> psycopg.Connection[Any]:
    """Connect as the administrator, the way that a client of the service does."""
    pulumi = open_stack(STACK, "emulator")
    return session.connect(pulumi, pulumi.outputs())


def texts_sent() -> int:
    """Return how many texts the service was sent and billed."""
    command = [sys.executable, "-m", "emulator", "status", "--json"]
    shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    usage: dict[str, dict[str, dict[str, int]]] = json.loads(shown.stdout)["usage"]
    return sum(counters["inputs"] for account in usage.values() for counters in account.values())


def wrong_vectors(conn: psycopg.Connection[Any], wanted: argparse.Namespace) -> int:
    """Count the rows whose vector is not that of their present text, by asking the model again."""
    model = EMBEDDING_MODELS["text-embedding-3-small"]
    holder = "public.articles_embedding AS v USING (id)" if wanted.target == "table" else ""
    statement = (
        "SELECT title || E'\\n' || coalesce(body, ''), embedding::real[] FROM public.articles "
        + (f"LEFT JOIN {holder} " if holder else "")
        + "ORDER BY n"
    )
    wrong = 0
    with conn.transaction(), conn.cursor("drill") as cursor:
        cursor.execute(statement.encode())
        while page := cursor.fetchmany(500):
            expected = vectors.embed([text for text, _ in page], model, model.dimensions)
            wrong += sum(
                has is None or float(np.abs(np.asarray(has) - needs).max()) > 1e-4
                for (_, has), needs in zip(page, expected, strict=True)
            )
    return wrong


if __name__ == "__main__":
    main()
