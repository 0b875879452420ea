"""Workers and a quota over HTTP: as many as there are, they draw from one bucket."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from psycopg.types.json import Jsonb

from database import migrations
from emulator.arm.lookup import Deployment
from tests.emulator.ai_accounts import OPENAI_HOST, running_services
from tests.emulator.azure_ai_server import azure_ai_server

CAPACITY = 60  # thousand tokens a minute, so a thousand a second
ROWS = 60
JOB = {
    "name": "docs",
    "table": "public.docs",
    "template": "{body}",
    "deployment": "paced",
    "dimensions": 256,
    "target": "table",
    "type": "halfvec",
    "batch_size": 5,
}


def test_workers_share_the_quota_of_a_deployment(tmp_path: Path) -> None:
    with running_services(tmp_path) as services, azure_ai_server(tmp_path / "home", services) as server:
        account = services.lookup.accounts[OPENAI_HOST]
        account.deployments["paced"] = Deployment("paced", "text-embedding-3-small", "1", "GlobalStandard", CAPACITY)
        with server.connect() as conn:
            conn.execute("CREATE EXTENSION vector")
            migrations.apply(conn, "vectorize", say=lambda line: None)
            conn.execute(
                "SELECT vectorize.set_deployment('paced', 'text-embedding-3-small', 1536, %s, %s, 0.02)",
                [CAPACITY * 1000, CAPACITY * 6],
            )
            conn.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
            # A hundred tokens a row, so six seconds of the quota.
            conn.execute("INSERT INTO docs SELECT g, g || repeat(' word', 79) FROM generate_series(1, %s) AS g", [ROWS])
            conn.execute("CALL vectorize.define(%s)", [Jsonb(JOB)])

        def work(number: int) -> None:
            with server.connect() as conn:
                conn.execute("CALL vectorize.work(NULL, 120)")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert server.rows("SELECT embedded, pending, quarantined, state FROM vectorize.status") == [
            (ROWS, 0, 0, "active")
        ]
        counters = services.usage.of(account.name, "paced")
        # A few may be refused where the machine stalls; without pacing, most are.
        assert counters.throttled < counters.requests
        assert counters.inputs == ROWS
