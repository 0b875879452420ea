"""Key vaults with their secrets and keys, as Resource Manager has them; the vaults' own data plane is not here.

A deleted vault is soft-deleted: its name stays taken until it is recovered or purged (azure-docs, "Azure Key Vault
soft-delete overview").
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import replace

from emulator.arm import body as bodies
from emulator.arm.body import Json
from emulator.arm.errors import ArmError, not_found
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.store import Resource

VAULT = "Microsoft.KeyVault/vaults"


class Vaults(Kind):
    """Microsoft.KeyVault/vaults."""

    async def put(self, call: Call) -> Answer:
        """Create, recover or change a vault."""
        gone = self._deleted(call.id.name)
        recovers = bodies.get(call.body, "properties.createMode") == "recover"
        if gone and not recovers and self.store.get(call.id.key) is None:
            # The code and the text are the service's, from memory of its users' reports: unverified.
            raise ArmError(
                409,
                "ConflictError",
                "A vault with the same name already exists in deleted state. You need to either recover or purge "
                "existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more "
                "information on soft delete.",
            )
        answer = await super().put(call)
        if gone:
            self.store.purge(gone.key)
        return answer

    def check_rules(self, resource: Resource, existing: Resource | None) -> None:
        """Refuse a name that another vault has, and to switch off what cannot be switched off."""
        for other in self.store.of_type(VAULT):
            if other.name.lower() == resource.name.lower() and other.key != resource.key:
                why = f"The vault name '{resource.name}' is already in use. Vault names are globally unique."
                raise ArmError(409, "VaultAlreadyExists", why)
        protected = bool(existing and bodies.get(existing.body, "properties.enablePurgeProtection"))
        if protected and not bodies.get(resource.body, "properties.enablePurgeProtection"):
            why = (
                'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a '
                "vault is an irreversible action."
            )
            raise ArmError(400, "BadRequest", why)

    async def delete(self, call: Call) -> Answer:
        """Delete a vault softly."""
        vault = self.store.get(call.id.key)
        if vault is None:
            return Answer(204)
        soft_delete(self, vault)
        return Answer(200)

    def purge(self, name: str) -> None:
        """Purge a soft-deleted vault: its name is free again.

        Raises:
            ArmError: There is none, or it is protected.
        """
        gone = self._deleted(name)
        if gone is None:
            raise not_found(VAULT, name, "")
        if bodies.get(gone.body, "properties.enablePurgeProtection"):
            why = "Operation 'DeletedVaultPurge' is not allowed: the vault has purge protection enabled."
            raise ArmError(400, "MethodNotAllowed", why)
        self.store.purge(gone.key)

    def deleted(self) -> list[Json]:
        """Return the soft-deleted vaults as the service lists them."""
        found = []
        for vault in self.store.deleted():
            if vault.type != VAULT:
                continue
            subscription, location = "/".join(vault.id.split("/")[:3]), vault.body["location"]
            dates = {key: vault.private[key] for key in ("deletionDate", "scheduledPurgeDate")}
            path = f"{subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{vault.name}"
            properties = {"vaultId": vault.id, "location": location, **dates}
            found.append(
                {"id": path, "name": vault.name, "type": "Microsoft.KeyVault/deletedVaults", "properties": properties}
            )
        return found

    def _deleted(self, name: str) -> Resource | None:
        names = {vault.name.lower(): vault for vault in self.store.deleted() if vault.type == VAULT}
        return names.get(name.lower())


def soft_delete(kind: Kind, vault: Resource) -> None:
    """Move a vault to the deleted ones, with the day on which the service would purge it."""
    now = dt.datetime.now(dt.UTC)
    days = int(bodies.get(vault.body, "properties.softDeleteRetentionInDays") or 90)
    dates = {
        "deletionDate": now.isoformat(timespec="seconds"),
        "scheduledPurgeDate": (now + dt.timedelta(days=days)).isoformat(timespec="seconds"),
    }
    kind.store.soft_delete(replace(vault, private=dates))


class Secrets(Kind):
    """Microsoft.KeyVault/vaults/secrets: the value is taken and never kept, for nothing here reads it."""

    def made(self, call: Call, body: Json, existing: Resource | None) -> Resource:
        """Return the secret with a new version, which each write makes."""
        resource = super().made(call, body, existing)
        if existing is None and bodies.get(call.body, "properties.value") is None:
            raise ArmError(400, "BadRequest", "The property 'value' of a secret is required.")
        return _versioned(resource, "secretUri", f"{_address(resource)}/secrets/{resource.name}", secrets.token_hex(16))


class Keys(Kind):
    """Microsoft.KeyVault/vaults/keys: a key is made once; to write it again changes nothing."""

    async def put(self, call: Call) -> Answer:
        """Create a key, or return the one that is there (azure-docs, "Keys - Create If Not Exist")."""
        existing = self.store.get(call.id.key)
        if existing:
            return Answer(200, self.present(existing))
        return await super().put(call)

    def made(self, call: Call, body: Json, existing: Resource | None) -> Resource:
        """Return the key with its address."""
        resource = super().made(call, body, existing)
        return _versioned(resource, "keyUri", f"{_address(resource)}/keys/{resource.name}", secrets.token_hex(16))


def key_of(kind: Kind, uri: str) -> Resource | None:
    """Return the key that an address `https://VAULT.vault.azure.net/keys/NAME/VERSION` names, or None."""
    for key in kind.store.of_type(f"{VAULT}/keys"):
        address = str(key.body["properties"]["keyUri"]).lower()
        if uri.lower() == address or uri.lower().startswith(address + "/"):
            return key
    return None


def _address(resource: Resource) -> str:
    return f"https://{resource.id.split('/')[8].lower()}.vault.azure.net"


def _versioned(resource: Resource, name: str, address: str, version: str) -> Resource:
    body = resource.to_json()
    seconds = int(dt.datetime.now(dt.UTC).timestamp())
    given = body["properties"].get("attributes") or {}
    body["properties"] |= {
        name: address,
        f"{name}WithVersion": f"{address}/{version}",
        "attributes": {"enabled": True, **given, "created": seconds, "updated": seconds},
    }
    return replace(resource, body=body)
