"""Whether the subscription uses the services that the stack needs: a new subscription has most of them switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.preflight.finding import OK, PROBLEM, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tools.preflight.resource_manager import ResourceManager
    from tools.preflight.wanted import Wanted

CHECK = "resource providers"


def check(wanted: Wanted, manager: ResourceManager) -> list[Finding]:
    """Look at the registrations."""
    path = f"{manager.scope}/providers"
    return judge(wanted.providers, manager.list(path), f"GET {path}")


def judge(needed: Sequence[str], listed: Iterable[Mapping[str, Any]], read: str) -> list[Finding]:
    """Compare what is needed with what is registered."""
    states = {str(item.get("namespace")).lower(): str(item.get("registrationState")) for item in listed}
    found = []
    for namespace in needed:
        state = states.get(namespace.lower(), "unknown here")
        if state == "Registered":
            continue
        busy = state == "Registering"
        found.append(
            Finding(
                check=CHECK,
                status=WARNING if busy else PROBLEM,
                found=f"{namespace} is {state}.",
                do="Wait until it is Registered; that takes a few minutes."
                if busy
                else f"az provider register --namespace {namespace} --wait",
                read=read,
            )
        )
    return found or [Finding(check=CHECK, status=OK, found=f"Registered: {', '.join(needed)}.", read=read)]
