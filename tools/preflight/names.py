"""Whether the names are free: of the resource group, the server, the accounts and their subdomains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.preflight.finding import OK, PROBLEM, WARNING, Finding
from tools.preflight.resource_manager import NotReadError
from tools.preflight.wanted import ACCOUNTS, SERVERS, VAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.preflight.resource_manager import ResourceManager
    from tools.preflight.wanted import Wanted, WantedAccount

CHECK = "names"


def check(wanted: Wanted, manager: ResourceManager) -> list[Finding]:
    """Look at every name that is known by now."""
    return [
        *_group(wanted, manager),
        *_server(wanted, manager),
        *_accounts(wanted, manager),
        *_vault(wanted, manager),
    ]


def _group(wanted: Wanted, manager: ResourceManager) -> list[Finding]:
    path = f"{manager.scope}/resourceGroups/{wanted.group}"
    if wanted.group_exists:
        return [Finding(check=CHECK, status=OK, found=f"{wanted.group} is the stack's resource group.")]
    try:
        there = manager.get(path)
    except NotReadError as error:
        if error.status != 404:
            raise
        return [
            Finding(check=CHECK, status=OK, found=f"The resource group {wanted.group} is free.", read=f"GET {path}")
        ]
    return [
        Finding(
            check=CHECK,
            status=PROBLEM,
            found=f"There is a resource group {wanted.group} in {there.get('location')} that this stack does not know.",
            do="Is it another backend's stack of the same name? Choose another namePrefix or stack name, or delete it.",
            read=f"GET {path}",
        )
    ]


def _server(wanted: Wanted, manager: ResourceManager) -> list[Finding]:
    name = wanted.server.name
    if wanted.server.given is not None:
        return []
    if name is None:
        return [
            Finding(
                check=CHECK,
                status=OK,
                found=f"The names of server and accounts ({wanted.base}) end with a suffix that the first `up` draws.",
                read="the stack's state",
            )
        ]
    if wanted.server.exists:
        return [Finding(check=CHECK, status=OK, found=f"{name} is the stack's own server.", read="the stack's state")]
    path = f"{manager.scope}/providers/Microsoft.DBforPostgreSQL/checkNameAvailability"
    answer = manager.ask(path, {"name": name, "type": SERVERS})
    if answer.get("nameAvailable"):
        return [Finding(check=CHECK, status=OK, found=f"The server's name {name} is free.", read=f"POST {path}")]
    return [
        Finding(
            check=CHECK,
            status=PROBLEM,
            found=f"The server's name {name} is taken: {answer.get('message') or answer.get('reason')}",
            do="A server that was just deleted holds its name for some minutes; wait, or draw another suffix: "
            "`pulumi up --replace <URN of suffix>`.",
            read=f"POST {path}",
        )
    ]


def _accounts(wanted: Wanted, manager: ResourceManager) -> list[Finding]:
    if not wanted.accounts:
        return []
    path = f"{manager.scope}/providers/Microsoft.CognitiveServices/deletedAccounts"
    deleted = manager.list(path)
    found = [
        _account(account, deleted, manager, f"GET {path}")
        for account in wanted.accounts
        if account.name is not None and not account.exists
    ]
    return [*found, *leftovers(wanted, deleted, f"GET {path}")]


def _account(
    account: WantedAccount, deleted: Sequence[Mapping[str, Any]], manager: ResourceManager, read: str
) -> Finding:
    name = str(account.name)
    gone = next((item for item in deleted if str(item.get("name")).lower() == name.lower()), None)
    if gone is not None:
        return Finding(
            check=CHECK,
            status=PROBLEM,
            found=f"The account {name} is soft-deleted, and holds its name, subdomain and quota.",
            do=f"Purge it: {purge_command(gone)}",
            read=read,
        )
    path = f"{manager.scope}/providers/Microsoft.CognitiveServices/checkDomainAvailability"
    answer = manager.ask(path, {"subdomainName": name, "type": ACCOUNTS, "kind": account.kind})
    if answer.get("isSubdomainAvailable"):
        return Finding(check=CHECK, status=OK, found=f"The subdomain {name} is free.", read=f"POST {path}")
    return Finding(
        check=CHECK,
        status=PROBLEM,
        found=f"The subdomain {name} is taken: {answer.get('reason')}",
        do="Draw another suffix: `pulumi up --replace <URN of suffix>`; subdomains are free again 48 hours after "
        "a delete, or once the account is purged.",
        read=f"POST {path}",
    )


def _vault(wanted: Wanted, manager: ResourceManager) -> list[Finding]:
    vault = wanted.vault
    if vault is None or vault.name is None:
        return []
    if vault.exists:
        return [
            Finding(check=CHECK, status=OK, found=f"{vault.name} is the stack's own vault.", read="the stack's state")
        ]
    deleted = f"{manager.scope}/providers/Microsoft.KeyVault/deletedVaults"
    gone = [item for item in manager.list(deleted) if str(item.get("name")).lower() == vault.name.lower()]
    if gone:
        until = (gone[0].get("properties") or {}).get("scheduledPurgeDate")
        return [
            Finding(
                check=CHECK,
                status=PROBLEM,
                found=f"The vault {vault.name} is soft-deleted, and holds its name until {until}.",
                do=f"With purge protection it cannot be purged: take it back with `az keyvault recover --name "
                f"{vault.name}` and import it, or draw another suffix: `pulumi up --replace <URN of suffix>`.",
                read=f"GET {deleted}",
            )
        ]
    path = f"{manager.scope}/providers/Microsoft.KeyVault/checkNameAvailability"
    answer = manager.ask(path, {"name": vault.name, "type": VAULTS})
    if answer.get("nameAvailable"):
        return [Finding(check=CHECK, status=OK, found=f"The vault's name {vault.name} is free.", read=f"POST {path}")]
    return [
        Finding(
            check=CHECK,
            status=PROBLEM,
            found=f"The vault's name {vault.name} is taken: {answer.get('message') or answer.get('reason')}",
            do="Choose another namePrefix, or draw another suffix: `pulumi up --replace <URN of suffix>`.",
            read=f"POST {path}",
        )
    ]


def leftovers(wanted: Wanted, deleted: Sequence[Mapping[str, Any]], read: str) -> list[Finding]:
    """Tell of soft-deleted accounts of earlier lives of the stack, whose deployments may hold quota."""
    own = {str(account.name).lower() for account in wanted.accounts}
    starts = tuple(f"{kind}-{wanted.base}-".lower() for kind in ("oai", "lang"))
    left = [
        item
        for item in deleted
        if str(item.get("name")).lower().startswith(starts) and str(item.get("name")).lower() not in own
    ]
    if not left:
        return []
    names = ", ".join(str(item.get("name")) for item in left)
    return [
        Finding(
            check=CHECK,
            status=WARNING,
            found=f"Soft-deleted accounts of earlier lives of this stack may hold quota for 48 hours: {names}.",
            do="; ".join(purge_command(item) for item in left),
            read=read,
        )
    ]


def purge_command(account: Mapping[str, Any]) -> str:
    """Return the command that purges a soft-deleted account.

    Args:
        account: as the service lists it; its id names region and resource group.
    """
    parts = str(account.get("id")).split("/")
    lower = [part.lower() for part in parts]
    place = parts[lower.index("locations") + 1] if "locations" in lower else str(account.get("location"))
    group = parts[lower.index("resourcegroups") + 1] if "resourcegroups" in lower else "<group>"
    return (
        f"az cognitiveservices account purge --location {place} --resource-group {group} --name {account.get('name')}"
    )
