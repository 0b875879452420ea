"""AzureAiSettings: what is written, what is proved, what is found, and that no key is ever seen."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from components.dynamic.azure_ai_settings import AzureAiSettingsProvider as Provider
from tests.protocol.local_server import LocalServer
from tests.protocol.plugin import Plugin, PluginError

KEY = "k1-0123456789abcdef"
OTHER_KEY = "k2-fedcba9876543210"


@pytest.fixture
def settings(server: LocalServer, database: str, access: dict[str, Any]) -> dict[str, Any]:
    with server.superuser(database) as conn:
        conn.execute("CREATE EXTENSION azure_ai")
    return {
        **access,
        "openaiEndpoint": "https://ai-1.openai.azure.com/",
        "authentication": "managed-identity",
        "verifyDeployment": "embedding",
        "verifyDimensions": 1536,
        "timeoutSeconds": 300,
    }


def stored(server: LocalServer, database: str) -> dict[str, str]:
    with server.superuser(database) as conn:
        return dict(conn.execute("SELECT key, value FROM azure_ai.settings").fetchall())


def fail(server: LocalServer, database: str, message: str, times: int) -> None:
    with server.superuser(database) as conn:
        conn.execute("DELETE FROM azure_openai.fault")
        conn.execute("INSERT INTO azure_openai.fault VALUES (%s, %s)", [message, times])


def calls(server: LocalServer, database: str) -> int:
    with server.superuser(database) as conn:
        row = conn.execute("SELECT last_value FROM azure_openai.calls").fetchone()
    assert row is not None
    return int(row[0])


def test_identity_then_keys_then_identity(
    plugin: Plugin, server: LocalServer, database: str, settings: dict[str, Any]
) -> None:
    _, outs = plugin.create(Provider, settings)
    assert stored(server, database) == {
        "azure_openai.endpoint": "https://ai-1.openai.azure.com",
        "azure_openai.auth_type": "managed-identity",
    }
    assert not plugin.diff(Provider, outs, settings).any
    keys = {**settings, "authentication": "keys", "openaiKey": KEY}
    assert plugin.diff(Provider, outs, keys).any
    outs = plugin.update(Provider, outs, keys)
    assert stored(server, database)["azure_openai.subscription_key"] == KEY
    assert stored(server, database)["azure_openai.auth_type"] == "subscription-key"
    assert KEY not in str(outs)
    assert outs["openaiKeySha256"] == hashlib.sha256(KEY.encode()).hexdigest()
    assert not plugin.diff(Provider, outs, keys).any
    assert plugin.diff(Provider, outs, {**keys, "openaiKey": OTHER_KEY}).any
    plugin.update(Provider, outs, settings)
    assert stored(server, database)["azure_openai.subscription_key"] == ""


def test_language_is_set_and_emptied(
    plugin: Plugin, server: LocalServer, database: str, settings: dict[str, Any]
) -> None:
    both = {
        **settings,
        "authentication": "keys",
        "openaiKey": KEY,
        "languageEndpoint": "https://l-1.cognitiveservices.azure.com",
        "languageKey": OTHER_KEY,
    }
    _, outs = plugin.create(Provider, both)
    assert stored(server, database)["azure_cognitive.subscription_key"] == OTHER_KEY
    one = {**settings, "authentication": "keys", "openaiKey": KEY}
    outs = plugin.update(Provider, outs, one)
    assert stored(server, database)["azure_cognitive.subscription_key"] == ""
    assert not plugin.diff(Provider, outs, one).any
    plugin.delete(Provider, outs)
    assert set(stored(server, database).values()) == {""}


def test_drift_by_hand_is_found_keys_too(
    plugin: Plugin, server: LocalServer, database: str, settings: dict[str, Any]
) -> None:
    keys = {**settings, "authentication": "keys", "openaiKey": KEY}
    id_, outs = plugin.create(Provider, keys)
    _, read, inputs = plugin.read(Provider, id_, outs)
    assert read == outs
    assert not plugin.diff(Provider, read, keys).any
    assert inputs["openaiEndpoint"] == settings["openaiEndpoint"]
    for key, value in (
        ("azure_openai.subscription_key", OTHER_KEY),
        ("azure_openai.endpoint", "https://elsewhere.openai.azure.com"),
        ("azure_openai.auth_type", "managed-identity"),
        ("azure_openai.endpoint", ""),
    ):
        with server.superuser(database) as conn:
            conn.execute("SELECT azure_ai.set_setting(%s, %s)", [key, value])
        _, read, _ = plugin.read(Provider, id_, outs)
        assert OTHER_KEY not in str(read)
        assert plugin.diff(Provider, read, keys).any, key
        outs = plugin.update(Provider, read, keys)
        assert not plugin.diff(Provider, plugin.read(Provider, id_, outs)[1], keys).any
    with server.superuser(database) as conn:
        conn.execute("DROP EXTENSION azure_ai")
    assert plugin.read(Provider, id_, outs)[0] == ""


@pytest.mark.parametrize(
    ("authentication", "answer", "advice"),
    [
        ("keys", "401: Access denied due to invalid subscription key", r"refused the key: it was regenerated"),
        ("managed-identity", "401: PermissionDenied: lacks the data action", r"`Cognitive Services OpenAI User`"),
        ("managed-identity", "PermissionDenied: lacks the data action", r"`Cognitive Services OpenAI User`"),
        (
            "managed-identity",
            "404: The API deployment does not exist",
            "`postgres-genai:deployments`",
        ),
        ("managed-identity", "400: nobody knows why", "the service refused the request"),
        ("managed-identity", "could not resolve host", "could not reach https://ai-1"),
    ],
)
def test_what_the_service_says_and_what_to_do(
    plugin: Plugin,
    server: LocalServer,
    database: str,
    settings: dict[str, Any],
    authentication: str,
    answer: str,
    advice: str,
) -> None:
    fail(server, database, f"azure_openai.create_embeddings: {answer}", 1_000_000)
    news = {**settings, "authentication": authentication, "timeoutSeconds": 1}
    with pytest.raises(PluginError, match=advice) as caught:
        plugin.create(Provider, {**news, "openaiKey": KEY} if authentication == "keys" else news)
    assert answer in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_role_that_spreads_is_waited_for(
    plugin: Plugin, server: LocalServer, database: str, settings: dict[str, Any]
) -> None:
    fail(server, database, "azure_openai.create_embeddings: 401: PermissionDenied", 1)
    plugin.create(Provider, settings)
    assert calls(server, database) == 2


def test_dimensions_are_proved(plugin: Plugin, server: LocalServer, database: str, settings: dict[str, Any]) -> None:
    wanted = {**settings, "verifyDimensions": 256}
    plugin.create(Provider, wanted)
    assert calls(server, database) == 2, "the model's own size, and then the one it is asked for"
    with server.superuser(database) as conn:
        conn.execute(
            "CREATE OR REPLACE FUNCTION azure_openai.create_embeddings(deployment_name text, input text,"
            " dimensions integer DEFAULT NULL, timeout_ms integer DEFAULT 3600000, throw_on_error boolean DEFAULT true,"
            " max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000) RETURNS real[] LANGUAGE sql"
            " AS $$ SELECT array_fill(0.5::real, ARRAY[1536]) $$"
        )
    with pytest.raises(PluginError, match="gives 1536 dimensions and not the 256 that the stack asks for"):
        plugin.create(Provider, wanted)


def test_without_the_extension_it_says_so(plugin: Plugin, access: dict[str, Any]) -> None:
    news = {**access, "openaiEndpoint": "https://a.openai.azure.com", "authentication": "managed-identity"}
    with pytest.raises(PluginError, match="azure_ai is not enabled in database"):
        plugin.create(Provider, news)


def test_keys_need_a_key(plugin: Plugin, settings: dict[str, Any]) -> None:
    _, failures = plugin.check(Provider, {**settings, "authentication": "keys", "openaiEndpoint": "http://plain"})
    assert set(failures) == {"openaiKey", "openaiEndpoint"}
