"""SourceStatistics: counts and sizes, anew on refresh, and never a diff."""

from __future__ import annotations

from typing import Any

from components.dynamic.source_statistics import SourceStatisticsProvider as Provider
from tests.protocol.local_server import LocalServer
from tests.protocol.plugin import Plugin


def test_rows_and_sizes(plugin: Plugin, server: LocalServer, database: str, access: dict[str, Any]) -> None:
    with server.superuser(database) as conn:
        conn.execute("CREATE TABLE public.notes (id int, body text, big bytea)")
        conn.execute("INSERT INTO public.notes SELECT g, repeat('ä', 1000) FROM generate_series(1, 50) AS g")
        conn.execute("INSERT INTO public.notes SELECT g, NULL FROM generate_series(51, 100) AS g")
        conn.execute("CREATE TABLE public.parts (k int, body text) PARTITION BY LIST (k)")
        conn.execute("CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES IN (1)")
        conn.execute("INSERT INTO public.parts VALUES (1, 'abcd')")
        conn.execute("CREATE TABLE public.hidden (id int)")
        conn.execute("GRANT SELECT ON public.notes, public.parts TO azure_pg_admin")
    id_, outs = plugin.create(Provider, access)
    assert outs["tables"] == {
        "public.notes": {"rows": 100, "columns": {"id": 1.9, "body": 1000}},
        "public.parts": {"rows": 1, "columns": {"k": 1, "body": 4}},
    }
    with server.superuser(database) as conn:
        conn.execute("DELETE FROM public.notes")
    _, read, inputs = plugin.read(Provider, id_, outs)
    assert read["tables"]["public.notes"] == {"rows": 0, "columns": {"id": 0, "body": 0}}
    assert inputs == access
    assert not plugin.diff(Provider, read, access).any
