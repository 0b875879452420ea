"""Settings of an elastic cluster: one server of several nodes, which Citus spreads tables over."""

from __future__ import annotations

from pydantic import Field

from components.section import Section

# azure-databases-docs, "Elastic clusters": what the coordinator refuses.
UNSUPPORTED_EXTENSIONS = frozenset({"anon", "postgis_topology", "timescaledb"})


class ClusterSettings(Section):
    """An elastic cluster. Chosen once: Azure refuses to turn a server into one later, and back."""

    nodes: int = Field(
        examples=[2], ge=1, le=20, description="Nodes, 1 to 20. It grows and never shrinks; each costs as a server."
    )
