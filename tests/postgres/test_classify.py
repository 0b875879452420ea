# ruff: noqa: E501 - statements read better on one line
"""What each error of a call is taken for, by the texts that azure_ai and the emulator's extension raise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres.vector_server import SUPERUSER, Connection, VectorServer

ERRORS = {
    "a body that is none": ("input", "400: '$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference."),
    "context length": ("input", "400: This model's maximum context length is 8192 tokens, however you requested 9000 tokens (9000 in your prompt; 0 for the completion)."),
    "content filter": ("input", "400: The response was filtered due to the prompt triggering Azure OpenAI's content management policy."),
    "content filter by its code": ("input", "content_filter: The response was filtered."),
    "context length by its code": ("input", "context_length_exceeded: This model's maximum context length is 8192 tokens."),
    # That an answer has others than the job is for the call itself to see.
    "dimensions that the model has not": ("dimensions", "400: This model does not support specifying dimensions."),
    "a large body": ("input", "413: Request Entity Too Large"),
    "bad key": ("refused", "401: Access denied due to invalid subscription key or wrong API endpoint."),
    "no role": ("refused", "PermissionDenied: The principal lacks the required data action."),
    "firewall": ("refused", "403: Access denied due to Virtual Network/Firewall rules."),
    "no deployment": ("refused", "404: The API deployment for this resource does not exist."),
    "no deployment by its code": ("refused", "DeploymentNotFound: The API deployment for this resource does not exist."),
    "no such path": ("refused", "404: Resource not found"),
    "timeout": ("later", "408: no answer within 90000 ms"),
    "conflict": ("later", "409: The deployment is being changed."),
    "busy": ("later", "429: Requests have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 1 second."),
    "busy by its code": ("later", "TooManyRequests: Requests have exceeded call rate limit."),
    "unwell": ("later", "500: The server had an error while processing your request."),
    "a gateway's timeout": ("later", "504: The request timed out."),
    "away": ("later", "503: The service is temporarily unable to process your request."),
    "no connection": ("later", "503: no connection to the service: Connection refused"),
    "half a body": ("later", "error decoding response body: unexpected end of file"),
    "a setting that is missing": ("later", "InvalidSetting: azure_openai.endpoint is not set; set it in this database with azure_ai.set_setting"),
    "a number in the middle": ("later", "connection reset after 400 bytes"),
}  # fmt: skip
# The reason of Language's 400 is in its inner error: one document, or all that it is asked for.
LANGUAGE_ERRORS = {
    "a bad document": ("input", "InvalidRequest: Invalid document in request.\n\nInvalidDocument: Document text is empty."),
    "a region without the operation": ("here", "InvalidRequest: Invalid Request.\n\nInvalidParameterValue: not in this region"),
    "a language that it has not": ("here", "InvalidRequest: Invalid Request.\n\nUnsupportedLanguageCode: Invalid language code."),
}  # fmt: skip
OF_THE_DATABASE = {
    "no function": ("42883", "function azure_openai.create_embeddings(...) does not exist"),
    "no schema": ("3F000", 'schema "azure_openai" does not exist'),
    "no right": ("42501", "permission denied for schema azure_openai"),
    "not supported": ("0A000", "not supported"),
    "no identity": ("28000", "invalid authorization specification"),
}
# What passes by itself, said by the service or by the way to it; the words of the network are those of HTTP clients.
OF_THE_SERVICE = ["429: Requests have exceeded call rate limit.", "503: away", "TooManyRequests: wait", "ServiceUnavailable: away", "InternalServerError: oh"]  # fmt: skip
OF_THE_NETWORK = ["connection reset by peer", "error trying to connect: dns error", "operation timed out", "Could not resolve host", "Broken pipe", "error decoding response body: unexpected end of file", "unexpected EOF", "error sending request for url"]  # fmt: skip
OF_NEITHER = ["InvalidSetting: azure_openai.endpoint is not set", "certificate has expired", "gave 3 vectors for 5 texts", "a text about 503: nothing"]  # fmt: skip


@pytest.fixture(scope="module")
def conn(server: VectorServer) -> Iterator[Connection]:
    db = server.new_database()
    with db.connect(SUPERUSER) as connection:
        yield connection
    db.close()


def classify(conn: Connection, state: str, message: str) -> str:
    row = conn.execute("SELECT vectorize.classify(%s, %s)", [state, message]).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_of_the_call_is_taken_for_what_it_is(conn: Connection, error: str) -> None:
    kind, message = ERRORS[error]
    assert classify(conn, "XX000", f"azure_openai.create_embeddings: {message}") == kind


@pytest.mark.parametrize("error", LANGUAGE_ERRORS)
def test_an_error_of_language_is_that_of_a_document_or_of_the_request(conn: Connection, error: str) -> None:
    kind, message = LANGUAGE_ERRORS[error]
    assert classify(conn, "XX000", f"azure_cognitive.analyze_sentiment: {message}") == kind


@pytest.mark.parametrize("error", OF_THE_DATABASE)
def test_an_error_of_the_database_is_none_of_the_service(conn: Connection, error: str) -> None:
    assert classify(conn, *OF_THE_DATABASE[error]) == "here"


def test_what_passes_by_itself_is_told_from_what_does_not(conn: Connection) -> None:
    def told_by(function: str, messages: list[str]) -> list[str]:
        statement = f"SELECT m FROM unnest(%s::text[]) WITH ORDINALITY AS t (m, n) WHERE vectorize.{function}('azure_openai.create_embeddings: ' || m) ORDER BY n"
        return [row[0] for row in conn.execute(statement.encode(), [messages])]

    everything = OF_THE_SERVICE + OF_THE_NETWORK + OF_NEITHER
    assert told_by("is_service_unwell", everything) == OF_THE_SERVICE
    assert told_by("is_network_down", everything) == OF_THE_NETWORK
