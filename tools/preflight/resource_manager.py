"""Reads of Azure Resource Manager: the official pipeline, with limits of time, and nothing that writes.

The typed clients of azure-mgmt-* would register a resource provider by themselves where one is missing
(ARMAutoResourceProviderRegistrationPolicy); a preflight says so and leaves it to people. Hence the pipeline alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.rest import HttpRequest

    from components.cloud import Cloud

Json = dict[str, Any]

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
_MOST_PAGES = 20

# Namespace, or the kind of question -> api-version. Each is one that the specifications keep as stable.
VERSIONS = {
    "subscriptions": "2022-12-01",
    "providers": "2021-04-01",
    "resourcegroups": "2024-03-01",
    "microsoft.authorization": "2022-04-01",
    "microsoft.cognitiveservices": "2025-06-01",
    "microsoft.dbforpostgresql": "2025-08-01",
    "microsoft.keyvault": "2024-11-01",
    "microsoft.network": "2024-06-01",
}


class NotReadError(Exception):
    """A question without an answer.

    Args:
        reason: What Resource Manager, or the way to it, said.
        code: Resource Manager's code, or "" where it did not answer.
        status: The HTTP status, or 0.
    """

    def __init__(self, reason: str, code: str = "", status: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.status = status


class ResourceManager:
    """Reads as the signed-in principal, at the address and with the scope of the environment's cloud."""

    def __init__(self, cloud: Cloud, credential: TokenCredential, subscription: str) -> None:
        from azure.core.pipeline.policies import HeadersPolicy, RetryPolicy, UserAgentPolicy
        from azure.mgmt.core import ARMPipelineClient
        from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

        self.scope = f"/subscriptions/{subscription}"
        self._base = cloud.resource_manager
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(
            base_url=self._base,
            policies=[
                HeadersPolicy(),
                UserAgentPolicy("postgres-genai-preflight"),
                RetryPolicy(retry_total=1, retry_backoff_factor=0.3, retry_backoff_max=1),
                ARMChallengeAuthenticationPolicy(credential, cloud.resource_manager_scope),
            ],
        )

    def get(self, path: str) -> Json:
        """Return one object.

        Raises:
            NotReadError: it is not there, may not be read, or cannot be reached.
        """
        return self._send("GET", path)

    def list(self, path: str) -> list[Json]:
        """Return all of a list, page by page.

        Raises:
            NotReadError: it may not be read, or cannot be reached.
        """
        page = self._send("GET", path)
        found: list[Json] = list(page.get("value") or [])
        for _ in range(_MOST_PAGES):
            following = str(page.get("nextLink") or "")
            if not following.startswith(f"{self._base}/"):
                break  # none, or one that would take the token elsewhere
            page = self._send("GET", following)
            found += page.get("value") or []
        return found

    def ask(self, path: str, body: Json) -> Json:
        """Return the answer to a question that takes a body, such as whether a name is free; nothing is changed by it.

        Raises:
            NotReadError: it may not be asked, or cannot be reached.
        """
        return self._send("POST", path, body)

    def _send(self, method: str, path: str, body: Json | None = None) -> Json:
        from azure.core.exceptions import AzureError
        from azure.core.rest import HttpRequest

        versioned = {} if "api-version=" in path else {"api-version": version_of(path)}
        request = HttpRequest(method, self._address(path), params=versioned, json=body)
        try:
            return self._answer(request)
        except AzureError as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise NotReadError(f"{self._base} did not answer: {said}") from None

    def _answer(self, request: HttpRequest) -> Json:
        response = self._client.send_request(request, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
        try:
            answer = response.json() if response.content else {}
        except ValueError:
            answer = {}
        if response.status_code >= 400:
            error = answer.get("error") or {} if isinstance(answer, dict) else {}
            code, message = str(error.get("code") or ""), str(error.get("message") or response.reason)
            raise NotReadError(f"{code or response.status_code}: {message}", code, response.status_code)
        if not isinstance(answer, dict):
            raise NotReadError("the answer is no object of JSON", status=response.status_code)
        return answer

    def _address(self, path: str) -> str:
        return path if path.startswith("https://") else f"{self._base}{path}"


def version_of(path: str) -> str:
    """Return the api-version of a path: that of its last namespace, or of what it lists."""
    parts = path.lower().strip("/").split("/")
    known = [part for part in parts if part in VERSIONS]
    if len(parts) == 4 and parts[2] == "providers":
        return VERSIONS["providers"]  # one resource provider
    return VERSIONS[known[-1]]
