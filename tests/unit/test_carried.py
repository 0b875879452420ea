"""What the emulator's PostgreSQL cannot have is refused before anything is created."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings import StackSettings
from tools import carried
from tools.commands import up
from tools.failure import Failure
from tools.target import EMULATOR


def refuse(monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]) -> None:
    monkeypatch.setattr(carried, "config_values", lambda _: values)
    carried.refuse_missing_extensions("dev", "embedded")


def test_what_it_does_not_carry_is_refused_with_the_setting_that_leaves_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure) as failure:
        refuse(monkeypatch, {"extensions": ["vector", "postgis"]})
    assert "Pulumi.dev.yaml asks for postgis" in failure.value.what
    assert "unavailable: {postgis:" in failure.value.way_out


def test_a_stand_in_is_told_of_unless_the_stack_leaves_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for values, told in (({}, True), ({"extensions": ["vector"]}, False), ({"unavailable": {"age": "no"}}, False)):
        monkeypatch.setattr(carried, "config_values", lambda _, values=values: values)
        lines = carried.hollow_extensions("dev", "embedded")
        assert bool(lines) is told
        assert all("age on this machine is a stand-in" in line for line in lines)


def test_another_backend_is_named_where_one_carries_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure) as failure:
        refuse(monkeypatch, {"extensions": ["vector", "pg_cron", "citext"]})
    assert "BACKEND=debian" in failure.value.way_out
    monkeypatch.setattr(carried, "config_values", lambda _: {"extensions": ["age", "vector", "pg_cron", "citext"]})
    carried.refuse_missing_extensions("dev", "debian")
    assert carried.hollow_extensions("dev", "debian") == []


@pytest.mark.parametrize("wanted", ["external", "postgresql://super:Never-show-5-this@db/x", "oracle"])
def test_a_backend_that_there_is_not_is_refused_before_the_stack_is_judged(
    monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv("BACKEND", wanted)
    monkeypatch.setattr(up, "ready", lambda *_: pytest.fail("something was begun"))
    with pytest.raises(Failure) as failure:
        up.up("debian", EMULATOR, [], as_json=False)  # asks for more than an unknown backend is taken to carry
    assert "no backend" in failure.value.what
    assert "embedded, debian" in failure.value.what
    assert "Never-show" not in str(failure.value)


@pytest.mark.parametrize(
    "values",
    [
        {"extensions": ["vector", "azure_ai"]},
        {},
        {"extensions": ["vector", "postgis"], "unavailable": {"postgis": "not here"}},
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
