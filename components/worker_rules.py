"""Rules over several values of the workers, said before anything is created."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.mistakes import Findings

if TYPE_CHECKING:
    from components.settings import StackSettings


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of the worker pool; those of pg_cron's schedule are with its extension (job_rules.py)."""
    pool = settings.workers.pool
    if pool is None:
        return
    here = ("workers", "pool")
    if not settings.uses_ai:
        findings.add(here, "needs the extension 'azure_ai', without which no worker has anything to call")
    if not settings.authentication.entra:
        findings.add(
            here,
            "signs in with a managed identity, which needs authentication.entra: true",
            reads=[("authentication", "entra")],
        )
    if pool.trigger == "queue" and not settings.authentication.password:
        # microsoft/azure-container-apps #1786 and #1554, open in 2026: `identity` on a rule of type postgresql is lost.
        findings.add(
            (*here, "trigger"),
            "'queue' needs authentication.password: true, since the scaler of Container Apps cannot sign in to"
            " PostgreSQL with an identity; take schedule, which needs no password",
            reads=[("authentication", "password")],
        )
    if pool.environment_id is not None and pool.subnet_id is not None:
        findings.add((*here, "subnetId"), "is for an environment that is created; leave it or environmentId out")
    inside = pool.environment_id is not None or pool.subnet_id is not None or settings.workers_need_subnet
    # Whom a server that was there lets in is its owner's decision.
    if not inside and not settings.firewall.allow_azure_services and settings.existing.server is None:
        findings.add(
            (*here, "subnetId"),
            "is missing: without a network of its own the pool comes from addresses of Azure, which no firewall rule"
            " can name; give a subnet that reaches the server, an environmentId, or firewall.allowAzureServices: true",
            reads=[("firewall", "allowAzureServices"), ("network", "mode"), ("existing", "networkId")],
        )
