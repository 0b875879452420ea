"""Model deployments: models, regions, quota, one at a time on an account."""

from __future__ import annotations

from dataclasses import replace

from emulator.arm import body as bodies
from emulator.arm import content_filters
from emulator.arm.accounts import TYPE as ACCOUNT
from emulator.arm.body import Json
from emulator.arm.catalogue import Model
from emulator.arm.errors import ArmError, invalid_property, not_found, parent_not_found, request_conflict
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.store import Resource

TYPE = f"{ACCOUNT}/deployments"


class Deployments(Kind):
    """Microsoft.CognitiveServices/accounts/deployments."""

    async def put(self, call: Call) -> Answer:
        """Create or change a deployment."""
        account = self._account(call)
        existing = self.store.get(call.id.key)
        self._check_idle(account)
        call.rules.check(call.body, existing.body if existing else None)
        return self._write(call, call.body, account, existing)

    async def patch(self, call: Call) -> Answer:
        """Change the capacity or the tags of a deployment."""
        account = self._account(call)
        existing = self.existing(call)
        self._check_idle(account)
        call.rules.check(call.body, existing.body, partial=True)
        return self._write(call, bodies.merge(existing.body, call.body), account, existing)

    async def delete(self, call: Call) -> Answer:
        """Delete a deployment; this too is one at a time (dotnet/aspire #3409)."""
        account = self._account(call)
        deployment = self.store.get(call.id.key)
        if deployment is None:
            return Answer(204)
        self._check_idle(account)

        async def work() -> None:
            self.store.remove(deployment.key)

        return Answer(202, None, self.begin(call, work, account.key, deletes=True))

    def _write(self, call: Call, sent: Json, account: Resource, existing: Resource | None) -> Answer:
        kind = str(account.body["kind"])
        if kind not in self.plane.catalogue.accounts["kinds_with_deployments"]:
            raise ArmError(400, "InvalidResourceProperties", f"Accounts of kind '{kind}' have no deployments.")
        resource = self.made(call, sent, existing)
        body = resource.to_json()
        model = self._model(body, account)
        self._check_content_filter(body, account)
        self._check_quota(body, account, existing)
        properties = body["properties"]
        properties["provisioningState"] = "Creating" if existing is None else "Updating"
        properties["capabilities"] = {model.capability: "true"}
        properties["currentCapacity"] = body["sku"]["capacity"]
        properties["rateLimits"] = _rate_limits(int(body["sku"]["capacity"]))
        resource = self.store.put(replace(resource, body=body))

        async def work() -> None:
            self.store.update(resource.key, {"provisioningState": "Succeeded", "deploymentState": "Running"})

        operation = self.begin(call, work, account.key)
        return Answer(201 if existing is None else 200, self.present(resource), operation)

    def _model(self, body: Json, account: Resource) -> Model:
        wanted = body["properties"]["model"]
        model = self.plane.catalogue.models.get(wanted["name"])
        version = wanted.get("version") or (model.versions[0] if model else "")
        wanted["version"] = version
        shown = f"Format: {wanted['format']}, Name: {wanted['name']}, Version: {version}"
        if model is None or wanted["format"] != "OpenAI" or version not in model.versions:
            message = f"The model '{shown}' of account deployment is not supported."
            raise ArmError(400, "DeploymentModelNotSupported", message)
        if model.retired:
            # azure-ai-docs of 2026-07-07: a retired model cannot be deployed; the code is that of Azure-Samples' guides
            message = f"The model '{shown}' has been deprecated since {model.retires}."
            raise ArmError(400, "ServiceModelDeprecated", message)
        location = str(account.body["location"])
        if body["sku"]["name"] == "Standard" and location not in model.standard:
            raise ArmError(
                400,
                "InvalidResourceProperties",
                f"The specified SKU 'Standard' for model '{model.name} {version}' is not supported in this region "
                f"'{location}'.",
            )
        return model

    def _check_content_filter(self, body: Json, account: Resource) -> None:
        """Refuse a content filter that is not there (the service's text is unverified)."""
        name = str(body["properties"]["raiPolicyName"])
        if not content_filters.exists(self, account.key, name):
            raise invalid_property(f"The RAI policy '{name}' of the deployment does not exist in the account.")

    def _check_quota(self, body: Json, account: Resource, existing: Resource | None) -> None:
        sku, wanted = body["sku"]["name"], body["sku"]["capacity"]
        if not isinstance(wanted, (int, float)) or wanted < 1 or wanted != int(wanted):
            raise ArmError(
                400, "InvalidCapacity", f"The specified capacity '{wanted}' of account deployment is invalid."
            )
        body["sku"]["capacity"] = int(wanted)
        model, location = body["properties"]["model"]["name"], str(account.body["location"])
        own = existing.body["sku"]["capacity"] if existing else 0
        used = capacity_used(self, location, sku, model) - own
        limit = self.plane.catalogue.quota[sku]
        if used + wanted > limit:
            quota = f"Tokens Per Minute (thousands) - {model}"
            raise ArmError(
                400,
                "InsufficientQuota",
                f"This operation require {int(wanted) - own} new capacity in quota {quota}, which is bigger than the "
                f"current available capacity {limit - used - own}. The current quota usage is {used + own} and the "
                f"quota limit is {limit} for quota {quota}.",
            )

    def _account(self, call: Call) -> Resource:
        self.check_place(call)
        parent = call.id.parent
        account = self.store.get(parent.key) if parent else None
        if account is None:
            raise parent_not_found(parent.text if parent else "")
        return account

    def existing(self, call: Call) -> Resource:
        """Return the deployment of a call."""
        self._account(call)
        deployment = self.store.get(call.id.key)
        if deployment is None:
            raise not_found(call.rules.type, "/".join(call.id.names), call.id.group or "")
        return deployment

    def _check_idle(self, account: Resource) -> None:
        if self.operations.holder(account.key):
            raise request_conflict(account.id)


def capacity_used(kind: Kind, location: str, sku: str, model: str) -> int:
    """Return the capacity that the deployments of a model have in a region, in thousands of tokens a minute."""
    total = 0
    for deployment in kind.store.of_type(TYPE):
        account = kind.store.get(deployment.key.rpartition("/deployments/")[0])
        if account is None or account.body["location"] != location:
            continue
        if deployment.body["sku"]["name"] == sku and deployment.body["properties"]["model"]["name"] == model:
            total += int(deployment.body["sku"]["capacity"])
    return total


def models_of(kind: Kind, location: str) -> list[Json]:
    """Return the models of a region as the service lists them."""
    listed = []
    for model in kind.plane.catalogue.models.values():
        skus = [name for name in kind.plane.catalogue.quota if name != "Standard" or location in model.standard]
        for version in model.versions:
            entry = {
                "format": "OpenAI",
                "name": model.name,
                "version": version,
                "isDefaultVersion": version == model.versions[0],
                "capabilities": {model.capability: "true"},
                "lifecycleStatus": "Deprecated" if model.retired else "GenerallyAvailable",
                "deprecation": {"inference": f"{model.retires}T00:00:00Z"},
                "skus": [{"name": name, "usageName": f"OpenAI.{name}.{model.name}"} for name in skus],
            }
            listed.append({"kind": "OpenAI", "skuName": "S0", "model": entry})
    return listed


def usages_of(kind: Kind, location: str) -> list[Json]:
    """Return the quota of a region as the service lists it."""
    return [
        {
            "name": {
                "value": f"OpenAI.{sku}.{model.name}",
                "localizedValue": f"Tokens Per Minute (thousands) - {model.name}",
            },
            "unit": "Count",
            "currentValue": capacity_used(kind, location, sku, model.name),
            "limit": limit,
        }
        for model in kind.plane.catalogue.models.values()
        if not model.retired
        for sku, limit in kind.plane.catalogue.quota.items()
        if sku != "Standard" or location in model.standard
    ]


def _rate_limits(capacity: int) -> list[Json]:
    # azure-ai-docs, "Manage Azure OpenAI quota": 1,000 tokens and 6 requests a minute for each unit
    return [
        {"key": "request", "renewalPeriod": 60, "count": capacity * 6},
        {"key": "token", "renewalPeriod": 60, "count": capacity * 1000},
    ]
