"""The random provider over gRPC."""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2 as pb

from emulator.providers import values
from tests.emulator.provider_arm import serving
from tests.emulator.provider_client import EMPTY, Client, refused, running, urn

PASSWORD = "random:index/randomPassword:RandomPassword"
STRING = "random:index/randomString:RandomString"
UUID = "random:index/randomUuid:RandomUuid"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("arm")) as arm, running(arm) as providers:
        found = Client(providers.ports[1])
        yield found
        found.channel.close()


def test_it_reports_the_installed_version_and_takes_secrets(client: Client) -> None:
    assert client.stub.GetPluginInfo(EMPTY).version == "4.21.4"
    assert client.configure().acceptSecrets


def test_a_password_is_a_secret_and_has_no_telling_id(client: Client) -> None:
    response = client.stub.Create(pb.CreateRequest(urn=urn(PASSWORD), properties=values.write({"length": 20})))
    assert response.id == "none"
    assert _SECRET in str(response.properties.fields["result"])
    assert len(values.read(response.properties)["result"]) == 20
    assert values.read(response.properties)["numeric"] is True


def test_a_string_is_its_own_id(client: Client) -> None:
    resource_id, outputs = client.create(STRING, {"length": 8, "special": False, "upper": False})
    assert resource_id == outputs["result"]
    assert set(resource_id) <= set(string.ascii_lowercase + string.digits)


def test_a_uuid_is_its_own_id(client: Client) -> None:
    resource_id, outputs = client.create(UUID, {"keepers": {"a": "b"}})
    assert str(uuid.UUID(resource_id)) == resource_id == outputs["result"]


def test_settings_hold_for_any_string() -> None:
    from emulator.providers.random_values import make_string, with_defaults

    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chooser = random.Random(seed)
    for _ in range(300):
        least = {name: chooser.randrange(4) for name in ("minUpper", "minLower", "minNumeric", "minSpecial")}
        on = {name: chooser.random() < 0.7 for name in ("upper", "lower", "numeric", "special")} | {"lower": True}
        override = chooser.choice(["", "-_"])
        length = sum(least.values()) + chooser.randrange(1, 20)
        made = make_string(with_defaults({"length": length, "overrideSpecial": override, **least, **on}))
        sets = {"Upper": string.ascii_uppercase, "Lower": string.ascii_lowercase, "Numeric": string.digits}
        sets["Special"] = override or "!@#$%&*()-_=+[]{}<>:?"
        assert len(made) == length
        for name, characters in sets.items():
            count = sum(character in characters for character in made)
            assert count >= least[f"min{name}"]
            # A minimum holds even for a kind of character that is switched off (terraform-provider-random string.go).
            assert on[name.lower()] or count == least[f"min{name}"]


@pytest.mark.parametrize(
    ("inputs", "part"),
    [
        ({}, "missing required property 'length'"),
        ({"length": 0}, "'length' must be at least 1"),
        ({"length": 3, "minUpper": 4}, "at least the sum"),
        ({"length": 8, "minUpper": -1}, "'minUpper' must be at least 0"),
        ({"length": "8"}, "'length' should be of type 'integer' but got a string"),
        ({"length": 8, "size": 3}, "unknown property 'size'"),
        ({"length": 8, "number": True, "numeric": False}, "the old name"),
        ({"length": 8, "upper": False, "lower": False, "numeric": False, "special": False}, "character set"),
    ],
)
def test_check_refuses(client: Client, inputs: dict[str, Any], part: str) -> None:
    _, failures = client.check(PASSWORD, inputs)
    assert part in failures[0]


@pytest.mark.parametrize(
    ("new", "replaces"),
    [
        ({"length": 8}, []),
        ({"length": 8, "special": True}, []),
        ({"length": 9}, ["length"]),
        ({"length": 8, "special": False}, ["special"]),
        ({"length": 8, "keepers": {"rotation": "2"}}, ["keepers"]),
    ],
)
def test_what_changes_the_value_replaces(client: Client, new: dict[str, Any], replaces: list[str]) -> None:
    response = client.diff(PASSWORD, {"length": 8}, new)
    assert list(response.replaces) == replaces
    assert not response.deleteBeforeReplace
    keepers = {"length": 8, "keepers": {"rotation": "1"}}
    assert list(client.diff(PASSWORD, keepers, keepers | {"keepers": {"rotation": "2"}}).replaces) == [
        "keepers.rotation"
    ]


def test_a_preview_does_not_know_the_value_and_a_read_keeps_it(client: Client) -> None:
    assert client.create(PASSWORD, {"length": 8}, preview=True)[1]["result"] is values.UNKNOWN
    _, outputs = client.create(STRING, {"length": 8})
    assert client.read(STRING, outputs["result"], {"length": 8}, outputs)[2] == outputs


def test_an_import_takes_the_value_for_the_id(client: Client) -> None:
    resource_id, inputs, outputs = client.read(PASSWORD, "from-elsewhere")
    assert (resource_id, inputs["length"], outputs["result"]) == ("none", 14, "from-elsewhere")


def test_other_types_are_refused(client: Client) -> None:
    with refused() as texts:
        client.create("random:index/randomPet:RandomPet", {})
    assert "RandomPassword" in texts[0]
