"""The settings of jobs: what they must not share, and what their indexes, workers and extensions must fit."""

from __future__ import annotations

import pytest

from components.settings import StackSettings
from tests.unit.test_settings import GOOD, JOB, mistakes


def test_two_jobs_on_one_column_are_refused_and_on_two_tables_not() -> None:
    other = {**JOB, "template": "{title}"}
    found = mistakes({**GOOD, "jobs": {"notes": JOB, "titles": other}})
    assert found == {
        "jobs.titles.target.column": "public.invoices.embedding is written by jobs.notes already; choose another column"
    }
    StackSettings.parse({**GOOD, "jobs": {"notes": JOB, "titles": {**other, "target": {"column": "title_embedding"}}}})
    StackSettings.parse({**GOOD, "jobs": {"notes": JOB, "titles": {**other, "target": {"kind": "table"}}}})


def test_jobs_need_the_extensions_that_they_use() -> None:
    assert "'azure_ai'" in mistakes({**GOOD, "extensions": ["vector"], "deployments": GOOD["deployments"]})["jobs"]
    found = mistakes({**GOOD, "unavailable": {"azure_ai": "closed network"}})
    assert "listed as unavailable" in found["jobs"]
    assert "nothing could use them" in found["deployments"]


def test_workers_of_pg_cron_need_it_and_the_engine() -> None:
    scheduled = {**GOOD, "workers": {"schedule": {}}}
    assert "'pg_cron', which is not among the extensions" in mistakes(scheduled)["workers.schedule"]
    left_out = {**scheduled, "extensions": ["vector", "azure_ai", "pg_cron"], "unavailable": {"pg_cron": "not here"}}
    assert "listed as unavailable" in mistakes(left_out)["workers.schedule"]
    bare = {"extensions": ["pg_cron"], "jobs": {}, "deployments": {}}
    assert "'azure_ai'" in mistakes({**scheduled, **bare})["workers.schedule"]
    settings = StackSettings.parse({**scheduled, "extensions": ["vector", "azure_ai", "pg_cron"]})
    assert settings.workers.schedule is not None
    assert settings.workers.schedule.parallel == 4
    assert StackSettings.parse(GOOD).workers.schedule is None


@pytest.mark.parametrize(
    ("model", "dimensions", "kind", "storage", "index", "fits"),
    [
        ("text-embedding-3-large", None, "column", "vector", "hnsw", False),
        ("text-embedding-3-large", None, "column", "halfvec", "hnsw", True),
        ("text-embedding-3-large", 1536, "column", "vector", "hnsw", True),
        ("text-embedding-3-large", None, "table", "vector", "ivfflat", False),
        ("text-embedding-3-large", None, "column", "vector", "none", True),
        ("text-embedding-3-large", 2000, "column", "vector", "ivfflat", True),
        ("text-embedding-ada-002", 512, "column", "vector", "none", False),
        ("text-embedding-ada-002", 1536, "column", "vector", "none", True),
        ("text-embedding-3-small", 512, "column", "vector", "hnsw", True),
    ],
)
def test_an_index_fits_type_and_dimensions(
    model: str, dimensions: int | None, kind: str, storage: str, index: str, fits: bool
) -> None:
    job = {**JOB, "target": {"kind": kind, "type": storage}, "index": {"kind": index}}
    config = {
        **GOOD,
        "deployments": {"embedding": {"model": model}},
        "jobs": {"notes": job | ({"dimensions": dimensions} if dimensions else {})},
    }
    if fits:
        StackSettings.parse(config)
    else:
        assert set(mistakes(config)) <= {"jobs.notes.index.kind", "jobs.notes.dimensions"}


def test_diskann_takes_more_dimensions_only_when_quantized() -> None:
    config = {
        **GOOD,
        "extensions": ["vector", "azure_ai", "pg_diskann"],
        "deployments": {"embedding": {"model": "text-embedding-3-large"}},
        "jobs": {"notes": {**JOB, "index": {"kind": "diskann"}}},
    }
    assert "product_quantized: 1" in mistakes(config)["jobs.notes.index.kind"]
    config["jobs"]["notes"]["index"]["options"] = {"product_quantized": 1}
    StackSettings.parse(config)
