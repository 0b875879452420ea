"""The settings: every mistake named, with its path and what is allowed; every way in which values arrive."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from components.mistakes import SettingsError
from components.settings import StackSettings

GUID = "33333333-3333-4333-8333-333333333333"
GOOD: dict[str, Any] = {
    "authentication": {"administrators": [{"name": "team", "objectId": GUID, "type": "Group"}]},
    "network": {"mode": "public"},
    "firewall": {"rules": {"office": {"start": "203.0.113.1", "end": "203.0.113.9"}}},
    "extensions": ["vector", "azure_ai"],
    "deployments": {"embedding": {"model": "text-embedding-3-small"}, "answers": {"model": "gpt-5.4"}},
    "jobs": {"notes": {"table": "public.invoices", "template": "{notes}", "deployment": "embedding"}},
}
JOB: dict[str, Any] = GOOD["jobs"]["notes"]


def mistakes(config: dict[str, Any], **options: Any) -> dict[str, str]:
    """Return the mistakes of a config by their path; fails when one path has two."""
    with pytest.raises(SettingsError) as caught:
        StackSettings.parse(config, **options)
    found = caught.value.mistakes
    assert len({mistake.path for mistake in found}) == len(found), found
    return {mistake.path: mistake.message for mistake in found}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the good config with one value at a dotted path, whose steps may hold dots after a `|`."""
    config = copy.deepcopy(GOOD)
    holder: Any = config
    *steps, last = path.split("/")
    for step in steps:
        holder = holder[int(step)] if isinstance(holder, list) else holder.setdefault(step, {})
    holder[last] = value
    return config


def test_the_good_config_is_good() -> None:
    settings = StackSettings.parse(GOOD)
    assert settings.server.version == "16"
    assert settings.jobs["notes"].columns == ("notes",)
    assert settings.notes == ()


# path of the change, the value, path of the mistake, words that its message must have
BAD = [
    ("smaple", True, "smaple", ["did you mean 'sample'"]),
    ("name_prefix", "x", "name_prefix", ["did you mean 'namePrefix'"]),
    ("namePrefix", "Very-Long-Prefix", "namePrefix", ["2 to 12 lower-case letters"]),
    ("namePrefix", "9a", "namePrefix", ["a letter first"]),
    ("location", "east/us", "location", ["eastus2"]),
    ("tags", {"a<b": "x"}, "tags.a<b", ["none of <"]),
    ("tags", {"long": "x" * 300}, "tags.long", ["300 characters; at most 256"]),
    ("tags", {"flag": True}, "tags.flag", ["text (quote it)"]),
    ("tags", {f"t{n}": "x" for n in range(51)}, "tags", ["51 tags; at most 50"]),
    ("server/version", "9", "server.version", ["allowed: 14, 15, 16, 17, 18"]),
    ("server/versoin", "16", "server.versoin", ["did you mean 'version'"]),
    ("server/sku", {"name": "Standard_B2s", "tier": "GeneralPurpose"}, "server.sku.tier", ["allowed: Burstable"]),
    ("server/sku", {"name": "Standard_D2ds_v5", "tier": "Burstable"}, "server.sku.tier", ["allowed: GeneralPurpose"]),
    ("server/sku", {"name": "Large", "tier": "Burstable"}, "server.sku.name", ["Standard_B2s (Burstable)"]),
    (
        "server/sku",
        {"name": "Standard_B2s", "tier": "Cheap"},
        "server.sku.tier",
        ["Burstable, GeneralPurpose, MemoryOptimized"],
    ),
    ("server/storageGb", 33, "server.storageGb", ["allowed: 32, 64"]),
    ("server/storageGb", "much", "server.storageGb", ["a whole number"]),
    ("server/backupRetentionDays", 3, "server.backupRetentionDays", ["at least 7"]),
    ("server/backupRetentionDays", 36, "server.backupRetentionDays", ["at most 35"]),
    ("server/autoGrow", "perhaps", "server.autoGrow", ["true, false"]),
    ("authentication", {"entra": False}, "authentication", ["nobody could sign in"]),
    ("authentication/password", True, "authentication.administratorLogin", ["is missing"]),
    ("authentication/administratorLogin", "pgadmin", "authentication.administratorLogin", ["only with password"]),
    ("authentication/administratorLogin", "azure_superuser", "authentication.administratorLogin", ["reserved"]),
    ("authentication/administratorLogin", "pg_reader", "authentication.administratorLogin", ["reserved"]),
    ("authentication/administratorLogin", "two words", "authentication.administratorLogin", ["letters, digits"]),
    ("authentication/administrators", [], "authentication.administrators", ["needs an administrator"]),
    ("authentication/administrators/0/objectId", "team", "authentication.administrators[0].objectId", ["a GUID"]),
    (
        "authentication/administrators/0/type",
        "Robot",
        "authentication.administrators[0].type",
        ["User, Group, ServicePrincipal"],
    ),
    (
        "authentication/administrators",
        [{"name": "a", "objectId": GUID}, {"name": "b", "objectId": GUID.upper()}],
        "authentication.administrators[1].objectId",
        ["is there twice"],
    ),
    ("authentication/deployer", {"name": "TEAM"}, "authentication.administrators[0].name", ["is there twice"]),
    ("authentication/signInAs", "taem", "authentication.signInAs", ["did you mean 'team'"]),
    ("authentication/tenantId", "contoso", "authentication.tenantId", ["a GUID"]),
    ("firewall/rules", {}, "firewall.rules", ["nobody could reach the server"]),
    ("ai/contentFilters", {"Microsoft.Own": {}}, "ai.contentFilters.Microsoft.Own", ["the service's own"]),
    ("ai/contentFilters", {"x": {}}, "ai.contentFilters.x", ["2 to 64 letters"]),
    ("ai/contentFilters", {"own": {"hate": "None"}}, "ai.contentFilters.own.hate", ["Low, Medium, High"]),
    ("deployments/answers/contentFilter", "strict", "deployments.answers.contentFilter", ["Microsoft.DefaultV2"]),
    ("deployments/answers/upgrade", "Always", "deployments.answers.upgrade", ["NoAutoUpgrade"]),
    ("deployments/embedding/upgrade", "OnceNewDefaultVersionAvailable", "deployments.embedding.upgrade", ["mix those"]),
    ("ai", {"restore": ["language"], "language": {"enabled": False}}, "ai.restore", ["not enabled"]),
    ("network/mode", "vnet", "network.mode", ["public, private-endpoint, injected"]),
    ("network/mode", "injected", "firewall.rules", ["is for network.mode public", "leave it out"]),
    ("network/mode", "private-endpoint", "firewall.rules", ["nothing comes from the internet"]),
    ("network/addressSpace", "10.0.0.0/29", "network.addressSpace", ["/8 to /25 within 10.0.0.0/8"]),
    ("network/addressSpace", "8.8.0.0/16", "network.addressSpace", ["192.168.0.0/16"]),
    ("ai/network/privateEndpoints", True, "ai.network.privateEndpoints", ["needs a network"]),
    ("ai/network/publicAccess", False, "ai.network.publicAccess", ["azure_ai would reach nothing", "injected"]),
    ("ai/network/ipRules", ["10.1.0.0/16"], "ai.network.ipRules[0]", ["private range"]),
    ("ai/network/ipRules", ["203.0.113.0/31"], "ai.network.ipRules[0]", ["up to /30"]),
    ("ai/network/trustedServices", True, "ai.network.trustedServices", ["only with ipRules"]),
    (
        "ai/network",
        {"restrictOutbound": False, "outboundHosts": ["a.example"]},
        "ai.network.outboundHosts",
        ["only with"],
    ),
    (
        "firewall/rules/office",
        {"start": "10.0.0.9", "end": "10.0.0.1"},
        "firewall.rules.office.end",
        ["before start 10.0.0.9"],
    ),
    ("firewall/rules/office", {"start": "10.0.0"}, "firewall.rules.office.start", ["IPv4 address"]),
    ("firewall/rules/office", {"start": "::1"}, "firewall.rules.office.start", ["IPv4 address"]),
    ("firewall/rules/office", {"start": "0.0.0.0"}, "firewall.rules.office.start", ["allowAzureServices"]),
    ("firewall/rules/of fice", {"start": "10.0.0.1"}, "firewall.rules.of fice", ["letters, digits, - or _"]),
    ("firewall/rules/office", {"end": "10.0.0.1"}, "firewall.rules.office.start", ["missing"]),
    ("firewall/rules/office", "10.0.0.1", "firewall.rules.office", ["must be a map"]),
    ("parameters", {"wrok_mem": 1}, "parameters.wrok_mem", ["did you mean 'work_mem'"]),
    ("parameters", {"work_mem": "64MB"}, "parameters.work_mem", ["whole number of kB"]),
    ("parameters", {"work_mem": 64}, "parameters.work_mem", ["4096 to 2097151"]),
    ("parameters", {"work_mem": [1]}, "parameters.work_mem", ["text, a number or a boolean"]),
    ("parameters", {"log_checkpoints": "loud"}, "parameters.log_checkpoints", ["allowed: on, off"]),
    ("parameters", {"wal_level": "minimal"}, "parameters.wal_level", ["replica, logical"]),
    ("parameters", {"fsync": "off"}, "parameters.fsync", ["read-only"]),
    ("parameters", {"pgbouncer.enabled": True}, "parameters.pgbouncer.enabled", ["GeneralPurpose"]),
    ("parameters", {"azure.extensions": "pgvector"}, "parameters.azure.extensions", ["'pgvector' is not known"]),
    (
        "parameters",
        {"shared_preload_libraries": "vector"},
        "parameters.shared_preload_libraries",
        ["'vector' is not known"],
    ),
    ("parameters", "work_mem=1", "parameters", ["must be a map"]),
    ("extensions", ["vector", "azure_ai", "pgvector"], "extensions[2]", ["did you mean 'vector'"]),
    ("extensions", ["vector", "azure_ai", "vector"], "extensions[2]", ["is there twice"]),
    ("extensions", ["azure_ai", "vector", "zombodb"], "extensions[2]", ["is no extension"]),
    ("extensions", ["vector", "azure_ai", "earthdistance"], "extensions[2]", ["needs 'cube'"]),
    ("extensions", "vector,azure_ai", "extensions", ["must be a list"]),
    ("unavailable", {"vektor": "why"}, "unavailable.vektor", ["did you mean 'vector'"]),
    ("unavailable", {"age": " "}, "unavailable.age", ["say why"]),
    ("database/name", "postgres", "database.name", ["belongs to the server"]),
    ("database/name", "1st", "database.name", ["letters, digits"]),
    ("database/collation", "!", "database.collation", ["en_US.utf8"]),
    ("ai/authentication", "password", "ai.authentication", ["managed-identity, keys"]),
    ("ai/openai", {"kind": "Gemini"}, "ai.openai.kind", ["OpenAI, AIServices"]),
    ("ai/language", {"sku": "S0"}, "ai.language.sku", ["allowed: S, F0"]),
    ("deployments/embedding/model", "text-embedding-4", "deployments.embedding.model", ["text-embedding-3-small"]),
    ("deployments/embedding/version", "7", "deployments.embedding.version", ["allowed: 1"]),
    ("deployments/embedding/sku", "GlobalBatch", "deployments.embedding.sku", ["Standard, GlobalStandard"]),
    ("deployments/embedding/capacity", 0, "deployments.embedding.capacity", ["at least 1"]),
    ("deployments/e", {"model": "gpt-5"}, "deployments.e", ["2 to 64"]),
    ("vectorColumns", {"own": {"table": "invoices", "dimensions": 3}}, "vectorColumns.own.table", ["with its schema"]),
    (
        "vectorColumns",
        {"own": {"table": "public.a", "dimensions": 20_000}},
        "vectorColumns.own.dimensions",
        ["at most 16000"],
    ),
    ("vectorColumns", {"own": {"table": "public.a"}}, "vectorColumns.own.dimensions", ["missing"]),
    (
        "vectorColumns",
        {"own": {"table": "public.invoices", "dimensions": 3}},
        "vectorColumns.own.column",
        ["written by jobs.notes"],
    ),
    ("jobs/notes/table", "invoices", "jobs.notes.table", ["with its schema"]),
    ("jobs/notes/table", "pg_catalog.pg_class", "jobs.notes.table", ["belongs to the system"]),
    ("jobs/notes/table", "vectorize.job", "jobs.notes.table", ["belongs to the system"]),
    ("jobs/notes/template", "", "jobs.notes.template", ["is empty"]),
    ("jobs/notes/template", "every row", "jobs.notes.template", ["names no column"]),
    ("jobs/notes/template", "{title", "jobs.notes.template", ["brace that holds no column name"]),
    ("jobs/notes/template", "{a b}", "jobs.notes.template", ["brace that holds no column name"]),
    ("jobs/notes/template", "{{notes}}", "jobs.notes.template", ["names no column"]),
    ("jobs/notes/template", "{{notes}", "jobs.notes.template", ["brace that holds no column name"]),
    ("jobs/notes/template", "{}", "jobs.notes.template", ["brace that holds no column name"]),
    ("jobs/notes/template", "{embedding}", "jobs.notes.template", ["the column that the job writes"]),
    ("jobs/notes/deployment", "embeding", "jobs.notes.deployment", ["did you mean 'embedding'"]),
    ("jobs/notes/deployment", "answers", "jobs.notes.deployment", ["makes no vectors"]),
    ("jobs/notes/dimensions", 3072, "jobs.notes.dimensions", ["at most 1536"]),
    ("jobs/notes/key", ["id", "id"], "jobs.notes.key[1]", ["is there twice"]),
    ("jobs/notes/key", ["embedding"], "jobs.notes.key[0]", ["the column that the job writes"]),
    ("jobs/notes/target", {"kind": "view"}, "jobs.notes.target.kind", ["column, table"]),
    ("jobs/notes/target", {"column": "e-mbedding"}, "jobs.notes.target.column", ["letters, digits or underscores"]),
    ("jobs/notes/target", {"kind": "table", "typ": "x"}, "jobs.notes.target.typ", ["did you mean 'type'"]),
    ("jobs/notes/distance", "manhattan", "jobs.notes.distance", ["cosine, l2, inner_product"]),
    ("jobs/notes/index", {"kind": "btree"}, "jobs.notes.index.kind", ["none, hnsw, ivfflat, diskann"]),
    ("jobs/notes/index", {"kind": "diskann"}, "jobs.notes.index.kind", ["needs 'pg_diskann'"]),
    (
        "jobs/notes/index",
        {"kind": "hnsw", "options": {"lists": 5}},
        "jobs.notes.index.options.lists",
        ["no option of hnsw"],
    ),
    ("jobs/notes/index", {"kind": "hnsw", "options": {"m": 500}}, "jobs.notes.index.options.m", ["2 to 100"]),
    ("jobs/notes/index", {"kind": "hnsw", "options": {"m": 40}}, "jobs.notes.index.options", ["at least twice m (40)"]),
    ("jobs/notes/fullText", {"language": "englisch"}, "jobs.notes.fullText.language", ["did you mean 'english'"]),
    ("jobs/notes/fullText", {"language": "x'); --"}, "jobs.notes.fullText.language", ["schema.name"]),
    ("jobs/notes/fullText", {}, "jobs.notes.fullText.language", ["is missing"]),
    ("jobs/notes/batchSize", 4000, "jobs.notes.batchSize", ["at most 2048"]),
    ("jobs/notes/workers", 64, "jobs.notes.workers", ["at most 16"]),
    ("jobs/notes/timeoutSeconds", 1, "jobs.notes.timeoutSeconds", ["at least 10"]),
    ("jobs/notes/batch_size", 5, "jobs.notes.batch_size", ["did you mean 'batchSize'"]),
    ("jobs/Notes Of Ours", JOB, "jobs.Notes Of Ours", ["lower-case letters"]),
    ("jobs", ["notes"], "jobs", ["must be a map"]),
    ("workers", {"schedul": {}}, "workers.schedul", ["did you mean 'schedule'"]),
    ("workers/schedule", {"parallel": 0}, "workers.schedule.parallel", ["at least 1"]),
    ("workers/schedule", {"parallel": 17}, "workers.schedule.parallel", ["at most 16"]),
]


@pytest.mark.parametrize(("change", "value", "path", "words"), BAD, ids=[f"{bad[2]}={str(bad[1])[:30]}" for bad in BAD])
def test_a_mistake_is_named_with_its_path_and_what_is_allowed(
    change: str, value: Any, path: str, words: list[str]
) -> None:
    found = mistakes(changed(change, value))
    assert list(found) == [path], found
    for word in words:
        assert word in found[path]


def test_ten_different_mistakes_are_all_named_in_one_message() -> None:
    config = {
        "smaple": "true",
        "location": "east/us",
        "server": {"version": "9", "sku": {"name": "Standard_B2s", "tier": "GeneralPurpose"}, "storageGb": 33},
        "authentication": {"administrators": [{"name": "team", "objectId": "no-guid"}]},
        "network": {"mode": "public"},
        "firewall": {"rules": {"office": {"start": "10.0.0.9", "end": "10.0.0.1"}}},
        "extensions": ["vector", "azure_ai", "pgvector"],
        "parameters": {"work_mem": "64MB"},
        "deployments": {"embedding": {"model": "text-embedding-3-small", "capacity": 0}},
        "jobs": {
            "notes": {"template": "no column", "deployment": "embedding"},
            "items": {"table": "public.items", "template": "{text}", "deployment": "embeding", "dimensions": "many"},
        },
    }
    with pytest.raises(SettingsError) as caught:
        StackSettings.parse(config, project="postgres-genai", stack="local")
    text = str(caught.value)
    for path in (
        "smaple", "location", "server.version", "server.sku.tier", "server.storageGb",
        "authentication.administrators[0].objectId",
        "firewall.rules.office.end", "extensions[2]", "parameters.work_mem", "deployments.embedding.capacity",
        "jobs.notes.table", "jobs.notes.template", "jobs.items.deployment", "jobs.items.dimensions",
    ):  # fmt: skip
        assert f"  postgres-genai:{path}: " in text, text
    assert text.startswith("14 mistakes in the config of stack 'local'")
    assert "Traceback" not in text
    assert len(text.splitlines()) == 15


def test_a_wrong_value_does_not_make_up_other_mistakes() -> None:
    """A rule that would judge a value that is wrong anyway stays silent."""
    config = changed("deployments/embedding/model", "nonsense")
    config["jobs"]["notes"]["dimensions"] = 3072
    assert list(mistakes(config)) == ["deployments.embedding.model"]
    config = changed("server/sku", {"name": 5.5, "tier": "Nothing"})
    assert "server.sku.tier" in mistakes(config)


def test_values_may_arrive_as_text_or_json() -> None:
    """As `pulumi config set` and the engine hand them over."""
    text = {key: json.dumps(value) for key, value in GOOD.items()}
    settings = StackSettings.parse(
        {**text, "sample": "true", "location": "East US 2", "protect": "false", "retainData": "False"}
    )
    assert (settings.sample, settings.protect, settings.retain_data, settings.location) == (
        True,
        False,
        False,
        "eastus2",
    )
    assert settings.jobs == StackSettings.parse(GOOD).jobs
    nested = changed("server", {"version": 17, "storageGb": "64", "autoGrow": "false"})
    nested["jobs"]["notes"] = json.dumps(JOB)
    nested["authentication"]["administrators"] = json.dumps(GOOD["authentication"]["administrators"])
    settings = StackSettings.parse(nested)
    assert (settings.server.version, settings.server.storage_gb, settings.server.auto_grow) == ("17", 64, False)
    assert settings.jobs["notes"].deployment == "embedding"


def test_a_template_that_looks_like_json_stays_text() -> None:
    config = changed("jobs/notes/template", "{notes}")
    assert (
        StackSettings.parse({key: json.dumps(value) for key, value in config.items()}).jobs["notes"].template
        == "{notes}"
    )


def test_doubled_braces_are_text() -> None:
    job = StackSettings.parse(changed("jobs/notes/template", "{{{{{notes}}} and {title}: {notes}")).jobs["notes"]
    assert job.columns == ("notes", "title")
    assert job.fixed_text == "{{} and : "


def test_a_key_with_nothing_after_it_counts_as_left_out() -> None:
    assert StackSettings.parse({**GOOD, "vectorColumns": None, "server": {"version": None}}).server.version == "16"


def test_a_secret_value_is_never_shown() -> None:
    config = changed("firewall/rules/office/start", "hunter2")
    found = mistakes(config, secret={"firewall"})
    assert list(found) == ["firewall.rules.office.start"]
    assert "hunter2" not in found["firewall.rules.office.start"]


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        StackSettings.parse(GOOD).server.version = "17"
