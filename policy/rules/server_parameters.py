"""What a server's parameters must be: encrypted connections, and logs that tell who did what."""

from __future__ import annotations

from collections.abc import Iterator

from components.catalogue.extensions import default_preloads
from components.catalogue.parameters import PARAMETERS
from policy.plan import AZURE, UNKNOWN, Plan, PlannedResource
from policy.rule import DENY, OFF, WARN, Levels, Rule, Violation

CONFIGURATION = f"{AZURE}dbforpostgresql:Configuration"
ON = ("log_checkpoints", "log_connections", "log_disconnections", "connection_throttle.enable")
RETENTION = "logfiles.retention_days"
AUDITED = ("role", "ddl", "misc")


def parameter(plan: Plan, server: PlannedResource, name: str) -> object:
    """Return a parameter's value as it will be: what the program sets, else Azure's default; None if that is unknown.

    A parameter at its default is not in the program (pulumi-azure-native #4736), so the default must be known.
    """
    for setting in plan.about(server, CONFIGURATION):
        if setting.get("configurationName") == name:
            value = setting.get("value")
            return value if value is UNKNOWN else str(value)
    known = PARAMETERS.get(name)
    return known.default if known else None


def _members(value: object) -> set[str]:
    return {part.strip().lower() for part in str(value or "").split(",")}


def tls(plan: Plan) -> Iterator[Violation]:
    """Find servers that take connections without encryption, or with an old one."""
    for server in plan.primaries:
        required = parameter(plan, server, "require_secure_transport")
        if required not in ("on", UNKNOWN):
            yield Violation(server, f"require_secure_transport is {required}: connections may go unencrypted")
        oldest = parameter(plan, server, "ssl_min_protocol_version")
        if oldest not in ("TLSv1.2", "TLSv1.3", UNKNOWN):
            yield Violation(server, f"ssl_min_protocol_version is {oldest}, older than TLSv1.2")


def logs(plan: Plan) -> Iterator[Violation]:
    """Find servers whose logs do not say who connected, or are gone too soon."""
    for server in plan.primaries:
        for name in ON:
            value = parameter(plan, server, name)
            if value not in ("on", UNKNOWN):
                yield Violation(server, f"{name} is {value}, not on")
        days = parameter(plan, server, RETENTION)
        if days is not UNKNOWN and not 4 <= int(str(days or 0)) <= 7:
            yield Violation(server, f"{RETENTION} is {days}, not 4 to 7")


def audit(plan: Plan) -> Iterator[Violation]:
    """Find servers that keep no record of what was changed."""
    for server in plan.primaries:
        preloads = parameter(plan, server, "shared_preload_libraries")
        preloads = default_preloads(str(server.get("version"))) if preloads is None else preloads
        lists = {"azure.extensions": parameter(plan, server, "azure.extensions"), "shared_preload_libraries": preloads}
        for name, value in lists.items():
            if value is not UNKNOWN and "pgaudit" not in _members(value):
                yield Violation(server, f"{name} has no pgaudit")
        audited = parameter(plan, server, "pgaudit.log")
        missing = [] if audited is UNKNOWN else sorted(set(AUDITED) - _members(audited))
        if missing and "all" not in _members(audited):
            yield Violation(server, f"pgaudit.log lacks {', '.join(missing)}")


RULES = (
    Rule(
        id="pg-tls12",
        description="Connections to a server are encrypted, with TLS 1.2 at least.",
        levels=Levels(DENY, DENY, DENY),
        source="POL a43d5475, c29c38cb; CIS 5.2",
        remediation="Leave require_secure_transport on, and server.minimumTls at TLSv1.2 or TLSv1.3.",
        check=tls,
    ),
    Rule(
        id="pg-log-parameters",
        description="A server logs checkpoints, connections and their ends, slows down failing ones, keeps logs 4 to 7"
        " days.",
        levels=Levels(WARN, DENY, DENY),
        source="CIS 5.2; POL 70be9e12, 086709ac, 1d14b021, f5ed3f7a",
        remediation='Set parameters: {connection_throttle.enable: "on", logfiles.retention_days: 7}, and leave'
        " log_checkpoints, log_connections and log_disconnections on.",
        check=logs,
    ),
    Rule(
        id="pg-audit",
        description="pgaudit records changes of roles and of the schema.",
        levels=Levels(OFF, OFF, WARN),
        source="POL 4eb5e667, dd626066, eadbb524",
        remediation='Add pgaudit to extensions, and set parameters: {pgaudit.log: "role,ddl,misc"}.',
        check=audit,
    ),
)
