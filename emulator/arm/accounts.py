"""AI accounts: subdomains, keys, soft delete."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from emulator.arm import body as bodies
from emulator.arm.body import Json
from emulator.arm.errors import (
    ArmError,
    invalid_property,
    not_found,
    request_conflict,
    soft_deleted,
    subdomain_in_use,
)
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.operations import now
from emulator.arm.store import Resource

TYPE = "Microsoft.CognitiveServices/accounts"
_IN_PLACE = {("OpenAI", "AIServices"), ("AIServices", "OpenAI")}


class Accounts(Kind):
    """Microsoft.CognitiveServices/accounts."""

    async def put(self, call: Call) -> Answer:
        """Create, restore or replace an account."""
        existing = self.store.get(call.id.key)
        self.check_place(call)
        call.rules.check(call.body, existing.body if existing else None)
        if existing:
            kept = {"properties": {"customSubDomainName": bodies.get(existing.body, "properties.customSubDomainName")}}
            return self._change(call, existing, bodies.merge(kept, call.body))
        gone = self.store.deleted_at(call.id.key)
        restore = bodies.get(call.body, "properties.restore") is True
        if gone and not restore:
            raise soft_deleted(gone.id)
        if restore and not gone:
            # The code is the service's; its text is unverified.
            why = f"There is no soft-deleted account '{call.id.name}' to restore."
            raise ArmError(400, "CanNotRestoreANonExistingResource", why)
        return self._create(call, gone)

    async def patch(self, call: Call) -> Answer:
        """Change an account."""
        existing = self.existing(call)
        call.rules.check(call.body, existing.body, partial=True)
        return self._change(call, existing, bodies.merge(existing.body, call.body))

    async def delete(self, call: Call) -> Answer:
        """Delete an account softly: its name and subdomain stay taken until it is purged."""
        account = self.store.get(call.id.key)
        if account is None:
            return Answer(204)
        self._check_idle(account)

        async def work() -> None:
            soft_delete(self, account)

        return Answer(202, None, self.begin(call, work, account.key, deletes=True))

    async def act(self, call: Call) -> Answer:
        """List or regenerate keys."""
        account = self.existing(call)
        action = (call.action or "").lower()
        if action not in ("listkeys", "regeneratekey"):
            return await super().act(call)
        if bodies.get(account.body, "properties.disableLocalAuth"):
            raise ArmError(400, "BadRequest", "Failed to list key. disableLocalAuth is set to be true")
        keys = dict(account.private["keys"])
        if action == "regeneratekey":
            wanted = str(call.body.get("keyName", "")).lower()
            if wanted not in keys:
                raise invalid_property(f"keyName is '{wanted}'; allowed: Key1, Key2")
            keys[wanted] = secrets.token_hex(16)
            self.store.put(replace(account, private={**account.private, "keys": keys}))
        return Answer(200, keys)

    def _create(self, call: Call, gone: Resource | None) -> Answer:
        resource = self.made(call, call.body, None)
        self._check(resource.to_json(), None)
        subdomain = bodies.get(resource.body, "properties.customSubDomainName")
        if subdomain and self._owner_of(str(subdomain), resource.key):
            raise subdomain_in_use(str(subdomain))
        body = resource.to_json()
        body["properties"]["provisioningState"] = "Creating"
        body["properties"]["dateCreated"] = now()
        self._complete(body)
        private = dict(gone.private) if gone else {"keys": _new_keys()}
        if gone:
            self.store.purge(gone.key)
        resource = self.store.put(replace(resource, body=body, private=private))

        async def work() -> None:
            self.store.update(resource.key, {"provisioningState": "Succeeded"})

        return Answer(201, self.present(resource), self.begin(call, work, resource.key))

    def _change(self, call: Call, existing: Resource, body: Json) -> Answer:
        self._check_idle(existing)
        kinds = (str(existing.body["kind"]), str(body.get("kind", existing.body["kind"])))
        if kinds[0] != kinds[1] and kinds not in _IN_PLACE:
            raise invalid_property(f"the kind of an account cannot change from {kinds[0]} to {kinds[1]}")
        resource = self.made(call, body, existing)
        changed = resource.to_json()
        self._check(changed, existing)
        subdomain = bodies.get(changed, "properties.customSubDomainName")
        if subdomain and self._owner_of(str(subdomain), existing.key):
            raise subdomain_in_use(str(subdomain))
        changed["properties"]["dateCreated"] = existing.body["properties"].get("dateCreated")
        self._complete(changed)
        changed["properties"]["provisioningState"] = "Accepted"
        resource = self.store.put(replace(existing, body=changed))

        async def work() -> None:
            self.store.update(resource.key, {"provisioningState": "Succeeded"})

        return Answer(200, self.present(resource), self.begin(call, work, existing.key))

    def _check(self, body: Json, existing: Resource | None) -> None:
        rules, kind, sku = self.plane.catalogue.accounts, body["kind"], body["sku"]["name"]
        if sku not in rules["skus"][kind]:
            # azure-docs #103641
            raise ArmError(
                400,
                "SpecialFeatureOrQuotaIdRequired",
                f"The subscription does not have QuotaId/Feature required by SKU '{sku}' from kind '{kind}' or "
                "contains blocked QuotaId/Feature.",
                f"an account of kind {kind} takes the SKU {' or '.join(rules['skus'][kind])}",
            )
        if sku == "F0" and existing is None:
            others = [a for a in self.store.of_type(TYPE) if a.body["kind"] == kind and a.body["sku"]["name"] == "F0"]
            if others:
                # azure-docs #83566
                raise ArmError(
                    400,
                    "CanNotCreateMultipleFreeAccounts",
                    f"Operation failed. Only one free account is allowed for account type '{kind}'.",
                )
        properties = body["properties"]
        acls = properties.get("networkAcls") or {}
        if acls.get("bypass") and kind not in rules["kinds_with_bypass"]:
            raise invalid_property(f"networkAcls.bypass is not for accounts of kind {kind}")
        if acls and not properties.get("customSubDomainName"):
            raise invalid_property("network rules need a customSubDomainName")

    def _complete(self, body: Json) -> None:
        rules, properties = self.plane.catalogue.accounts, body["properties"]
        subdomain = properties.get("customSubDomainName")
        suffix = rules["openai_suffix"] if body["kind"] == "OpenAI" else rules["suffix"]
        endpoint = f"https://{subdomain}.{suffix}/" if subdomain else _regional(str(body["location"]))
        properties["endpoint"] = endpoint
        properties["endpoints"] = _endpoints(str(body["kind"]), endpoint, str(subdomain), rules)

    def _owner_of(self, subdomain: str, but: str) -> Resource | None:
        for account in [*self.store.of_type(TYPE), *_gone(self)]:
            taken = bodies.get(account.body, "properties.customSubDomainName")
            if taken and str(taken).lower() == subdomain.lower() and account.key != but:
                return account
        return None

    def _check_idle(self, account: Resource) -> None:
        if self.operations.holder(account.key):
            raise request_conflict(account.id)


def soft_delete(kind: Kind, account: Resource) -> None:
    """Move an account to the deleted ones, with the day on which the service would purge it."""
    hours = kind.plane.catalogue.accounts["retention_hours"]
    deleted = dt.datetime.now(dt.UTC)
    properties = {
        **account.body["properties"],
        "deletionDate": deleted.isoformat(timespec="seconds"),
        "scheduledPurgeDate": (deleted + dt.timedelta(hours=hours)).isoformat(timespec="seconds"),
    }
    kind.store.soft_delete(replace(account, body={**account.body, "properties": properties}))


def deleted_accounts(kind: Kind, location: str = "", group: str = "", name: str = "") -> list[Json]:
    """Return the soft-deleted accounts as the service lists them, those asked for or all."""
    found = []
    for account in _gone(kind):
        parts = account.id.split("/")
        place, where = str(account.body["location"]), parts[4]
        if name and (place, where.lower(), account.name.lower()) != (location.lower(), group.lower(), name.lower()):
            continue
        path = f"/subscriptions/{parts[2]}/providers/Microsoft.CognitiveServices/locations/{place}"
        body = account.to_json()
        body["id"] = f"{path}/resourceGroups/{where}/deletedAccounts/{account.name}"
        body["type"] = "Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts"
        found.append(body)
    return found


def _gone(kind: Kind) -> list[Resource]:
    return [item for item in kind.store.deleted() if item.type == TYPE]


def purge(kind: Kind, location: str, group: str, name: str) -> None:
    """Purge a soft-deleted account: its name and subdomain are free again.

    Raises:
        ArmError: There is none.
    """
    found = deleted_accounts(kind, location, group, name)
    if not found:
        raise not_found(TYPE, name, group)
    for account in _gone(kind):
        if account.name.lower() == name.lower() and f"/resourcegroups/{group.lower()}/" in account.key:
            kind.store.purge(account.key)


def _new_keys() -> dict[str, str]:
    return {"key1": secrets.token_hex(16), "key2": secrets.token_hex(16)}


def _regional(location: str) -> str:
    return f"https://{location}.api.cognitive.microsoft.com/"


def _endpoints(kind: str, endpoint: str, subdomain: str, rules: Mapping[str, Any]) -> dict[str, str]:
    if kind == "TextAnalytics":
        return {"TextAnalytics": endpoint}
    if kind == "OpenAI":
        return {"OpenAI Language Model Instance API": endpoint}
    openai = f"https://{subdomain}.{rules['openai_suffix']}/" if subdomain else endpoint
    return {"OpenAI Language Model Instance API": openai, "Language": endpoint, "TextAnalytics": endpoint}
