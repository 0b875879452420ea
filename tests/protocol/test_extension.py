"""Extension: create, adopt, update, drift, drop; over gRPC against a real server."""

from __future__ import annotations

from typing import Any

import pytest

from components.dynamic.extension import ExtensionProvider as Provider
from tests.protocol.local_server import PASSWORD, LocalServer
from tests.protocol.plugin import Plugin, PluginError


def versions(server: LocalServer, database: str) -> dict[str, str]:
    with server.superuser(database) as conn:
        return dict(conn.execute("SELECT extname, extversion FROM pg_extension").fetchall())


def test_creates_and_drops_what_it_created(
    plugin: Plugin, server: LocalServer, database: str, access: dict[str, Any]
) -> None:
    news = {**access, "extension": "vector", "dropOnDelete": True}
    inputs, failures = plugin.check(Provider, news)
    assert not failures
    id_, outs = plugin.create(Provider, inputs)
    assert id_ == f"local-pg/{database}/extension/vector"
    assert outs["created"] is True
    assert outs["installedVersion"] == versions(server, database)["vector"]
    assert not plugin.diff(Provider, outs, inputs).any
    plugin.delete(Provider, outs)
    assert "vector" not in versions(server, database)


def test_creating_again_adopts_and_adopted_is_never_dropped(
    plugin: Plugin, server: LocalServer, database: str, access: dict[str, Any]
) -> None:
    with server.superuser(database) as conn:
        conn.execute("CREATE EXTENSION vector")
    news = {**access, "extension": "vector", "dropOnDelete": True}
    first = plugin.create(Provider, news)
    assert first[1]["created"] is False
    assert plugin.create(Provider, news) == first
    plugin.delete(Provider, first[1])
    assert "vector" in versions(server, database)


def test_a_version_is_reached_by_update_and_drift_is_found(
    plugin: Plugin, server: LocalServer, database: str, access: dict[str, Any]
) -> None:
    old = {**access, "extension": "azure_ai", "version": "1.3.0", "dropOnDelete": True}
    id_, outs = plugin.create(Provider, old)
    new = {**old, "version": "1.3.1"}
    diff = plugin.diff(Provider, outs, new)
    assert diff.any
    assert not diff.replaces
    outs = plugin.update(Provider, outs, new)
    assert outs["installedVersion"] == "1.3.1"
    assert outs["created"] is True
    read_id, read_outs, read_inputs = plugin.read(Provider, id_, outs)
    assert (read_id, read_outs, read_inputs) == (id_, outs, new)
    with pytest.raises(PluginError, match=r"no update from there to 1\.3\.0: extensions only go forward"):
        plugin.update(Provider, outs, old)
    with server.superuser(database) as conn:
        conn.execute("DROP EXTENSION azure_ai")
    assert plugin.read(Provider, id_, outs)[0] == ""


def test_an_extension_that_something_needs_stays(
    plugin: Plugin, server: LocalServer, database: str, access: dict[str, Any]
) -> None:
    _, outs = plugin.create(Provider, {**access, "extension": "vector"})
    with server.superuser(database) as conn:
        conn.execute("CREATE TABLE public.t (v vector(3))")
    plugin.delete(Provider, outs)
    assert "vector" in versions(server, database)


def test_an_unavailable_extension_is_a_sentence(plugin: Plugin, access: dict[str, Any], server: LocalServer) -> None:
    with server.superuser("postgres") as conn:
        conn.execute("ALTER SYSTEM SET azure.extensions = 'vector,azure_ai,age'")
        conn.execute("SELECT pg_reload_conf()")
    with pytest.raises(PluginError, match=r"extension age is not available on .* `postgres-genai:extensions`"):
        plugin.create(Provider, {**access, "extension": "age"})
    with pytest.raises(PluginError, match=r"has no version 9\.9 on"):
        plugin.create(Provider, {**access, "extension": "vector", "version": "9.9"})


def test_another_extension_or_database_replaces_and_deletes_first(plugin: Plugin, access: dict[str, Any]) -> None:
    outs = {**access, "extension": "vector", "installedVersion": "0.8.0", "created": True}
    elsewhere = {**access, "connection": {**access["connection"], "database": "other"}}
    for news in ({**access, "extension": "age"}, {**elsewhere, "extension": "vector"}):
        diff = plugin.diff(Provider, outs, news)
        assert diff.replaces
        assert diff.delete_before_replace
    other_user = {**access, "connection": {**access["connection"], "user": "someone"}, "extension": "vector"}
    assert not plugin.diff(Provider, outs, other_user).replaces


def test_a_wrong_password_is_explained_without_it(plugin: Plugin, access: dict[str, Any], database: str) -> None:
    wrong = "hunter2-" + PASSWORD[::-1]
    with pytest.raises(PluginError) as caught:
        plugin.create(Provider, {**access, "password": wrong, "extension": "vector"})
    message = str(caught.value)
    assert f"cannot connect to database {database}" in message
    assert "--run-program" in message
    assert wrong not in message


def test_a_failed_connection_is_never_gone(plugin: Plugin, access: dict[str, Any]) -> None:
    missing = {**access, "connection": {**access["connection"], "database": "nowhere"}, "extension": "vector"}
    with pytest.raises(PluginError, match="the server has no database of this name"):
        plugin.read(Provider, "x", missing)
