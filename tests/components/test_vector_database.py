"""The inside of the database: one job is one resource, with its estimate beside it; data is retained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

JOB = "pulumi-python:dynamic/postgresql:VectorizationJob"
STATISTICS = {"public.invoices": {"rows": 1_000_000, "columns": {"notes": 400.0}}}


def test_a_job_is_one_resource(deploy: Callable[..., Any]) -> None:
    before = {one.name for one in deploy({"jobs": {}}).registrations}
    after = deploy()
    added = [one for one in after.registrations if one.name not in before]
    assert sorted((one.token, one.name) for one in added) == [(JOB, "database-job-items"), (JOB, "database-job-notes")]


def test_a_job_carries_what_the_engine_needs(deploy: Callable[..., Any]) -> None:
    recording = deploy(
        {
            "jobs": {
                "notes": {
                    "table": "public.invoices",
                    "template": "{title}: {notes}",
                    "deployment": "embedding",
                    "dimensions": 512,
                    "target": {"kind": "table", "type": "halfvec"},
                    "index": {"kind": "hnsw", "options": {"m": 24}},
                    "workers": 2,
                }
            }
        }
    )
    inputs = recording.one("database-job-notes").inputs
    assert inputs["job"]["name"] == "notes"
    assert inputs["job"]["template"] == "{title}: {notes}"
    assert (inputs["job"]["target"], inputs["job"]["type"], inputs["job"]["dimensions"]) == ("table", "halfvec", 512)
    assert inputs["workers"] == 2
    assert inputs["deployment"] == {
        "name": "embedding",
        "model": "text-embedding-3-small",
        "dimensions": 1536,
        "tokensPerMinute": 10_000,
        "requestsPerMinute": 60,
        "pricePerMillionTokens": 0.02,
    }


def test_the_estimate_is_an_input_and_a_line_of_the_preview(deploy: Callable[..., Any]) -> None:
    recording = deploy(preview=True, statistics=STATISTICS)
    estimate = recording.one("database-job-notes").inputs["estimate"]
    assert (estimate["rows"], estimate["tokens"], estimate["costUsd"]) == (1_000_000, 100_000_000, 2.0)
    assert estimate["asOf"].startswith("2026-01-02")
    line = next(line for line in recording.lines if line.startswith("public.invoices"))
    assert "1,000,000 rows" in line
    assert "2.00 USD" in line
    assert "2026-01-02" in line
    assert "longer than timeoutSeconds" in line


def test_a_table_that_is_not_among_those_recorded_is_warned_of(deploy: Callable[..., Any]) -> None:
    recording = deploy(preview=True, statistics=STATISTICS)
    (line,) = [line for line in recording.lines if line.startswith("jobs.items.table: ")]
    assert "no table public.line_items that could be read, as of 2026-01-02" in line
    assert recording.one("database-job-items").inputs.get("estimate") is None


def test_the_sample_s_tables_come_with_it(deploy: Callable[..., Any]) -> None:
    recording = deploy({"sample": True}, preview=True, statistics=STATISTICS)
    assert [line for line in recording.lines if line.startswith("public.line_items: rows not known yet")]
    assert not [line for line in recording.lines if line.startswith("jobs.")]


def test_what_is_embedded_already_is_not_said_to_cost_again(deploy: Callable[..., Any]) -> None:
    lines = deploy(preview=True, statistics=STATISTICS).lines
    line = next(line for line in lines if line.startswith("public.invoices"))
    assert "1,000,000 rows, 7 done; embedding all of them anew would be about 100,000,000 tokens" in line


def test_unknown_statistics_are_said_to_be_unknown(deploy: Callable[..., Any]) -> None:
    recording = deploy(preview=True, statistics=None)
    assert (
        len([line for line in recording.lines if "rows not known yet: the first `make up` records them" in line]) == 2
    )


def test_an_up_does_not_print_the_preview_lines(deploy: Callable[..., Any]) -> None:
    assert not [line for line in deploy(statistics=STATISTICS).lines if "rows" in line]


def test_data_stays_unless_the_stack_says_otherwise(deploy: Callable[..., Any]) -> None:
    columns = {"vectorColumns": {"own": {"table": "public.vendors", "dimensions": 8}}, "sample": True}
    kept, dropped = deploy(columns), deploy({**columns, "retainData": False})
    for name in ("database-column-own", "database-sql-vectorize", "database-sql-search", "database-sql-sample"):
        assert kept.one(name).request.retainOnDelete is True
        assert dropped.one(name).request.retainOnDelete is False
    assert kept.one("database-column-own").inputs["dropOnDelete"] is False
    assert dropped.one("database-column-own").inputs["dropOnDelete"] is True
    # A job that is taken out must stop embedding, so its delete always runs; what it keeps are the vectors.
    assert kept.one("database-job-notes").request.retainOnDelete is False
    assert kept.one("database-job-notes").inputs["removeOnDelete"] is False
    assert dropped.one("database-job-notes").inputs["removeOnDelete"] is True


def test_statistics_come_after_the_sample_and_before_the_jobs(deploy: Callable[..., Any]) -> None:
    recording = deploy({"sample": True, "vectorColumns": {"own": {"table": "public.vendors", "dimensions": 8}}})
    for earlier, later in (
        ("database-sql-search", "database-sql-sample"),
        ("database-sql-sample", "database-column-own"),
        ("database-column-own", "database-statistics"),
        ("database-statistics", "database-job-notes"),
        ("database-statistics", "database-job-items"),
    ):
        assert recording.reaches(later, earlier)
    assert not recording.reaches("database-job-notes", "database-job-items")


def test_the_jobs_status_is_exported_with_its_table(deploy: Callable[..., Any]) -> None:
    assert deploy().exports["jobs"]["notes"] == {"table": "public.invoices", "rows": 7, "embedded": 7}


SCHEDULED = {"extensions": ["vector", "azure_ai", "pg_cron"], "workers": {"schedule": {"parallel": 3}}}


def test_workers_of_pg_cron_come_after_the_jobs(deploy: Callable[..., Any]) -> None:
    recording = deploy(SCHEDULED)
    inputs = recording.one("database-workers").inputs
    assert (inputs["parallel"], inputs["cronDatabase"], inputs["connection"]["database"]) == (
        3,
        "contracts",
        "contracts",
    )
    for job in ("database-job-notes", "database-job-items"):
        assert recording.reaches("database-workers", job)
    assert recording.one("database-workers").deleted_with == "server"
    assert not [one for one in deploy().registrations if one.name == "database-workers"]
    assert deploy({**SCHEDULED, "jobs": {}}).reaches("database-workers", "database-statistics")


def test_pg_cron_is_created_where_the_parameters_let_it_live(deploy: Callable[..., Any]) -> None:
    recording = deploy({**SCHEDULED, "parameters": {"cron.database_name": "postgres"}})
    databases = {
        name: recording.one(f"database-extension-{name}").inputs["connection"]["database"]
        for name in ("vector", "pg_cron")
    }
    assert databases == {"vector": "contracts", "pg_cron": "postgres"}
    assert recording.one("database-workers").inputs["cronDatabase"] == "postgres"
    assert recording.one("database-workers").inputs["connection"]["database"] == "contracts"
