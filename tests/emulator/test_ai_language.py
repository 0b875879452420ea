"""The Azure AI Language data plane, asked by the official client."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from azure.ai.textanalytics import TextAnalyticsClient
from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from emulator.ai.language import operations
from emulator.identity import Principal
from tests.emulator.ai_accounts import (
    COGNITIVE_AUDIENCE,
    KEY,
    LANGUAGE_HOST,
    SERVER,
    STRANGER,
    Services,
    running_services,
)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with running_services(tmp_path_factory.mktemp("ai")) as running:
        yield running


class _Token:
    def __init__(self, services: Services, principal: Principal) -> None:
        self._token = services.identity.issue(principal, COGNITIVE_AUDIENCE)

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://cognitiveservices.azure.com/.default",)
        return AccessToken(self._token, 4102444800)


def client(services: Services, credential: Any = None, **more: Any) -> TextAnalyticsClient:
    made = TextAnalyticsClient(
        f"https://localhost:{services.https_port}",
        credential or AzureKeyCredential(KEY),
        base_headers={"Host": LANGUAGE_HOST},
        connection_verify=str(services.ca_file),
        retry_total=0,
        **more,
    )
    return services.closing.enter_context(made)


@pytest.mark.parametrize("version", ["2022-05-01", "2023-04-01"])
def test_sentiment(services: Services, version: str) -> None:
    texts = [
        "The work was excellent and everything arrived on time.",
        "The delivery was late, the report is incomplete and nobody answered our complaint.",
        "The invoice has three line items.",
        "The vendor is reliable. The second delivery was terrible.",
        "The work was not good.",
    ]
    results = client(services, api_version=version).analyze_sentiment(texts, show_stats=True)
    assert [result.sentiment for result in results] == ["positive", "negative", "neutral", "mixed", "negative"]
    for text, result in zip(texts, results, strict=True):
        scores = result.confidence_scores
        assert scores.positive + scores.neutral + scores.negative == pytest.approx(1)
        assert result.statistics.character_count == len(text)
        for sentence in result.sentences:
            assert text[sentence.offset : sentence.offset + sentence.length] == sentence.text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The vendor delivered the goods with a delay of three days.", "en"),
        ("El proveedor entregó los bienes con un retraso de tres días.", "es"),
        ("Le fournisseur a livré les marchandises avec un retard de trois jours.", "fr"),
        ("Der Lieferant hat die Ware mit einer Verspätung von drei Tagen geliefert.", "de"),
        ("Il fornitore ha consegnato la merce con un ritardo di tre giorni.", "it"),
        ("納品が三日遅れました。", "ja"),
        ("Поставщик задержал поставку на три дня.", "ru"),
        ("1234 5678", "(Unknown)"),
    ],
)
def test_language_detection(services: Services, text: str, code: str) -> None:
    (result,) = client(services).detect_language([text])
    assert result.primary_language.iso6391_name == code
    assert 0 <= result.primary_language.confidence_score <= 1


def test_key_phrases(services: Services) -> None:
    text = "The vendor must pay a late delivery penalty for each milestone of the statement of work."
    (result,) = client(services).extract_key_phrases([text])
    assert "late delivery penalty" in result.key_phrases
    assert all(phrase in text for phrase in result.key_phrases)


def test_personal_data(services: Services) -> None:
    text = "🦄 Dr. Jane Doe, jane@contoso.com, 425-555-0100, card 4111 1111 1111 1111, SSN 859-98-0987."
    (result,) = client(services).recognize_pii_entities([text])
    assert {entity.category for entity in result.entities} == {
        "Person",
        "Email",
        "PhoneNumber",
        "CreditCardNumber",
        "USSocialSecurityNumber",
    }
    for entity in result.entities:
        assert text[entity.offset : entity.offset + entity.length] == entity.text
        assert entity.text not in result.redacted_text
    assert len(result.redacted_text) == len(text)


def test_offsets_can_be_in_utf_16(services: Services) -> None:
    (result,) = client(services).recognize_pii_entities(["🦄 a@b.co"], string_index_type="Utf16CodeUnit")
    assert (result.entities[0].offset, result.entities[0].length) == (3, 6)


def test_a_bad_document_does_not_spoil_the_others(services: Services) -> None:
    documents = [
        {"id": "1", "text": "Good work."},
        {"id": "2", "text": "  "},
        {"id": "3", "text": "x" * 5121},
        {"id": "4", "text": "Hello", "language": "xx"},
        {"id": "5", "text": "y" * 5120},
    ]
    results = client(services).analyze_sentiment(documents)
    assert [result.is_error for result in results] == [False, True, True, True, False]
    assert [result.error.code for result in results if result.is_error] == [
        "InvalidDocument",
        "InvalidDocument",
        "UnsupportedLanguageCode",
    ]
    assert "5120 text elements" in results[2].error.message


@pytest.mark.parametrize(
    ("operation", "limit"),
    [("analyze_sentiment", 10), ("extract_key_phrases", 10), ("recognize_pii_entities", 5), ("detect_language", 1000)],
)
def test_too_many_documents_are_refused(services: Services, operation: str, limit: int) -> None:
    call = getattr(client(services), operation)
    assert len(call(["Good work."] * limit)) == limit
    with pytest.raises(HttpResponseError, match=f"Max {limit} records are permitted") as caught:
        call(["Good work."] * (limit + 1))
    assert caught.value.status_code == 400
    assert caught.value.error.code == "InvalidDocumentBatch"


def test_a_token_with_a_role_is_accepted_and_one_without_is_not(services: Services) -> None:
    assert client(services, _Token(services, SERVER)).detect_language(["Hello"])[0].primary_language
    with pytest.raises(ClientAuthenticationError) as caught:
        client(services, _Token(services, STRANGER)).detect_language(["Hello"])
    assert caught.value.error.code == "PermissionDenied"


def test_a_wrong_key_is_refused(services: Services) -> None:
    with pytest.raises(ClientAuthenticationError, match="invalid subscription key"):
        client(services, AzureKeyCredential("wrong")).detect_language(["Hello"])


def test_entities_stand_where_the_answer_says(services: Services) -> None:
    text = "On March 3, 2024 Contoso Ltd paid $1,200.50 to Mr. Smith in Berlin, 14 days late; mail ap@contoso.com."
    (result,) = client(services).recognize_entities([text])
    found = {entity.text: entity.category for entity in result.entities}
    assert found == {
        "March 3, 2024": "DateTime", "Contoso Ltd": "Organization", "$1,200.50": "Quantity", "Smith": "Person",
        "Berlin": "Location", "14 days": "Quantity", "ap@contoso.com": "Email",
    }  # fmt: skip
    for entity in result.entities:
        assert text[entity.offset : entity.offset + entity.length] == entity.text


def analyze(services: Services, kind: str, texts: list[str], **parameters: Any) -> requests.Response:
    documents = [{"id": str(number), "language": "en", "text": text} for number, text in enumerate(texts)]
    return requests.post(
        f"https://localhost:{services.https_port}/language/:analyze-text?api-version=2023-04-01",
        json={"kind": kind, "analysisInput": {"documents": documents}, "parameters": parameters},
        headers={"Host": LANGUAGE_HOST, "Ocp-Apim-Subscription-Key": KEY},
        verify=str(services.ca_file),
        timeout=30,
    )


def test_a_summary_is_made_of_the_texts_own_sentences(services: Services) -> None:
    text = "The delivery was late. The delivery of the valves cost a penalty. It rained. Valves are made in Oslo."
    [document] = analyze(services, "AbstractiveSummarization", [text], sentenceCount=2).json()["results"]["documents"]
    assert [part["text"] for part in document["summaries"]] == [
        "The delivery was late.", "The delivery of the valves cost a penalty."
    ]  # fmt: skip


def test_each_kind_of_analysis_has_its_own_requests_a_minute(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(operations._REQUESTS_PER_MINUTE, "F0", 3)
    account = services.lookup.accounts[LANGUAGE_HOST]
    free = replace(account, resource_id=f"{account.resource_id}-free", sku="F0")
    monkeypatch.setitem(services.lookup.accounts, LANGUAGE_HOST, free)
    answers = [analyze(services, "LanguageDetection", ["Hello"]) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 20
    assert "exceeded call rate limit of your current Language F0 pricing tier" in answers[-1].text
    assert analyze(services, "KeyPhraseExtraction", ["Hello"]).status_code == 200


def test_the_tiers_have_the_documented_requests_a_minute() -> None:
    assert operations._REQUESTS_PER_MINUTE == {"S": 1000, "F0": 300}


def test_what_is_not_served_says_so(services: Services) -> None:
    with pytest.raises(HttpResponseError, match=r"does not serve EntityLinking; docs/emulator\.md"):
        client(services).recognize_linked_entities(["Hello"])
    with pytest.raises(HttpResponseError, match=r"does not serve POST /language/analyze-text/jobs"):
        client(services).begin_extract_summary(["Hello"])


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"kind": "Astrology"}',
        b'{"kind": "LanguageDetection"}',
        b'{"kind": "LanguageDetection", "analysisInput": {"documents": []}}',
        b'{"kind": "LanguageDetection", "analysisInput": {"documents": [1]}}',
        b'{"kind": "LanguageDetection", "analysisInput": {"documents": [{"id": "1"}, {"id": "1"}]}}',
    ],
)
def test_a_malformed_request_is_refused(services: Services, body: bytes) -> None:
    url = f"https://localhost:{services.https_port}/language/:analyze-text?api-version=2023-04-01"
    headers = {"Host": LANGUAGE_HOST, "Ocp-Apim-Subscription-Key": KEY}
    answer = requests.post(url, data=body, headers=headers, verify=str(services.ca_file), timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"]["innererror"]["message"]
