"""The alerts on a server and on an AI account: a metric, a threshold, how bad it is.

They are those of Azure Monitor Baseline Alerts (AMBA: services/DBforPostgreSQL/flexibleServers/alerts.yaml and
services/CognitiveServices/accounts/alerts.yaml, 2026-08). AMBA's thresholds are fixed, and some fit no server: 120
connections are a quarter of what a B2s takes and three times what a B1ms does. Those are scaled here:

| metric | AMBA | here | why |
|---|---|---|---|
| active_connections | 120 | 80 % of the connections that users have | the size decides how many there are |
| iops | 450 | 90 % of what machine and disk do together | so does it here; the smaller of both counts |
| storage_free | 10 GiB | a fifth above what makes the server read-only | 32 GiB are read-only at 5 GiB free, or 84 % |
| maximum_used_transactionIDs | 10 GiB (sic) | 1,000,000,000 | half of 2^31, where PostgreSQL stops writing |
| BlockedCalls | 0 | 5 % of five minutes' quota of requests, at least 5 | workers slow down after one: a few are fine |
| TotalErrors | 5 | 5 more than that | it counts the 429s too |
| Latency | 90 ms | `monitoring.latencyMs` | a call that embeds a batch takes seconds |

One more is for read replicas, which AMBA leaves out: 5 minutes of lag are azure-databases-docs' own example ("Read
replicas", monitor replication).
"""

from __future__ import annotations

from dataclasses import dataclass

from components.catalogue import server_limits

SERVER_NAMESPACE = "Microsoft.DBforPostgreSQL/flexibleServers"
ACCOUNT_NAMESPACE = "Microsoft.CognitiveServices/accounts"

_CONNECTIONS_SHARE = 0.8
_IOPS_SHARE = 0.9
_FREE_SPACE_MARGIN = 1.2
_OLD_TRANSACTIONS = 1_000_000_000
_BLOCKED_SHARE = 0.05
_WINDOW_MINUTES = 5
_FEW_ERRORS = 5
_LAG_SECONDS = 300
_GIB = 1024**3


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One rule.

    Attributes:
        name: last part of the rule's name.
        metric: the metric, as Azure Monitor names it.
        meaning: what to think of when it fires.
        severity: 0 (critical) to 4 (verbose).
        above: whether it fires above the threshold, else below.
        threshold: in the metric's own unit.
        aggregation: Average, Maximum or Total, over the window.
        window: how far back each look goes (ISO 8601).
        frequency: how often (ISO 8601).
    """

    name: str
    metric: str
    meaning: str
    severity: int
    threshold: float
    above: bool = True
    aggregation: str = "Average"
    window: str = "PT5M"
    frequency: str = "PT1M"


def server_alerts(
    sku_name: str,
    storage_gb: int,
    *,
    tier: str | None = None,
    iops: int | None = None,
    connections: int | None = None,
) -> tuple[Alert, ...]:
    """Return the alerts on a server of this size.

    Args:
        sku_name: machine size.
        storage_gb: size of the disk in GiB.
        tier: performance tier of the disk; that of its size when None.
        iops: operations of a disk that has no tier.
        connections: `max_connections`, where the stack sets it.
    """
    for_users = (connections or server_limits.max_connections(sku_name)) - server_limits.RESERVED_CONNECTIONS
    operations = server_limits.iops(sku_name, storage_gb, tier, iops)
    free = server_limits.read_only_free_gib(storage_gb) * _FREE_SPACE_MARGIN
    return (
        Alert(
            name="storage",
            metric="storage_percent",
            meaning="The disk is nearly full: enlarge it, or see what grows.",
            severity=2,
            threshold=90,
        ),
        Alert(
            name="storage-free",
            metric="storage_free",
            meaning="The server is about to turn read-only for lack of space: enlarge the disk now.",
            severity=0,
            threshold=round(free * _GIB),
            above=False,
            window="PT1H",
            frequency="PT5M",
        ),
        Alert(name="cpu", metric="cpu_percent", meaning="The CPU is busy.", severity=2, threshold=90),
        Alert(name="memory", metric="memory_percent", meaning="The memory is used up.", severity=2, threshold=90),
        Alert(
            name="connections",
            metric="active_connections",
            meaning="Connections are running out: pool them, or find who leaves them open.",
            severity=2,
            threshold=max(1, round(for_users * _CONNECTIONS_SHARE)),
        ),
        Alert(
            name="connections-failed",
            metric="connections_failed",
            meaning="Clients fail to connect: a wrong password or token, a firewall, or no connection left.",
            severity=3,
            threshold=5,
            aggregation="Total",
        ),
        Alert(
            name="iops",
            metric="iops",
            meaning="The disk does nearly all the operations that machine and tier allow.",
            severity=3,
            threshold=round(operations * _IOPS_SHARE),
        ),
        Alert(
            name="disk-iops",
            metric="disk_iops_consumed_percentage",
            meaning="The disk's operations are used up: a higher performance tier, or fewer reads.",
            severity=2,
            threshold=90,
            frequency="PT5M",
        ),
        Alert(
            name="alive",
            metric="is_db_alive",
            meaning="The database does not answer.",
            severity=1,
            threshold=1,
            above=False,
            aggregation="Maximum",
            window="PT15M",
            frequency="PT15M",
        ),
        Alert(
            name="deadlocks",
            metric="deadlocks",
            meaning="Transactions lock each other out.",
            severity=3,
            threshold=1,
            aggregation="Total",
        ),
        Alert(
            name="transaction-ids",
            metric="maximum_used_transactionIDs",
            meaning="Autovacuum does not keep up; at 2,000 million the database stops writing.",
            severity=0,
            threshold=_OLD_TRANSACTIONS,
            aggregation="Maximum",
            window="PT1H",
            frequency="PT15M",
        ),
    )


# The metric is there on replicas alone. It counts from the last transaction that was replayed, so a primary that nobody
# writes to looks like a replica that is behind.
REPLICA_LAG = Alert(
    name="lag",
    metric="physical_replication_delay_in_seconds",
    meaning="The replica is minutes behind, and the primary keeps its log for it meanwhile: see what writes so much, or"
    " what on the replica holds the replay up.",
    severity=2,
    threshold=_LAG_SECONDS,
    window="PT15M",
    frequency="PT5M",
)


def account_alerts(requests_per_minute: int, latency_ms: int) -> tuple[Alert, ...]:
    """Return the alerts on an AI account.

    Args:
        requests_per_minute: what the quota of all its deployments allows; 0 where it has none.
        latency_ms: from which average on an answer counts as slow.
    """
    blocked = max(_FEW_ERRORS, round(requests_per_minute * _WINDOW_MINUTES * _BLOCKED_SHARE))
    return (
        Alert(
            name="blocked",
            metric="BlockedCalls",
            meaning="The service refuses calls for quota (429): somebody else uses the deployment, or it needs more.",
            severity=2,
            threshold=blocked,
            aggregation="Total",
        ),
        Alert(
            name="errors",
            metric="TotalErrors",
            meaning="Calls fail (4xx and 5xx): a deployment that is gone, a right or a key that is missing.",
            severity=2,
            threshold=blocked + _FEW_ERRORS,
            aggregation="Total",
        ),
        Alert(
            name="server-errors",
            metric="ServerErrors",
            meaning="The service itself fails (5xx).",
            severity=3,
            threshold=0,
            aggregation="Total",
        ),
        Alert(
            name="latency",
            metric="Latency",
            meaning="Answers are slow.",
            severity=2,
            threshold=latency_ms,
        ),
    )
