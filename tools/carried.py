"""What the emulator's PostgreSQL cannot do for a stack, said before anything is created."""

from __future__ import annotations

from tools.failure import Failure
from tools.stack import config_values

# Pulumi.yaml's default of `extensions`.
DEFAULT = ("vector", "azure_ai", "age")
# What the embedded PostgreSQL of the emulator carries (emulator/postgres); a test compares.
CARRIED = frozenset({"plpgsql", "vector", "azure_ai", "age"})
# What it carries so that a stack comes up with its own config, and no more than that.
HOLLOW = {"age": "a stand-in that can be created and holds no graph"}


def refuse_missing_extensions(stack: str) -> None:
    """Refuse a stack that asks for extensions which the emulator's PostgreSQL does not carry.

    Names that no server knows are left to the settings, which say more about them.

    Raises:
        Failure: names the extensions and the setting that leaves them out.
    """
    from components.catalogue.extensions import KNOWN

    wanted, left_out = _wanted(stack)
    missing = [name for name in wanted if name in KNOWN and name not in CARRIED and name not in left_out]
    if missing:
        names = ", ".join(missing)
        lines = ", ".join(f"{name}: not on this machine" for name in missing)
        raise Failure(
            f"Pulumi.{stack}.yaml asks for {names}, which the emulator does not carry; nothing was changed.",
            f"Leave it out on this machine with `postgres-genai:unavailable: {{{lines}}}`, in that file or in a copy "
            "that STACK= names; or bring the stack up on Azure with TARGET=azure.",
        )


def hollow_extensions(stack: str) -> list[str]:
    """Say which of a stack's extensions are on this machine in name alone."""
    wanted, left_out = _wanted(stack)
    return [f"{name} on this machine is {HOLLOW[name]}." for name in wanted if name in HOLLOW and name not in left_out]


def _wanted(stack: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the extensions that a stack asks for and those that it leaves out; none where the settings refuse them."""
    values = config_values(stack)
    wanted, left_out = values.get("extensions", DEFAULT), values.get("unavailable") or {}
    if not isinstance(wanted, list | tuple) or not isinstance(left_out, dict):
        return (), {}
    return tuple(map(str, wanted)), left_out
