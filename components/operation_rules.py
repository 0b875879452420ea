"""Rules over the operation of a job: what an enrichment takes, needs and writes, and what only vectors have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.catalogue.models import MODELS
from components.catalogue.operations import Operation
from components.job_settings import JobSettings
from components.mistakes import Findings, Path, nearest
from components.operation_settings import OperationSettings

if TYPE_CHECKING:
    from components.settings import StackSettings

_OF_VECTORS = {
    "dimensions": "dimensions",
    "distance": "distance",
    "index": "index",
    "chunking": "chunking",
    "full_text": "fullText",
}


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake about the operations of jobs."""
    for name, job in settings.jobs.items():
        here = ("jobs", name)
        _arguments(job.operation, (*here, "operation"), findings)
        enrichment = job.operation.facts
        if enrichment is None:
            continue
        kind = [(*here, "operation", "kind")]
        for field, key in _OF_VECTORS.items():
            if field in job.model_fields_set:
                findings.add((*here, key), f"{enrichment.name} makes no vectors; leave it out", reads=kind)
        if "type" in job.target.model_fields_set and job.target.type not in enrichment.types:
            findings.add(
                (*here, "target", "type"),
                f"{job.target.type!r} is not what {enrichment.name} gives; allowed: {', '.join(enrichment.types)}",
                reads=kind,
            )
        elif enrichment.name == "generate" and (job.value_type == "jsonb") != bool(job.operation.json_schema):
            findings.add(
                (*here, "target", "type"),
                "is jsonb with operation.jsonSchema, and text without; leave it out",
                reads=kind,
            )
        if "batch_size" in job.model_fields_set and job.batch_size > enrichment.most:
            findings.add(
                (*here, "batchSize"),
                f"{job.batch_size} is more than a request of {enrichment.name} takes: at most {enrichment.most}",
                reads=kind,
            )
        _needs(settings, job, enrichment, here, findings)


def _arguments(operation: OperationSettings, here: Path, findings: Findings) -> None:
    taken = operation.facts.arguments if operation.facts else ()
    spelled = {"json_schema": "jsonSchema"}
    for name in operation.arguments:
        if name not in taken:
            allowed = ", ".join(spelled.get(other, other) for other in taken) or "no arguments"
            path = (*here, spelled.get(name, name))
            findings.add(path, f"{operation.kind} takes {allowed}", reads=[(*here, "kind")])
    if operation.kind == "extract" and not operation.labels:
        findings.add((*here, "labels"), "is missing: extract needs to know what to look for", reads=[(*here, "kind")])
    if "" in operation.labels:
        findings.add((*here, "labels"), "has an empty text")
    if operation.json_schema and not {"name", "schema"} <= set(operation.json_schema):
        findings.add((*here, "jsonSchema"), "needs name and schema, as structured outputs of OpenAI take it")


def _needs(settings: StackSettings, job: JobSettings, enrichment: Operation, here: Path, findings: Findings) -> None:
    kind = (*here, "operation", "kind")
    path = (*here, "deployment")
    if enrichment.needs == "language":
        if job.deployment is not None:
            findings.add(
                path, f"{enrichment.name} calls the Language account, and no deployment; leave it out", reads=[kind]
            )
        if not settings.ai.language.enabled:
            findings.add(
                kind,
                f"{enrichment.name} needs the Language account; set ai.language.enabled",
                reads=[("ai", "language", "enabled")],
            )
        return
    chat = [name for name, deployment in settings.deployments.items() if not deployment.facts.embeds]
    if job.deployment is None:
        models = ", ".join(name for name, model in MODELS.items() if not model.embeds)
        declared = f"declared: {', '.join(chat)}" if chat else f"declare one; chat models: {models}"
        findings.add(
            path, f"is missing: {enrichment.name} needs a deployment of a chat model; {declared}", reads=[kind]
        )
    elif job.deployment not in settings.deployments:
        findings.add(
            path,
            f"{job.deployment!r} is not declared under deployments; {nearest(job.deployment, settings.deployments)}",
            reads=[("deployments",)],
        )
    elif job.deployment not in chat:
        model = settings.deployments[job.deployment].model
        findings.add(
            path,
            f"{model} makes vectors, and {enrichment.name} needs a chat model",
            reads=[kind, ("deployments", job.deployment, "model")],
        )


def notes(settings: StackSettings) -> Iterator[str]:
    """Yield what an enrichment does that a reader of the preview may not expect."""
    for name, job in settings.jobs.items():
        if job.operation.facts and job.operation.facts.needs == "chat":
            yield f"jobs.{name}: one call a row; another model, template or argument does every row again, in its place"
