"""What the engine says it does, read from its event log: the numbers of a summary and the resources of a preview."""

from __future__ import annotations

import json
import os
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# How it says that a protected resource would go (pulumi/pulumi, pkg/resource/deploy: step.go, step_generator.go).
PROTECTED = re.compile(
    r'resource "(urn:[^"]+)"(?: as part of replacing "(urn:[^"]+)")?\s(?:cannot be deleted|as it is currently marked)'
)
# The engine's names for what it does, without those that only look.
CHANGING = ("create", "update", "delete", "replace", "create-replacement", "delete-replaced")
# Those that leave nothing behind.
GOING = ("delete", "delete-replaced", "discard", "discard-replaced", "read-discard")
PROVIDERS = "pulumi:providers:"


def is_real(resource: dict[str, Any]) -> bool:
    """Tell whether a resource of the state or the log stands for something outside the engine."""
    return bool(resource.get("custom")) and not str(resource.get("type", "")).startswith("pulumi:")


def is_component(resource: dict[str, Any]) -> bool:
    """Tell whether it groups others: a component, or the stack itself."""
    return not resource.get("custom")


@dataclass
class Change:
    """One resource as the engine went over it.

    Attributes:
        operation: the engine's name for it, `same` when nothing changed.
        kind: the resource's type token.
        name: the resource's name in the program.
        inputs: what the program asked for; secrets are masked by the engine.
        before: what it asked for last time; empty for what is new.
        urn: the resource's name in the world of the engine.
        replaced_for: the inputs that make it be replaced.
        real: whether it is a resource of its own, not a component, which only groups others.
        started, ended: seconds since the epoch, whole ones, as the engine's log has them.
        done: whether the engine said that it came to its end.
    """

    operation: str
    kind: str
    name: str
    inputs: dict[str, Any]
    real: bool
    started: int
    ended: int
    before: dict[str, Any] = field(default_factory=dict)
    urn: str = ""
    replaced_for: tuple[str, ...] = ()
    done: bool = False

    @property
    def seconds(self) -> int:
        """How long it took, to the second."""
        return self.ended - self.started


@dataclass(frozen=True)
class PolicyFinding:
    """What a policy of the pack said of a resource.

    Attributes:
        policy: its id.
        denied: whether it stops the change, rather than warns.
        resource: the resource's name in the program.
        text: what is wrong and what to do.
    """

    policy: str
    denied: bool
    resource: str
    text: str


@dataclass
class Events:
    """What one run of the engine reported.

    Attributes:
        changes: each resource that it went over, by operation and URN.
        policies: what the policy pack said.
        protected: URNs of what it would have to delete or replace, and does not, because one of them is protected.
        failed: URNs of the resources whose operation failed.
        errors: what was said of each resource, by URN; what was said of none has the empty one.
        drifted: what a refresh found not to be as it was declared, by name: gone, changed or damaged.
    """

    changes: dict[tuple[str, str], Change] = field(default_factory=dict)
    policies: list[PolicyFinding] = field(default_factory=list)
    protected: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    errors: dict[str, list[str]] = field(default_factory=dict)
    drifted: dict[str, str] = field(default_factory=dict)

    def take(self, event: dict[str, Any]) -> None:
        """Take in one event of the log."""
        now = int(event.get("timestamp", 0))
        if started := event.get("resourcePreEvent"):
            data = started["metadata"]
            new = data.get("new") or data.get("old") or {}
            self.changes[data["op"], data["urn"]] = Change(
                data["op"],
                data["type"],
                data["urn"].rpartition("::")[2],
                new.get("inputs") or {},
                is_real(new),
                now,
                now,
                (data.get("old") or {}).get("inputs") or {},
                data["urn"],
                tuple(data.get("keys") or _replacing(data.get("detailedDiff") or {})),
            )
        elif failed := event.get("resOpFailedEvent"):
            self.failed.add(failed["metadata"]["urn"])
        elif policy := event.get("policyEvent"):
            self.policies.append(
                PolicyFinding(
                    policy["policyName"],
                    policy["enforcementLevel"] == "mandatory",
                    policy.get("resourceUrn", "").rpartition("::")[2],
                    policy["message"],
                )
            )
        elif said := event.get("diagnosticEvent"):
            if said.get("severity") == "error":
                self.errors.setdefault(said.get("urn", ""), []).append(said["message"])
            if refused := PROTECTED.search(said["message"]):
                self.protected += [urn for urn in refused.groups() if urn]
        elif ended := event.get("resOutputsEvent"):
            data = ended["metadata"]
            change = self.changes.get((data["op"], data["urn"]))
            if change:
                change.ended, change.done = now, True
            elif found := _drift(data):  # a refresh knows only at its end what it comes to
                self.drifted[data["urn"].rpartition("::")[2]] = found

    @property
    def settled(self) -> int:
        """How many resources of their own were changed to the end."""
        return sum(change.done and change.real and change.operation in CHANGING for change in self.changes.values())

    @property
    def counts(self) -> dict[str, int]:
        """How many resources of their own each operation touched."""
        return dict(Counter(change.operation for change in self.changes.values() if change.real))

    @property
    def standing(self) -> tuple[int, int]:
        """How many resources, and how many components, are there at the end, the stack itself among the latter."""
        last = {change.urn: change for change in self.changes.values() if change.operation not in GOING}
        real = sum(change.real for change in last.values())
        grouping = sum(not change.real and not change.kind.startswith(PROVIDERS) for change in last.values())
        return real, grouping

    def of_kind(self, suffix: str) -> list[Change]:
        """Return the resources whose type token ends so."""
        return [change for change in self.changes.values() if change.kind.endswith(suffix)]


def _drift(data: dict[str, Any]) -> str:
    """Say what a refresh found of one resource; outputs alone, such as figures of the day, are no drift."""
    old, new = data.get("old") or {}, data.get("new") or {}
    if data["op"] == "delete":
        return "gone"
    if data["op"] != "update":
        return ""
    if old.get("inputs") != new.get("inputs"):
        return "changed"
    return "damaged" if (new.get("outputs") or {}).get("damage") else ""


def _replacing(detailed: dict[str, Any]) -> list[str]:
    """Return the inputs that the program itself says to replace for: the engine names those in the diff alone."""
    return [path for path, one in detailed.items() if str(one.get("diffKind")).endswith("-replace")]


class EventPipe:
    """Reads the engine's event log through a pipe: it carries inputs in full, so it never lies on a disk."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        self.events = Events()
        self._thread = threading.Thread(target=self._read, name="events", daemon=True)
        self._thread.start()

    @property
    def path(self) -> str:
        """The name under which the engine opens its end."""
        return f"/dev/fd/{self.writing}"

    def finish(self) -> Events:
        """Close this side after the engine has ended, and return what came."""
        os.close(self.writing)
        self._thread.join(timeout=5)
        return self.events

    def _read(self) -> None:
        with os.fdopen(self._reading, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    self.events.take(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    continue  # a line that this version of the log does not explain costs a number in the summary
