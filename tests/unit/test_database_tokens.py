"""Tokens are kept until shortly before they end."""

from __future__ import annotations

import pytest

from database import tokens


def test_a_token_is_kept_until_five_minutes_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    fetched: list[str] = []

    def fetch(scope: str) -> tuple[str, float]:
        fetched.append(scope)
        return f"token {len(fetched)}", now + 3600

    monkeypatch.setattr(tokens, "_kept", {})
    monkeypatch.setattr(tokens, "_fetch", fetch)
    monkeypatch.setattr(tokens.time, "time", lambda: now)
    assert tokens.token("a") == "token 1"
    now += 3299
    assert tokens.token("a") == "token 1"
    now += 2
    assert tokens.token("a") == "token 2"
    assert tokens.token("b") == "token 3"
