"""Which private DNS zones the stack will make, and which are there already and may belong to somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.preflight.finding import OK, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.preflight.resource_manager import ResourceManager
    from tools.preflight.wanted import Wanted

CHECK = "private DNS"


def check(wanted: Wanted, manager: ResourceManager) -> list[Finding]:
    """Look at the zones of the subscription."""
    if not wanted.private_zones:
        return [Finding(check=CHECK, status=OK, found="The stack needs no private DNS zone.")]
    path = f"{manager.scope}/providers/Microsoft.Network/privateDnsZones"
    return judge(wanted, manager.list(path), f"GET {path}")


def judge(wanted: Wanted, listed: Sequence[Mapping[str, Any]], read: str) -> list[Finding]:
    """Compare the zones that the stack makes with those that are there in other resource groups."""
    found = []
    own = f"/resourcegroups/{wanted.group}/".lower()
    for zone in wanted.private_zones:
        others = [
            str(item.get("id"))
            for item in listed
            if str(item.get("name")).lower() == zone.lower() and own not in str(item.get("id")).lower()
        ]
        if others:
            found.append(
                Finding(
                    check=CHECK,
                    status=WARNING,
                    found=f"{zone} is there already: {', '.join(others)}. The stack makes another one.",
                    do="A network takes one zone of a name: where yours uses that one, give it by id in the config "
                    "instead of having one made.",
                    read=read,
                )
            )
        else:
            found.append(Finding(check=CHECK, status=OK, found=f"{zone} is made by the stack.", read=read))
    return found
