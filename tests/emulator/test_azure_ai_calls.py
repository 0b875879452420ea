"""How the stand-in azure_ai extension calls: what nobody may see, what a broken-off call leaves, many at once."""

import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from emulator.postgres import azure_ai
from emulator.postgres.configuration import SUPERUSER
from tests.emulator.ai_accounts import KEY, OPENAI_HOST, SERVER_IDENTITY, running_services
from tests.emulator.azure_ai_server import NAME, AzureAiServer, azure_ai_server

CALL = "SELECT cardinality(azure_openai.create_embeddings('small', %s))"
SECRET_TEXT = "the-text-that-nobody-else-may-see"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureAiServer]:
    with (
        running_services(tmp_path_factory.mktemp("ai")) as services,
        azure_ai_server(tmp_path_factory.mktemp("home"), services) as server,
    ):
        yield server


@pytest.fixture
def server(running: AzureAiServer) -> AzureAiServer:
    running.use_identity()
    running.one(CALL, "a token is there")
    return running


class Caller:
    """A call in a thread, held by the service until the test lets it go."""

    def __init__(self, server: AzureAiServer, *before: str) -> None:
        self.connection = server.connect()
        for statement in before:
            self.connection.execute(statement)
        self.pid = self.connection.info.backend_pid
        self.result: object = None
        self._thread = threading.Thread(target=self._call)
        self._thread.start()
        assert server.services.arrived.wait(30)

    def _call(self) -> None:
        try:
            self.result = self.connection.execute(CALL, [SECRET_TEXT]).fetchone()
        except psycopg.Error as error:
            self.result = error

    def end(self) -> object:
        """Return the row, or the error."""
        self._thread.join(60)
        self.connection.close()
        return self.result


def command_lines() -> str:
    """Return the command lines of all processes."""
    return str([process.info["cmdline"] for process in psutil.process_iter(["cmdline"])])


def test_while_it_runs_nothing_of_it_is_seen(server: AzureAiServer) -> None:
    server.configure(azure_openai__auth_type="subscription-key", azure_openai__subscription_key=KEY)
    with server.services.pause():
        caller = Caller(server)
        seen = command_lines()
        activity = str(server.rows("SELECT * FROM pg_stat_activity", user=SUPERUSER))
        files = server.rows(
            "SELECT f, (pg_stat_file('emulator_ai/' || f)).size FROM pg_ls_dir('emulator_ai') AS f", user=SUPERUSER
        )
    assert caller.end() == (1536,)
    assert "curl" in seen
    for secret in (KEY, SERVER_IDENTITY, SECRET_TEXT, *server.services.tokens_issued):
        assert secret not in seen
        assert secret not in activity.replace(f"('small', '{SECRET_TEXT}')", "")
    assert [size for name, size in files if not name.startswith("token.")] == [0]
    assert server.answers() == set()


def test_files_are_for_the_servers_account_alone(server: AzureAiServer) -> None:
    data = Path(server.one("SELECT current_setting('data_directory')", user=SUPERUSER))
    folder = data / "emulator_ai"
    assert data.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    tokens = list(folder.glob("token.*"))
    assert tokens
    assert all(path.stat().st_mode & 0o077 == 0 for path in tokens)


def test_the_log_has_no_secret(server: AzureAiServer) -> None:
    server.configure(azure_openai__auth_type="subscription-key", azure_openai__subscription_key="wrong-key-of-the-test")
    with pytest.raises(psycopg.errors.InternalError_) as caught:
        server.one(CALL, SECRET_TEXT)
    assert SECRET_TEXT not in str(caught.value)
    assert "wrong-key-of-the-test" not in str(caught.value)
    logs = "".join(path.read_text() for path in server.backend._home.rglob("*.log"))
    assert logs
    for secret in ("wrong-key-of-the-test", KEY, SERVER_IDENTITY, SECRET_TEXT, *server.services.tokens_issued):
        assert secret not in logs


@pytest.mark.parametrize(
    "statement",
    [
        "TABLE azure_ai.settings",
        "SELECT azure_ai.get_setting('azure_openai.subscription_key')",
        "SELECT azure_ai.set_setting('azure_openai.endpoint', 'https://elsewhere.example')",
        "SELECT azure_ai.emulator_token('https://cognitiveservices.azure.com')",
        "SELECT azure_ai.emulator_http('url = \"https://x\"', NULL, 1000, NULL)",
        "SELECT azure_ai.emulator_call('azure_openai', '/x', '{}', 1000, 1, 1)",
        "SELECT azure_ai.emulator_option('ca_file')",
        "SELECT * FROM azure_cognitive.emulator_analyze('x', 'x', ARRAY['x'], NULL, '{}', 1, 1, true, 1, 1)",
        "SELECT pg_read_file('emulator_identity')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
)
def test_an_ordinary_role_can_call_the_services_and_no_more(server: AzureAiServer, statement: str) -> None:
    assert server.one(CALL, "x", user="reader") == 1536
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        server.one(statement, user="reader")


def test_a_member_of_the_managers_may_read_settings(server: AzureAiServer) -> None:
    with server.connect() as connection:
        connection.execute("GRANT azure_ai_settings_manager TO reader")
        try:
            assert OPENAI_HOST in server.one("SELECT azure_ai.get_setting('azure_openai.endpoint')", user="reader")
        finally:
            connection.execute("REVOKE azure_ai_settings_manager FROM reader")


def test_a_session_cannot_lead_the_call_elsewhere(server: AzureAiServer) -> None:
    with server.connect("reader") as connection:
        for name in ("https_address", "http_address", "ca_file", "curl_command", "request"):
            connection.execute(f"SET emulator.{name} = 'touch /tmp/no; 127.0.0.1:1'")
        connection.execute("SET standard_conforming_strings = off")
        connection.execute("SET search_path = pg_temp, public")
        connection.execute(
            "CREATE FUNCTION pg_temp.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS 'SELECT NULL'"
        )
        assert connection.execute(CALL, ["x"]).fetchone() == (1536,)
        assert connection.execute("SHOW emulator.request").fetchone() == ("touch /tmp/no; 127.0.0.1:1",)


def test_a_client_encoding_does_not_reach_the_service(server: AzureAiServer) -> None:
    expected = server.one("SELECT azure_openai.create_embeddings('small', 'Verspätung')")
    with server.connect() as connection:
        connection.execute("SET client_encoding = 'LATIN1'")
        assert connection.execute("SELECT azure_openai.create_embeddings('small', 'Verspätung')").fetchone() == (
            expected,
        )


def test_the_token_is_fetched_once_for_all_sessions(server: AzureAiServer) -> None:
    before = len(server.services.tokens_issued)
    for user in ("padmin", "reader"):
        assert server.one(CALL, "x", user=user) == 1536
    assert len(server.services.tokens_issued) == before


def test_a_token_near_its_end_is_fetched_anew(server: AzureAiServer) -> None:
    before = len(server.services.tokens_issued)
    folder = Path(server.one("SELECT current_setting('data_directory')", user=SUPERUSER)) / "emulator_ai"
    for path in folder.glob("token.*"):
        path.write_text('{"access_token": "old", "expires_on": "1"}')
    assert server.one(CALL, "x") == 1536
    assert len(server.services.tokens_issued) == before + 1


def test_a_timeout_is_a_408(server: AzureAiServer) -> None:
    with server.services.pause(), pytest.raises(psycopg.errors.InternalError_) as caught:
        server.one("SELECT azure_openai.create_embeddings('small', 'x', timeout_ms => 300)")
    assert str(caught.value.diag.message_primary) == "azure_openai.create_embeddings: 408: no answer within 300 ms"
    assert server.answers() == set()


def test_a_cancelled_call_ends_at_once_and_leaves_nothing(server: AzureAiServer) -> None:
    with server.services.pause():
        caller = Caller(server)
        assert server.one("SELECT pg_cancel_backend(%s)", caller.pid)
        assert isinstance(caller.end(), psycopg.errors.QueryCanceled)
    assert server.answers() == set()


def test_a_statement_timeout_ends_the_call(server: AzureAiServer) -> None:
    with server.services.pause():
        caller = Caller(server, "SET statement_timeout = '2s'")
        assert isinstance(caller.end(), psycopg.errors.QueryCanceled)
    assert server.answers() == set()


def test_a_cancelled_call_can_be_caught_and_the_session_goes_on(server: AzureAiServer) -> None:
    with server.connect() as connection, connection.transaction():
        connection.execute("SET LOCAL statement_timeout = '1s'")
        with server.services.pause(), pytest.raises(psycopg.errors.QueryCanceled), connection.transaction():
            connection.execute(CALL, ["x"])
        connection.execute("SET LOCAL statement_timeout = 0")
        assert connection.execute(CALL, ["x"]).fetchone() == (1536,)


def test_what_a_killed_session_left_is_removed_by_the_next_call(server: AzureAiServer) -> None:
    with server.services.pause():
        caller = Caller(server)
        assert server.one("SELECT pg_terminate_backend(%s)", caller.pid)
        assert isinstance(caller.end(), psycopg.OperationalError)
    data = Path(server.one("SELECT current_setting('data_directory')", user=SUPERUSER))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (data / "emulator_ai" / str(dead.pid)).write_text("left")
    assert server.one(CALL, "x") == 1536
    assert server.answers() == set()


def test_a_failed_call_leaves_the_transaction_usable(server: AzureAiServer) -> None:
    with server.connect() as connection:
        connection.execute(
            "DO $$ BEGIN PERFORM azure_openai.create_embeddings('gone', 'x'); RAISE 'not reached'; "
            "EXCEPTION WHEN internal_error THEN PERFORM azure_openai.create_embeddings('small', 'x'); END $$"
        )
    assert server.answers() == set()


def test_many_calls_at_once(server: AzureAiServer) -> None:
    expected = {text: server.one("SELECT azure_openai.create_embeddings('small', %s, 16)", text) for text in "abcdefgh"}

    def call(text: str) -> list[bool]:
        with server.connect() as connection:
            return [
                connection.execute("SELECT azure_openai.create_embeddings('small', %s, 16)", [text]).fetchone()
                == (expected[text],)
                for _ in range(5)
            ]

    with ThreadPoolExecutor(8) as pool:
        assert all(all(results) for results in pool.map(call, expected))
    assert server.answers() == set()


def test_a_large_batch_goes_through(server: AzureAiServer) -> None:
    texts = [f"{number} " + "a clause about late delivery " * 20 for number in range(500)]
    rows = server.rows(
        "SELECT cardinality(embedding) FROM azure_openai.create_embeddings('small', %s::text[], batch_size => 500)",
        texts,
    )
    assert rows == [(1536,)] * 500


def test_a_server_without_an_identity_says_so(server: AzureAiServer) -> None:
    data = Path(server.one("SELECT current_setting('data_directory')", user=SUPERUSER))
    identity, kept = data / "emulator_identity", (data / "emulator_identity").read_text()
    try:
        identity.write_text("")
        with pytest.raises(psycopg.errors.InternalError_, match="has no system-assigned identity"):
            server.one(CALL, "x")
        identity.write_text("wrong")
        with pytest.raises(psycopg.errors.InternalError_, match="401: the identity endpoint gave no token") as caught:
            server.one(CALL, "x")
        assert SERVER_IDENTITY not in str(caught.value)
    finally:
        identity.write_text(kept)
    assert server.one(CALL, "x") == 1536


def script(server: AzureAiServer, body: Path, config: str) -> "subprocess.CompletedProcess[str]":
    """Run our stand-in for curl as the extension runs it: config on standard input, body on descriptor 3."""
    program = Path(azure_ai.__file__).with_name("curl.py")
    fixed = (
        f'connect-to = "::127.0.0.1:{server.services.https_port}"\ncacert = "{server.services.ca_file}"\n'
        'silent\nshow-error\nhttp1.1\ngloboff\nnoproxy = "*"\nheader = "Expect:"\nwrite-out = "\\n%{http_code}"\n'
    )
    command = f"exec 3<{shlex.quote(str(body))}; exec {shlex.quote(sys.executable)} -I {shlex.quote(str(program))}"
    return subprocess.run(
        ["sh", "-c", f"{command} -q --config -"], input=fixed + config, text=True, capture_output=True, check=False
    )


def test_the_stand_in_for_curl(server: AzureAiServer, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_text('{"input": "x"}')
    url = f'url = "https://{OPENAI_HOST}/openai/deployments/small/embeddings?api-version=2024-10-21"\n'
    sends = f'{url}data-binary = "@/dev/fd/3"\nmax-time = "60"\nheader = "api-key: {KEY}"\n'
    answer = script(server, body, sends)
    assert (answer.returncode, answer.stdout[-4:], answer.stderr) == (0, "\n200", "")
    assert '"embedding":[' in answer.stdout
    assert script(server, body, f'{url}max-time = "60"\n').stdout.endswith("\n400")
    with server.services.pause():
        late = script(server, body, sends.replace('"60"', '"0.2"'))
    assert (late.returncode, late.stderr) == (28, "curl: (28) Operation timed out\n")
    strange = script(server, body, 'url = "https://elsewhere.example/"\n')
    assert strange.returncode == 60
    assert script(server, body, "compressed\n").returncode == 2
    gone = script(server, body, f'{url}connect-to = "::127.0.0.1:1"\n')
    assert gone.returncode == 7


def test_the_command_for_curl_is_one_that_runs() -> None:
    command = azure_ai.curl_command()
    assert (
        subprocess.run(["sh", "-c", f"{command} -q --config - </dev/null"], capture_output=True, check=False).returncode
        == 2
    )


def test_the_extension_is_there_after_a_restart(server: AzureAiServer) -> None:
    import asyncio

    asyncio.run(server.backend.restart(NAME))
    assert server.one(CALL, "x") == 1536
