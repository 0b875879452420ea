"""The providers under the real engine, in front of a tiny Resource Manager and of the whole emulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
import pytest
from pulumi import automation

from tests.emulator import platform_program
from tests.emulator.conftest import run_emulator
from tests.emulator.provider_arm import TinyArm, serving
from tests.emulator.provider_client import running
from tools.engine.find import find

if TYPE_CHECKING:
    from tests.emulator.conftest import Emulator

Changes = dict[str, int]


@dataclass
class Wanted:
    """What the program should make; a test changes it between runs."""

    storage_gb: int = 32
    extensions: str = "vector"
    login: str = "boss"
    location: str = "East US 2"
    bad: bool = False


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> automation.PulumiCommand:
    """The engine that set-up finds, downloads or builds."""
    root = tmp_path_factory.mktemp("engine")
    (root / "bin").mkdir()
    (root / "bin" / "pulumi").symlink_to(find().pulumi)
    return automation.PulumiCommand(root=str(root))


@pytest.fixture
def arm(tmp_path: Path) -> Iterator[TinyArm]:
    """A tiny Resource Manager."""
    folder = tmp_path / "arm"
    folder.mkdir()
    with serving(folder) as found:
        yield found


@pytest.fixture
def new_stack(
    engine: automation.PulumiCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], None], str], automation.Stack]:
    """Make a stack in a backend of its own whose engine attaches to providers."""

    def make(program: Callable[[], None], providers: str) -> automation.Stack:
        env = {
            "PULUMI_DEBUG_PROVIDERS": providers,
            "PULUMI_BACKEND_URL": f"file://{tmp_path}",
            "PULUMI_CONFIG_PASSPHRASE": "of the test",
            "PULUMI_HOME": str(tmp_path / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        options = automation.LocalWorkspaceOptions(env_vars=env, pulumi_command=engine, work_dir=str(tmp_path))
        return automation.create_or_select_stack("dev", "trial", program=program, opts=options)

    return make


def changes(found: automation.UpdateSummary) -> Changes:
    return {str(getattr(kind, "value", kind)): count for kind, count in (found.resource_changes or {}).items()}


def program(wanted: Wanted) -> Callable[[], None]:
    """Return a program with every resource type and function of the providers."""

    def run() -> None:
        import pulumi_random as random
        from pulumi_azure_native import resources

        group = resources.ResourceGroup("group", resource_group_name="contracts", location=wanted.location)
        suffix = random.RandomString("suffix", length=6, special=False, upper=False)
        password = random.RandomPassword("password", length=24, override_special="-_", min_upper=2, min_numeric=2)
        name = pulumi.Output.concat("trial-", suffix.result)
        declare_server(wanted, group.name, name, password.result)
        declare_account(wanted, group.name, name)
        pulumi.export("password", password.result)

    return run


def declare_server(
    wanted: Wanted, group: pulumi.Output[str], name: pulumi.Output[str], password: pulumi.Output[str]
) -> None:
    """Declare a server with one child of every type, one after another."""
    from pulumi_azure_native import dbforpostgresql

    server = dbforpostgresql.Server(
        "server",
        resource_group_name=group,
        server_name=name,
        location=wanted.location,
        sku={"name": "Standard_B2s", "tier": "Burstable"},
        version="16",
        storage={"storage_size_gb": wanted.storage_gb, **({"size": 1} if wanted.bad else {})},
        administrator_login=wanted.login,
        administrator_login_password=password,
        auth_config={"active_directory_auth": "Enabled", "password_auth": "Enabled"},
        identity={"type": "SystemAssigned"},
    )
    place = {"resource_group_name": group, "server_name": server.name}
    addresses = {"start_ip_address": "127.0.0.1", "end_ip_address": "127.0.0.1"}
    rule = dbforpostgresql.FirewallRule(
        "here", firewall_rule_name="here", **place, **addresses, opts=pulumi.ResourceOptions(depends_on=[server])
    )
    administrator = dbforpostgresql.AdministratorsMicrosoftEntra(
        "administrator",
        object_id="00000000-0000-4000-8000-00000000d001",
        principal_name="deployer",
        principal_type="User",
        **place,
        opts=pulumi.ResourceOptions(depends_on=[rule]),
    )
    allowlist = dbforpostgresql.Configuration(
        "allowlist",
        configuration_name="azure.extensions",
        source="user-override",
        value=wanted.extensions,
        **place,
        opts=pulumi.ResourceOptions(depends_on=[administrator]),
    )
    last = pulumi.ResourceOptions(depends_on=[allowlist])
    dbforpostgresql.Database("database", database_name="contracts", charset="UTF8", **place, opts=last)
    pulumi.export("fqdn", server.fully_qualified_domain_name)


def declare_account(wanted: Wanted, group: pulumi.Output[str], name: pulumi.Output[str]) -> None:
    """Declare an account with a deployment and a role, and ask for its keys."""
    from pulumi_azure_native import authorization, cognitiveservices

    account = cognitiveservices.Account(
        "account",
        resource_group_name=group,
        account_name=name,
        location=wanted.location,
        kind="OpenAI",
        sku={"name": "S0"},
        properties={"custom_sub_domain_name": name},
    )
    cognitiveservices.Deployment(
        "embedding",
        resource_group_name=group,
        account_name=account.name,
        deployment_name="embedding",
        sku={"name": "GlobalStandard", "capacity": 10},
        properties={"model": {"format": "OpenAI", "name": "text-embedding-3-small", "version": "1"}},
    )
    authorization.RoleAssignment(
        "role",
        scope=account.id,
        principal_id="00000000-0000-4000-8000-00000000d001",
        principal_type="User",
        role_definition_id=pulumi.Output.concat(
            "/subscriptions/00000000-0000-4000-8000-000000000002/providers/Microsoft.Authorization/roleDefinitions/",
            "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
        ),
    )
    keys = cognitiveservices.list_account_keys_output(account_name=account.name, resource_group_name=group)
    pulumi.export("endpoint", account.properties.endpoint)
    pulumi.export("key", pulumi.Output.secret(keys.key1))


def small_program(wanted: Wanted) -> Callable[[], None]:
    """Return a program with a server and what it needs."""

    def run() -> None:
        import pulumi_random as random
        from pulumi_azure_native import dbforpostgresql, resources

        group = resources.ResourceGroup("group", location=wanted.location)
        password = random.RandomPassword("password", length=24)
        server = dbforpostgresql.Server(
            "server",
            resource_group_name=group.name,
            location=wanted.location,
            sku={"name": "Standard_B2s", "tier": "Burstable"},
            storage={"storage_size_gb": wanted.storage_gb, **({"size": 1} if wanted.bad else {})},
            administrator_login=wanted.login,
            administrator_login_password=password.result,
        )
        pulumi.export("fqdn", server.fully_qualified_domain_name)
        pulumi.export("password", password.result)

    return run


def test_a_stack_lives_its_life(
    arm: TinyArm, new_stack: Callable[[Callable[[], None], str], automation.Stack], tmp_path: Path
) -> None:
    wanted = Wanted()
    with running(arm) as providers:
        stack = new_stack(small_program(wanted), providers.debug_providers)
        assert stack.preview().change_summary == {"create": 4}
        assert not arm.resources

        first = stack.up()
        assert changes(first.summary) == {"create": 4}
        password = first.outputs["password"]
        assert password.secret
        assert first.outputs["fqdn"].value.endswith(".postgres.database.azure.com")
        state = (tmp_path / ".pulumi" / "stacks" / "trial" / "dev.json").read_text()
        for text in (state, first.stdout, first.stderr):
            assert password.value not in text

        stack.up(expect_no_changes=True)
        stack.refresh(expect_no_changes=True)

        server = next(body for key, body in arm.resources.items() if "/flexibleservers/" in key)
        server["properties"]["storage"]["autoGrow"] = "Enabled"
        assert changes(stack.refresh().summary) == {"same": 3, "update": 1}
        drift = stack.preview(diff=True)
        assert drift.change_summary == {"same": 3, "update": 1}
        assert 'autoGrow: "Enabled"' in drift.stdout

        wanted.storage_gb = 64
        assert changes(stack.up().summary) == {"same": 3, "update": 1}
        wanted.login = "chief"
        assert stack.preview().change_summary == {"same": 3, "replace": 1}
        assert changes(stack.destroy().summary) == {"delete": 4}
        assert not arm.resources


def test_mistakes_stop_a_preview_and_show_no_password(
    arm: TinyArm, new_stack: Callable[[Callable[[], None], str], automation.Stack]
) -> None:
    wanted = Wanted()
    with running(arm) as providers:
        stack = new_stack(small_program(wanted), providers.debug_providers)
        password = stack.up().outputs["password"].value
        wanted.bad = True
        with pytest.raises(automation.CommandError) as caught:
            stack.preview()
        assert "unknown property 'storage.size'" in str(caught.value)
        assert password not in str(caught.value)


def test_a_failed_creation_is_taken_up_by_the_next_run(
    arm: TinyArm, new_stack: Callable[[Callable[[], None], str], automation.Stack]
) -> None:
    arm.fail.append(("InternalServerError", "An unexpected error occurred."))
    with running(arm) as providers:
        stack = new_stack(small_program(Wanted()), providers.debug_providers)
        with pytest.raises(automation.CommandError) as caught:
            stack.up()
        assert 'Code="InternalServerError" Message="An unexpected error occurred."' in str(caught.value)
        assert changes(stack.up().summary)["update"] == 1
        stack.up(expect_no_changes=True)


def test_the_whole_emulator(
    emulator: Emulator, new_stack: Callable[[Callable[[], None], str], automation.Stack]
) -> None:
    wanted = Wanted()
    stack = new_stack(program(wanted), emulator.env["PULUMI_DEBUG_PROVIDERS"])
    first = stack.up()
    assert changes(first.summary) == {"create": 12}
    assert first.outputs["key"].secret
    stack.up(expect_no_changes=True)
    stack.refresh(expect_no_changes=True)
    wanted.extensions = "azure_ai,vector"
    wanted.storage_gb = 64
    assert changes(stack.up().summary) == {"same": 10, "update": 2}
    stack.up(expect_no_changes=True)
    stack.refresh(expect_no_changes=True)
    assert changes(stack.destroy().summary) == {"delete": 12}


def test_a_platform_comes_up_in_strict_order_and_stays_as_it_is(
    emulator: Emulator, new_stack: Callable[[Callable[[], None], str], automation.Stack]
) -> None:
    stack = new_stack(platform_program.run, emulator.env["PULUMI_DEBUG_PROVIDERS"])
    assert run_emulator(emulator.home, "fault", "strict").returncode == 0
    try:
        first = stack.up()
        created = changes(first.summary)
        assert set(created) == {"create"}
        assert "not-to-be-seen" not in first.stdout + first.stderr
        stack.up(expect_no_changes=True)
        stack.refresh(expect_no_changes=True)
        stack.up(expect_no_changes=True)
        status = json.loads(run_emulator(emulator.home, "status", "--json").stdout)
        assert status["conflicts"]["met"] == {}
        assert changes(stack.destroy().summary) == {"delete": created["create"]}
    finally:
        run_emulator(emulator.home, "fault", "none")
