"""Rules over keys of your own. Source: azure-databases-docs, "Data encryption at rest"; terraform-provider-azurerm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.mistakes import Findings

if TYPE_CHECKING:
    from components.settings import StackSettings

_HERE = ("server", "encryption")


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of keys and their identities."""
    encryption, geo = settings.server.encryption, settings.server.geo_redundant_backup
    if encryption is None:
        return
    for name, value in (("geoKeyUri", encryption.geo_key_uri), ("geoIdentityId", encryption.geo_identity_id)):
        if geo and value is None:
            findings.add((*_HERE, name), "is missing; a geo-redundant backup needs a key in the paired region")
        if not geo and value is not None:
            findings.add((*_HERE, name), "is used only with server.geoRedundantBackup: true; leave it out")
