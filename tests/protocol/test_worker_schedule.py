"""WorkerSchedule: the jobs of pg_cron are declared, adopted, seen, mended and removed, wherever pg_cron lives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.dynamic.worker_schedule import WorkerScheduleProvider as Provider
from tests.protocol.local_server import USER, LocalServer
from tests.protocol.plugin import Plugin, PluginError

STUB = Path(__file__).with_name("pg_cron_stub.sql")
JOBS = "SELECT jobname, schedule, command, database, username, active FROM cron.job ORDER BY jobid"
ONE_MORE = (
    "INSERT INTO cron.job (jobname, schedule, command, username) "
    "SELECT jobname || '0', schedule, command, username FROM cron.job"
)


@pytest.fixture
def cron(server: LocalServer) -> str:
    """A database that pg_cron lives in."""
    name = server.new_database()
    with server.superuser(name) as conn:
        conn.execute(STUB.read_bytes())
    return name


@pytest.fixture
def inputs(access: dict[str, Any], cron: str) -> dict[str, Any]:
    return {**access, "parallel": 2, "cronDatabase": cron}


def jobs(server: LocalServer, cron: str) -> dict[str, tuple[Any, ...]]:
    with server.superuser(cron) as conn:
        return {name: tuple(rest) for name, *rest in conn.execute(JOBS.encode()).fetchall()}


def test_declares_reads_and_removes(
    plugin: Plugin, server: LocalServer, database: str, cron: str, inputs: dict[str, Any]
) -> None:
    id_, outs = plugin.create(Provider, inputs)
    assert id_ == f"local-pg/{database}/schedule/workers"
    names = [f"postgres-genai {database} {what}" for what in ("1", "2", "purge")]
    assert outs["jobs"] == names
    declared = jobs(server, cron)
    assert list(declared) == names
    work = ("10 seconds", "CALL vectorize.work(NULL, 58, true)", database, USER, True)
    assert declared[names[0]] == declared[names[1]] == work
    assert declared[names[2]][2:] == (cron, USER, True)
    assert plugin.read(Provider, id_, outs)[:2] == (id_, outs)
    assert not plugin.diff(Provider, outs, inputs).any
    assert plugin.diff(Provider, {**outs, "definition": "of another version"}, inputs).changes == "DIFF_SOME"
    assert plugin.create(Provider, inputs) == (id_, outs)
    assert jobs(server, cron) == declared
    plugin.delete(Provider, outs)
    assert jobs(server, cron) == {}
    assert plugin.read(Provider, id_, outs)[0] == ""
    plugin.delete(Provider, outs)


def test_another_number_of_workers(
    plugin: Plugin, server: LocalServer, database: str, cron: str, inputs: dict[str, Any]
) -> None:
    _, outs = plugin.create(Provider, inputs)
    for parallel in (4, 1):
        news = {**inputs, "parallel": parallel}
        diff = plugin.diff(Provider, outs, news)
        assert diff.any
        assert not diff.replaces
        outs = plugin.update(Provider, outs, news)
        assert sorted(outs["jobs"]) == sorted(jobs(server, cron))
        assert len(outs["jobs"]) == parallel + 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE cron.job SET active = false WHERE jobname LIKE '%1'",
        "UPDATE cron.job SET command = 'SELECT 1' WHERE jobname LIKE '%2'",
        "UPDATE cron.job SET schedule = '0 0 * * *' WHERE jobname LIKE '%1'",
        "DELETE FROM cron.job WHERE jobname LIKE '%purge'",
        ONE_MORE,
    ],
    ids=["inactive", "another command", "another schedule", "removed", "one too many"],
)
def test_what_was_changed_by_sql_is_found_and_mended(
    plugin: Plugin, server: LocalServer, cron: str, inputs: dict[str, Any], change: str
) -> None:
    id_, outs = plugin.create(Provider, inputs)
    declared = jobs(server, cron)
    with server.superuser(cron) as conn:
        conn.execute(change.encode())
    _, read, read_inputs = plugin.read(Provider, id_, outs)
    assert read_inputs == inputs
    assert plugin.diff(Provider, read, inputs).changes == "DIFF_SOME"
    mended = plugin.update(Provider, read, inputs)
    assert mended == outs
    assert jobs(server, cron) == declared
    assert not plugin.diff(Provider, plugin.read(Provider, id_, mended)[1], inputs).any


def test_other_jobs_and_their_history_are_left_alone(
    plugin: Plugin, server: LocalServer, database: str, cron: str, inputs: dict[str, Any]
) -> None:
    with server.superuser(cron) as conn:
        for name, owner in ((f"postgres-genai {database}2 1", USER), (f"postgres-genai {database} 1", "somebody")):
            conn.execute(
                "INSERT INTO cron.job (jobname, schedule, command, username) VALUES (%s, '* * * * *', 'SELECT 1', %s)",
                [name, owner],
            )
        conn.execute(
            "INSERT INTO cron.job_run_details (database, username, command, start_time) "
            "SELECT d, %s, c, now() - age FROM unnest(%s::text[]) AS d, unnest(%s::text[]) AS c, "
            "unnest(ARRAY[interval '2 days', interval '1 hour']) AS age",
            [USER, [database, "other"], ["VACUUM", "CALL vectorize.work(NULL, 58, true)"]],
        )
    others = jobs(server, cron)
    _, outs = plugin.create(Provider, inputs)
    with server.superuser(cron) as conn:
        [(purge,)] = conn.execute("SELECT command FROM cron.job WHERE jobname LIKE '%purge'").fetchall()
        conn.execute(f"SET ROLE {USER}")
        assert conn.execute(purge.encode()).rowcount == 1
    plugin.delete(Provider, outs)
    assert jobs(server, cron) == others
    with server.superuser(cron) as conn:
        kept = conn.execute("SELECT database, command FROM cron.job_run_details ORDER BY 1, 2").fetchall()
    assert kept == sorted(
        [(database, "VACUUM")] * 2 + [("other", "VACUUM")] * 2 + [("other", "CALL vectorize.work(NULL, 58, true)")] * 2
    )


def test_a_limit_on_statements_is_lifted_and_put_back(
    plugin: Plugin, server: LocalServer, database: str, inputs: dict[str, Any]
) -> None:
    def limit() -> Any:
        with server.superuser(database) as conn:
            return conn.execute(
                "SELECT setconfig FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase "
                "WHERE datname = current_database() AND setrole = %s::regrole",
                [USER],
            ).fetchall()

    with server.superuser(database) as conn:
        conn.execute(f"ALTER DATABASE {database} SET statement_timeout = '30s'")
    id_, outs = plugin.create(Provider, inputs)
    assert outs["timeoutBefore"] == ""
    assert limit() == [(["statement_timeout=0"],)]
    assert plugin.read(Provider, id_, outs)[:2] == (id_, outs)
    plugin.delete(Provider, outs)
    assert limit() == []
    with server.superuser(database) as conn:
        conn.execute(f"ALTER ROLE {USER} IN DATABASE {database} SET statement_timeout = '5s'")
    _, read, _ = plugin.read(Provider, id_, plugin.create(Provider, inputs)[1])
    assert read["timeoutBefore"] == "5s"
    with server.superuser(database) as conn:
        conn.execute(f"ALTER ROLE {USER} IN DATABASE {database} SET statement_timeout = '7s'")
    _, read, _ = plugin.read(Provider, id_, read)
    assert plugin.diff(Provider, read, inputs).changes == "DIFF_SOME"
    outs = plugin.update(Provider, read, inputs)
    assert limit() == [(["statement_timeout=0"],)]
    plugin.delete(Provider, outs)
    assert limit() == [(["statement_timeout=7s"],)]


def test_without_pg_cron_it_says_what_to_do(plugin: Plugin, access: dict[str, Any], database: str) -> None:
    with pytest.raises(PluginError, match="has no pg_cron: add pg_cron to `postgres-genai:extensions`"):
        plugin.create(Provider, {**access, "parallel": 1, "cronDatabase": database})
    outs = {**access, "parallel": 1, "cronDatabase": database, "jobs": []}
    assert plugin.read(Provider, "x", outs)[0] == ""
    plugin.delete(Provider, outs)
