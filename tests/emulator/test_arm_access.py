"""Tokens, roles, api-versions, groups: what is the same for every resource."""

import uuid

import pytest
import requests

from emulator.identity import Principal
from tests.emulator.arm_daemon import (
    ACCOUNTS,
    AUTHORIZATION,
    COGNITIVE,
    GROUP,
    RESOURCES,
    SERVERS,
    ArmDaemon,
    account_body,
    server_body,
)

OPENAI_USER = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
ROLES = "/providers/Microsoft.Authorization"


def other_token(arm: ArmDaemon, **wanted: object) -> str:
    """Return a token of somebody else from the control API."""
    answer = requests.post(
        arm.environment["IDENTITY_ENDPOINT"].replace("/msi/token", "/emulator/tokens"),
        headers={"X-Emulator-Secret": arm.daemon.settings.control_secret},
        json={"objectId": str(uuid.uuid4()), "name": "guest", "resource": "https://management.azure.com", **wanted},
        timeout=30,
    )
    return str(answer.json()["access_token"])


def ask(arm: ArmDaemon, authorization: str | None) -> requests.Response:
    """Read the group with another Authorization header."""
    headers = {"Authorization": authorization} if authorization else {}
    return requests.get(
        f"{arm.endpoint}{GROUP}",
        params={"api-version": RESOURCES},
        headers=headers,
        verify=arm.session.verify,
        timeout=30,
    )


def assign(arm: ArmDaemon, scope: str, principal: str, role: str, **more: object) -> tuple[str, str]:
    """Assign a role; return the path and the status of the answer."""
    path = f"{scope}{ROLES}/roleAssignments/{uuid.uuid4()}"
    properties = {"principalId": principal, "roleDefinitionId": f"{ROLES}/roleDefinitions/{role}", **more}
    return path, arm.outcome("PUT", path, {"properties": properties}, AUTHORIZATION)[0]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("none", "AuthenticationFailed"),
        ("basic", "AuthenticationFailedInvalidHeader"),
        ("garbage", "InvalidAuthenticationToken"),
        ("audience", "InvalidAuthenticationTokenAudience"),
        ("expired", "ExpiredAuthenticationToken"),
    ],
)
def test_requests_without_a_good_token(arm: ArmDaemon, kind: str, code: str) -> None:
    header = {
        "none": lambda: None,
        "basic": lambda: "Basic abc",
        "garbage": lambda: "Bearer a.b.c",
        "audience": lambda: f"Bearer {arm.token('https://cognitiveservices.azure.com')}",
        "expired": lambda: f"Bearer {other_token(arm, lifetimeSeconds=-600)}",
    }[kind]()
    answer = ask(arm, header)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == code
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_guest_may_do_what_its_roles_allow(arm: ArmDaemon) -> None:
    guest = str(uuid.uuid4())
    header = f"Bearer {other_token(arm, objectId=guest)}"
    assert ask(arm, header).json()["error"]["code"] == "AuthorizationFailed"
    _, status = assign(arm, GROUP, guest, READER, principalType="User")
    assert status == "Succeeded"
    assert ask(arm, header).status_code == 200
    answer = requests.put(
        f"{arm.endpoint}{SERVERS}/guests", params={"api-version": "2025-08-01"}, json=server_body(),
        headers={"Authorization": header}, verify=arm.session.verify, timeout=30,
    )  # fmt: skip
    assert answer.status_code == 403


def test_data_rights_need_an_assignment_at_the_scope_or_above(arm: ArmDaemon) -> None:
    arm.done("PUT", f"{ACCOUNTS}/roles", account_body(customSubDomainName="roles"), COGNITIVE)
    made = arm.server("identified")
    server = Principal(made["identity"]["principalId"], "identified", "ServicePrincipal")
    lookup, scope = arm.daemon.lookup, f"{ACCOUNTS}/roles"
    assert not lookup.may(arm.daemon.deployer, [OPENAI_USER], scope)
    assert not lookup.may(server, [OPENAI_USER], scope)
    path, status = assign(arm, scope, server.object_id, OPENAI_USER)
    assert status == "Succeeded"
    assert lookup.may(server, [OPENAI_USER], scope.upper())
    assert not lookup.may(server, [OPENAI_USER], f"{scope}-two")
    assert not lookup.may(server, [OPENAI_USER], GROUP)
    arm.done("DELETE", path, version=AUTHORIZATION)
    assert not lookup.may(server, [OPENAI_USER], scope)
    assign(arm, GROUP, server.object_id, OPENAI_USER)
    assert lookup.may(server, [OPENAI_USER], scope)


def test_role_assignments_are_not_updated(arm: ArmDaemon) -> None:
    made = arm.server("assigned")
    principal = made["identity"]["principalId"]
    path, _ = assign(arm, GROUP, principal, READER, principalType="ServicePrincipal")
    body = arm.call("GET", path, version=AUTHORIZATION).json()
    assert body["properties"]["roleDefinitionId"].endswith(READER)
    assert arm.call("PUT", path, body, AUTHORIZATION).status_code == 200
    body["properties"]["roleDefinitionId"] = f"{ROLES}/roleDefinitions/{OPENAI_USER}"
    assert arm.refused("PUT", path, body, AUTHORIZATION)[1] == "RoleAssignmentUpdateNotPermitted"
    assert assign(arm, GROUP, principal, READER)[1] == "409"
    assert assign(arm, GROUP, principal, OPENAI_USER, principalType="User")[1] == "400"
    unknown = f"{GROUP}{ROLES}/roleAssignments/{uuid.uuid4()}"
    properties = {"principalId": str(uuid.uuid4()), "roleDefinitionId": f"{ROLES}/roleDefinitions/{READER}"}
    assert arm.refused("PUT", unknown, {"properties": properties}, AUTHORIZATION)[1] == "PrincipalNotFound"
    properties |= {"roleDefinitionId": f"{ROLES}/roleDefinitions/{uuid.uuid4()}", "principalType": "User"}
    assert arm.refused("PUT", unknown, {"properties": properties}, AUTHORIZATION)[1] == "RoleDefinitionDoesNotExist"


def test_a_role_of_one_s_own_is_made_given_and_kept_while_somebody_has_it(arm: ArmDaemon) -> None:
    name = str(uuid.uuid4())
    path = f"{GROUP}{ROLES}/roleDefinitions/{name}"
    actions = ["Microsoft.DBforPostgreSQL/flexibleServers/stop/action"]
    body = {"properties": {"roleName": "Stopper", "permissions": [{"actions": actions}], "assignableScopes": [GROUP]}}
    made = arm.done("PUT", path, body, AUTHORIZATION)
    assert made["properties"]["type"] == "CustomRole"
    assert arm.call("GET", path, version=AUTHORIZATION).json() == made
    found = arm.call("GET", f"{GROUP}{ROLES}/roleDefinitions", version=AUTHORIZATION).json()["value"]
    assert {"Stopper", "Owner"} <= {role["properties"]["roleName"] for role in found}
    other = f"{GROUP}{ROLES}/roleDefinitions/{uuid.uuid4()}"
    assert arm.refused("PUT", other, body, AUTHORIZATION)[1] == "RoleDefinitionWithSameNameExists"
    principal = arm.server("stopped-at-night")["identity"]["principalId"]
    assignment, _ = assign(arm, GROUP, principal, name, principalType="ServicePrincipal")
    assert arm.refused("DELETE", path, version=AUTHORIZATION)[1] == "RoleDefinitionHasAssignments"
    assert arm.call("DELETE", assignment, version=AUTHORIZATION).status_code == 200
    assert arm.call("DELETE", path, version=AUTHORIZATION).status_code == 200


def test_api_versions(arm: ArmDaemon) -> None:
    path = f"{SERVERS}/any"
    answer = arm.session.get(f"{arm.endpoint}{path}", timeout=30)
    assert answer.json()["error"]["code"] == "MissingApiVersionParameter"
    refused = arm.refused("GET", path, version="2014-01-01")
    assert refused[1] == "NoRegisteredProviderFound"
    assert "2025-08-01" in refused[2]
    unknown = f"{GROUP}/providers/Microsoft.Imaginary/things/one"
    assert arm.refused("GET", unknown)[1] == "InvalidResourceType"
    assert arm.refused("GET", "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/x")[1] == (
        "SubscriptionNotFound"
    )


def test_other_hosts_are_not_answered(arm: ArmDaemon) -> None:
    answer = arm.session.get(f"{arm.endpoint}{GROUP}", headers={"Host": "rebound.example"}, timeout=30)
    assert answer.status_code == 421


def test_broken_bodies(arm: ArmDaemon) -> None:
    for body in ("{", "[]", '"text"'):
        answer = arm.session.put(
            f"{arm.endpoint}{GROUP}", params={"api-version": RESOURCES}, data=body, timeout=30,
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        assert answer.json()["error"]["code"] == "InvalidRequestContent"


def test_a_group_and_all_in_it_is_deleted(arm: ArmDaemon) -> None:
    group = GROUP.replace("/contracts", "/Passing")
    made = arm.call("PUT", group, {"location": "eastus2", "tags": {"a": "b"}}, RESOURCES)
    assert made.status_code == 201
    assert made.json()["tags"] == {"a": "b"}
    assert arm.refused("PUT", group, {"location": "westus"}, RESOURCES)[1] == "InvalidResourceGroupLocation"
    servers, accounts = (path.replace("/contracts/", "/passing/") for path in (SERVERS, ACCOUNTS))
    arm.done("PUT", f"{servers}/passing", server_body())
    arm.done("PUT", f"{accounts}/passing", account_body(customSubDomainName="passing"), COGNITIVE)
    listed = arm.call("GET", f"{group}/resources", version=RESOURCES).json()["value"]
    assert {item["type"].partition("/")[2] for item in listed} == {"flexibleServers", "accounts"}
    assert arm.call("HEAD", group, version=RESOURCES).status_code == 204
    arm.done("DELETE", group, version=RESOURCES)
    assert arm.call("HEAD", group, version=RESOURCES).status_code == 404
    assert ("delete", "passing") in arm.backend.calls
    assert arm.refused("GET", f"{servers}/passing")[1] == "ResourceGroupNotFound"
    arm.done("PUT", group, {"location": "eastus2"}, RESOURCES)
    assert arm.refused("PUT", f"{accounts}/passing", account_body(), COGNITIVE)[1] == "FlagMustBeSetForRestore"
