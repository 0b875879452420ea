"""The life of the local stack: up, up again, previews that tell the truth, drift found and mended, and nothing left."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace, planned


@pytest.fixture(scope="module")
def local(place: Workplace) -> StackAtWork:
    """The stack of `make up`, with its sample, brought up once; the tests run in the order of the file."""
    stack = place.stack("local")
    stack.up()
    return stack


@pytest.fixture
def config(local: StackAtWork) -> Iterator[StackAtWork]:
    """The stack with a config that may be changed; it is put back."""
    before = local.file.read_bytes()
    yield local
    local.file.write_bytes(before)


def test_up_embeds_every_row_of_the_sample(local: StackAtWork) -> None:
    status = local.status()
    assert status["live"], status["note"]
    assert set(status["jobs"]) == set(local.values()["jobs"])
    assert sum(job["rows"] for job in status["jobs"].values()) > 5000
    for job in status["jobs"].values():
        assert job["embedded"] + job["empty"] + job["quarantined"] == job["rows"]
        assert job["pending"] == 0
        assert job["tokens"] > 0
    assert set(status["extensions"]) == {"vector", "azure_ai"}


def test_a_second_up_changes_nothing(local: StackAtWork) -> None:
    assert "expect-no-changes" not in local.run("up", "--expect-no-changes")
    assert local.up()["changed"] == {}


def test_a_refresh_finds_no_drift(local: StackAtWork) -> None:
    local.run("refresh", "--expect-no-changes")


def test_a_search_shows_meaning_and_words_side_by_side(local: StackAtWork) -> None:
    asked = ("search", "late delivery penalty", "--stack", "local", "--job", "statement-chunks", "-k", "3")
    found: dict[str, list[dict[str, Any]]] = local.place.data(*asked, "--compare")
    assert {way: len(rows) for way, rows in found.items()} == {"vector": 3, "text": 3, "hybrid": 3}
    assert "«" in found["text"][0]["snippet"]
    assert local.place.data(*asked, "--hybrid") == found["hybrid"]
    page = local.run("search", "late delivery penalty", "--compare")
    assert re.search(r"vector \(distance\) +text \(score\) +hybrid \(score\)", page)
    with local.connect() as conn:
        words = conn.execute("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'words\\_%'").fetchone()
    assert words == (1,)


def test_search_answers(local: StackAtWork) -> None:
    found: list[dict[str, Any]] = local.place.data("search", "late delivery penalty", "--stack", "local", "-k", "5")
    assert len(found) == 5
    assert [row["distance"] for row in found] == sorted(row["distance"] for row in found)
    assert any(word in row["content"].lower() for row in found for word in ("late", "deliver", "penalt"))
    page = local.run("search", "late delivery penalty")
    assert "public." in page


def test_psql_gets_in_as_the_printed_user(local: StackAtWork) -> None:
    printed = local.run("psql", "--", "-XAt", "-c", "SELECT azure_ai.version(), current_user")
    assert printed.strip().endswith("|deployer")
    with local.connect() as connection:
        one = connection.execute("SELECT azure_openai.create_embeddings('embedding', 'a late delivery')").fetchone()
        many = connection.execute("SELECT azure_openai.create_embeddings('embedding', ARRAY['a', 'b'])").fetchall()
        mood = connection.execute("SELECT azure_cognitive.analyze_sentiment('What a mess', 'en')").fetchone()
    assert one is not None
    assert len(one[0]) == 1536
    assert len(many) == 2
    assert "negative" in str(mood)


def test_pulumi_itself_works_and_leaves_the_config_alone(local: StackAtWork) -> None:
    before = local.file.read_bytes()
    lines = (
        'eval "$("$0" -m tools env)" && pulumi preview --non-interactive --expect-no-changes && command pulumi stack ls'
    )
    done = subprocess.run(
        ["/bin/sh", "-c", lines, sys.executable], cwd=local.place.root, env=local.place.environment,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^local", done.stdout, re.MULTILINE)
    assert local.file.read_bytes() == before


def test_a_preview_of_a_changed_template_updates_that_job_alone(config: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["jobs"]["line-items"]["template"] = "Item: {description}"

    config.edit(change)
    printed = config.run("preview")
    assert planned(printed, "update", "database-job-line-items")
    assert "1 to update" in printed
    assert re.search(r"[\d,]+ rows; .* tokens", printed), "the cost stands beside the job"


def test_a_preview_of_changed_dimensions_says_so(config: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["jobs"]["line-items"]["dimensions"] = 512

    config.edit(change)
    printed = config.run("preview", "--diff")
    assert "database-job-line-items" in printed
    assert "512" in printed


def test_a_preview_of_a_changed_parameter_updates_it_alone(config: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["parameters"] = {**values.get("parameters", {}), "log_min_duration_statement": "250"}

    config.edit(change)
    printed = config.run("preview")
    assert planned(printed, "create", "server-parameters-log_min_duration_statement")
    assert "1 to create" in printed


def test_a_preview_of_one_extension_more_allows_it_and_creates_it(config: StackAtWork) -> None:
    config.edit(lambda values: values["extensions"].append("pg_trgm"))
    printed = config.run("preview")
    assert planned(printed, "update", "server-parameters-azure.extensions")
    assert planned(printed, "create", "database-extension-pg_trgm")
    assert "1 to create" in printed


def test_a_preview_of_one_extension_less_drops_it_and_keeps_it_allowed(config: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["extensions"] = ["azure_ai"]
        values["jobs"], values["unavailable"] = {}, {}

    config.edit(change)
    printed = config.run("preview")
    assert planned(printed, "delete", "database-extension-vector")
    assert "azure.extensions" not in printed, "others may have come to need it"


def test_a_new_job_is_one_resource_with_its_cost(config: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["jobs"]["vendors"] = {"table": "public.vendors", "template": "{name}", "deployment": "embedding"}

    config.edit(change)
    printed = config.run("preview")
    assert planned(printed, "create", "database-job-vendors")
    assert "1 to create" in printed
    assert re.search(r"public.vendors: [\d,]+ rows; .* tokens, .* USD", printed)


def test_ten_mistakes_are_named_in_one_preview(config: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["namePrefix"] = "Not A Name"
        values["server"] = {"version": "9", "sku": {"name": "Standard_B2s", "tier": "GeneralPurpose"}, "storageGb": 7}
        values["extensions"] = ["vector", "azure_ai", "no_such_extension"]
        values["firewall"] = {"rules": {"odd": {"start": "300.1.1.1"}}}
        values["jobs"]["line-items"]["deployment"] = "nowhere"
        values["jobs"]["statement-chunks"]["template"] = "no key"
        values["jobs"]["statement-chunks"]["distanse"] = "l2"
        values["jobs"]["validation-results"]["dimensions"] = 9999

    config.edit(change)
    printed = config.run("preview", code=None)
    named = set(re.findall(r"postgres-genai:([\w.\[\]-]+): ", printed))
    assert named == {
        "extensions[2]",
        "firewall.rules.odd.start",
        "jobs.line-items.deployment",
        "jobs.statement-chunks.distanse",
        "jobs.statement-chunks.template",
        "jobs.validation-results.dimensions",
        "namePrefix",
        "server.sku.tier",
        "server.storageGb",
        "server.version",
    }, printed
    assert "distance" in printed, "the nearest known key is named"
    assert "Traceback" not in printed


def test_drift_made_in_sql_is_found_and_mended(local: StackAtWork) -> None:
    with local.connect() as connection:
        connection.execute("SELECT azure_ai.set_setting('azure_openai.endpoint', 'https://other.openai.azure.com')")
    printed = local.run("refresh")
    assert planned(printed, "updated", "database-azure-ai") or "1 updated" in printed, printed
    assert local.up()["changed"] == {"update": 1}
    with local.connect() as connection:
        row = connection.execute("SELECT azure_ai.get_setting('azure_openai.endpoint')").fetchone()
    assert row is not None
    assert str(row[0]).rstrip("/") == local.outputs()["openaiEndpoint"].rstrip("/")
    local.run("refresh", "--expect-no-changes")


def test_drift_made_in_resource_manager_is_found_and_mended(local: StackAtWork) -> None:
    rule = "/firewallRules/this-machine"
    local.arm("PUT", rule, {"properties": {"startIpAddress": "127.0.0.1", "endIpAddress": "127.0.0.99"}})
    local.run("refresh")
    assert local.up()["changed"] == {"update": 1}
    assert local.arm("GET", rule)["properties"]["endIpAddress"] == "127.0.0.1"
    local.run("refresh", "--expect-no-changes")


def test_a_row_that_changes_is_embedded_again_and_an_unrelated_update_costs_nothing(local: StackAtWork) -> None:
    before = local.status()["jobs"]["line-items"]
    with local.connect() as connection:
        connection.execute("UPDATE public.line_items SET quantity = quantity WHERE id <= 5")
        connection.execute("CALL vectorize.work('line-items', 30)")
        same = local.status()["jobs"]["line-items"]
        assert same["tokens"] == before["tokens"]
        connection.execute("UPDATE public.line_items SET description = 'An anvil, forged twice' WHERE id = 1")
        connection.execute("CALL vectorize.work('line-items', 30)")
    after = local.status()["jobs"]["line-items"]
    assert after["tokens"] > before["tokens"]
    assert after["pending"] == 0
    best = local.place.data("search", "anvil forged twice", "--stack", "local", "--job", "line-items", "-k", "1")
    assert best[0]["content"] == "An anvil, forged twice"


def test_destroy_leaves_nothing_and_lists_what_is_retained(place: Workplace) -> None:
    stack = place.stack("local")
    suffix = str(stack.outputs()["serverName"]).rpartition("-")[2]
    printed = stack.run("destroy")
    assert "Retained: nothing." in printed
    assert "Gone with the server, not one by one: database-sql-vectorize" in printed
    left = [item for item in place.data("status", module="emulator")["resources"] if item["name"].endswith(suffix)]
    assert left == []
    assert not stack.status()["resources"]
    assert "not up" in stack.status()["note"]


def test_down_leaves_no_process_and_no_port_and_up_starts_again(place: Workplace) -> None:
    ports = place.data("status", module="emulator")["ports"].values()
    place.run("down")
    assert not place.processes()
    for port in ports:
        with socket.socket() as probe:
            probe.settimeout(2)
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"port {port} is still open"
    assert "running" in place.run("down")
