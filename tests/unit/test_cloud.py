"""The cloud comes from the environment, in one place."""

from __future__ import annotations

import pytest
from pulumi import RunError

from components.cloud import cloud


@pytest.fixture(autouse=True)
def _no_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARM_ENVIRONMENT", raising=False)
    monkeypatch.delenv("AZURE_ENVIRONMENT", raising=False)
    monkeypatch.delenv("AZURE_RESOURCE_MANAGER_ENDPOINT", raising=False)


def test_the_public_cloud_is_the_default() -> None:
    assert cloud().resource_manager == "https://management.azure.com"
    assert cloud().database_scope == "https://ossrdbms-aad.database.windows.net/.default"


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("AzureUSGovernment", "postgres.database.usgovcloudapi.net"),
        ("AzureChinaCloud", "postgres.database.chinacloudapi.cn"),
        ("usgovernment", "postgres.database.usgovcloudapi.net"),
        ("china", "postgres.database.chinacloudapi.cn"),
    ],
)
def test_sovereign_clouds_have_their_own_addresses(monkeypatch: pytest.MonkeyPatch, name: str, suffix: str) -> None:
    monkeypatch.setenv("AZURE_ENVIRONMENT", name)
    assert cloud().postgres_suffix == suffix
    assert "azure.com" not in cloud().resource_manager_scope


def test_the_provider_s_own_variable_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARM_ENVIRONMENT", "usgovernment")
    monkeypatch.setenv("AZURE_ENVIRONMENT", "AzureCloud")
    assert cloud().authority == "https://login.microsoftonline.us"


def test_an_endpoint_leads_elsewhere_and_keeps_the_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_RESOURCE_MANAGER_ENDPOINT", "https://127.0.0.1:4443/")
    assert cloud().resource_manager == "https://127.0.0.1:4443"
    assert cloud().resource_manager_scope == "https://management.azure.com/.default"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ARM_ENVIRONMENT", "AzureChina", "allowed: AzureCloud"),
        ("AZURE_ENVIRONMENT", "AzureMoon", "allowed: AzureCloud, AzureUSGovernment, AzureChinaCloud"),
        ("AZURE_RESOURCE_MANAGER_ENDPOINT", "http://127.0.0.1", "starts with https://"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(RunError, match=variable) as caught:
        cloud()
    assert words in str(caught.value)
