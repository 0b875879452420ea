# ruff: noqa: E501 - statements read better on one line
"""The engine against the AI services over HTTP while they fail: each text gets its own vector in the end."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from psycopg.types.json import Jsonb

from database import migrations
from emulator import state
from emulator.postgres.backend import Services
from emulator.postgres.configuration import SUPERUSER
from emulator.postgres.embedded import EmbeddedBackend
from emulator.state import Home, Settings
from tests.emulator.arm_daemon import COGNITIVE, POSTGRES, RESOURCES, account_body, deployment_body
from tests.emulator.arm_daemon import server_body as body_of_a_server
from tests.emulator.conftest import Emulator, run_emulator
from tests.emulator.test_azure_ai_whole import Arm

GROUP = f"/subscriptions/{state.SUBSCRIPTION_ID}/resourceGroups/faults"
SERVER = f"{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/faults-server"
ACCOUNT = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/faults-openai"
DEPLOYMENT = f"{ACCOUNT}/deployments/embedding"
CAPACITY = 10_000


class Site:
    """A server of a whole emulator with the engine, and the account that it calls with a key."""

    def __init__(self, emulator: Emulator, connection: psycopg.Connection[Any], arm: Arm) -> None:
        self.emulator = emulator
        self.connection = connection
        self.arm = arm
        self.vectors = "docs"
        """The table that the job's vectors go to."""

    def value(self, statement: str, *parameters: Any) -> Any:
        row = self.connection.execute(statement.encode(), parameters or None).fetchone()
        return row[0] if row else None

    def execute(self, statement: str) -> None:
        self.connection.execute(statement.encode())

    def key(self) -> str:
        """Return the account's key of now."""
        return str(self.arm.send("POST", f"{ACCOUNT}/listKeys", COGNITIVE)["key1"])

    def use_key(self) -> None:
        self.value("SELECT azure_ai.set_setting('azure_openai.subscription_key', %s)", self.key())

    def fault(self, kind: str, times: int = 1) -> None:
        """Let the next requests fail, as `python -m emulator fault` does."""
        answer = requests.post(f"{self.emulator.http}/emulator/fault", params={"kind": kind, "requests": str(times)},
            headers={"X-Emulator-Secret": self.secret()}, timeout=30)  # fmt: skip
        assert answer.status_code == 200, answer.text

    def secret(self) -> str:
        return Settings.read(Home.at(str(self.emulator.home))).control_secret

    def superuser(self) -> psycopg.Connection[Any]:
        """Connect as the emulator's own superuser, over the private socket."""
        folder, port = EmbeddedBackend(self.emulator.home, Services("", "", Path(self.emulator.ca_file))).address(
            "faults-server"
        )
        return psycopg.connect(
            host=str(folder), hostaddr="", port=port, user=SUPERUSER, dbname="postgres", autocommit=True
        )

    def billed(self) -> int:
        """Return how many texts the service was paid for so far."""
        answer = requests.get(
            f"{self.emulator.http}/emulator/status", headers={"X-Emulator-Secret": self.secret()}, timeout=30
        )
        usage = answer.json()["usage"].get("faults-openai", {}).get("embedding", {})
        return int(usage.get("inputs", 0))

    def work_until(self, condition: str) -> None:
        """Run a worker for short times until an SQL condition holds; waits for the service are cut short."""
        deadline = time.monotonic() + 60
        while not self.value(f"SELECT {condition} FROM vectorize.status"):
            assert time.monotonic() < deadline, self.value("SELECT to_jsonb(s) FROM vectorize.status AS s")
            self.value("CALL vectorize.work(NULL, 0.5)")

    def finish(self, state: str = "active") -> None:
        """Work until nothing is left; only a job that must have stopped is resumed."""
        assert self.value("SELECT state FROM vectorize.status") == state
        if state == "stopped":
            self.execute("CALL vectorize.resume('docs')")
        self.work_until("pending = 0 AND leased = 0")

    def wrong(self) -> list[Any]:
        """Return the rows whose vector is not that of their present text, by asking for all texts anew."""
        return self.connection.execute(
            "SELECT d.id FROM (SELECT array_agg(id ORDER BY id) AS ids, array_agg(body ORDER BY id) AS texts FROM docs) AS a "
            "CROSS JOIN LATERAL azure_openai.create_embeddings('embedding', a.texts, 2048, 64) WITH ORDINALITY AS e (vector, n) "
            f"JOIN docs AS d ON d.id = a.ids[e.n] LEFT JOIN {self.vectors} AS v ON v.id = d.id "
            "WHERE v.embedding IS NULL OR v.embedding <=> e.vector::vector > 0.0001"
        ).fetchall()

    def end(self, *, rows: int, billed_before: int, twice: int = 0, state: str = "active") -> None:
        """Hold the engine to its word: each text its vector, nothing queued, no more billed than is allowed."""
        self.finish(state)
        assert self.billed() - billed_before <= rows + twice
        assert self.wrong() == []
        found = self.connection.execute("SELECT state, embedded, quarantined FROM vectorize.status").fetchall()
        assert found == [("active", rows, 0)]


@pytest.fixture(scope="module")
def whole(emulator: Emulator) -> Iterator[Site]:
    arm = Arm(emulator)
    arm.send("PUT", GROUP, RESOURCES, {"location": "eastus2"})
    server = arm.send("PUT", SERVER, POSTGRES, body_of_a_server())
    administrator = {"principalName": "deployer", "principalType": "User", "tenantId": state.TENANT_ID}
    arm.send("PUT", f"{SERVER}/administrators/{state.DEPLOYER_ID}", POSTGRES, {"properties": administrator})
    rule = {"startIpAddress": "127.0.0.1", "endIpAddress": "127.0.0.1"}
    arm.send("PUT", f"{SERVER}/firewallRules/here", POSTGRES, {"properties": rule})
    allowed = {"value": "azure_ai,vector", "source": "user-override"}
    arm.send("PUT", f"{SERVER}/configurations/azure.extensions", POSTGRES, {"properties": allowed})
    arm.send("PUT", ACCOUNT, COGNITIVE, account_body(customSubDomainName="faults-openai"))
    with psycopg.connect(
        host=server["properties"]["fullyQualifiedDomainName"],
        hostaddr="127.0.0.1",
        port=emulator.gateway_port,
        user="deployer",
        password=emulator.token("https://ossrdbms-aad.database.windows.net"),
        dbname="postgres",
        sslmode="verify-full",
        sslrootcert=emulator.ca_file,
        autocommit=True,
    ) as connection:
        connection.execute("CREATE EXTENSION azure_ai")
        connection.execute("CREATE EXTENSION vector")
        connection.execute(
            "SELECT azure_ai.set_setting('azure_openai.endpoint', 'https://faults-openai.openai.azure.com/')"
        )
        migrations.apply(connection, "vectorize", say=lambda line: None)
        connection.execute(
            "SELECT vectorize.set_deployment('embedding', 'text-embedding-3-small', 1536, 10000000, 60000, 0.02)"
        )
        yield Site(emulator, connection, arm)


@pytest.fixture
def site(whole: Site, dice: random.Random) -> Iterator[Site]:
    """A new table of 40 texts with a job of some batches; the service is well."""
    whole.arm.send("PUT", DEPLOYMENT, COGNITIVE, deployment_body(capacity=CAPACITY))
    whole.use_key()
    whole.connection.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    whole.connection.execute(
        "INSERT INTO docs SELECT g, 'text ' || g || ' of ' || %s::text FROM generate_series(1, 40) AS g",
        [dice.randrange(10**6)],
    )
    whole.vectors = dice.choice(["docs", "docs_embedding"])
    spec = {
        "target": "column" if whole.vectors == "docs" else "table",
        "name": "docs",
        "table": "public.docs",
        "template": "{body}",
        "deployment": "embedding",
        "dimensions": 64,
        "batch_size": dice.randint(5, 20),
    }
    whole.connection.execute("CALL vectorize.define(%s)", [Jsonb(spec)])
    yield whole
    whole.fault("500", 0)
    whole.connection.execute("CALL vectorize.remove('docs', false)")
    whole.connection.execute("DROP TABLE docs")


@pytest.fixture
def dice() -> random.Random:
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(10**9))
    print(f"FAULT_SEED={seed} runs this again")
    return random.Random(seed)


@pytest.mark.parametrize(("kind", "said"), [
    ("429", "429: .*retry after 1 second"), ("429-without-wait", "429: Requests"), ("500", "500: The server"), ("503", "503: The service"),
])  # fmt: skip
def test_a_service_that_refuses_for_a_while_is_asked_again(
    site: Site, dice: random.Random, kind: str, said: str
) -> None:
    before = site.billed()
    site.fault(kind, dice.randint(1, 2))
    site.work_until(f"last_error ~ '{said}'")
    site.end(rows=40, billed_before=before)


@pytest.mark.parametrize(
    ("kind", "said"), [("half", "503: no connection to the service"), ("short", "gave \\d+ vectors for \\d+ texts")]
)
def test_a_spoilt_answer_is_not_used_and_paid_for_once_more(
    site: Site, dice: random.Random, kind: str, said: str
) -> None:
    before = site.billed()
    times = dice.randint(1, 2)
    site.fault(kind, times)
    site.work_until(f"last_error ~ '{said}'")
    site.end(rows=40, billed_before=before, twice=20 * times)


def test_a_service_that_hangs_is_given_up_and_asked_again(site: Site) -> None:
    """The engine waits 90 s; here the extension is told a second."""
    patient = "azure_openai.create_embeddings(text, text[], integer, integer, integer, boolean, integer, integer)"
    before = site.billed()
    with site.superuser() as connection:
        definition = connection.execute("SELECT pg_get_functiondef(%s::regprocedure)", [patient]).fetchone()
        assert definition
        connection.execute(
            definition[0]
            .replace("timeout_ms, max_attempts, retry", "least(timeout_ms, 1000), max_attempts, retry")
            .encode()
        )
    try:
        site.fault("hang")
        site.work_until("last_error ~ '408: no answer within 1000 ms'")
    finally:
        with site.superuser() as connection:
            connection.execute(definition[0].encode())
    site.end(rows=40, billed_before=before, twice=20)


def test_vectors_that_come_in_another_order_go_to_their_own_rows(site: Site) -> None:
    before = site.billed()
    site.fault("shuffled", 100)
    site.finish()
    site.fault("shuffled", 0)
    site.end(rows=40, billed_before=before)


def test_a_key_that_is_renewed_in_mid_run_stops_the_job_until_the_new_one_is_set(site: Site) -> None:
    before = site.billed()
    site.value("CALL vectorize.work(NULL, 0)")
    site.arm.send("POST", f"{ACCOUNT}/regenerateKey", COGNITIVE, {"keyName": "Key1"})
    site.execute("UPDATE docs SET body = body || ' again' WHERE id <= 30")
    site.work_until("state = 'stopped' AND reason ~ '401: Access denied .* CALL vectorize.resume'")
    site.use_key()
    site.end(rows=40, billed_before=before, twice=40, state="stopped")


def test_a_deployment_that_is_deleted_stops_the_job_until_it_is_there_again(site: Site) -> None:
    site.finish()
    before = site.billed()
    site.arm.send("DELETE", DEPLOYMENT, COGNITIVE)
    site.execute("UPDATE docs SET body = body || ' again' WHERE id <= 30")
    site.work_until("state = 'stopped' AND reason ~ '404: The API deployment .* deployment embedding exists'")
    site.arm.send("PUT", DEPLOYMENT, COGNITIVE, deployment_body(capacity=CAPACITY))
    site.end(rows=40, billed_before=before, state="stopped")


def test_one_text_that_the_model_refuses_costs_no_other(site: Site) -> None:
    before = site.billed()
    site.execute("UPDATE docs SET body = repeat('word ', 9000) WHERE id = 7")
    site.work_until("pending = 0 AND leased = 0")
    assert site.connection.execute("SELECT key, error ~ '400: .*8192 tokens' FROM vectorize.failures").fetchall() == [
        ({"id": 7}, True)
    ]
    site.execute("UPDATE docs SET body = 'short enough' WHERE id = 7")
    site.end(rows=40, billed_before=before)


def test_the_command_line_sets_and_ends_a_fault(site: Site) -> None:
    home = site.emulator.home
    assert "2 requests to Azure OpenAI: 503" in run_emulator(home, "fault", "503", "--requests", "2").stdout
    both = run_emulator(home, "fault", "429", "--service", "language").stdout
    assert "2 requests to Azure OpenAI: 503" in both
    assert "1 requests to Language: 429" in both
    with pytest.raises(psycopg.errors.InternalError_, match="503: The service is temporarily unable"):
        site.value("SELECT azure_openai.create_embeddings('embedding', 'a text')")
    assert run_emulator(home, "fault", "none").stdout == "Nothing goes wrong.\n"
    assert len(site.value("SELECT azure_openai.create_embeddings('embedding', 'a text')")) == 1536
    assert "invalid choice" in run_emulator(home, "fault", "418").stderr
