"""VectorSchema: brownfield columns, brief locks, refusals, and that no vector is dropped unasked."""

from __future__ import annotations

from typing import Any

import pytest

from components.dynamic.vector_schema import VectorSchemaProvider as Provider
from tests.protocol.local_server import USER, LocalServer
from tests.protocol.plugin import Plugin, PluginError


@pytest.fixture
def column(server: LocalServer, database: str, access: dict[str, Any]) -> dict[str, Any]:
    with server.superuser(database) as conn:
        conn.execute("CREATE EXTENSION vector")
        conn.execute("CREATE TABLE public.invoices (id bigint PRIMARY KEY, notes text)")
        conn.execute("INSERT INTO public.invoices SELECT g, 'note ' || g FROM generate_series(1, 100) AS g")
        conn.execute(f"ALTER TABLE public.invoices OWNER TO {USER}")
    return {**access, "table": "public.invoices", "column": "embedding", "type": "vector", "dimensions": 3}


def columns(server: LocalServer, database: str) -> dict[str, str]:
    with server.superuser(database) as conn:
        rows = conn.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'public.invoices'::regclass AND attnum > 0 AND NOT attisdropped"
        ).fetchall()
    return dict(rows)


def test_adds_finds_drops_on_demand(plugin: Plugin, server: LocalServer, database: str, column: dict[str, Any]) -> None:
    id_, outs = plugin.create(Provider, column)
    assert id_ == f"local-pg/{database}/column/public.invoices.embedding"
    assert columns(server, database)["embedding"] == "vector(3)"
    assert outs["adopted"] is False
    assert plugin.read(Provider, id_, outs)[:2] == (id_, outs)
    assert not plugin.diff(Provider, outs, column).any
    plugin.delete(Provider, outs)
    assert "embedding" in columns(server, database)
    outs = plugin.update(Provider, outs, {**column, "dropOnDelete": True})
    plugin.delete(Provider, outs)
    assert "embedding" not in columns(server, database)
    assert plugin.read(Provider, id_, outs)[0] == ""


def test_a_column_of_the_same_type_is_adopted_with_its_rows(
    plugin: Plugin, server: LocalServer, database: str, column: dict[str, Any]
) -> None:
    with server.superuser(database) as conn:
        conn.execute("ALTER TABLE public.invoices ADD COLUMN embedding vector(3)")
        conn.execute("UPDATE public.invoices SET embedding = '[1,2,3]'")
    _, outs = plugin.create(Provider, {**column, "dropOnDelete": True})
    assert outs["adopted"] is True
    plugin.delete(Provider, outs)
    with server.superuser(database) as conn:
        assert conn.execute("SELECT count(*) FROM public.invoices WHERE embedding = '[1,2,3]'").fetchone() == (100,)


def test_another_type_is_refused(plugin: Plugin, column: dict[str, Any]) -> None:
    _, outs = plugin.create(Provider, column)
    for other in ({"dimensions": 4}, {"type": "halfvec"}):
        diff = plugin.diff(Provider, outs, {**column, **other})
        assert diff.any
        assert not diff.replaces
        with pytest.raises(PluginError, match=r"is there already as vector\(3\), and the stack asks for"):
            plugin.update(Provider, outs, {**column, **other})


def test_type_drift_is_found(plugin: Plugin, server: LocalServer, database: str, column: dict[str, Any]) -> None:
    id_, outs = plugin.create(Provider, column)
    with server.superuser(database) as conn:
        conn.execute("ALTER TABLE public.invoices ALTER COLUMN embedding TYPE vector(5)")
    _, read, inputs = plugin.read(Provider, id_, outs)
    assert inputs["dimensions"] == 5
    assert plugin.diff(Provider, read, column).any


@pytest.mark.parametrize(
    ("sql", "change", "says"),
    [
        ("SELECT 1", {"table": "public.nothing"}, "table public.nothing does not exist in database"),
        ("CREATE VIEW public.v AS SELECT 1 AS a", {"table": "public.v"}, "is not a table"),
        ("ALTER TABLE public.invoices OWNER TO postgres", {}, "does not own table public.invoices"),
        ("DROP EXTENSION vector", {}, "add vector to `postgres-genai:extensions`"),
    ],
)
def test_refusals(
    plugin: Plugin, server: LocalServer, database: str, column: dict[str, Any], sql: str, change: Any, says: str
) -> None:
    with server.superuser(database) as conn:
        conn.execute(sql.encode())
    with pytest.raises(PluginError, match=says):
        plugin.create(Provider, {**column, **change})


def test_waits_for_a_lock_that_another_session_holds(
    server: LocalServer, database: str, column: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder is named, and lets go as soon as the wait was announced."""
    from components.dynamic.access import connection_of
    from components.dynamic.props import Props
    from database import schema
    from database.connection import connect

    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    wanted = schema.VectorColumn("public.invoices", "embedding", "vector", 3)
    with server.superuser(database) as holder, connect(connection_of(Props(column))) as conn:
        with holder.transaction():
            holder.execute("LOCK TABLE public.invoices IN ACCESS SHARE MODE")
            with pytest.raises(schema.DatabaseError, match=r"no lock on the table within 0 s; held by pid \d+"):
                schema.ensure(conn, wanted, timeout_seconds=0)
        assert schema.ensure(conn, wanted) is False
