"""`destroy`, `down` and `clean`: the ways out, from the stack's resources to everything."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from tools import busy
from tools import target as targets
from tools.commands.up import consent, ready
from tools.failure import Failure
from tools.places import ROOT, VENV, emulator_home, stacks
from tools.steps import Steps

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "azure-native:cognitiveservices:Account"
CACHES = (".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis")


def destroy(stack: str, target: str, arguments: list[str]) -> int:
    """Delete the stack's resources.

    Returns:
        The engine's exit status.
    """
    steps = Steps()
    pulumi = ready(stack, target, steps)
    before = pulumi.resources()
    refuse_protected(stack, before)
    with steps.step("pulumi destroy"):
        code, _ = busy.change(pulumi, "destroy", [*consent(pulumi), *arguments])
    if not code:
        for line in (*retained(before), *soft_deleted(before)):
            print(line)
    print(steps.line())
    return code


def refuse_protected(stack: str, resources: list[dict[str, Any]]) -> None:
    """Refuse to begin where something is protected: the engine deletes the rest first when it is not to preview.

    Raises:
        Failure: names what is protected, and the way out.
    """
    names = [resource["urn"].rpartition("::")[2] for resource in resources if resource.get("protect")]
    if names:
        raise Failure(
            f"The stack {stack} is protected ({', '.join(names)}); nothing was deleted.",
            f"To delete it all the same: set `postgres-genai:protect: false` in Pulumi.{stack}.yaml, "
            f"`make up STACK={stack}`, then this again.",
        )


def retained(resources: list[dict[str, Any]]) -> list[str]:
    """List what left the state without being deleted, and what needed no delete because its server went.

    Args:
        resources: the state's resources as they were before.
    """
    gone = {resource["urn"] for resource in resources if not resource.get("retainOnDelete")}
    left, went = [], []
    for resource in resources:
        if resource.get("retainOnDelete"):
            name = resource["urn"].rpartition("::")[2]
            if resource.get("deletedWith") in gone:
                went.append(name)
            else:
                left.append(f"  {resource['type'].rpartition(':')[2]} {name}: {resource.get('id', '')}")
    lines = [f"Retained: {len(left)}", *left] if left else ["Retained: nothing."]
    return [*lines, f"Gone with the server, not one by one: {', '.join(went)}"] if went else lines


def soft_deleted(resources: list[dict[str, Any]]) -> list[str]:
    """List the AI accounts: Azure keeps a deleted one for 48 hours, with its name and its quota."""
    accounts = [
        str(resource["id"]).rpartition("/")[2]
        for resource in resources
        if resource["type"] == ACCOUNT and resource.get("id") and not resource.get("retainOnDelete")
    ]
    if not accounts:
        return []
    sooner = "`az cognitiveservices account purge` ends that sooner"
    return [f"Soft-deleted by Azure for 48 hours, holding names and quota: {', '.join(accounts)} ({sooner})"]


def down() -> None:
    """Stop the emulator."""
    if targets.emulator_environment() is None:
        print("The emulator is not running.")
        return
    targets.stop_emulator()
    print("The emulator is stopped; its state stays. `make up` starts it again.")


def clean() -> None:
    """Stop the emulator and remove what this checkout made: stacks, emulator, caches, `.venv`."""
    if emulator_home().exists():
        try:
            targets.reset_emulator()
        except Failure as failure:
            print(failure)
    for path in (stacks(), emulator_home(), *(ROOT / name for name in CACHES)):
        _remove(path)
    if VENV.is_relative_to(ROOT):  # one that is shared with another checkout is that one's
        _remove(VENV)
    for folder in ROOT.rglob("__pycache__"):
        _remove(folder)
    print("Removed: stacks, emulator, caches, .venv. The engine stays in the cache for the next clone.")


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
