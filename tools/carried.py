"""What the emulator's PostgreSQL cannot do for a stack, said before anything is created."""

from __future__ import annotations

from tools.failure import Failure
from tools.stack import config_values

# Pulumi.yaml's default of `extensions`.
DEFAULT = ("vector", "azure_ai", "age")
_CONTRIB = """
amcheck bloom btree_gin btree_gist citext cube dblink dict_int dict_xsyn earthdistance fuzzystrmatch hstore intagg
intarray isn lo ltree pageinspect pg_buffercache pg_freespacemap pg_prewarm pg_stat_statements pg_trgm pg_visibility
pgcrypto pgrowlocks pgstattuple postgres_fdw sslinfo tablefunc tsm_system_rows tsm_system_time unaccent uuid-ossp
"""
_EVERYWHERE = frozenset({"plpgsql", "vector", "azure_ai", "age"})
# Backend of the emulator -> what it carries of a flexible server's extensions (emulator/postgres); a test compares.
CARRIED = {"embedded": _EVERYWHERE, "debian": _EVERYWHERE | {"pg_cron", *_CONTRIB.split()}}
# What a backend carries so that a stack comes up with its own config, and no more than that.
HOLLOW = {"embedded": {"age": "a stand-in that can be created and holds no graph"}, "debian": {}}


def refuse_missing_extensions(stack: str, backend: str) -> None:
    """Refuse a stack that asks for extensions which the emulator's PostgreSQL does not carry.

    Names that no server knows are left to the settings, which say more about them.

    Raises:
        Failure: names the extensions and the setting that leaves them out.
    """
    from components.catalogue.extensions import KNOWN

    wanted, left_out = _wanted(stack)
    carried = CARRIED.get(backend, _EVERYWHERE)
    missing = [name for name in wanted if name in KNOWN and name not in carried and name not in left_out]
    if missing:
        names = ", ".join(missing)
        lines = ", ".join(f"{name}: not on this machine" for name in missing)
        raise Failure(
            f"Pulumi.{stack}.yaml asks for {names}, which the emulator's backend {backend} does not carry; nothing was "
            "changed.",
            f"Leave it out on this machine with `postgres-genai:unavailable: {{{lines}}}`, in that file or in a copy "
            f"that STACK= names{_elsewhere(missing, backend)}; or bring the stack up on Azure with TARGET=azure.",
        )


def hollow_extensions(stack: str, backend: str) -> list[str]:
    """Say which of a stack's extensions are on this machine in name alone."""
    wanted, left_out = _wanted(stack)
    hollow = HOLLOW.get(backend, {})
    return [f"{name} on this machine is {hollow[name]}." for name in wanted if name in hollow and name not in left_out]


def _elsewhere(missing: list[str], backend: str) -> str:
    """Name another backend that carries them all, where there is one."""
    others = [name for name, carried in CARRIED.items() if name != backend and carried.issuperset(missing)]
    return f"; or start anew with BACKEND={others[0]}, which carries it" if others else ""


def _wanted(stack: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the extensions that a stack asks for and those that it leaves out; none where the settings refuse them."""
    values = config_values(stack)
    wanted, left_out = values.get("extensions", DEFAULT), values.get("unavailable") or {}
    if not isinstance(wanted, list | tuple) or not isinstance(left_out, dict):
        return (), {}
    return tuple(map(str, wanted)), left_out
