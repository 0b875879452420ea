"""What database/ says without a server: refusals of connections, answers of azure_ai, progress."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from database import azure_ai, connection, errors, progress, proof
from database.azure_ai import AppliedSettings, AzureAiSettings
from database.connection import ConnectionSpec

SPEC = ConnectionSpec("pg-1.example", "contracts", "deployer", "password", password="swordfish")


@pytest.mark.parametrize(
    ("text", "advice", "transient"),
    [
        ('FATAL: no pg_hba.conf entry for host "203.0.113.7", user "x"', "firewall", True),
        ('FATAL: password authentication failed for user "x"', "--run-program", False),
        ('FATAL: role "x" does not exist', "does not know this user", False),
        ('FATAL: database "x" does not exist', "no database of this name", False),
        ("SSL error: certificate verify failed", "could not be verified", False),
        ("failed to resolve host 'pg-1': Name or service not known", "does not resolve", True),
        ("FATAL: the database system is starting up", "did not answer", True),
        ("connection timeout expired", "did not answer", True),
        ("Connection refused", "did not answer", True),
        ("SSL error: unexpected eof while reading", "may be stopped (`az postgres flexible-server start`)", True),
        ("FATAL: the server is stopped", "start it (`az postgres flexible-server start`)", False),
    ],
)
def test_each_refusal_has_its_advice(text: str, advice: str, transient: bool) -> None:
    import re

    refusal = next(r for r in connection._REFUSALS if re.search(r.pattern, text))
    assert advice in refusal.advice
    assert refusal.transient is transient
    message = str(connection._refused(SPEC, text, refusal))
    assert message.startswith("cannot connect to database contracts on pg-1.example as deployer: ")
    assert "swordfish" not in message


def test_secrets_stay_out_of_repr_and_text() -> None:
    assert "swordfish" not in repr(SPEC)
    assert connection._without_secret("it is swordfish", SPEC) == "it is [secret]"
    assert "k-1" not in repr(AzureAiSettings("https://a", "keys", openai_key="k-1"))


def _error(sqlstate: str, primary: str) -> object:
    return SimpleNamespace(sqlstate=sqlstate, diag=SimpleNamespace(message_primary=primary, message_hint=None))


def test_values_are_left_out_of_data_exceptions() -> None:
    shown = errors.said(_error("22P02", 'invalid input syntax for type integer: "swordfish"'))  # type: ignore[arg-type]
    assert shown == 'invalid input syntax for type integer: "..." (SQLSTATE 22P02).'
    assert '"t"' in errors.said(_error("42P01", 'relation "t" does not exist'))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "authentication", "patience", "advice"),
    [
        ("401: Access denied", "keys", 0, "refused the key"),
        ("401: PermissionDenied", "managed-identity", float("inf"), "Cognitive Services OpenAI User"),
        ("PermissionDenied: no", "managed-identity", float("inf"), "Cognitive Services OpenAI User"),
        ("DeploymentNotFound: no", "managed-identity", 60, "postgres-genai:deployments"),
        ("429: retry after 6 seconds", "managed-identity", 120, "busy"),
        ("400: bad", "managed-identity", 0, "refused the request"),
        ("could not connect", "managed-identity", 60, "could not reach https://a"),
    ],
)
def test_each_answer_has_its_verdict(answer: str, authentication: str, patience: float, advice: str) -> None:
    settings = AppliedSettings("https://a", authentication, None, None, None, None)
    error = _error("XX000", f"azure_openai.create_embeddings: {answer}")
    verdict = proof._judge(error, settings)  # type: ignore[arg-type]
    assert verdict.patience_seconds == patience
    assert advice in verdict.advice


def test_credentials_come_before_the_way_to_authenticate() -> None:
    settings = AzureAiSettings("https://a/", "keys", "k-1", "https://l/", "k-2")
    assert list(settings.values().items()) == [
        ("azure_openai.endpoint", "https://a"),
        ("azure_openai.subscription_key", "k-1"),
        ("azure_openai.auth_type", "subscription-key"),
        ("azure_cognitive.endpoint", "https://l"),
        ("azure_cognitive.subscription_key", "k-2"),
        ("azure_cognitive.auth_type", "subscription-key"),
    ]
    assert list(AzureAiSettings("https://a", "managed-identity").values()) == [
        "azure_openai.endpoint",
        "azure_openai.auth_type",
    ]
    with pytest.raises(errors.DatabaseError, match="needs the account's key"):
        azure_ai.AzureAiSettings("https://a", "keys").values()


def test_a_ticker_speaks_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    said: list[str] = []
    ticker = progress.Ticker(3, said.append)
    for now in (0.0, 1.0, 3.0, 4.0, 6.5):
        ticker.tick(f"at {now}")
    assert said == ["at 3.0", "at 6.5"]


def test_progress_is_a_line_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    progress.progress("half-way")
    assert stderr.getvalue() == "half-way\n"
