"""Customer-managed keys of a server.

Source: azure-databases-docs, "Data encryption": the choice is made at creation; the vault has purge protection; a
user-assigned identity of the server may get, wrap and unwrap the key. The codes and texts are unverified.
"""

from __future__ import annotations

from emulator.arm import body as bodies
from emulator.arm import role_assignments, vaults
from emulator.arm.body import Json
from emulator.arm.errors import ArmError, invalid_parameter
from emulator.arm.kind import Kind
from emulator.arm.resource_id import is_within
from emulator.arm.store import Resource

# Key Vault Crypto Service Encryption User, Crypto User, Crypto Officer, Administrator
_ROLES = frozenset(
    {
        "e147488a-f6f5-4113-8e2d-b22465e65bf6",
        "12338af0-0e69-4776-bea7-57ae8d297424",
        "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
        "00482a5a-887f-4fb3-b363-3b7fe8e74483",
    }
)
_ACCESS = {"get", "wrapkey", "unwrapkey"}
_PRIMARY = ("primaryKeyURI", "primaryUserAssignedIdentityId")
_GEO = ("geoBackupKeyURI", "geoBackupUserAssignedIdentityId")


def check(kind: Kind, merged: Json, existing: Json | None) -> None:
    """Refuse keys that the server could not use, and a change of who manages them."""
    encryption = bodies.get(merged, "properties.dataEncryption") or {}
    mode = encryption.get("type") or "SystemManaged"
    before = bodies.get(existing, "properties.dataEncryption.type") if existing else None
    if before is not None and before != mode:
        raise invalid_parameter(
            "dataEncryption", f"the type is chosen at creation and cannot change from {before} to {mode}"
        )
    if mode != "AzureKeyVault":
        return
    _check_key(kind, merged, encryption, *_PRIMARY)
    geo = bodies.get(merged, "properties.backup.geoRedundantBackup") == "Enabled"
    if geo != bool(encryption.get(_GEO[0])):
        why = "a key for the geo-redundant backup is given when, and only when, there is such a backup"
        raise invalid_parameter("dataEncryption", why)
    if geo:
        _check_key(kind, merged, encryption, *_GEO)


def _check_key(kind: Kind, merged: Json, encryption: Json, key_name: str, identity_name: str) -> None:
    uri, identity_id = str(encryption.get(key_name) or ""), str(encryption.get(identity_name) or "")
    if not uri or not identity_id:
        raise invalid_parameter("dataEncryption", f"customer-managed keys need {key_name} and {identity_name}")
    assigned = {str(name).lower() for name in bodies.get(merged, "identity.userAssignedIdentities") or {}}
    identity = kind.store.get(identity_id)
    if identity_id.lower() not in assigned or identity is None:
        raise invalid_parameter("dataEncryption", f"the identity '{identity_id}' is not assigned to the server")
    key = vaults.key_of(kind, uri)
    if key is None:
        raise invalid_parameter("dataEncryption", f"there is no key '{uri}'")
    vault = kind.store.get(key.key.rpartition("/keys/")[0])
    if vault is None or not bodies.get(vault.body, "properties.enablePurgeProtection"):
        raise invalid_parameter("dataEncryption", "the vault of the key needs purge protection")
    if not _may_use(kind, vault, key, str(identity.body["properties"]["principalId"])):
        raise ArmError(
            400,
            "AzureKeyVaultMissingPermissions",
            f"The server's identity '{identity_id}' is missing one of the permissions Get, Wrap Key, Unwrap Key on "
            f"'{uri}'.",
        )


def _may_use(kind: Kind, vault: Resource, key: Resource, principal: str) -> bool:
    if not bodies.get(vault.body, "properties.enableRbacAuthorization"):
        for policy in bodies.find(vault.body, "properties.accessPolicies[]"):
            granted = {str(item).lower() for item in bodies.find(policy, "permissions.keys[]")}
            if policy.get("objectId") == principal and (granted >= _ACCESS or "all" in granted):
                return True
        return False
    for item in kind.store.of_type(role_assignments.TYPE):
        properties = item.body["properties"]
        role = str(properties["roleDefinitionId"]).rpartition("/")[2].lower()
        scope = str(properties["scope"]).lower()
        if properties["principalId"] == principal and role in _ROLES and is_within(key.key, scope):
            return True
    return False
