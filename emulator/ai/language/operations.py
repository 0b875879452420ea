"""POST /language/:analyze-text, the synchronous operation of Azure AI Language (api-versions 2022-05-01 and later).

Summaries are answered here too; the service has them among its long-running jobs alone, which the stand-in extension is
spared.
"""

import asyncio
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from emulator.ai.authentication import LANGUAGE_ROLES, Operation, authorize
from emulator.ai.errors import invalid_language_request, refusal, resource_not_found
from emulator.ai.language import detection, entities, key_phrases, personal_data, sentiment, summary
from emulator.ai.quota import RequestQuota, Throttled
from emulator.ai.usage import Usage
from emulator.arm.lookup import Account, Lookup
from emulator.identity import Identity

USAGE_NAME = "language"
_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_OLDEST_API_VERSION = "2022-05-01"
_MODEL_VERSION = "emulator"
# azure-ai-docs, "Data and rate limits for the Azure AI Language service": 5,120 characters of a document.
_MAX_CHARACTERS = 5_120
_MAX_CHARACTERS_OF_ALL = 125_000  # of a job, for all its documents
# Requests a minute, for each kind of analysis separately (same page).
_REQUESTS_PER_MINUTE = {"S": 1_000, "F0": 300}
_CHARACTERS_A_RECORD = 1_000  # Azure AI Language pricing: a text record is up to 1,000 characters
_DENIED = "Principal does not have access to API/Operation."
_ANALYZE = Operation(LANGUAGE_ROLES, _DENIED)
_LANGUAGES = frozenset(["af", "ar", "bg", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "hu", "id", "it",
                        "ja", "ko", "nb", "nl", "no", "pl", "pt", "pt-br", "pt-pt", "ro", "ru", "sk", "sv", "th", "tr",
                        "uk", "vi", "zh", "zh-hans", "zh-hant"])  # fmt: skip

Json = Mapping[str, Any]


@dataclass(frozen=True)
class _Kind:
    """A kind of analysis.

    Attributes:
        results: What the answer calls itself.
        max_documents: Documents of a request (same page as the characters).
        analyze: Makes the result of one document from its text and the request's parameters.
        max_characters: Characters of a document.
    """

    results: str
    max_documents: int
    analyze: Callable[[str, Json], dict[str, Any]]
    max_characters: int = _MAX_CHARACTERS


class _DocumentRefused(Exception):
    """A document that cannot be analyzed, while the others are."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _position(text: str, offset: int, length: int, parameters: Json) -> dict[str, int]:
    """Return offset and length in the caller's units; a text element counts as a code point here."""
    if parameters.get("stringIndexType") != "Utf16CodeUnit":
        return {"offset": offset, "length": length}

    def units(part: str) -> int:
        return len(part.encode("utf-16-le")) // 2

    return {"offset": units(text[:offset]), "length": units(text[offset : offset + length])}


def _scores(scores: sentiment.Scores) -> dict[str, float]:
    return {"positive": scores.positive, "neutral": scores.neutral, "negative": scores.negative}


def _sentiment(text: str, parameters: Json) -> dict[str, Any]:
    result = sentiment.analyze(text)
    sentences = [
        {
            "sentiment": found.scores.label,
            "confidenceScores": _scores(found.scores),
            **_position(text, found.sentence.offset, len(found.sentence.text), parameters),
            "text": found.sentence.text,
        }
        for found in result.sentences
    ]
    return {"sentiment": result.label, "confidenceScores": _scores(result.scores), "sentences": sentences}


def _language(text: str, _: Json) -> dict[str, Any]:
    found = detection.detect(text)
    return {"detectedLanguage": {"name": found.name, "iso6391Name": found.code, "confidenceScore": found.score}}


def _key_phrases(text: str, _: Json) -> dict[str, Any]:
    return {"keyPhrases": key_phrases.extract(text)}


def _personal_data(text: str, parameters: Json) -> dict[str, Any]:
    entities = personal_data.find(text, parameters.get("piiCategories") or ())
    described = [
        {
            "text": entity.text,
            "category": entity.category,
            **({"subcategory": entity.subcategory} if entity.subcategory else {}),
            **_position(text, entity.offset, len(entity.text), parameters),
            "confidenceScore": entity.score,
        }
        for entity in entities
    ]
    return {"redactedText": personal_data.redact(text, entities), "entities": described}


def _entities(text: str, parameters: Json) -> dict[str, Any]:
    described = [
        {
            "text": entity.text,
            "category": entity.category,
            **({"subcategory": entity.subcategory} if entity.subcategory else {}),
            **_position(text, entity.offset, len(entity.text), parameters),
            "confidenceScore": entity.score,
        }
        for entity in entities.find(text)
    ]
    return {"entities": described}


def _summary(text: str, parameters: Json) -> dict[str, Any]:
    sentences = summary.summarize(text, int(parameters.get("sentenceCount") or 3))
    return {"summaries": [{"text": sentence} for sentence in sentences]}


_KINDS = {
    "SentimentAnalysis": _Kind("SentimentAnalysisResults", 10, _sentiment),
    "LanguageDetection": _Kind("LanguageDetectionResults", 1_000, _language),
    "KeyPhraseExtraction": _Kind("KeyPhraseExtractionResults", 10, _key_phrases),
    "PiiEntityRecognition": _Kind("PiiEntityRecognitionResults", 5, _personal_data),
    "EntityRecognition": _Kind("EntityRecognitionResults", 5, _entities),
    "AbstractiveSummarization": _Kind("AbstractiveSummarizationResults", 25, _summary, _MAX_CHARACTERS_OF_ALL),
}
_NOT_SERVED = frozenset(["EntityLinking"])


def _check_document(document: Json, kind: _Kind) -> str:
    detects = kind.analyze is _language
    text = str(document.get("text") or "")
    if not text.strip():
        raise _DocumentRefused("InvalidDocument", "Document text is empty.")
    if len(text) > kind.max_characters:
        raise _DocumentRefused(
            "InvalidDocument",
            "A document within the request was too large to be processed. Limit document size to: "
            f"{kind.max_characters} text elements. For additional details on the data limitations see "
            "https://aka.ms/text-analytics-data-limits",
        )
    language = str(document.get("language") or "en").lower()
    if not detects and language not in _LANGUAGES and language.split("-")[0] not in _LANGUAGES:
        raise _DocumentRefused(
            "UnsupportedLanguageCode",
            f"Invalid Language Code. Supported languages: {','.join(sorted(_LANGUAGES))}. "
            "For additional details see https://aka.ms/text-analytics/language-support",
        )
    return text


def _analyze(kind: _Kind, documents: Sequence[Json], parameters: Json, statistics: bool) -> bytes:
    """Return the answer's body; runs in a thread."""
    good: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    records = 0
    for document in documents:
        identifier = str(document["id"])
        try:
            text = _check_document(document, kind)
        except _DocumentRefused as refused:
            inner = {"code": refused.code, "message": str(refused)}
            error = {"code": "InvalidArgument", "message": "Invalid document in request.", "innererror": inner}
            bad.append({"id": identifier, "error": error})
            continue
        result: dict[str, Any] = {"id": identifier, **kind.analyze(text, parameters), "warnings": []}
        document_records = -(-len(text) // _CHARACTERS_A_RECORD)
        records += document_records
        if statistics:
            result["statistics"] = {"charactersCount": len(text), "transactionsCount": document_records}
        good.append(result)
    results: dict[str, Any] = {"documents": good, "errors": bad, "modelVersion": _MODEL_VERSION}
    if statistics:
        results["statistics"] = {
            "documentsCount": len(documents),
            "validDocumentsCount": len(good),
            "erroneousDocumentsCount": len(bad),
            "transactionsCount": records,
        }
    return orjson.dumps({"kind": kind.results, "results": results})


class Language:
    """The Language operations of every account."""

    def __init__(
        self, lookup: Lookup, identity: Identity, usage: Usage, executor: Executor, quota: RequestQuota | None = None
    ) -> None:
        self._lookup = lookup
        self._identity = identity
        self._usage = usage
        self._executor = executor
        self._quota = quota or RequestQuota()

    async def analyze_text(self, request: web.Request, account: Account) -> web.Response:
        """Analyze the documents of one request."""
        authorize(request, account, self._lookup, self._identity, _ANALYZE)
        version = request.query.get("api-version", "")
        if not _API_VERSION.fullmatch(version) or version < _OLDEST_API_VERSION:
            raise resource_not_found()
        body = await _body(request)
        kind = _kind(body)
        self._take(account, kind)
        documents = _documents(body, kind)
        parameters = body.get("parameters") or {}
        statistics = request.query.get("showStats", "").lower() == "true"
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._executor, _analyze, kind, documents, parameters, statistics)
        self._usage.answered(account.name, USAGE_NAME, len(documents), 0)
        headers = {"apim-request-id": str(uuid.uuid4()), "x-ms-region": account.location}
        return web.Response(body=answer, content_type="application/json", headers=headers)

    def _take(self, account: Account, kind: _Kind) -> None:
        """Count a request against the tier's limit; the text of the refusal is unverified."""
        try:
            self._quota.take((account.resource_id, kind.results), _REQUESTS_PER_MINUTE.get(account.sku, 1_000))
        except Throttled as throttled:
            self._usage.refused(account.name, USAGE_NAME)
            seconds = throttled.whole_seconds
            message = (
                f"Requests to the Analyze_Text Operation under Language Service have exceeded {throttled.limit} of "
                f"your current Language {account.sku} pricing tier. Please retry after {seconds} second"
                f"{'' if seconds == 1 else 's'}."
            )
            raise refusal(429, "429", message, {"Retry-After": str(seconds)}) from None


async def _body(request: web.Request) -> Json:
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise invalid_language_request("Invalid Request.", "InvalidRequestBodyFormat", f"Not JSON: {error}") from None
    if not isinstance(body, dict):
        raise invalid_language_request("Invalid Request.", "InvalidRequestBodyFormat", "The body must be an object.")
    return body


def _kind(body: Json) -> _Kind:
    name = body.get("kind")
    if name in _NOT_SERVED:
        message = f"The emulator does not serve {name}; docs/emulator.md lists what it serves."
        raise invalid_language_request("Invalid Request.", "OperationNotSupported", message)
    if not isinstance(name, str) or name not in _KINDS:
        message = f"Invalid task kind. Supported kinds: {', '.join([*_KINDS, *sorted(_NOT_SERVED)])}."
        raise invalid_language_request("Invalid Request.", "InvalidParameterValue", message)
    return _KINDS[name]


def _documents(body: Json, kind: _Kind) -> Sequence[Json]:
    """Return the documents of a request, which as a whole may be refused."""

    def refused(code: str, message: str) -> Exception:
        return invalid_language_request("Invalid document in request.", code, message)

    given = body.get("analysisInput")
    documents = given.get("documents") if isinstance(given, dict) else None
    if not isinstance(documents, list) or not documents:
        raise refused("MissingInputDocuments", "Request should contain at least one document.")
    if not all(isinstance(document, dict) and document.get("id") for document in documents):
        raise refused("InvalidDocument", "Document Id is missing.")
    if len(documents) > kind.max_documents:
        limit = f"Max {kind.max_documents} records are permitted."
        raise refused("InvalidDocumentBatch", f"Batch request contains too many records. {limit}")
    if len({str(document["id"]) for document in documents}) < len(documents):
        raise refused("InvalidDocument", "Request contains duplicated Ids. Make sure each document has a unique Id.")
    return documents
