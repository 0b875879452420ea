"""Who is signed in, to which subscription of which directory, in which cloud."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.preflight.finding import OK, PROBLEM, UNKNOWN, WARNING, Finding
from tools.preflight.resource_manager import NotReadError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.core.credentials import TokenCredential

    from components.cloud import Cloud
    from tools.preflight.resource_manager import ResourceManager

CHECK = "sign-in"
AZ_SECONDS = 8
_HOW = "Sign in with `az login` (or the workload identity of this pipeline) and run it again."


@dataclass(frozen=True)
class Caller:
    """Whom the token stands for.

    Attributes:
        name: what people call it: a sign-in name, or an application's id.
        tenant: the directory.
    """

    name: str
    tenant: str


def caller_of(credential: TokenCredential, cloud: Cloud) -> Caller:
    """Fetch a token and return whom it stands for.

    Raises:
        NotReadError: nobody is signed in, or the directory cannot be reached.
    """
    import jwt
    from azure.core.exceptions import AzureError

    try:
        token = credential.get_token(cloud.resource_manager_scope).token
    except AzureError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NotReadError(reason) from None
    try:
        # Only to say who this is; whether the token is good is Resource Manager's to say.
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        claims = {}
    name = claims.get("upn") or claims.get("unique_name") or claims.get("appid") or claims.get("oid") or "unknown"
    return Caller(str(name), str(claims.get("tid") or ""))


def subscription_of(config: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Return the subscription that the provider would use: from the config, its variable, or the Azure CLI; else "".

    Source of the order: pulumi-azure-native, provider/pkg/provider/auth_azidentity.go.
    """
    given = config.get("azure-native:subscriptionId") or environment.get("ARM_SUBSCRIPTION_ID")
    return str(given) if given else _az_subscription()


def _az_subscription() -> str:
    az = shutil.which("az")
    if not az:
        return ""
    try:
        done = subprocess.run(
            [az, "account", "show", "--output", "json"], capture_output=True, text=True, timeout=AZ_SECONDS, check=False
        )
        return str(json.loads(done.stdout)["id"]) if not done.returncode else ""
    except (subprocess.TimeoutExpired, OSError, ValueError, KeyError):
        return ""


def nobody(reason: str) -> Finding:
    """Return the finding of nobody being signed in."""
    return Finding(check=CHECK, status=UNKNOWN, found=f"Nobody is signed in: {reason}", do=_HOW)


def no_subscription() -> Finding:
    """Return the finding of no subscription being chosen."""
    return Finding(
        check=CHECK,
        status=UNKNOWN,
        found="No subscription is chosen.",
        do="Set ARM_SUBSCRIPTION_ID, or choose one with `az account set --subscription`.",
        read="the config's azure-native:subscriptionId, ARM_SUBSCRIPTION_ID, `az account show`",
    )


def check(manager: ResourceManager, caller: Caller, cloud: Cloud, tenant: str | None) -> list[Finding]:
    """Look at the subscription.

    Args:
        manager: reads as the caller.
        caller: who is signed in.
        cloud: the cloud of the environment.
        tenant: the directory that the settings name, or None.
    """
    found = authority(cloud, os.environ.get("AZURE_AUTHORITY_HOST", ""))
    try:
        subscription = manager.get(manager.scope)
    except NotReadError as error:
        missing = error.status in (401, 403, 404)
        return [
            *found,
            Finding(
                check=CHECK,
                status=PROBLEM if missing else UNKNOWN,
                found=f"{caller.name} cannot read the subscription {_id(manager)}: {error.reason}",
                do="Choose another one (`az account list --output table`, then ARM_SUBSCRIPTION_ID), or ask for a role "
                "in this one."
                if missing
                else "Check this machine's way to Azure and run it again.",
                read=_read(manager),
            ),
        ]
    return [*found, *judge(subscription, caller, cloud, tenant, _read(manager))]


def judge(
    subscription: Mapping[str, Any], caller: Caller, cloud: Cloud, tenant: str | None, read: str
) -> list[Finding]:
    """Say what a subscription is, and whether it is in use and in the directory that the settings name."""
    name, state = subscription.get("displayName"), str(subscription.get("state"))
    here = str(subscription.get("tenantId") or caller.tenant)
    what = f"{caller.name} in {name} ({subscription.get('subscriptionId')}), directory {here}, {cloud.name}"
    if state != "Enabled":
        return [
            Finding(
                check=CHECK,
                status=PROBLEM,
                found=f"{what}: the subscription is {state}.",
                do="Nothing can be made in it: have it enabled, or choose another one.",
                read=read,
            )
        ]
    if tenant and tenant.lower() != here.lower():
        return [
            Finding(
                check=CHECK,
                status=WARNING,
                found=f"{what}, though authentication.tenantId is {tenant}.",
                do="Administrators of the server are looked up in that other directory; if that is not meant, mend it.",
                read=read,
            )
        ]
    return [Finding(check=CHECK, status=OK, found=f"{what}.", read=read)]


def authority(cloud: Cloud, given: str) -> list[Finding]:
    """Say when tokens would come from another cloud's directory: azure-identity asks the public one unless told.

    Args:
        cloud: the cloud of the environment.
        given: AZURE_AUTHORITY_HOST.
    """
    host = (given or "").removeprefix("https://").rstrip("/")
    if cloud.name == "AzureCloud" and not host:
        return []
    if host == cloud.authority.removeprefix("https://"):
        return []
    return [
        Finding(
            check=CHECK,
            status=WARNING,
            found=f"The cloud is {cloud.name}, and AZURE_AUTHORITY_HOST is {given or 'not set'}.",
            do=f"export AZURE_AUTHORITY_HOST={cloud.authority} (the sign-in of the Azure CLI alone does without).",
            read="the environment",
        )
    ]


def _id(manager: ResourceManager) -> str:
    return manager.scope.rpartition("/")[2]


def _read(manager: ResourceManager) -> str:
    return f"GET {manager.scope}"
