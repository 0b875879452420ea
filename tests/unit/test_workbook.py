"""The workbook: valid JSON of its format, the same for the same facts, about what it is given."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from components import workbook as book

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/log-1"
SERVER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/psql-1"
ACCOUNT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/oai-1"
REPORT = Path(__file__).parents[2] / "sql" / "vectorize" / "report.sql"


def made(*accounts: str) -> dict[str, Any]:
    facts = book.WorkbookFacts(workspace_id=WORKSPACE, server_id=SERVER, account_ids=accounts)
    assert book.workbook(facts) == book.workbook(facts)
    parsed: dict[str, Any] = json.loads(book.workbook(facts))
    return parsed


def test_it_shows_progress_quota_and_failures() -> None:
    workbook = made(ACCOUNT)
    assert workbook["version"] == "Notebook/1.0"
    assert workbook["fallbackResourceIds"] == [WORKSPACE]
    headings = [item["content"]["json"] for item in workbook["items"] if item["type"] == 1]
    assert headings == ["# Vectorization", "## Progress", "## Quota", "## Failures", "## Server"]
    names = [item["name"] for item in workbook["items"]]
    assert len(names) == len(set(names))
    charts = [item["content"]["chartId"] for item in workbook["items"] if item["type"] == 10]
    assert len(charts) == len(set(charts)) == 4


def test_each_part_asks_about_what_it_is_given() -> None:
    for item in made(ACCOUNT)["items"]:
        content = item["content"]
        if item["type"] == 3:
            assert content["crossComponentResources"] == [WORKSPACE]
            assert 'LogicalServerName == "psql-1"' in content["query"]
            assert content["timeContextFromParameter"] == "TimeRange"
        if item["type"] == 10:
            assert content["resourceIds"] in ([SERVER], [ACCOUNT])


def test_without_accounts_there_is_no_chart_of_theirs() -> None:
    assert "cognitiveservices" not in json.dumps(made())


def test_the_queries_read_what_the_engine_writes() -> None:
    """Names meet here: what the line in the log has, and what the queries take from it."""
    written = set(
        re.findall(r"'(\w+)', [sq]\.|'(\w+)', (?:left|round|substring)\(", REPORT.read_text(encoding="utf-8"))
    )
    known = {name for pair in written for name in pair if name}
    queries = book.jobs("psql-1") + book.quota("psql-1")
    read = set(re.findall(r"one\.(\w+)", queries))
    assert read
    assert read <= known, read - known
    assert set(re.findall(r"report\.(\w+)", queries)) == {"jobs", "quota"}
