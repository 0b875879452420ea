"""The Azure OpenAI data plane, asked by the official client."""

import base64
import random
import ssl
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
import requests

from emulator.identity import Principal
from tests.emulator.ai_accounts import (
    COGNITIVE_AUDIENCE,
    KEY,
    KEYLESS_HOST,
    LANGUAGE_HOST,
    OPENAI_HOST,
    OTHER_KEY,
    PRIVATE_HOST,
    SERVER,
    STRANGER,
    Services,
    running_services,
)

VERSION = "2024-10-21"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with running_services(tmp_path_factory.mktemp("ai")) as running:
        yield running


def client(services: Services, host: str = OPENAI_HOST, **credentials: Any) -> openai.AzureOpenAI:
    made = openai.AzureOpenAI(
        azure_endpoint=f"https://localhost:{services.https_port}",
        api_version=VERSION,
        http_client=httpx2.Client(verify=ssl.create_default_context(cafile=str(services.ca_file))),
        default_headers={"Host": host},
        max_retries=0,
        **(credentials or {"api_key": KEY}),
    )
    return services.closing.enter_context(made)


def token(services: Services, principal: Principal = SERVER, audience: str = COGNITIVE_AUDIENCE, **more: int) -> str:
    return services.identity.issue(principal, audience, **more)


def refused(call: Any, kind: type[openai.APIStatusError], **arguments: Any) -> Any:
    with pytest.raises(kind) as caught:
        call(**{"model": "small", "input": "x", **arguments})
    return caught.value


def vectors(services: Services, texts: list[str], **more: Any) -> Any:
    answer = client(services).embeddings.create(model="small", input=texts, **more)
    return np.array([item.embedding for item in answer.data])


def test_a_text_has_a_vector_of_length_1(services: Services) -> None:
    answer = client(services).embeddings.create(model="small", input="The delivery was late.")
    assert answer.model == "text-embedding-3-small"
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 5
    assert len(answer.data[0].embedding) == 1536
    assert np.linalg.norm(answer.data[0].embedding) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("deployment", "dimensions"), [("small", 1536), ("large", 3072), ("ada", 1536)])
def test_each_model_has_its_dimensions(services: Services, deployment: str, dimensions: int) -> None:
    answer = client(services).embeddings.create(model=deployment, input=["one", "two"])
    assert [len(item.embedding) for item in answer.data] == [dimensions] * 2


def test_fewer_dimensions_are_the_first_ones_at_length_1(services: Services) -> None:
    whole = vectors(services, ["penalty clause"])[0]
    part = vectors(services, ["penalty clause"], dimensions=256)[0]
    assert len(part) == 256
    assert part == pytest.approx(whole[:256] / np.linalg.norm(whole[:256]), abs=1e-6)


def test_a_text_has_the_same_vector_whatever_it_is_sent_with(services: Services) -> None:
    chance = random.Random(7)
    texts = [
        " ".join(chance.choices(["invoice", "late", "vendor", "milestone", "é", "漢字"], k=n)) for n in range(1, 60)
    ]
    together = vectors(services, texts)
    chance.shuffle(order := list(range(len(texts))))
    for index in order[:10]:
        assert (vectors(services, [texts[index]])[0] == together[index]).all()


def test_similar_texts_have_similar_vectors(services: Services) -> None:
    question, near, far = vectors(
        services,
        [
            "late delivery penalty",
            "The supplier delivered after the deadline and owes a fee for the delay.",
            "The cafeteria serves vegetarian soup on Tuesdays.",
        ],
    )
    assert question @ near > question @ far + 0.1


def test_the_two_encodings_agree(services: Services) -> None:
    url = f"https://localhost:{services.https_port}/openai/deployments/small/embeddings?api-version={VERSION}"
    bodies = [
        requests.post(
            url,
            json={"input": "abc", "encoding_format": encoding},
            headers={"Host": OPENAI_HOST, "api-key": KEY},
            verify=str(services.ca_file),
            timeout=30,
        ).json()["data"][0]["embedding"]
        for encoding in ("float", "base64")
    ]
    decoded = np.frombuffer(base64.b64decode(bodies[1]), "<f4")
    assert (np.array(bodies[0], np.float32) == decoded).all()


def test_tokens_are_taken_for_texts(services: Services) -> None:
    answer = client(services).embeddings.create(model="small", input=[[791, 9889], [574]], encoding_format="float")
    texts = client(services).embeddings.create(model="small", input=["The delivery", " was"], encoding_format="float")
    assert [item.embedding for item in answer.data] == [item.embedding for item in texts.data]
    assert answer.usage.prompt_tokens == 3


def test_the_v1_route_takes_the_deployment_as_the_model(services: Services) -> None:
    context = ssl.create_default_context(cafile=str(services.ca_file))
    for secret in (KEY, token(services), token(services, audience="https://ai.azure.com")):
        with openai.OpenAI(
            base_url=f"https://localhost:{services.https_port}/openai/v1/",
            api_key=secret,
            http_client=httpx2.Client(verify=context),
            default_headers={"Host": OPENAI_HOST},
            max_retries=0,
        ) as v1:
            assert len(v1.embeddings.create(model="large", input="x", dimensions=1024).data[0].embedding) == 1024


def test_either_key_and_a_token_with_a_role_are_accepted(services: Services) -> None:
    for credentials in ({"api_key": KEY}, {"api_key": OTHER_KEY}, {"azure_ad_token": token(services)}):
        assert client(services, **credentials).embeddings.create(model="small", input="x").data


def test_a_wrong_key_is_refused(services: Services) -> None:
    error = refused(client(services, api_key="wrong").embeddings.create, openai.AuthenticationError)
    assert "invalid subscription key or wrong API endpoint" in str(error)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda services: token(services, audience="https://management.azure.com"), "wrong audience"),
        (lambda services: token(services, lifetime_seconds=-600), "expired"),
        (lambda services: "a.b.c", "not issued"),
    ],
)
def test_a_token_that_is_not_for_this_is_refused(services: Services, make: Any, reason: str) -> None:
    error = refused(client(services, azure_ad_token=make(services)).embeddings.create, openai.AuthenticationError)
    assert "audience is incorrect (https://cognitiveservices.azure.com)" in str(error)
    assert reason in error.response.headers["x-emulator-reason"]


def test_a_principal_without_the_role_is_refused_until_it_has_it(services: Services) -> None:
    stranger = client(services, azure_ad_token=token(services, STRANGER))
    error = refused(stranger.embeddings.create, openai.AuthenticationError)
    assert error.code == "PermissionDenied"
    assert f"`{STRANGER.object_id}` lacks the required data action" in str(error)
    services.lookup.roles[STRANGER.object_id] = {"5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"}
    try:
        assert stranger.embeddings.create(model="small", input="x").data
    finally:
        del services.lookup.roles[STRANGER.object_id]


def test_keys_are_refused_where_they_are_turned_off(services: Services) -> None:
    error = refused(client(services, KEYLESS_HOST).embeddings.create, openai.PermissionDeniedError)
    assert error.code == "AuthenticationTypeDisabled"
    keyless = client(services, KEYLESS_HOST, azure_ad_token=token(services))
    assert keyless.embeddings.create(model="small", input="x").data


def test_an_account_without_public_access_is_closed(services: Services) -> None:
    error = refused(client(services, PRIVATE_HOST).embeddings.create, openai.PermissionDeniedError)
    assert "Public access is disabled" in str(error)


def test_network_rules_close_an_account_for_who_is_not_in_them(services: Services) -> None:
    known = services.lookup.accounts[OPENAI_HOST]
    services.lookup.accounts[OPENAI_HOST] = replace(known, in_rules=False)
    try:
        error = refused(client(services).embeddings.create, openai.PermissionDeniedError)
    finally:
        services.lookup.accounts[OPENAI_HOST] = known
    assert (error.code, error.body) == (
        "403",
        {"code": "403", "message": "Access denied due to Virtual Network/Firewall rules."},
    )


def test_an_unknown_deployment_is_not_found(services: Services) -> None:
    error = refused(client(services).embeddings.create, openai.NotFoundError, model="gone")
    assert error.code == "DeploymentNotFound"


def test_a_model_without_embeddings_says_so(services: Services) -> None:
    error = refused(client(services).embeddings.create, openai.BadRequestError, model="chat")
    assert error.code == "OperationNotSupported"
    assert "gpt-5.4" in str(error)


LONG = "late " * 9000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"input": ""}, "'$.input' is invalid"),
        ({"input": []}, "'$.input' is invalid"),
        ({"input": ["x", ""]}, "'$.input' is invalid"),
        ({"input": ["x"] * 2049}, "'$.input' is invalid"),
        ({"input": LONG}, "maximum context length is 8192 tokens, however you requested 9001 tokens"),
        ({"input": ["late " * 8000] * 38}, "max 300000 tokens per request"),
        ({"model": "ada", "dimensions": 256}, "does not support specifying dimensions"),
        ({"dimensions": 1537}, "Must be less than or equal to 1536"),
        ({"dimensions": 0}, "less than the minimum of 1"),
        ({"encoding_format": "hex"}, "not one of ['float', 'base64']"),
    ],
)
def test_a_bad_request_is_explained(services: Services, arguments: dict[str, Any], said: str) -> None:
    assert said in str(refused(client(services).embeddings.create, openai.BadRequestError, **arguments))


def test_2048_inputs_are_accepted(services: Services) -> None:
    assert vectors(services, ["x"] * 2048, dimensions=8).shape == (2048, 8)


def test_above_the_rate_the_answer_is_429_with_the_wait(services: Services) -> None:
    slow = client(services)
    slow.embeddings.create(model="slow", input="x")
    before = services.usage.of("contracts-ai", "slow")
    error = refused(slow.embeddings.create, openai.RateLimitError, model="slow")
    headers = error.response.headers
    assert 0 < int(headers["retry-after-ms"]) <= int(headers["retry-after"]) * 1000 <= 10_000
    assert f"API version {VERSION} have exceeded call rate limit" in str(error)
    assert f"Please retry after {headers['retry-after']} second" in str(error)
    after = services.usage.of("contracts-ai", "slow")
    assert (after.throttled - before.throttled, after.requests - before.requests) == (1, 0)


def test_usage_and_what_remains_are_told(services: Services) -> None:
    before = services.usage.of("contracts-ai", "large")
    raw = client(services).embeddings.with_raw_response.create(model="large", input=["The delivery", "was late"])
    after = services.usage.of("contracts-ai", "large")
    assert (after.requests - before.requests, after.inputs - before.inputs, after.tokens - before.tokens) == (1, 2, 4)
    assert int(raw.headers["x-ratelimit-remaining-tokens"]) > 0
    assert int(raw.headers["x-ratelimit-remaining-requests"]) > 0


def test_what_is_not_served_says_so(services: Services) -> None:
    with pytest.raises(openai.BadRequestError, match=r"does not serve POST /openai/deployments/small/completions"):
        client(services).completions.create(model="small", prompt="x")


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        (OPENAI_HOST, "/openai/deployments/small/embeddings", 404),
        (OPENAI_HOST, "/openai/deployments/small/embeddings?api-version=1", 404),
        (OPENAI_HOST, "/elsewhere", 404),
        (LANGUAGE_HOST, f"/openai/deployments/small/embeddings?api-version={VERSION}", 404),
        ("unknown.openai.azure.com", f"/openai/deployments/small/embeddings?api-version={VERSION}", 404),
    ],
)
def test_other_addresses_are_not_found(services: Services, host: str, path: str, status: int) -> None:
    url = f"https://localhost:{services.https_port}{path}"
    headers = {"Host": host, "api-key": KEY}
    answer = requests.post(url, json={"input": "x"}, headers=headers, verify=str(services.ca_file), timeout=30)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == "404"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(services: Services, body: bytes) -> None:
    url = f"https://localhost:{services.https_port}/openai/deployments/small/embeddings?api-version={VERSION}"
    headers = {"Host": OPENAI_HOST, "api-key": KEY}
    answer = requests.post(url, data=body, headers=headers, verify=str(services.ca_file), timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
