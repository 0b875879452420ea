"""A server and accounts of one stack, used by others by id: nothing of the owner's is made, changed or deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.stack.conftest import StackAtWork, Workplace

ACCOUNTS_VERSION = "2025-06-01"
MODEL = "text-embedding-3-small"
TABLE = """
CREATE TABLE public.tickets (id bigint PRIMARY KEY, subject text NOT NULL);
INSERT INTO public.tickets SELECT n, 'Printer ' || n || ' is out of paper' FROM generate_series(1, 50) AS n;
"""


@pytest.fixture(scope="module")
def owner(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    """The stack that the server and the accounts belong to."""
    stack = place.stack("owner")
    stack.write(**{**small, "namePrefix": "owner"})
    stack.up()
    yield stack
    stack.run("destroy")


def config(owner: StackAtWork, small: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the config of a stack that uses what the owner has."""
    outputs = owner.outputs()
    existing = {
        "server": outputs["serverId"],
        "openaiAccount": outputs["openaiId"],
        "languageAccount": outputs["languageId"],
    }
    own = {key: value for key, value in small.items() if key not in ("server", "firewall", "ai")}
    return {**own, "existing": existing, "ai": {"assignRoles": False}, **more}


@pytest.fixture(scope="module")
def guest(place: Workplace, small: dict[str, Any], owner: StackAtWork) -> Iterator[StackAtWork]:
    """A stack with a database of its own on the owner's server, and a deployment in its account."""
    stack = place.stack("guest-of-all")
    deployments = {"embedding": {"model": MODEL, "existing": True}, "own": {"model": MODEL, "capacity": 1000}}
    job = {"table": "public.line_items", "template": "{description}", "deployment": "own"}
    more = {"database": {"name": "guest"}, "sample": True, "jobs": {"line-items": job}}
    stack.write(**config(owner, small, namePrefix="guest", deployments=deployments, **more))
    stack.up()
    yield stack
    stack.run("destroy")


def gone(stack: StackAtWork, path: str, version: str) -> bool:
    """Tell whether Resource Manager has nothing at an id."""
    with pytest.raises(requests.HTTPError) as refused:
        stack.arm("GET", path, version=version)
    return refused.value.response.status_code == 404


def test_what_others_have_is_refused_in_the_preview(
    place: Workplace, small: dict[str, Any], owner: StackAtWork
) -> None:
    stack = place.stack("rash")
    stack.write(**config(owner, small, namePrefix="rash", ai={}, database={"name": "rash"}))
    printed = stack.run("preview", code=None)
    assert "Set ai.assignRoles: false" in printed or "existing: true to use it as it is" in printed
    stack.edit(lambda values: values.update(ai={"assignRoles": False}))
    assert "Set deployments.embedding.existing: true" in stack.run("preview", code=None)
    deployments = {"embedding": {"model": MODEL, "existing": True}}
    stack.edit(lambda values: values.update(deployments=deployments, database={"name": "contracts"}))
    assert "Set database.existing: true to use it" in stack.run("preview", code=None)
    stack.edit(lambda values: values.update(extensions=["vector", "azure_ai", "hstore"], database={"name": "rash"}))
    printed = stack.run("pulumi", "--", "preview", code=None)
    assert "does not allow hstore: `az postgres flexible-server parameter set" in printed
    assert "Traceback" not in printed
    stack.run("destroy")


def test_it_works_and_changes_no_more(guest: StackAtWork, owner: StackAtWork) -> None:
    job = guest.status()["jobs"]["line-items"]
    assert job["embedded"] > 0
    assert job["pending"] == 0
    with guest.connect() as connection:
        found = connection.execute("SELECT * FROM vectorize.search('line-items', 'software licence', 3)").fetchall()
        assert len(found) == 3
        vector = connection.execute("SELECT azure_openai.create_embeddings('embedding', 'a text')").fetchone()
    assert vector is not None, "by the owner's deployment"
    guest.run("up", "--expect-no-changes")
    guest.run("refresh", "--expect-no-changes")
    guest.run("up", "--expect-no-changes")
    owner.run("refresh", "--expect-no-changes")


def test_the_stack_owns_what_is_inside_alone(guest: StackAtWork) -> None:
    resources = json.loads(guest.state())["checkpoint"]["latest"]["resources"]
    made = {one["type"] for one in resources if one["type"].startswith("azure-native:")}
    assert made == {
        "azure-native:resources:ResourceGroup",
        "azure-native:dbforpostgresql:Database",
        "azure-native:cognitiveservices:Deployment",
    }


def test_a_team_adds_vectors_to_a_database_that_is_there_and_takes_them_out_again(
    place: Workplace, small: dict[str, Any], owner: StackAtWork
) -> None:
    owner.arm("PUT", "/databases/shop", {"properties": {"charset": "UTF8", "collation": "en_US.utf8"}})
    stack = place.stack("brownfield")
    job = {"table": "public.tickets", "template": "{subject}", "deployment": "embedding"}
    more = {
        "database": {"name": "shop", "existing": True},
        "deployments": {"embedding": {"model": MODEL, "existing": True}},
    }
    stack.write(**config(owner, small, namePrefix="brown", **more))
    stack.up()
    with stack.connect() as connection:
        connection.execute(TABLE.encode())
    stack.edit(lambda values: values.update(jobs={"tickets": job}))
    stack.up()
    assert stack.status()["jobs"]["tickets"]["embedded"] == 50
    with stack.connect() as connection:
        stack.run("destroy")
        rows = connection.execute("SELECT count(*), count(embedding) FROM public.tickets").fetchone()
    assert rows == (50, 50), "the rows are as they were, and vectors are retained"
    owner.arm("DELETE", "/databases/shop")
    owner.run("refresh", "--expect-no-changes")


def test_destroy_leaves_the_owners_stack_as_it_was(guest: StackAtWork, owner: StackAtWork) -> None:
    outputs = guest.outputs()
    guest.run("destroy")
    assert gone(owner, f"{outputs['serverId']}/databases/guest", "2024-08-01")
    assert gone(owner, f"{outputs['openaiId']}/deployments/own", ACCOUNTS_VERSION)
    owner.run("refresh", "--expect-no-changes")
    owner.run("up", "--expect-no-changes")
    with owner.connect() as connection:
        vector = connection.execute("SELECT azure_openai.create_embeddings('embedding', 'a text')").fetchone()
    assert vector is not None
