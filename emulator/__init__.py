"""Azure on one machine: Resource Manager, identity, PostgreSQL behind a gateway, and AI services."""
