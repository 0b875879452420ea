"""What editors and people read about the config, made from the settings: a schema, a page, the keys of Pulumi.yaml.

`python -m tools schema` writes the files, `--check` compares them; a test does the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from components.mistakes import section_in
from components.section import Section
from components.settings import PROJECT, StackSettings

ROOT = Path(__file__).resolve().parent.parent
SCHEMA_FILE = ROOT / "components" / "settings.schema.json"
PAGE_FILE = ROOT / "docs" / "config.md"

_INTRODUCTION = f"""\
# Configuration

<!-- Made from components/settings.py by `python -m tools schema`. Change it there. -->

A stack's settings are in `Pulumi.<stack>.yaml`, under keys that start with `{PROJECT}:`. A stack names only what
differs from the defaults; it needs at least an administrator and, where it is to be reached from the internet,
`network.mode: public` with an address in the firewall. Editors that know YAML schemas complete and check the file:
its first line points to `components/settings.schema.json`.

`pulumi preview` and `pulumi up` check everything before anything is created, and name every mistake at once with its
path, what is wrong and what is allowed. To set one value inside a map: `pulumi config set --path
'{PROJECT}:jobs.invoices.workers' 8`. Text may stand for the number, the boolean or the JSON that it spells.

The engine itself compares the type of a top-level key with `Pulumi.yaml` before the program runs, and stops at the
first that differs: `sample: maybe` is reported alone.
"""

_RULES = """\
## What happens by itself

- **Allowlist.** `azure.extensions` becomes the union of `extensions`, of `parameters."azure.extensions"` and of
  what the server allows already, lower-case and sorted. Nothing is taken from it: another team's extension stays.
- **Preload.** An extension that must be preloaded (`age`, `pg_cron`, `pgaudit`, `timescaledb` ...) is added to
  `shared_preload_libraries` together with the server's defaults, and the server is restarted when it says that a
  restart is pending. Where the defaults are enough, nothing is created.
- **pg_cron** can live in one database only: `cron.database_name` is set to yours, unless `parameters` names another,
  as for a server whose jobs are in `postgres`; the extension and the schedule of the workers go where it lives.
- **Defaults are dropped.** A parameter that equals its default is not created, and a line says so: Azure ignores
  such a write and then reports a difference for ever.
- **A parameter taken out** goes back to its default; a static one does so at the server's next restart.
- **`age`** is documented as a preload on PostgreSQL 16; on 17 and 18 a line says that it is unverified.
- **`unavailable`** leaves an extension out of this stack with a reason, which the preview prints and the stack
  exports.
- **Tags.** `managed-by`, `project` and `stack` are added; a tag of your own with such a name wins.
- **Retention.** With `retainData` (the default), vector columns, the engine's schema and vectors stay in the
  database when they leave the program. A job that leaves it stops, and keeps its vectors.
- **Estimates.** Beside each job, a preview shows rows, tokens (bytes / 4), cost (list prices of 2026-05) and
  minutes under the quota, from what the last `up` or `refresh` recorded.

## Rules over several values

- The tier fits the machine size; the storage is a size that Azure offers.
- `password` needs `administratorLogin`; Entra needs an administrator or `deployer`; `signInAs` is one of them.
- With `network.mode: public`, a firewall with no rule is refused, for this program could not reach the server either;
  with the other modes it is the other way round, for nothing comes from the internet.
- A server or an AI account that is there stays as it is: settings that would change it are refused (docs/existing.md).
- AI accounts that do not answer on the internet need `network.mode: injected`, or `azure_ai` would not reach them.
- A job's deployment is declared and makes vectors; its dimensions are those that the model gives.
- An index fits type and dimensions: hnsw and ivfflat up to 2,000 (`vector`) or 4,000 (`halfvec`); diskann needs
  `pg_diskann`, and above 2,000 dimensions `product_quantized: 1`.
- No two jobs, and no job and vector column, write one column; a template does not read the column that its job
  writes.
- Jobs need `vector` and `azure_ai` among the extensions, `workers.schedule` needs `pg_cron` and `azure_ai`.
"""


def config_page() -> str:
    """Return docs/config.md."""
    parts = [_INTRODUCTION, "## Keys\n", _table(StackSettings)]
    for key, section in _sections(StackSettings):
        parts += [f"### `{key}`\n", f"{(section.__doc__ or '').strip().splitlines()[0]}\n", _table(section)]
    return "\n".join([*parts, _RULES])


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a `Pulumi.<stack>.yaml` file."""
    schema = StackSettings.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Stack of {PROJECT}",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {f"{PROJECT}:{key}": value for key, value in schema["properties"].items()},
                "patternProperties": {f"^(?!{PROJECT}:)": {}},
                "additionalProperties": False,
            }
        },
        "$defs": schema["$defs"],
    }


def write_schema(*, check: bool = False) -> list[Path]:
    """Write the schema and the page where they differ from the settings.

    Args:
        check: write nothing.

    Returns:
        The files that differed, relative to the repository's root.
    """
    wanted = {SCHEMA_FILE: json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", PAGE_FILE: config_page()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if not check:
        for path in stale:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
    return [path.relative_to(ROOT) for path in stale]


def project_keys() -> dict[str, dict[str, Any]]:
    """Return what Pulumi.yaml says of each top-level key: type, items, default, description."""
    names: dict[str, type | tuple[type, ...]] = {
        "boolean": bool,
        "integer": int,
        "string": str,
        "array": (list, tuple),
        "object": dict,
    }
    keys: dict[str, dict[str, Any]] = {}
    for field in StackSettings.model_fields.values():
        default = field.get_default(call_default_factory=True, validated_data={})
        value = {} if isinstance(default, Section) else list(default) if isinstance(default, tuple) else default
        kind = next(name for name, python in names.items() if isinstance(value, python))
        items = {"items": {"type": "string"}} if kind == "array" else {}
        keys[str(field.alias)] = {"type": kind, **items, "default": value, "description": field.description}
    return keys


def _sections(model: type[Section], above: str = "") -> Iterator[tuple[str, type[Section]]]:
    """Yield every section below a model with its path, depth first; `*` stands for an entry's name or position."""
    for field in model.model_fields.values():
        inner = section_in(field.annotation)
        if inner is not None:
            plural = "" if inner is field.annotation or "None" in str(field.annotation) else ".*"
            path = f"{above}{field.alias}{plural}"
            yield path, inner
            yield from _sections(inner, f"{path}.")


def _table(model: type[Section]) -> str:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    rows += [f"| `{field.alias}` | {_default(field)} | {_cell(field)} |" for field in model.model_fields.values()]
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "-"
    if isinstance(value, Section):
        return "see below"
    return f"`{json.dumps(value, default=str)}`"


def _cell(field: FieldInfo) -> str:
    return str(field.description).replace("|", "\\|")
