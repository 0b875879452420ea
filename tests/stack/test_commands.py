"""What a person does to jobs from the command line, and sees of them while they run."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests

from tests.stack.conftest import SECONDS, StackAtWork, Workplace

OPENAI_USER = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
DEPLOYER = "00000000-0000-4000-8000-00000000d001"


@pytest.fixture(scope="module")
def local(place: Workplace) -> StackAtWork:
    """The stack of `make up` with its sample."""
    stack = place.stack("local")
    stack.up()
    return stack


def data(local: StackAtWork, command: str, *arguments: str) -> Any:
    return local.place.data(command, *arguments, "--stack", "local")


def make_due(local: StackAtWork, rows: int) -> None:
    """Change the texts of some line items, so that their job has something to do."""
    with local.connect() as conn:
        conn.execute("UPDATE line_items SET description = description || ', changed' WHERE id <= %s", [rows])


def work(local: StackAtWork) -> None:
    with local.connect() as conn:
        conn.execute("CALL vectorize.work('line-items', 60)")


def test_an_estimate_says_what_is_left_and_spends_nothing(local: StackAtWork) -> None:
    assert data(local, "estimate")["total"]["rows"] == 0
    spent = data(local, "spend")
    make_due(local, 50)
    found = data(local, "estimate", "line-items")
    assert found["jobs"][0]["job"] == "line-items"
    assert 0 < found["total"]["rows"] <= 50
    assert found["total"]["tokens"] > found["total"]["rows"]
    assert found["total"]["costUsd"] > 0
    page = local.run("estimate")
    assert "none of it is spent yet" in page
    assert re.search(r"in sum +\d+", page)
    assert data(local, "spend") == spent
    work(local)
    after = data(local, "spend", "line-items")
    before = [row for row in spent if row["job"] == "line-items"]
    # Workers count a part of each batch's bytes closely and the rest by that.
    spent_now = sum(row["tokens"] for row in after) - sum(row["tokens"] for row in before)
    assert spent_now == pytest.approx(found["total"]["tokens"], rel=0.02)
    assert "line-items" in local.run("spend")


def test_a_job_pauses_and_goes_on(local: StackAtWork) -> None:
    assert "make resume JOB=line-items" in local.run("pause", "line-items")
    make_due(local, 20)
    work(local)
    assert local.status()["jobs"]["line-items"]["state"] == "paused"
    refused = local.run("status", "--until-done", code=1)
    assert "Job line-items is paused; go on with `make resume JOB=line-items`" in refused
    local.run("resume", "all")
    work(local)
    done = local.run("status", "--until-done")
    assert re.search(r"line-items: [\d,]+ of [\d,]+ rows \(100 %\), nothing left to do", done)


def test_rows_in_quarantine_are_listed_and_tried_again(local: StackAtWork) -> None:
    assert "No row is in quarantine" in local.run("failures")
    long = "a sentence that is far too long for the model. " * 2000
    with local.connect() as conn:
        conn.execute("UPDATE line_items SET description = %s WHERE id = 7", [long])
    work(local)
    found = data(local, "failures", "line-items")
    assert [(row["job"], row["key"], row["attempts"]) for row in found] == [("line-items", {"id": 7}, 1)]
    assert "maximum context length" in found[0]["error"]
    page = local.run("failures")
    assert "line-items" in page
    assert "make retry" in page
    with local.connect() as conn:
        conn.execute("UPDATE line_items SET description = 'short again' WHERE id = 7")
    assert "Job line-items: 1 rows of the quarantine are queued again." in local.run("retry", "line-items")
    work(local)
    assert data(local, "failures") == []


@pytest.mark.parametrize("command", ["estimate", "retry", "calibrate"])
def test_a_job_that_is_not_there_is_told_with_those_that_are(local: StackAtWork, command: str) -> None:
    printed = local.run(command, "lineitems", code=1)
    assert "There is no job 'lineitems'." in printed
    assert "The jobs are: line-items, statement-chunks, validation-results." in printed
    assert "Traceback" not in printed


def test_a_command_that_changes_something_wants_a_name(local: StackAtWork) -> None:
    assert "make pause JOB=line-items" in local.run("pause", code=1)


def test_the_console_serves_the_stack_until_it_is_interrupted(local: StackAtWork) -> None:
    started = local.place.start("console", "--json", "--stack", "local")
    assert started.stdout is not None
    try:
        url = json.loads(started.stdout.readline())["url"]
        page = requests.get(url, params={"q": "late delivery penalty", "job": "line-items"}, timeout=60)
        assert page.status_code == 200
        assert page.text.count("<progress") == len(local.values()["jobs"])
        assert re.search(r'class="score">distance 0\.\d{4}<', page.text)
        assert "public.line_items" in page.text
        assert requests.get(url.rsplit("/", 2)[0], timeout=10).status_code == 403
    finally:
        started.send_signal(signal.SIGINT)
        left, _ = started.communicate(timeout=SECONDS)
    assert (started.returncode, left) == (0, "")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = local.run("console", "--port", str(port), code=1)
    assert f"cannot listen on port {port}" in refused
    assert "Traceback" not in refused


def allow_the_deployer(local: StackAtWork) -> None:
    """Give the person the role on the account, as `az role assignment create` does."""
    shown = local.variables()
    identity = requests.get(
        shown["IDENTITY_ENDPOINT"], params={"api-version": "2019-08-01", "resource": "https://management.azure.com"},
        headers={"X-IDENTITY-HEADER": shown["IDENTITY_HEADER"]}, timeout=30,
    ).json()["access_token"]  # fmt: skip
    account = local.outputs()["openaiId"]
    subscription = "/".join(account.split("/")[:3])
    role = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{OPENAI_USER}"
    answer = requests.put(
        f"{shown['AZURE_RESOURCE_MANAGER_ENDPOINT']}{account}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}",
        params={"api-version": "2022-04-01"}, headers={"Authorization": f"Bearer {identity}"}, timeout=30,
        json={"properties": {"principalId": DEPLOYER, "principalType": "User", "roleDefinitionId": role}},
        verify=shown["REQUESTS_CA_BUNDLE"],
    )  # fmt: skip
    answer.raise_for_status()


def test_calibration_says_its_price_asks_once_and_outlives_an_up(local: StackAtWork) -> None:
    refused = local.run("calibrate", "statement-chunks", code=1)
    assert "az role assignment create --role 'Cognitive Services OpenAI User'" in refused
    assert "counted here with cl100k, so nothing is paid" in local.run("calibrate", "statement-chunks", "--local")
    before = data(local, "spend", "statement-chunks")
    allow_the_deployer(local)
    printed = local.run("calibrate", "statement-chunks")
    assert re.search(
        r"\d+ texts of statement-chunks, about [\d,]+ tokens, sent to https://.*, about 0\.\d+ USD", printed
    )
    told = re.search(r"embedding: ([\d,]+) tokens were billed where ([\d,]+) were estimated", printed)
    assert told
    billed, estimated = (int(number.replace(",", "")) for number in told.groups())
    assert estimated == pytest.approx(billed, rel=0.05)
    after = data(local, "spend", "statement-chunks")
    assert sum(row["requests"] for row in after) == sum(row["requests"] for row in before) + 1
    assert sum(row["tokens"] for row in after) == sum(row["tokens"] for row in before) + billed

    def scale() -> Any:
        with local.connect() as conn:
            return conn.execute("SELECT bytes_per_token, calibration_tokens FROM vectorize.deployment").fetchone()

    learned = scale()
    local.edit(lambda values: values["deployments"]["embedding"].update(capacity=9000))
    local.up()
    assert scale() == learned


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, local: StackAtWork, *arguments: str) -> None:
        self.shown = ""
        self._master, slave = pty.openpty()
        command = [sys.executable, "-m", "tools", *arguments, "--stack", "local"]
        environment = {**local.place.environment, "TERM": "xterm-256color", "LINES": "40"}
        self.process = subprocess.Popen(
            command,
            cwd=local.place.root,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def wait_for(self, text: str) -> None:
        """Read what is shown until it has a text; older text does not count again."""
        limit = time.monotonic() + SECONDS
        while text not in self.shown:
            assert time.monotonic() < limit, f"{text!r} is not in: {self.shown[-3000:]}"
            assert self._read(), f"it ended without {text!r}: {self.shown[-3000:]}"
        self.shown = self.shown.partition(text)[2]

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def end(self) -> int:
        """Wait for the end and return the exit status."""
        limit = time.monotonic() + SECONDS
        while self._read():
            assert time.monotonic() < limit, f"it does not end: {self.shown[-3000:]}"
        os.close(self._master)
        return self.process.wait(timeout=SECONDS)

    def _read(self) -> bool:
        with suppress(OSError):  # the other side is gone
            if not select.select([self._master], [], [], 1)[0]:
                return self.process.poll() is None
            if more := os.read(self._master, 65536):
                self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", more.decode(errors="replace"))
                return True
        return False


@pytest.fixture
def watched(local: StackAtWork) -> Iterator[Terminal]:
    terminal = Terminal(local, "status", "--watch")
    yield terminal
    if terminal.process.poll() is None:
        terminal.process.kill()
        terminal.end()


def test_the_watch_follows_the_jobs_and_q_ends_it(local: StackAtWork, watched: Terminal) -> None:
    watched.wait_for("nothing left to do")
    make_due(local, 30)
    watched.wait_for("pending")
    work(local)
    watched.wait_for("nothing left to do")
    watched.type("xq")
    assert watched.end() == 0


def test_an_interrupt_ends_the_watch_without_a_word(watched: Terminal) -> None:
    watched.wait_for("nothing left to do")
    watched.process.send_signal(signal.SIGINT)
    assert watched.end() == 0
    assert "Traceback" not in watched.shown


def test_the_watch_connects_again_and_says_so(local: StackAtWork) -> None:
    started = local.place.start("status", "--watch", "--json", "--stack", "local")
    assert started.stdout is not None
    try:
        first = json.loads(started.stdout.readline())
        assert {job["name"] for job in first["jobs"]} == set(local.values()["jobs"])
        with local.connect() as conn:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
            assert conn.execute(cut, ["postgres-genai status"]).fetchall() == [(True,)]
        lines = []
        while "The database answers again" not in (line := started.stdout.readline()):
            assert line, lines
            lines.append(line)
        assert any("the database went away" in line for line in lines)
        assert json.loads(started.stdout.readline())["at"] > first["at"]
    finally:
        started.send_signal(signal.SIGINT)
        rest, _ = started.communicate(timeout=SECONDS)
    assert started.returncode == 0, rest
