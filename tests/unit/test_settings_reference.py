"""The schema, the page and Pulumi.yaml say what the settings say; the stacks in the tree are valid."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from components.settings import PROJECT, StackSettings
from components.settings_reference import (
    PAGE_FILE,
    SCHEMA_FILE,
    config_page,
    json_schema,
    project_keys,
    write_schema,
)

ROOT = Path(__file__).resolve().parents[2]
STACKS = sorted(path.name for path in ROOT.glob("Pulumi.*.yaml"))


def stack(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return config


def values(name: str) -> dict[str, Any]:
    return {key.removeprefix(f"{PROJECT}:"): value for key, value in stack(name)["config"].items()}


def test_the_schema_and_the_page_in_the_tree_are_current() -> None:
    assert write_schema(check=True) == [], "run `python -m tools schema`"
    assert PAGE_FILE.read_text(encoding="utf-8") == config_page()
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == json_schema()


def test_pulumi_yaml_declares_every_key_as_the_settings_do() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert declared["name"] == PROJECT
    assert declared["config"] == project_keys()


def test_the_page_names_every_key() -> None:
    page = config_page()
    for key in project_keys():
        assert f"| `{key}` |" in page
    for section in ("### `server.sku`", "### `jobs.*`", "### `jobs.*.index`", "### `authentication.administrators.*`"):
        assert section in page


@pytest.mark.parametrize("name", STACKS)
def test_the_stacks_in_the_tree_are_valid(name: str) -> None:
    settings = StackSettings.parse(values(name), stack=name.split(".")[1])
    jsonschema.validate(stack(name), json_schema())
    assert settings.jobs
    first = (ROOT / name).read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=components/settings.schema.json"


def test_the_stacks_are_what_the_design_says() -> None:
    local, dev = StackSettings.parse(values("Pulumi.local.yaml")), StackSettings.parse(values("Pulumi.dev.yaml"))
    assert "age" in dev.enabled_extensions
    assert not dev.authentication.password
    assert "age" not in local.enabled_extensions
    assert [note for note in local.notes if note.startswith("extension age is left out: ")]
    debian = StackSettings.parse(values("Pulumi.debian.yaml"))
    assert debian.enabled_extensions[0] == "age"
    assert debian.workers.schedule


def test_the_stack_of_the_backend_debian_is_the_local_one_with_more() -> None:
    local, debian = values("Pulumi.local.yaml"), values("Pulumi.debian.yaml")
    for key in local.keys() - {"extensions", "unavailable"}:
        assert debian[key] == local[key], key


@pytest.mark.parametrize(
    "change",
    [
        {f"{PROJECT}:smaple": True},
        {f"{PROJECT}:server": {"versoin": "16"}},
        {f"{PROJECT}:jobs": {"notes": {"table": "public.invoices"}}},
        {f"{PROJECT}:sample": "maybe"},
    ],
    ids=["unknown key", "unknown inner key", "missing", "type"],
)
def test_the_schema_refuses_what_the_program_refuses(change: dict[str, Any]) -> None:
    wrong = stack("Pulumi.local.yaml")
    wrong["config"] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json_schema())


def test_the_schema_leaves_other_namespaces_alone() -> None:
    wrong = stack("Pulumi.local.yaml")
    wrong["config"] |= {"azure-native:location": "eastus2"}
    jsonschema.validate({**wrong, "encryptionsalt": "v1:x"}, json_schema())


def test_the_program_imports_only_the_azure_modules_that_it_uses() -> None:
    """The SDK has hundreds of modules, loaded when they are touched; the ones that were touched are counted."""
    script = (
        "import sys, runpy, unittest.mock as m\n"
        "import components.settings\n"
        "with m.patch.object(components.settings.StackSettings, 'load', side_effect=SystemExit):\n"
        "    try: runpy.run_path('__main__.py', run_name='__main__')\n"
        "    except SystemExit: pass\n"
        "print(sorted({n.split('.')[1] for n in sys.modules if n.startswith('pulumi_azure_native.') and n.count('.') > 1}))\n"  # noqa: E501
        "print([n for n in ('azure.mgmt', 'azure.identity', 'emulator', 'typer') if n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    modules, heavy = done.stdout.splitlines()
    used = {"authorization", "cognitiveservices", "dbforpostgresql", "resources"}
    assert set(json.loads(modules.replace("'", '"'))) <= used
    assert heavy == "[]"
