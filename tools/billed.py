"""How many tokens texts are billed for: asked of the service, which is paid, or counted here with its tokenizer."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from tools.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.pulumi import Pulumi

API_VERSION = "2024-10-21"  # the stable data plane of embeddings; Microsoft Learn, "Azure OpenAI REST API reference"
TIMEOUT_SECONDS = 60
# Where the account's name leads, "address:port", when it is not where DNS says: as PGHOSTADDR is for the database.
ADDRESS = "AZURE_OPENAI_ADDRESS"
SETTINGS = "pulumi-python:dynamic/postgresql:AzureAiSettings"


def by_service(pulumi: Pulumi, outputs: dict[str, Any], deployment: str, texts: Sequence[str]) -> int:
    """Send the texts in one embeddings request, and return the tokens that it was billed for.

    Args:
        pulumi: the stack; its environment is this process's.
        outputs: its outputs, for the account's endpoint.
        deployment: name of the model deployment.
        texts: the texts, within the limits of one request.

    Raises:
        Failure: the service refuses or cannot be reached.
    """
    endpoint = str(outputs.get("openaiEndpoint") or "").rstrip("/")
    host = endpoint.removeprefix("https://")
    address = os.environ.get(ADDRESS, "")
    url = f"{f'https://{address}' if address else endpoint}/openai/deployments/{deployment}/embeddings"
    with requests.Session() as session:
        if address:
            session.mount(f"https://{address}", _NamedHost(host))
            session.headers["Host"] = host
        try:
            answer = session.post(
                url,
                params={"api-version": API_VERSION},
                headers=_authorization(pulumi),
                json={"input": list(texts), "encoding_format": "base64"},
                timeout=TIMEOUT_SECONDS,
            )
        except requests.RequestException as error:
            raise Failure(
                f"{endpoint} could not be reached: {type(error).__name__}.",
                "Check this machine's way there, or count with the tokenizer: ARGS=--local",
            ) from None
    if not answer.ok:
        raise _refused(answer, endpoint, str(outputs.get("openaiId")))
    return int(answer.json()["usage"]["prompt_tokens"])


def by_tokenizer(texts: Sequence[str]) -> int:
    """Count the texts with cl100k, the tokenizer of the embedding models; nothing is sent or paid."""
    from emulator.ai.tokens import count

    return sum(count(texts))


class _NamedHost(HTTPAdapter):
    """Connects to an address and expects the certificate of a name there."""

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, server_hostname=self._name, assert_hostname=self._name, **named)


def _authorization(pulumi: Pulumi) -> dict[str, str]:
    """Return the header that signs in: with the key where the stack uses keys, else with the person's own token."""
    from components.cloud import cloud
    from database.errors import DatabaseError
    from database.tokens import token

    for resource in (pulumi.state(show_secrets=True).get("deployment") or {}).get("resources") or []:
        key = (resource.get("inputs") or {}).get("openaiKey")
        if resource.get("type") == SETTINGS and key:
            return {"api-key": str(json.loads(key["plaintext"]) if isinstance(key, dict) else key)}
    try:
        return {"Authorization": f"Bearer {token(cloud().cognitive_scope)}"}
    except DatabaseError as error:
        raise Failure(str(error)) from None


def _refused(answer: requests.Response, endpoint: str, account: str) -> Failure:
    try:
        said = str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        said = answer.reason
    way_out = "Count with the tokenizer instead, which asks nobody: ARGS=--local"
    if answer.status_code in (401, 403):
        way_out = (
            "A person needs a role of their own there, which takes minutes to spread: az role assignment create --role "
            f"'Cognitive Services OpenAI User' --assignee <you> --scope {account}\n{way_out}"
        )
    return Failure(f"{endpoint} refused with {answer.status_code}: {said}", way_out)
