"""What `env` leaves in a person's shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.commands import shell
from tools.engine.find import Engine
from tools.failure import Failure
from tools.pulumi import Pulumi
from tools.target import quiet_engine


def test_the_exports_have_what_leads_to_the_stack_and_not_what_the_engine_alone_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def not_up(_: object) -> Any:
        raise Failure("not up")

    monkeypatch.delenv("USER", raising=False)
    environment = {**quiet_engine(), "PULUMI_HOME": "/somewhere"}
    assert environment["USER"]
    monkeypatch.setattr(shell, "open_stack", lambda *_: Pulumi(Engine(Path("pulumi"), "none"), "dev", environment))
    monkeypatch.setattr(shell, "database_variables", not_up)
    shell.env("dev", "azure")
    printed = capsys.readouterr().out.splitlines()
    assert "export PULUMI_HOME=/somewhere" in printed
    assert "export PULUMI_STACK=dev" in printed
    assert not [line for line in printed if line.startswith("export USER")]
