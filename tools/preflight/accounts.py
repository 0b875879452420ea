"""Whether the region offers the AI accounts: kind and price tier, and what holds the subscription back from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.preflight.finding import OK, PROBLEM, Finding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.preflight.resource_manager import ResourceManager
    from tools.preflight.wanted import Wanted

CHECK = "accounts"


def check(wanted: Wanted, manager: ResourceManager) -> list[Finding]:
    """Look at the price tiers."""
    if not wanted.accounts:
        return [Finding(check=CHECK, status=OK, found="The stack has no AI account.")]
    path = f"{manager.scope}/providers/Microsoft.CognitiveServices/skus"
    return judge(wanted, manager.list(path), f"GET {path}")


def judge(wanted: Wanted, listed: Sequence[Mapping[str, Any]], read: str) -> list[Finding]:
    """Compare the accounts with the list."""
    found = []
    here = wanted.location.lower()
    for account in wanted.accounts:
        tiers = [
            sku
            for sku in listed
            if str(sku.get("kind")) == account.kind
            and here in [str(place).replace(" ", "").lower() for place in sku.get("locations") or []]
        ]
        sku = next((tier for tier in tiers if tier.get("name") == account.sku), None)
        if sku is None:
            there = ", ".join(sorted({str(tier.get("name")) for tier in tiers})) or "none"
            text, way_out = f"{here} has no {account.kind} account {account.sku}.", f"There is: {there}."
        elif reason := _restriction(sku, here):
            text = f"{here} has no {account.kind} account {account.sku} for this subscription ({reason})."
            way_out = "Choose another region, or ask for access."
        else:
            continue
        found.append(Finding(check=CHECK, status=PROBLEM, found=text, do=way_out, read=read))
    kinds = ", ".join(f"{account.kind} {account.sku}" for account in wanted.accounts)
    return found or [Finding(check=CHECK, status=OK, found=f"{here} offers {kinds}.", read=read)]


def _restriction(sku: Mapping[str, Any], here: str) -> str:
    for restriction in sku.get("restrictions") or []:
        places = (restriction.get("restrictionInfo") or {}).get("locations") or restriction.get("values") or []
        if not places or here in [str(place).replace(" ", "").lower() for place in places]:
            return str(restriction.get("reasonCode") or "restricted")
    return ""
