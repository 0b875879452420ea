"""Tokens, the identity endpoint, and the control API's secret."""

import uuid

import jwt
import pytest
import requests

from emulator.identity import Identity, InvalidToken, Principal
from emulator.state import DEPLOYER_ID, TENANT_ID
from tests.emulator.arm_daemon import GROUP, SERVERS, ArmDaemon

USER = Principal("00000000-0000-4000-8000-00000000aaaa", "someone", "User")
DATABASE = "https://ossrdbms-aad.database.windows.net"


@pytest.fixture
def identity() -> Identity:
    return Identity(TENANT_ID, "k" * 64)


@pytest.mark.parametrize("asked", [DATABASE, f"{DATABASE}/", f"{DATABASE}/.default", f"{DATABASE}//.default"])
def test_a_token_says_whose_it_is(identity: Identity, asked: str) -> None:
    token = identity.issue(USER, asked)
    assert identity.verify(token, DATABASE) == USER
    assert identity.verify(token, f"{DATABASE}/.default") == USER


def test_what_is_refused(identity: Identity) -> None:
    server = Principal(str(uuid.uuid4()), "server", "ServicePrincipal")
    token = identity.issue(server, DATABASE)
    assert identity.verify(token, DATABASE) == server
    with pytest.raises(InvalidToken, match="wrong audience: the token is for https://ossrdbms"):
        identity.verify(token, "https://management.azure.com")
    with pytest.raises(InvalidToken, match="expired"):
        identity.verify(identity.issue(USER, DATABASE, lifetime_seconds=-60), DATABASE)
    with pytest.raises(InvalidToken, match="not issued"):
        Identity(TENANT_ID, "x" * 64).verify(token, DATABASE)
    with pytest.raises(InvalidToken, match="not issued"):
        Identity(str(uuid.uuid4()), "k" * 64).verify(token, DATABASE)
    unsigned = jwt.encode(jwt.decode(token, options={"verify_signature": False}), "", algorithm="none")
    for broken in (unsigned, token[:-4], "", "a.b.c", "not a token"):
        with pytest.raises(InvalidToken, match="not issued"):
            identity.verify(broken, DATABASE)


def ask(arm: ArmDaemon, header: str | None, **query: str) -> requests.Response:
    """Ask the identity endpoint."""
    params = {"api-version": "2019-08-01", "resource": DATABASE, **query}
    headers = {"X-IDENTITY-HEADER": header} if header is not None else {}
    return requests.get(arm.environment["IDENTITY_ENDPOINT"], params=params, headers=headers, timeout=30)


def test_the_identity_endpoint(arm: ArmDaemon) -> None:
    header = arm.environment["IDENTITY_HEADER"]
    answer = ask(arm, header).json()
    assert arm.daemon.identity.verify(answer["access_token"], DATABASE).object_id == DEPLOYER_ID
    assert answer["token_type"] == "Bearer"
    assert answer["expires_on"].isdigit()
    assert ask(arm, None).status_code == 401
    assert ask(arm, "wrong").status_code == 401
    assert ask(arm, header, **{"api-version": "2017-09-01"}).status_code == 400
    assert ask(arm, header, resource="").status_code == 400


def test_a_server_has_the_identity_that_it_was_given(arm: ArmDaemon) -> None:
    made = arm.server("bearer")
    secret = arm.daemon.store.get(f"{SERVERS}/bearer")
    assert secret is not None
    header = secret.private["identityHeader"]
    assert header not in str(made)
    principal = arm.daemon.identity.verify(ask(arm, header).json()["access_token"], DATABASE)
    assert principal == Principal(made["identity"]["principalId"], "bearer", "ServicePrincipal")
    arm.done("PATCH", f"{SERVERS}/bearer", {"identity": {"type": "None"}})
    assert ask(arm, header).status_code == 401


def test_the_control_api_needs_its_secret(arm: ArmDaemon) -> None:
    base = arm.environment["IDENTITY_ENDPOINT"].replace("/msi/token", "/emulator")
    for headers in ({}, {"X-Emulator-Secret": "wrong"}):
        assert requests.get(f"{base}/status", headers=headers, timeout=30).status_code == 401
        assert requests.post(f"{base}/stop", headers=headers, timeout=30).status_code == 401
    headers = {"X-Emulator-Secret": arm.daemon.settings.control_secret}
    status = requests.get(f"{base}/status", headers=headers, timeout=30).json()
    assert status["running"] is True
    assert status["calls"]["arm"] > 0


def test_a_job_gets_tokens_of_its_own_identities_alone(arm: ArmDaemon) -> None:
    app = f"{GROUP}/providers/Microsoft.App"
    named = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/of-a-job"
    here = {"location": "eastus2"}
    identity = arm.done("PUT", named, here)["properties"]
    other = arm.done("PUT", f"{named}-2", here)["properties"]
    arm.done("PUT", f"{app}/managedEnvironments/of-jobs", here)
    body = {
        "environmentId": f"{app}/managedEnvironments/of-jobs",
        "configuration": {"triggerType": "Manual", "replicaTimeout": 60, "secrets": [{"name": "s", "value": "hidden"}]},
        "template": {"containers": [{"name": "worker", "image": "worker:1"}]},
    }
    assigned = {"type": "UserAssigned", "userAssignedIdentities": {named: {}}}
    arm.done("PUT", f"{app}/jobs/with-identity", {**here, "identity": assigned, "properties": body})
    job = arm.daemon.store.get(f"{app}/jobs/with-identity")
    assert job is not None
    assert job.private["secrets"] == {"s": "hidden"}
    header = job.private["identityHeader"]
    token = ask(arm, header, client_id=identity["clientId"]).json()["access_token"]
    principal = arm.daemon.identity.verify(token, DATABASE)
    assert (principal.object_id, principal.name) == (identity["principalId"], "of-a-job")
    for client_id in ({}, {"client_id": other["clientId"]}):
        assert ask(arm, header, **client_id).status_code == 401
    arm.done("PATCH", f"{app}/jobs/with-identity", {"tags": {"a": "b"}})
    kept = arm.daemon.store.get(f"{app}/jobs/with-identity")
    assert kept is not None
    assert dict(kept.private) == dict(job.private), "what is not said again is kept"
