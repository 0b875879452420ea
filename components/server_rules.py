"""Rules over several values of the server's settings: what Azure would refuse, said before anything is created."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.catalogue import extensions as catalogue
from components.catalogue.parameters import PARAMETERS
from components.catalogue.server_sizes import TIERS, tier_of
from components.mistakes import Findings, nearest
from components.tier_rules import refuse_on_burstable

if TYPE_CHECKING:
    from components.settings import StackSettings

_RULE_NAME = re.compile(r"[a-zA-Z0-9][-_a-zA-Z0-9]{0,79}(?<!-)")
_DEPLOYMENT_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,63}")
_PARAMETER_NAME = re.compile(r"[-\w.]{1,256}")
_LARGEST_TAG_NAME, _LARGEST_TAG_VALUE, _MOST_TAGS = 512, 256, 50  # Azure Resource Manager limits


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of the server's settings."""
    _size(settings, findings)
    _authentication(settings, findings)
    _firewall(settings, findings)
    _parameters(settings, findings)
    _extensions(settings, findings)
    _deployments(settings, findings)
    _tags(settings, findings)


def _size(settings: StackSettings, findings: Findings) -> None:
    sku = settings.server.sku
    tier = tier_of(sku.name)
    if tier is None:
        examples = ", ".join(f"{example} ({name})" for name, (_, example) in TIERS.items())
        findings.add(("server", "sku", "name"), f"{sku.name!r} is no server size; for example: {examples}")
    elif tier != sku.tier:
        findings.add(
            ("server", "sku", "tier"),
            f"{sku.tier!r} does not fit {sku.name}; allowed: {tier}, or a size such as {TIERS[sku.tier][1]}",
            reads=[("server", "sku", "name")],
        )


def _authentication(settings: StackSettings, findings: Findings) -> None:
    access, here = settings.authentication, ("authentication",)
    if not access.entra and not access.password:
        findings.add(here, "nobody could sign in; set entra or password to true")
    if access.password and access.administrator_login is None:
        findings.add((*here, "administratorLogin"), "is missing; password authentication needs the login's name")
    if not access.password and access.administrator_login is not None:
        findings.add((*here, "administratorLogin"), "is used only with password: true; leave it out, or set that")
    names = [name.lower() for name in settings.administrators]
    if access.entra and not names:
        findings.add((*here, "administrators"), "is empty; Entra authentication needs an administrator, or deployer")
    if not access.entra and names:
        findings.add((*here, "administrators"), "needs entra: true; leave the administrators out, or set that")
    for position, administrator in enumerate(access.administrators):
        others = access.administrators[:position]
        if administrator.object_id.lower() in [other.object_id.lower() for other in others]:
            findings.add((*here, "administrators", position, "objectId"), "is there twice; each principal once")
        taken = [other.name.lower() for other in others] + ([access.deployer.name.lower()] if access.deployer else [])
        if administrator.name.lower() in taken:
            findings.add((*here, "administrators", position, "name"), f"{administrator.name!r} is there twice")
    if access.sign_in_as is not None and (not access.entra or access.sign_in_as not in settings.administrators):
        findings.add(
            (*here, "signInAs"),
            f"{access.sign_in_as!r} is no administrator; {nearest(access.sign_in_as, settings.administrators)}",
            reads=[(*here, "administrators"), (*here, "deployer"), (*here, "entra")],
        )


def _firewall(settings: StackSettings, findings: Findings) -> None:
    for name, rule in settings.firewall.rules.items():
        here = ("firewall", "rules", name)
        if not _RULE_NAME.fullmatch(name):
            findings.add(here, "its name must have 1 to 80 letters, digits, - or _, and not end with -")
        if int(rule.last) < int(rule.start):
            findings.add((*here, "end"), f"{rule.last} comes before start {rule.start}", reads=[(*here, "start")])
        if int(rule.start) == 0:
            findings.add(
                (*here, "start"),
                "0.0.0.0 means all of Azure; say it with firewall.allowAzureServices: true",
            )
    reached = settings.network.private or settings.existing.server is not None
    if not (reached or settings.firewall.rules or settings.firewall.allow_azure_services):
        findings.add(
            ("firewall", "rules"),
            "is empty, so nobody could reach the server, this program included; add the address that it runs from",
        )


def _parameters(settings: StackSettings, findings: Findings) -> None:
    for name, value in settings.parameters.items():
        path = ("parameters", name)
        parameter = PARAMETERS.get(name)
        if parameter is None:
            close = difflib.get_close_matches(name, PARAMETERS, n=1, cutoff=0.85)
            if close or not _PARAMETER_NAME.fullmatch(name):
                findings.add(path, f"unknown parameter; {nearest(name, PARAMETERS)}")
                continue
        try:
            text = parameter.normalise(value) if parameter else str(value)
        except ValueError as error:
            findings.add(path, str(error))
            continue
        known = {"azure.extensions": catalogue.KNOWN, "shared_preload_libraries": catalogue.allowed_preloads()}
        for item in split(text) if name in known else ():
            if item not in known[name]:
                findings.add(path, f"{item!r} is not known; {nearest(item, known[name])}")
    if settings.parameters.get("pgbouncer.enabled") in (True, "true", "on"):
        refuse_on_burstable(settings, findings, ("parameters", "pgbouncer.enabled"))


def split(value: str) -> list[str]:
    """Split a set-typed parameter into its items, lower-case, without blanks."""
    return [item.strip().lower() for item in value.split(",") if item.strip()]


def _extensions(settings: StackSettings, findings: Findings) -> None:
    for position, name in enumerate(settings.extensions):
        path = ("extensions", position)
        if name not in catalogue.KNOWN:
            findings.add(path, f"{name!r} is no extension of a flexible server; {_nearest_extension(name)}")
        elif name in settings.extensions[:position]:
            findings.add(path, f"{name!r} is there twice")
        for base in catalogue.REQUIRES.get(name, ()):
            if base not in settings.extensions or base in settings.unavailable:
                findings.add(path, f"{name!r} needs {base!r}; add it to the extensions")
    for name, reason in settings.unavailable.items():
        if name not in catalogue.KNOWN:
            findings.add(("unavailable", name), f"is no extension of a flexible server; {_nearest_extension(name)}")
        if not reason.strip():
            findings.add(("unavailable", name), "is empty; say why this server cannot have the extension")


def _nearest_extension(name: str) -> str:
    alias = catalogue.ALIASES.get(name.lower())
    if alias:
        return f"did you mean {alias!r}?"
    close = difflib.get_close_matches(name.lower(), sorted(catalogue.KNOWN), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else "allowed: the values of azure.extensions on Azure"


def _deployments(settings: StackSettings, findings: Findings) -> None:
    for name, deployment in settings.deployments.items():
        here = ("deployments", name)
        if not _DEPLOYMENT_NAME.fullmatch(name):
            findings.add(here, "its name must have 2 to 64 letters, digits, _, . or -, a letter or digit first")
        versions = deployment.facts.versions
        if deployment.version is not None and versions and deployment.version not in versions:
            findings.add(
                (*here, "version"),
                f"{deployment.version!r} is no version of {deployment.model}; allowed: {', '.join(versions)}",
                reads=[(*here, "model")],
            )
    if settings.deployments and "azure_ai" not in settings.enabled_extensions:
        findings.add(
            ("deployments",), "nothing could use them: azure_ai is not among the extensions", reads=[("extensions",)]
        )


def _tags(settings: StackSettings, findings: Findings) -> None:
    if len(settings.tags) > _MOST_TAGS:
        findings.add(("tags",), f"has {len(settings.tags)} tags; at most {_MOST_TAGS}")
    for name, value in settings.tags.items():
        if len(name) > _LARGEST_TAG_NAME or re.search(r"[<>%&\\?/]", name):
            findings.add(("tags", name), "its name may have 512 characters, and none of < > % & \\ ? /")
        if len(value) > _LARGEST_TAG_VALUE:
            findings.add(("tags", name), f"has {len(value)} characters; at most {_LARGEST_TAG_VALUE}")


def notes(settings: StackSettings) -> Iterator[str]:
    """Yield what the server's settings leave out, drop or leave unverified."""
    for name, reason in settings.unavailable.items():
        if name in settings.extensions:
            yield f"extension {name} is left out: {reason}"
    for name, value in settings.parameters.items():
        parameter = PARAMETERS.get(name)
        if parameter and parameter.kind != "set" and parameter.normalise(value) == parameter.default:
            yield f"parameters.{name}: {parameter.default} is the default, so nothing is created for it"
    for name in settings.enabled_extensions:
        if catalogue.preload_unverified(name, settings.server.version):
            yield f"extension {name}: its preload on PostgreSQL {settings.server.version} is unverified; 16 is safe"
    if settings.server.version == "18" and "azure_ai" in settings.enabled_extensions:
        yield "extension azure_ai: PostgreSQL 18 carries version 2.0.0, which is unverified here; 16 and 17 carry 1.3.1"
