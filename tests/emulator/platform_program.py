"""A Pulumi program with one resource of nearly each type around servers and accounts, in Azure's order."""

from __future__ import annotations

import pulumi

LOCATION = "eastus2"
TENANT = "00000000-0000-4000-8000-000000000001"
GROUP = {"resource_group_name": "platform"}
HERE = {**GROUP, "location": LOCATION}


def after(*resources: pulumi.Resource) -> pulumi.ResourceOptions:
    """Return options that wait for resources."""
    return pulumi.ResourceOptions(depends_on=list(resources))


def run() -> None:
    """Declare everything."""
    from pulumi_azure_native import resources

    group = resources.ResourceGroup("group", **HERE)
    subnet, link = _network(group)
    server = _server(group)
    account = _account(group)
    endpoints = _endpoints(subnet, link, {"postgresqlServer": server, "account": account})
    workspace = _monitoring(group, server[0])
    _vault(group)
    _workers(group, workspace)
    _protect(server[0], server[1], *endpoints)


def _network(group: pulumi.Resource) -> tuple[pulumi.Resource, pulumi.Resource]:
    from pulumi_azure_native import network, privatedns

    guard = network.NetworkSecurityGroup(
        "guard",
        **HERE,
        network_security_group_name="guard",
        security_rules=[
            {
                "name": "inside",
                "priority": 100,
                "direction": "Inbound",
                "access": "Allow",
                "protocol": "Tcp",
                "source_address_prefix": "VirtualNetwork",
                "source_port_range": "*",
                "destination_address_prefix": "*",
                "destination_port_range": "5432",
            }
        ],
        opts=after(group),
    )
    space = {"address_prefixes": ["10.8.0.0/16"]}
    vnet = network.VirtualNetwork("vnet", **HERE, virtual_network_name="vnet", address_space=space, opts=after(group))
    subnet = network.Subnet(
        "desk",
        **GROUP,
        virtual_network_name=vnet.name,
        subnet_name="desk",
        address_prefix="10.8.1.0/24",
        network_security_group={"id": guard.id},
    )
    network.Subnet(
        "database",
        **GROUP,
        virtual_network_name=vnet.name,
        subnet_name="database",
        address_prefix="10.8.2.0/24",
        delegations=[{"name": "only", "service_name": "Microsoft.DBforPostgreSQL/flexibleServers"}],
    )
    zone = privatedns.PrivateZone(
        "zone",
        **GROUP,
        private_zone_name="privatelink.postgres.database.azure.com",
        location="Global",
        opts=after(group),
    )
    privatedns.VirtualNetworkLink(
        "link",
        **GROUP,
        private_zone_name=zone.name,
        virtual_network_link_name="vnet",
        location="Global",
        registration_enabled=False,
        virtual_network={"id": vnet.id},
    )
    return subnet, zone


def _server(group: pulumi.Resource) -> tuple[pulumi.Resource, pulumi.Resource]:
    from pulumi_azure_native import dbforpostgresql

    server = dbforpostgresql.Server(
        "server",
        **HERE,
        server_name="platform-server",
        version="16",
        sku={"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
        storage={"storage_size_gb": 128, "auto_grow": "Enabled"},
        auth_config={"active_directory_auth": "Enabled", "password_auth": "Disabled", "tenant_id": TENANT},
        high_availability={"mode": "ZoneRedundant"},
        backup={"backup_retention_days": 14, "geo_redundant_backup": "Enabled"},
        network={"public_network_access": "Disabled"},
        maintenance_window={"custom_window": "Enabled", "day_of_week": 0, "start_hour": 2, "start_minute": 0},
        identity={"type": "SystemAssigned"},
        opts=after(group),
    )
    place = {**GROUP, "server_name": server.name}
    first = dbforpostgresql.Database("first", **place, database_name="first", opts=after(server))
    second = dbforpostgresql.Database("second", **place, database_name="second", opts=after(first))
    endpoint = dbforpostgresql.VirtualEndpoint(
        "pair",
        **place,
        virtual_endpoint_name="platform-pair",
        endpoint_type="ReadWrite",
        members=[server.name],
        opts=after(second),
    )
    return server, endpoint


def _account(group: pulumi.Resource) -> tuple[pulumi.Resource, pulumi.Resource]:
    from pulumi_azure_native import cognitiveservices

    account = cognitiveservices.Account(
        "account",
        **HERE,
        account_name="platform-account",
        kind="OpenAI",
        sku={"name": "S0"},
        properties={"custom_sub_domain_name": "platform-account", "public_network_access": "Disabled"},
        opts=after(group),
    )
    place = {**GROUP, "account_name": account.name}
    policy = cognitiveservices.RaiPolicy(
        "filter",
        **place,
        rai_policy_name="careful",
        properties={"base_policy_name": "Microsoft.DefaultV2", "mode": "Blocking"},
    )
    deployment = cognitiveservices.Deployment(
        "embedding",
        **place,
        deployment_name="embedding",
        sku={"name": "GlobalStandard", "capacity": 10},
        properties={
            "model": {"format": "OpenAI", "name": "text-embedding-3-small", "version": "1"},
            "rai_policy_name": policy.name,
        },
    )
    return account, deployment


def _endpoints(
    subnet: pulumi.Resource, zone: pulumi.Resource, targets: dict[str, tuple[pulumi.Resource, pulumi.Resource]]
) -> list[pulumi.Resource]:
    from pulumi_azure_native import network

    made = []
    for kind, (target, last) in targets.items():
        endpoint = network.PrivateEndpoint(
            f"to-{kind}",
            **HERE,
            private_endpoint_name=f"to-{kind}",
            subnet={"id": subnet.id},
            private_link_service_connections=[
                {"name": kind, "private_link_service_id": target.id, "group_ids": [kind]}
            ],
            opts=after(last),
        )
        network.PrivateDnsZoneGroup(
            f"zones-of-{kind}",
            **GROUP,
            private_endpoint_name=endpoint.name,
            private_dns_zone_group_name="default",
            private_dns_zone_configs=[{"name": "zone", "private_dns_zone_id": zone.id}],
        )
        made.append(endpoint)
    return made


def _monitoring(group: pulumi.Resource, server: pulumi.Resource) -> pulumi.Resource:
    from pulumi_azure_native import applicationinsights, consumption, monitor, operationalinsights

    workspace = operationalinsights.Workspace(
        "workspace",
        **HERE,
        workspace_name="platform-log",
        sku={"name": "PerGB2018"},
        retention_in_days=30,
        opts=after(group),
    )
    monitor.DiagnosticSetting(
        "logs",
        resource_uri=server.id,
        name="logs",
        workspace_id=workspace.id,
        logs=[{"category": "PostgreSQLLogs", "enabled": True}],
        metrics=[{"category": "AllMetrics", "enabled": True}],
    )
    people = monitor.ActionGroup(
        "people",
        **GROUP,
        action_group_name="people",
        location="Global",
        group_short_name="people",
        enabled=True,
        email_receivers=[{"name": "team", "email_address": "team@example.com"}],
        opts=after(group),
    )
    monitor.MetricAlert(
        "cpu",
        **GROUP,
        rule_name="cpu",
        location="Global",
        severity=2,
        enabled=True,
        scopes=[server.id],
        evaluation_frequency="PT5M",
        window_size="PT15M",
        criteria={
            "odata_type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
            "all_of": [
                {
                    "criterion_type": "StaticThresholdCriterion",
                    "name": "cpu",
                    "metric_name": "cpu_percent",
                    "operator": "GreaterThan",
                    "threshold": 90,
                    "time_aggregation": "Average",
                }
            ],
        },
        actions=[{"action_group_id": people.id}],
    )
    applicationinsights.Workbook(
        "progress",
        **HERE,
        resource_name_="5f0e7c1a-0000-4000-8000-000000000001",
        display_name="Progress",
        category="workbook",
        serialized_data="{}",
        opts=after(group),
    )
    consumption.Budget(
        "budget",
        scope=group.id,
        budget_name="month",
        amount=100,
        category="Cost",
        time_grain="Monthly",
        time_period={"start_date": "2026-01-01T00:00:00Z"},
        notifications={
            "most": {
                "enabled": True,
                "operator": "GreaterThan",
                "threshold": 80,
                "contact_emails": ["team@example.com"],
            }
        },
    )
    return workspace


def _vault(group: pulumi.Resource) -> None:
    from pulumi_azure_native import keyvault

    vault = keyvault.Vault(
        "vault",
        **HERE,
        vault_name="platform-vault",
        properties={
            "sku": {"name": "standard", "family": "A"},
            "tenant_id": TENANT,
            "enable_rbac_authorization": True,
        },
        opts=after(group),
    )
    place = {**GROUP, "vault_name": vault.name}
    value = pulumi.Output.secret("not-to-be-seen")
    keyvault.Secret("password", **place, secret_name="password", properties={"value": value})
    keyvault.Key("disk", **place, key_name="disk", properties={"kty": "RSA", "key_size": 3072})


def _workers(group: pulumi.Resource, workspace: pulumi.Resource) -> None:
    from pulumi_azure_native import app, logic, managedidentity, operationalinsights

    hand = managedidentity.UserAssignedIdentity("hand", **HERE, resource_name_="hand", opts=after(group))
    keys = operationalinsights.get_shared_keys_output(**GROUP, workspace_name=workspace.name)
    environment = app.ManagedEnvironment(
        "workers",
        **HERE,
        environment_name="workers",
        app_logs_configuration={
            "destination": "log-analytics",
            "log_analytics_configuration": {
                "customer_id": workspace.customer_id,
                "shared_key": pulumi.Output.secret(keys.primary_shared_key),
            },
        },
    )
    app.Job(
        "worker",
        **HERE,
        job_name="worker",
        environment_id=environment.id,
        identity={"type": "UserAssigned", "user_assigned_identities": [hand.id]},
        configuration={
            "trigger_type": "Event",
            "replica_timeout": 600,
            "event_trigger_config": {
                "scale": {
                    "rules": [{"name": "queue", "type": "postgresql", "metadata": {"query": "1"}, "identity": hand.id}]
                }
            },
        },
        template={"containers": [{"name": "worker", "image": "worker:1"}]},
    )
    logic.Workflow(
        "stop-at-night",
        **HERE,
        workflow_name="stop-at-night",
        definition={"triggers": {}, "actions": {}},
        opts=after(group),
    )


def _protect(server: pulumi.Resource, *others: pulumi.Resource) -> None:
    """Lock the server last: what is made after the lock could not be deleted before it (azurerm #17478)."""
    from pulumi_azure_native import authorization

    authorization.ManagementLockByScope(
        "keep", scope=server.id, lock_name="keep", level="CanNotDelete", opts=after(*others)
    )
