"""Whether the server's version of PostgreSQL carries the extensions; asked of the server itself once it is there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tools.preflight.finding import OK, PROBLEM, WARNING, Finding
from tools.preflight.resource_manager import NotReadError
from tools.preflight.wanted import SERVERS

if TYPE_CHECKING:
    from collections.abc import Collection

    from tools.preflight.resource_manager import ResourceManager
    from tools.preflight.wanted import Wanted

CHECK = "extensions"
TABLE = "components/catalogue/extension_versions.py"


def check(wanted: Wanted, manager: ResourceManager) -> list[Finding]:
    """Ask the server which extensions it lets in, or else the table."""
    server = wanted.server.given
    if server is not None:
        version = str((manager.get(server).get("properties") or {}).get("version"))
        wanted = replace(wanted, server=replace(wanted.server, version=version))
    elif wanted.server.exists:
        server = f"{manager.scope}/resourceGroups/{wanted.group}/providers/{SERVERS}/{wanted.server.name}"
    else:
        return judge(wanted, None, TABLE)
    path = f"{server}/configurations/azure.extensions"
    try:
        allowed = str((manager.get(path).get("properties") or {}).get("allowedValues") or "")
    except NotReadError:
        return judge(wanted, None, TABLE)
    return judge(wanted, {name.strip().lower() for name in allowed.split(",")} if allowed else None, f"GET {path}")


def judge(wanted: Wanted, allowed: Collection[str] | None, read: str) -> list[Finding]:
    """Compare the extensions with what the server lets in.

    Args:
        wanted: what the stack asks for.
        allowed: what the server lets in, or None where only the table is to be had.
        read: where that was read.
    """
    from components.catalogue.extension_versions import version_on
    from components.catalogue.extensions import preload_unverified

    major = wanted.server.version
    known = {name: version_on(name, major) for name in wanted.extensions}
    missing = [name for name, version in known.items() if (name not in allowed if allowed else version is None)]
    found = [
        Finding(
            check=CHECK,
            status=PROBLEM,
            found=f"PostgreSQL {major} has no {name} on a flexible server.",
            do="Choose another version (server.version), or leave it out: "
            f"`unavailable: {{{name}: not on version {major}}}`.",
            read=read,
        )
        for name in missing
    ]
    found += [
        Finding(
            check=CHECK,
            status=WARNING,
            found=f"Nobody has seen {name} preloaded on PostgreSQL {major}.",
            do="16 is safe; on this version try it before you rely on it.",
            read=read,
        )
        for name in wanted.extensions
        if preload_unverified(name, major)
    ]
    carried = ", ".join(f"{name} {version}" for name, version in known.items() if version and name not in missing)
    # What is documented is the least to expect; what a database has, `status` shows too.
    has = ", ".join(f"{name} {wanted.installed[name]}" for name in known if name in wanted.installed)
    installed = f"; this stack's database has {has}" if has else ""
    text = f"PostgreSQL {major} is documented to carry {carried}, or newer{installed}."
    ok = Finding(check=CHECK, status=OK, found=text, read=read)
    return [*([ok] if carried else []), *found]
