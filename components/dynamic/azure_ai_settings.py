"""AzureAiSettings: the endpoints of azure_ai in one database and how it authenticates, proved by one embedding."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.access import DatabaseArgs, connection_of, resource_id
from components.dynamic.props import Props, unknown
from components.dynamic.provider import Provider
from database import azure_ai, proof
from database.connection import ConnectionSpec, connect, session
from database.progress import passing


@dataclass(frozen=True, kw_only=True)
class AzureAiSettingsArgs(DatabaseArgs):
    """Inputs of AzureAiSettings.

    Attributes:
        openai_endpoint: https address of the Azure OpenAI account.
        authentication: "managed-identity" (of the server) or "keys".
        openai_key: the account's key, a secret; only with keys.
        language_endpoint: https address of the Language account, if there is one.
        language_key: its key, a secret; only with keys.
        verify_deployment: name of an embedding deployment to prove the settings with; nothing is proved when None.
        verify_dimensions: how many dimensions that deployment has to give.
        timeout_seconds: how long to wait, at most, for roles and deployments that are spreading.
    """

    openai_endpoint: pulumi.Input[str]
    authentication: pulumi.Input[str] = "managed-identity"
    openai_key: pulumi.Input[str] | None = None
    language_endpoint: pulumi.Input[str] | None = None
    language_key: pulumi.Input[str] | None = None
    verify_deployment: pulumi.Input[str] | None = None
    verify_dimensions: pulumi.Input[int] | None = None
    timeout_seconds: pulumi.Input[int] = 300

    def props(self, **outs: None) -> dict[str, Any]:
        """Return the properties, keys as secrets."""
        props = super().props(**outs)
        for key in ("openaiKey", "languageKey"):
            if props[key] is not None:
                props[key] = pulumi.Output.secret(props[key])
        return props


@dataclass(frozen=True)
class WantedSettings:
    """The inputs, decoded."""

    connection: ConnectionSpec
    settings: azure_ai.AzureAiSettings
    verify_deployment: str | None
    verify_dimensions: int | None
    timeout_seconds: int

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""
        return resource_id(self.connection, "settings", "azure_ai")

    @property
    def title(self) -> str:
        """What it is, for errors."""
        return f"settings of azure_ai in database {self.connection.database}"


class AzureAiSettingsProvider(Provider[WantedSettings]):
    """Writes the settings, proves them, finds drift (of keys by their digests), empties them on delete."""

    digested = frozenset({"openaiKey", "languageKey"})
    inputs = digested | {
        "connection",
        "password",
        "openaiEndpoint",
        "languageEndpoint",
        "authentication",
        "verifyDeployment",
        "verifyDimensions",
        "timeoutSeconds",
    }
    remarks = frozenset({"timeoutSeconds"})
    identity = ("connection.host", "connection.database")

    def decode(self, props: Props) -> WantedSettings:
        """Decode inputs, or outputs, which hold them too."""
        authentication = props.text("authentication", choices=("managed-identity", "keys"))
        if authentication == "keys":
            for service in ("openai", "language"):
                needed = props.has(f"{service}Endpoint") and not props.has(f"{service}KeySha256")
                if needed and not props.has(f"{service}Key"):
                    props.refuse(
                        f"{service}Key", "is missing; allowed: the account's key, since authentication is keys"
                    )
        dimensions = props.integer("verifyDimensions", minimum=0, maximum=16_000, default=0)
        return WantedSettings(
            connection=connection_of(props),
            settings=azure_ai.AzureAiSettings(
                openai_endpoint=_endpoint(props, "openaiEndpoint"),
                authentication=authentication,
                openai_key=props.optional_text("openaiKey"),
                language_endpoint=_endpoint(props, "languageEndpoint") if props.has("languageEndpoint") else None,
                language_key=props.optional_text("languageKey"),
            ),
            verify_deployment=props.optional_text("verifyDeployment"),
            verify_dimensions=dimensions or None,
            timeout_seconds=props.integer("timeoutSeconds", minimum=1, maximum=3600, default=300),
        )

    def due(self, had: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
        """Compare the keys with the digests of those that the database has."""
        return any(had.get(f"{key}Sha256") != _digest(news.get(key)) for key in sorted(self.digested))

    def make(self, wanted: WantedSettings) -> dict[str, Any]:
        """Write and prove."""
        return self.change({}, wanted)

    def change(self, had: Mapping[str, Any], wanted: WantedSettings) -> dict[str, Any]:
        """Write and prove; what the stack no longer sets is emptied."""
        dropped = azure_ai.LANGUAGE_KEYS if had.get("languageEndpoint") else ()
        with session(wanted.connection, lock="catalog") as conn:
            azure_ai.apply(conn, wanted.settings, unset=dropped)
        if wanted.verify_deployment is not None:
            with connect(wanted.connection) as conn:
                got = proof.verify(
                    conn,
                    wanted.verify_deployment,
                    wanted.verify_dimensions,
                    timeout_seconds=wanted.timeout_seconds,
                )
            passing(f"azure_ai answers: deployment {wanted.verify_deployment} gave {got} dimensions")
        return {
            "openaiKeySha256": _digest(wanted.settings.openai_key),
            "languageKeySha256": _digest(wanted.settings.language_key),
        }

    def find(self, had: Mapping[str, Any], wanted: WantedSettings) -> dict[str, Any] | None:
        """Compare what the database has with what was written; what is the same is returned as it was written."""
        with connect(wanted.connection) as conn:
            now = azure_ai.read(conn)
        if now is None:
            return None
        found: dict[str, Any] = {"authentication": now.openai_authentication}
        if now.openai_endpoint != wanted.settings.openai_endpoint:
            found["openaiEndpoint"] = now.openai_endpoint
        if had.get("openaiKeySha256"):
            found["openaiKeySha256"] = now.openai_key_sha256
        if wanted.settings.language_endpoint is None:
            return found
        if now.language_endpoint != wanted.settings.language_endpoint:
            found["languageEndpoint"] = now.language_endpoint
        if now.language_authentication != now.openai_authentication:
            found["authentication"] = f"{now.openai_authentication}, Language: {now.language_authentication}"
        if had.get("languageKeySha256"):
            found["languageKeySha256"] = now.language_key_sha256
        return found

    def remove(self, had: Mapping[str, Any], wanted: WantedSettings) -> None:
        """Empty what was set; nothing is left to do where the extension is gone."""
        with session(wanted.connection, lock="catalog") as conn:
            if azure_ai.read(conn) is not None:
                azure_ai.clear(
                    conn, (*azure_ai.OPENAI_KEYS, *(azure_ai.LANGUAGE_KEYS if had.get("languageEndpoint") else ()))
                )


class AzureAiSettings(Resource, module="postgresql", name="AzureAiSettings"):
    """What azure_ai is to call in one database, and how it authenticates. Accounts and roles are not part of it."""

    openaiEndpoint: pulumi.Output[str]  # noqa: N815 - the engine fills the attribute of the property's own name
    authentication: pulumi.Output[str]

    def __init__(self, name: str, args: AzureAiSettingsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = args.props(openaiKeySha256=None, languageKeySha256=None)
        super().__init__(AzureAiSettingsProvider(), name, props, opts)


def _endpoint(props: Props, name: str) -> str:
    endpoint = props.text(name)
    if endpoint and not endpoint.startswith("https://"):
        props.refuse(name, "is not allowed; allowed: an address that starts with https://")
    return endpoint.rstrip("/")


def _digest(key: Any) -> str | None:
    if key is None:
        return None
    return "unknown" if unknown(key) else hashlib.sha256(str(key).encode()).hexdigest()
