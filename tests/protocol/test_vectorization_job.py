"""VectorizationJob over the real engine: backfill, second run, changes, drift by SQL, removal, and being cut off."""

from __future__ import annotations

from typing import Any

import pytest

from components.dynamic.sql_migration import SqlMigrationArgs, SqlMigrationProvider
from components.dynamic.vectorization_job import VectorizationJobProvider as Provider
from database.vectorization import JobSpec
from tests.protocol.local_server import USER, LocalServer
from tests.protocol.plugin import Plugin, PluginError

DEPLOYMENT = {
    "name": "embedding",
    "model": "text-embedding-3-small",
    "dimensions": 1536,
    "tokensPerMinute": 10_000_000,
    "requestsPerMinute": 60_000,
    "pricePerMillionTokens": 0.02,
}
DROP_TRIGGERS = """
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'public.notes'::regclass LOOP
        EXECUTE format('DROP TRIGGER %I ON public.notes', name);
    END LOOP;
END $$
"""


@pytest.fixture
def inputs(plugin: Plugin, server: LocalServer, database: str, access: dict[str, Any]) -> dict[str, Any]:
    with server.superuser(database) as conn:
        conn.execute("CREATE EXTENSION vector")
        conn.execute("CREATE EXTENSION azure_ai")
        conn.execute("CREATE TABLE public.notes (id bigint PRIMARY KEY, title text NOT NULL, body text)")
        conn.execute("INSERT INTO public.notes SELECT g, 'title ' || g, 'body ' || g FROM generate_series(1, 250) AS g")
        conn.execute("INSERT INTO public.notes VALUES (0, '', NULL)")
        conn.execute(f"ALTER TABLE public.notes OWNER TO {USER}")
    for folder in ("vectorize", "search"):
        args = SqlMigrationArgs.for_folder(folder, **access)
        plugin.create(SqlMigrationProvider, {**access, "folder": folder, "files": args.files})
    job = JobSpec("notes", "public.notes", "{title}\n{body}", "embedding").to_json()
    return {**access, "deployment": DEPLOYMENT, "job": job, "workers": 2, "timeoutSeconds": 120, "revision": 1}


def embedded(server: LocalServer, database: str) -> int:
    with server.superuser(database) as conn:
        row = conn.execute("SELECT count(embedding) FROM public.notes").fetchone()
    return int(row[0]) if row else -1


def test_from_backfill_to_removal(plugin: Plugin, server: LocalServer, database: str, inputs: dict[str, Any]) -> None:
    id_, outs = plugin.create(Provider, inputs)
    assert id_ == f"local-pg/{database}/job/notes"
    assert embedded(server, database) == 250
    assert outs["status"]["state"] == "active"
    assert outs["status"]["embedded"] == 250
    assert outs["status"]["remaining"] == 0
    assert outs["status"]["tokens"] > 0
    assert outs["unfinished"] is False
    assert not plugin.diff(Provider, outs, inputs).any
    _, read, read_inputs = plugin.read(Provider, id_, outs)
    assert read_inputs == inputs
    assert not plugin.diff(Provider, read, inputs).any
    again = plugin.create(Provider, inputs)  # as after a kill: the same end, and nothing is paid twice
    assert again[1]["status"]["tokens"] == outs["status"]["tokens"]
    plugin.delete(Provider, outs)
    assert embedded(server, database) == 250
    assert plugin.read(Provider, id_, outs)[0] == ""
    plugin.delete(Provider, outs)


def test_a_changed_template_embeds_again_in_place(
    plugin: Plugin, server: LocalServer, database: str, inputs: dict[str, Any]
) -> None:
    _, outs = plugin.create(Provider, inputs)
    changed = {**inputs, "job": {**inputs["job"], "template": "{title}"}}
    diff = plugin.diff(Provider, outs, changed)
    assert diff.any
    assert not diff.replaces
    after = plugin.update(Provider, outs, changed)
    assert after["status"]["tokens"] > outs["status"]["tokens"]
    assert embedded(server, database) == 250


@pytest.mark.parametrize(
    "by_hand",
    [
        "CALL vectorize.pause('notes')",
        "UPDATE vectorize.job SET template = '{body}' WHERE name = 'notes'",
        "ALTER TABLE public.notes DROP COLUMN embedding",
        DROP_TRIGGERS,
        "UPDATE vectorize.deployment SET tokens_per_minute = 1000",
    ],
)
def test_drift_by_sql_is_found_and_mended(
    plugin: Plugin, server: LocalServer, database: str, inputs: dict[str, Any], by_hand: str
) -> None:
    id_, outs = plugin.create(Provider, inputs)
    with server.superuser(database) as conn:
        conn.execute(by_hand.encode())
    _, read, _ = plugin.read(Provider, id_, outs)
    diff = plugin.diff(Provider, read, inputs)
    assert diff.any
    assert not diff.replaces
    mended = plugin.update(Provider, read, inputs)
    assert embedded(server, database) == 250
    _, read, read_inputs = plugin.read(Provider, id_, mended)
    assert read_inputs == inputs
    assert not plugin.diff(Provider, read, inputs).any


def test_a_job_removed_by_sql_or_with_the_engine_is_gone(
    plugin: Plugin, server: LocalServer, database: str, inputs: dict[str, Any]
) -> None:
    id_, outs = plugin.create(Provider, inputs)
    with server.superuser(database) as conn:
        conn.execute("CALL vectorize.remove('notes')")
    assert plugin.read(Provider, id_, outs)[0] == ""
    with server.superuser(database) as conn:
        conn.execute("DROP SCHEMA vectorize CASCADE")
    assert plugin.read(Provider, id_, outs)[0] == ""
    plugin.delete(Provider, outs)


def test_delete_takes_the_vectors_only_on_demand(
    plugin: Plugin, server: LocalServer, database: str, inputs: dict[str, Any]
) -> None:
    _, outs = plugin.create(Provider, {**inputs, "removeOnDelete": True})
    plugin.delete(Provider, outs)
    with server.superuser(database) as conn:
        rows = conn.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'public.notes'::regclass AND attnum > 0 "
            "AND NOT attisdropped"
        ).fetchall()
    assert ("embedding",) not in rows


@pytest.mark.parametrize("on_demand", [True, False])
def test_delete_works_after_the_table_was_dropped(
    plugin: Plugin, server: LocalServer, database: str, inputs: dict[str, Any], on_demand: bool
) -> None:
    beside = {**inputs, "job": {**inputs["job"], "target": "table"}, "removeOnDelete": on_demand}
    id_, outs = plugin.create(Provider, beside)
    with server.superuser(database) as conn:
        conn.execute("DROP TABLE public.notes")
    plugin.delete(Provider, outs)
    assert plugin.read(Provider, id_, outs)[0] == ""
    with server.superuser(database) as conn:
        row = conn.execute("SELECT to_regclass('public.notes_embedding') IS NOT NULL").fetchone()
    assert row == (not on_demand,)


def test_a_backfill_that_is_cut_off_goes_on_with_the_next_run(
    plugin: Plugin, server: LocalServer, database: str, inputs: dict[str, Any]
) -> None:
    with server.superuser(database) as conn:
        conn.execute(
            "INSERT INTO azure_openai.fault VALUES ('azure_openai.create_embeddings: 429: Please retry after 1 "
            "seconds', 1000000)"
        )
    id_, outs = plugin.create(Provider, {**inputs, "timeoutSeconds": 1})
    assert outs["unfinished"] is True
    assert outs["status"]["remaining"] > 0
    assert plugin.diff(Provider, outs, inputs).any
    assert plugin.read(Provider, id_, outs)[1]["unfinished"] is True
    with server.superuser(database) as conn:
        conn.execute("DELETE FROM azure_openai.fault")
    outs = plugin.update(Provider, outs, inputs)
    assert outs["unfinished"] is False
    assert embedded(server, database) == 250
    assert not plugin.diff(Provider, outs, inputs).any


def test_mistakes_of_a_job_are_sentences(plugin: Plugin, inputs: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match=r"public\.nothing"):
        plugin.create(Provider, {**inputs, "job": {**inputs["job"], "table": "public.nothing"}})
    with pytest.raises(PluginError, match="nowhere"):
        plugin.create(Provider, {**inputs, "job": {**inputs["job"], "template": "{nowhere}"}})
    _, failures = plugin.check(Provider, {**inputs, "job": {**inputs["job"], "surprise": 1}})
    assert set(failures) == {"job"}
