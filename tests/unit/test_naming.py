"""Names fit Azure's limits whatever the stack is called, and stay the same."""

from __future__ import annotations

import re
import uuid

import pytest

from components.naming import SUFFIX_LENGTH, Names, role_assignment_name, short_stack, tags_of

STACKS = [
    "dev",
    "local",
    "Feature/ABC_1",
    "x" * 100,
    "pr-1234-a-very-long-branch-name-indeed",
    "---",
    "ü",
    "a.b",
    "a-b",
    "org/dev",
]


@pytest.mark.parametrize("stack", STACKS)
def test_the_longest_names_are_within_the_limits(stack: str) -> None:
    base = f"{'p' * 12}-{short_stack(stack)}"
    server = f"psql-{base}-{'s' * SUFFIX_LENGTH}"
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", server), server
    assert 3 <= len(server) <= 63
    assert len(f"lang-{base}-{'s' * SUFFIX_LENGTH}") <= 64
    assert len(Names(prefix="p" * 12, stack=stack, suffix="abc123").resource_group) <= 90


def test_short_names_of_different_stacks_differ() -> None:
    assert len({short_stack(stack) for stack in STACKS}) == len(STACKS)
    assert short_stack("dev") == "dev"


def test_a_role_assignment_has_the_same_guid_for_the_same_facts() -> None:
    name = role_assignment_name("/subscriptions/A/x", "P", "R")
    assert uuid.UUID(name)
    assert name == role_assignment_name("/SUBSCRIPTIONS/a/x", "p", "r")
    assert name != role_assignment_name("/subscriptions/a/y", "p", "r")


def test_tags_say_where_a_resource_comes_from_and_the_stacks_own_win() -> None:
    assert tags_of({"stack": "mine", "team": "data"}, "postgres-genai", "dev") == {
        "managed-by": "pulumi",
        "project": "postgres-genai",
        "stack": "mine",
        "team": "data",
    }
