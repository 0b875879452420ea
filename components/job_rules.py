"""Rules over jobs, workers, vector columns and deployments: what the database or the model would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.catalogue.models import MODELS
from components.job_settings import JobSettings
from components.mistakes import Findings, Path, nearest

if TYPE_CHECKING:
    from components.settings import StackSettings

# pgvector's limits of an indexed column, and pg_diskann's without product quantization.
# Sources: pgvector README ("Indexing"); azure-databases-docs, how-to-use-pgdiskann.
MAX_INDEXED = {"vector": 2_000, "halfvec": 4_000}
MAX_DISKANN = {False: 2_000, True: 16_000}

# Options of each index with the values that it takes (pgvector and pg_diskann documentation).
INDEX_OPTIONS: dict[str, dict[str, tuple[int, int]]] = {
    "none": {},
    "hnsw": {"m": (2, 100), "ef_construction": (4, 1000)},
    "ivfflat": {"lists": (1, 32_768)},
    "diskann": {
        "max_neighbors": (8, 1536),
        "l_value_ib": (10, 500),
        "product_quantized": (0, 1),
        "pq_param_num_chunks": (0, 16_000),
        "pq_param_training_samples": (0, 1_000_000),
    },
}

# PostgreSQL 13 to 18, "Text Search Configuration": those that every server has.
TEXT_LANGUAGES = [
    "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "finnish", "french", "german", "greek",
    "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali", "norwegian", "portuguese",
    "romanian", "russian", "serbian", "simple", "spanish", "swedish", "tamil", "turkish", "yiddish",
]  # fmt: skip

_SYSTEM = "pg_catalog information_schema pg_toast"
_OURS = "vectorize vectorize_jobs migrations azure_ai azure_openai azure_cognitive azure_ml"
RESERVED_SCHEMAS = frozenset([*_SYSTEM.split(), *_OURS.split()])


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of the jobs and the vector columns."""
    _needed_extensions(settings, findings)
    for name, job in settings.jobs.items():
        here = ("jobs", name)
        _schema(job.table, (*here, "table"), findings)
        _columns(job, here, findings)
        if job.operation.facts is None:
            _deployment(settings, job, here, findings)
            _chunking(job, here, findings)
            _full_text(job, here, findings)
            _index(settings, job, here, findings)
    for name, column in settings.vector_columns.items():
        _schema(column.table, ("vectorColumns", name, "table"), findings)
    _shared_columns(settings, findings)


def dimensions_of(settings: StackSettings, job: JobSettings) -> int:
    """Return the dimensions of a job's vectors: its own, or those of the model."""
    deployment = settings.deployments.get(job.deployment or "")
    return job.dimensions or (deployment.facts.dimensions if deployment else 0)


def _needed_extensions(settings: StackSettings, findings: Findings) -> None:
    enabled = settings.enabled_extensions
    wanted: list[tuple[Path, str]] = []
    if settings.jobs:
        wanted += [(("jobs",), "vector"), (("jobs",), "azure_ai")]
    if settings.vector_columns:
        wanted += [(("vectorColumns",), "vector")]
    if settings.workers.schedule:
        # Without azure_ai there is no engine that a worker could call.
        wanted += [(("workers", "schedule"), "pg_cron"), (("workers", "schedule"), "azure_ai")]
    for path, extension in wanted:
        if extension not in enabled:
            why = "listed as unavailable" if extension in settings.unavailable else "not among the extensions"
            findings.add(path, f"needs the extension {extension!r}, which is {why}", reads=[("extensions",)])


def _schema(table: str, path: Path, findings: Findings) -> None:
    schema = table.partition(".")[0].lower()
    if schema in RESERVED_SCHEMAS or schema.startswith("pg_"):
        findings.add(path, f"schema {schema!r} belongs to the system; name a table of your own")


def _deployment(settings: StackSettings, job: JobSettings, here: Path, findings: Findings) -> None:
    if job.deployment is None:
        declared = ", ".join(settings.deployments) or "none"
        findings.add(
            (*here, "deployment"), f"is missing and required for vectors; declared under deployments: {declared}"
        )
        return
    if job.value_type not in MAX_INDEXED:
        kind = [(*here, "operation", "kind")]
        findings.add(
            (*here, "target", "type"), f"{job.value_type!r} holds no vector; allowed: vector, halfvec", reads=kind
        )
    deployment = settings.deployments.get(job.deployment)
    if deployment is None:
        findings.add(
            (*here, "deployment"),
            f"{job.deployment!r} is not declared under deployments; {nearest(job.deployment, settings.deployments)}",
            reads=[("deployments",)],
        )
        return
    model = deployment.facts
    reads = [("deployments", job.deployment, "model")]
    if not model.embeds:
        embedding = ", ".join(name for name, other in MODELS.items() if other.embeds)
        findings.add((*here, "deployment"), f"{model.name} makes no vectors; models that do: {embedding}", reads=reads)
    elif job.dimensions is not None and job.dimensions > model.dimensions:
        findings.add(
            (*here, "dimensions"),
            f"{job.dimensions} is more than {model.name} gives: at most {model.dimensions}",
            reads=reads,
        )
    elif job.dimensions is not None and job.dimensions != model.dimensions and not model.reducible:
        findings.add((*here, "dimensions"), f"{model.name} gives {model.dimensions} and no other number", reads=reads)


def _columns(job: JobSettings, here: Path, findings: Findings) -> None:
    if job.target_kind == "column" and job.column in job.columns:
        findings.add(
            (*here, "template"),
            f"reads {{{job.column}}}, the column that the job writes: every value would ask for the next one",
            reads=[(*here, "target")],
        )
    for position, column in enumerate(job.key):
        if column in job.key[:position]:
            findings.add((*here, "key", position), f"{column!r} is there twice")
        if job.target_kind == "column" and column == job.column:
            findings.add((*here, "key", position), f"{column!r} is the column that the job writes; name the row's key")


# Columns of the table of chunks, beside those of the key (sql/vectorize/define_steps.sql).
CHUNK_COLUMNS = ("chunk_id", "chunk", "content")


def _chunking(job: JobSettings, here: Path, findings: Findings) -> None:
    if job.chunking is None:
        return
    if job.chunking.overlap > job.chunking.max_tokens // 2:
        findings.add(
            (*here, "chunking", "overlap"),
            f"{job.chunking.overlap} is more than half of maxTokens ({job.chunking.max_tokens})",
        )
    if "kind" in job.target.model_fields_set and job.target.kind == "column":
        findings.add(
            (*here, "target", "kind"),
            "is column, and chunks are rows of a table of their own; set it to table or leave it out",
            reads=[(*here, "chunking")],
        )
    if job.column in CHUNK_COLUMNS:
        findings.add((*here, "target", "column"), f"{job.column!r} is a column of every table of chunks")
    for position, column in enumerate(job.key):
        if column in CHUNK_COLUMNS:
            findings.add((*here, "key", position), f"{column!r} is a column of every table of chunks")


def _full_text(job: JobSettings, here: Path, findings: Findings) -> None:
    if job.full_text and "." not in job.full_text.language and job.full_text.language not in TEXT_LANGUAGES:
        language = job.full_text.language
        findings.add(
            (*here, "fullText", "language"),
            f"{language!r} is no text search configuration of PostgreSQL; {nearest(language, TEXT_LANGUAGES)};"
            " one of your own needs its schema",
        )


def _index(settings: StackSettings, job: JobSettings, here: Path, findings: Findings) -> None:
    known = INDEX_OPTIONS[job.index.kind]
    for option, value in job.index.options.items():
        path, reads = (*here, "index", "options", option), [(*here, "index", "kind")]
        if option not in known:
            findings.add(path, f"is no option of {job.index.kind}; {nearest(option, known)}", reads=reads)
        elif not known[option][0] <= value <= known[option][1]:
            findings.add(path, f"{value} is outside {known[option][0]} to {known[option][1]}", reads=reads)
    m, ef = job.index.options.get("m", 16), job.index.options.get("ef_construction", 64)
    if job.index.kind == "hnsw" and ef < 2 * m <= 2 * INDEX_OPTIONS["hnsw"]["m"][1]:
        findings.add((*here, "index", "options"), f"ef_construction {ef} must be at least twice m ({m})")
    dimensions = dimensions_of(settings, job)
    reads = [(*here, "dimensions"), (*here, "target"), (*here, "deployment")]
    reads += [("deployments", job.deployment)] if job.deployment else []
    path = (*here, "index", "kind")
    limit = MAX_INDEXED.get(job.value_type, 0)
    if job.index.kind in ("hnsw", "ivfflat") and dimensions > limit > 0:
        halfvec = ", or target.type halfvec (4000)" if job.value_type == "vector" else ""
        findings.add(
            path,
            f"{job.index.kind} takes at most {limit} dimensions of {job.value_type}, not {dimensions};"
            f" set dimensions to {limit} or less{halfvec}",
            reads=reads,
        )
    if job.index.kind == "diskann":
        _diskann(settings, job, path, dimensions, findings)


def _diskann(settings: StackSettings, job: JobSettings, path: Path, dimensions: int, findings: Findings) -> None:
    if "pg_diskann" not in settings.enabled_extensions:
        findings.add(path, "diskann needs 'pg_diskann'; add it to the extensions", reads=[("extensions",)])
    quantized = bool(job.index.options.get("product_quantized", 0))
    if dimensions > MAX_DISKANN[quantized]:
        findings.add(
            path,
            f"diskann takes at most {MAX_DISKANN[False]} dimensions ({MAX_DISKANN[True]} with product_quantized: 1),"
            f" not {dimensions}",
            reads=[(*path[:2], "dimensions"), (*path[:2], "deployment")],
        )


def _shared_columns(settings: StackSettings, findings: Findings) -> None:
    """Refuse two writers of one column."""
    owner: dict[tuple[str, str], str] = {}
    claims: list[tuple[Path, str, str]] = [
        (("jobs", name), job.table, job.column) for name, job in settings.jobs.items() if job.target_kind == "column"
    ]
    claims += [
        (("vectorColumns", name), column.table, column.column) for name, column in settings.vector_columns.items()
    ]
    for path, table, column in claims:
        taken = owner.setdefault((table, column), f"{path[0]}.{path[1]}")
        if taken != f"{path[0]}.{path[1]}":
            key = (*path, "target", "column") if path[0] == "jobs" else (*path, "column")
            findings.add(
                key, f"{table}.{column} is written by {taken} already; choose another column", reads=[(*path, "table")]
            )


def notes(settings: StackSettings) -> Iterator[str]:
    """Yield what a job's settings cost or leave to the database."""
    for name, job in settings.jobs.items():
        if job.index.kind == "none" and job.index.options:
            yield f"jobs.{name}.index.options are not used: index.kind is none"
