"""Which environment a stack is, how strict its rules are, and what an exemption needs and how it ends."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from policy import reference
from policy.decisions import Decisions, DecisionsError, read
from policy.environment import environment_of
from policy.finding import findings
from policy.rule import Level
from policy.rules import RULES
from tests.unit.policy_plan import plan, setting
from tools.places import ROOT

BY_ID = {rule.id: rule for rule in RULES}
EXEMPTION = {
    "rule": "pg-geo-backup",
    "resource": "server",
    "reason": "The paired region has no quota.",
    "until": "2026-06-30",
}
NO_GEO = setting("server", "backup", "geoRedundantBackup", value="Disabled")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "stacks.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("tags", "environment"),
    [
        ({"environment": "dev"}, "dev"),
        ({"environment": "local"}, "dev"),
        ({"environment": "Staging"}, "staging"),
        ({"environment": "production"}, "prod"),
        ({"environment": "qa"}, "prod"),
        ({}, "prod"),
    ],
)
def test_the_tag_decides_and_an_unknown_one_is_held_to_prod(tags: dict[str, str], environment: str) -> None:
    assert environment_of(tags) == environment


def test_an_exemption_lets_its_resource_pass_its_rule_until_its_last_day() -> None:
    decisions = Decisions.model_validate({"exemptions": [EXEMPTION]})
    rule = BY_ID["pg-geo-backup"]
    [last] = findings(plan(NO_GEO, today=date(2026, 6, 30)), rule, decisions)
    assert last.exemption is not None
    [after] = findings(plan(NO_GEO, today=date(2026, 7, 1)), rule, decisions)
    assert after.exemption is None
    assert "its exemption ended on 2026-06-30: The paired region has no quota." in after.text


@pytest.mark.parametrize("other", [{"rule": "pg-cmk"}, {"resource": "replica"}])
def test_an_exemption_covers_nothing_else(other: dict[str, str]) -> None:
    decisions = Decisions.model_validate({"exemptions": [{**EXEMPTION, **other}]})
    [found] = findings(plan(NO_GEO), BY_ID["pg-geo-backup"], decisions)
    assert found.exemption is None


@pytest.mark.parametrize("part", EXEMPTION)
def test_an_exemption_needs_every_part(part: str, tmp_path: Path) -> None:
    lines = [f"{key}: '{value}'" for key, value in EXEMPTION.items() if key != part]
    path = written(tmp_path, "prod: {exemptions: [{" + ", ".join(lines) + "}]}")
    with pytest.raises(DecisionsError, match=rf"policy/stacks.yaml: prod.exemptions.0.{part}: Field required"):
        read("prod", path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prod: {levels: {pg-nothing: deny}}", "names the rule 'pg-nothing', which is not in the pack"),
        ("prod: {levels: {pg-cmk: maybe}}", "prod.levels.pg-cmk"),
        ("prod: {excemptions: []}", "prod.excemptions: Extra inputs"),
        ("prod: {exemptions: [{rule: tags, resource: prod, reason: because, until: 2027-01-01}]}", "at least 15"),
        ("prod: {exemptions: [{rule: tags, resource: prod, reason: an awful lot of work, until: soon}]}", "until"),
        ("- prod", "cannot be read"),
        ("prod: [", "cannot be read"),
    ],
)
def test_a_mistake_in_the_file_is_named(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DecisionsError, match=words):
        read("prod", written(tmp_path, text))


def test_a_level_may_be_stricter_and_never_milder() -> None:
    decisions = Decisions.model_validate({"levels": {"pg-cmk": "deny", "pg-entra-admin": "warn"}})
    assert decisions.level(BY_ID["pg-cmk"], "dev") is Level.DENY
    assert decisions.level(BY_ID["pg-entra-admin"], "dev") is Level.DENY
    assert decisions.level(BY_ID["pg-geo-backup"], "staging") is Level.WARN


def test_what_is_checked_in_can_be_used() -> None:
    for path in ROOT.glob("Pulumi.*.yaml"):
        read(path.name.split(".")[1])


def test_the_page_has_the_rules_as_they_are() -> None:
    assert reference.write_page(check=True) == [], "run `make schema`"


def test_every_answer_to_a_scanner_names_a_rule_that_is_there() -> None:
    page = reference.PAGE.read_text(encoding="utf-8")
    section = page.partition("## What scanners ask for")[2].partition("\n## ")[0]
    named = set(re.findall(r"`((?:pg|ai|change)-[\w-]+)`", section))
    assert named
    assert named <= set(BY_ID)
    for check in {check for rule in RULES for check in re.findall(r"CKV_AZURE_\d+", rule.source)}:
        assert check in section, f"{check} is a source of a rule, and the table does not answer it"
