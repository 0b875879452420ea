"""What an estimate promises against what the service then bills, on the sample's texts."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from database import migrations
from tests.emulator.ai_accounts import running_services
from tests.emulator.azure_ai_server import AzureAiServer, azure_ai_server

JOBS = {
    "chunks": {"table": "public.statement_chunks", "template": "{heading}\n{content}"},
    "items": {"table": "public.line_items", "template": "{description}"},
    "results": {"table": "public.validation_results", "template": "{result}"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureAiServer]:
    with (
        running_services(tmp_path_factory.mktemp("ai")) as services,
        azure_ai_server(tmp_path_factory.mktemp("home"), services) as server,
    ):
        with server.connect() as conn:
            conn.execute("CREATE EXTENSION vector")
            for folder in ("vectorize", "search", "sample"):
                migrations.apply(conn, folder, say=lambda line: None)
            # As much as nobody waits for: this is about tokens.
            conn.execute(
                "SELECT vectorize.set_deployment('small', 'text-embedding-3-small', 1536, 100000000, 600000, 0.02)"
            )
        yield server


def define(conn: psycopg.Connection[Any], name: str) -> None:
    spec = {"name": name, "deployment": "small", "dimensions": 1536, "state": "paused", **JOBS[name]}
    conn.execute("CALL vectorize.define(%s)", [Jsonb(spec)])


def billed(server: AzureAiServer, conn: psycopg.Connection[Any], name: str) -> tuple[int, int]:
    """Embed a job's rows, and return the requests and tokens that the service counted."""
    before = server.services.usage.of("contracts-ai", "small")
    conn.execute("CALL vectorize.resume(%s)", [name])
    conn.execute("CALL vectorize.work(%s, 120)", [name])
    after = server.services.usage.of("contracts-ai", "small")
    return after.requests - before.requests, after.tokens - before.tokens


def test_estimates_hold_and_after_a_calibration_on_one_job_for_the_others_too(server: AzureAiServer) -> None:
    with server.connect() as conn:
        for name in JOBS:
            define(conn, name)
        for name in JOBS:
            rows, tokens, requests, cost, minutes = conn.execute(
                "SELECT * FROM vectorize.estimate(%s)", [name]
            ).fetchone() or ((0,) * 5)
            sent, paid = billed(server, conn, name)
            assert tokens == pytest.approx(paid, rel=0.05), name
            assert requests == pytest.approx(sent, abs=1), name
            assert float(cost) == pytest.approx(paid * 0.02 / 1_000_000, rel=0.06), name
            assert rows > 900
            assert minutes == 0
            assert conn.execute("SELECT rows FROM vectorize.estimate(%s)", [name]).fetchone() == (0,)
            spent = conn.execute("SELECT requests, tokens FROM vectorize.spend WHERE job = %s", [name]).fetchone()
            assert spent is not None
            assert spent[0] == sent
            assert spent[1] == pytest.approx(paid, rel=0.05)
            if name == "chunks":
                conn.execute("SELECT vectorize.calibrate('small', %s, %s)", [tokens, paid])
