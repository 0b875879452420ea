"""What the emulator's PostgreSQL cannot have is refused before anything is created."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings import StackSettings
from tools import carried
from tools.failure import Failure


def refuse(monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]) -> None:
    monkeypatch.setattr(carried, "config_values", lambda _: values)
    carried.refuse_missing_extensions("dev")


@pytest.mark.parametrize("values", [{}, {"extensions": ["vector", "age"]}])
def test_age_is_refused_with_the_setting_that_leaves_it_out(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    with pytest.raises(Failure) as failure:
        refuse(monkeypatch, values)
    assert "Pulumi.dev.yaml asks for age" in failure.value.what
    assert "unavailable: {age:" in failure.value.way_out


@pytest.mark.parametrize(
    "values",
    [
        {"extensions": ["vector", "azure_ai"]},
        {"extensions": ["vector", "age"], "unavailable": {"age": "not here"}},
        {"extensions": ["no_such_extension"]},
        {"extensions": "vector"},
    ],
)
def test_what_it_carries_or_the_settings_judge_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    refuse(monkeypatch, values)


def test_the_default_is_that_of_the_settings() -> None:
    assert StackSettings.model_fields["extensions"].default == carried.DEFAULT
