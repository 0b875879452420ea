"""What all dynamic providers share: decoding, pure check and diff, and errors for people.

Rules of the engine that shape it: `olds` are the last outputs, so outputs echo the inputs under the same names (which
also keeps secrets secret); a provider that is pickled has no state; an exception reaches the user as it is.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from components.dynamic import engine_log
from components.dynamic.props import Props, normal, unknown
from database.connection import explained
from database.errors import DatabaseError
from database.progress import passing


class Wanted(Protocol):
    """The inputs of one resource, decoded."""

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""

    @property
    def title(self) -> str:
        """What the resource is, for errors: "extension vector in database contracts"."""


W = TypeVar("W", bound=Wanted)


class Provider(ResourceProvider, ABC, Generic[W]):
    """Base of the dynamic providers. Subclasses name their inputs and say how to make, find, change and remove.

    Attributes:
        inputs: the properties that are inputs.
        identity: paths of the inputs that say which object it is; a change of one replaces the resource.
        remarks: inputs that are recorded and shown and never cause an update.
        digested: inputs whose outputs have only `<name>Sha256`, never the value.
    """

    serialize_as_secret_always = False  # legitimate because the pickle is a reference to an importable, stateless class

    inputs: ClassVar[frozenset[str]]
    identity: ClassVar[tuple[str, ...]]
    remarks: ClassVar[frozenset[str]] = frozenset()
    digested: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def decode(self, props: Props) -> W:
        """Decode inputs, or outputs, which hold them too."""

    @abstractmethod
    def make(self, wanted: W) -> dict[str, Any]:
        """Create the object or adopt the one that is there, and return the outputs beyond the inputs."""

    @abstractmethod
    def change(self, had: Mapping[str, Any], wanted: W) -> dict[str, Any]:
        """Change the object in place, and return all outputs beyond the inputs."""

    @abstractmethod
    def find(self, had: Mapping[str, Any], wanted: W) -> dict[str, Any] | None:
        """Return outputs, inputs that drifted among them, as they are now; None when the catalog says it is gone."""

    @abstractmethod
    def remove(self, had: Mapping[str, Any], wanted: W) -> None:
        """Delete what this resource created."""

    def due(self, had: Mapping[str, Any], news: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Tell, from the last outputs alone, whether an update is due although no input changed."""
        return False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate what is known; nothing is taken from olds, so that a removed input is removed."""
        props = Props(news)
        self.decode(props)
        return CheckResult({key: news[key] for key in news if key in self.inputs}, props.failures)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare the last outputs with the inputs; opens no connection."""
        replaces = [path for path in self.identity if self._differs(_olds, _news, path)]
        if replaces:
            return DiffResult(changes=True, replaces=replaces, delete_before_replace=True)
        compared = self.inputs - self.remarks - self.digested
        if any(self._differs(_olds, _news, name) for name in compared):
            # "Unknown" makes the engine compare the inputs itself, and show which property inside them changes.
            return DiffResult(changes=None, replaces=[])
        return DiffResult(changes=self.due(_olds, _news), replaces=[])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create or adopt."""
        wanted = self._decoded(props)
        with explained(wanted.title):
            return CreateResult(wanted.resource_id, self._outs(props, self.make(wanted)))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Change in place and return every output."""
        wanted = self._decoded(_news)
        with explained(wanted.title):
            return UpdateResult(self._outs(_news, self.change(_olds, wanted)))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what is there now, inputs included; a connection that fails is an error and never "gone"."""
        wanted = self.decode(Props(props))  # tolerant: what drifted may be nothing that a check lets through
        with explained(wanted.title):
            found = self.find(props, wanted)
        if found is None:
            return ReadResult(id_="", outs={})
        outs = {key: value for key, value in {**self._known(props), **found}.items() if value is not None}
        return ReadResult(id_, outs, {key: outs[key] for key in outs if key in self.inputs})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete, but never what was adopted."""
        wanted = self.decode(Props(_props))
        with explained(wanted.title):
            self.remove(_props, wanted)

    def _decoded(self, values: Mapping[str, Any]) -> W:
        props = Props(values)
        wanted = self.decode(props)
        props.settled()
        return wanted

    def _outs(self, inputs: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        echoed = {key: inputs[key] for key in inputs if key in self.inputs - self.digested}
        return {key: value for key, value in {**echoed, **state}.items() if value is not None}

    def _known(self, props: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in props.items() if not key.startswith("__")}

    @staticmethod
    def _differs(olds: Mapping[str, Any], news: Mapping[str, Any], path: str) -> bool:
        old, new = _at(olds, path), _at(news, path)
        return unknown(new) or normal(old) != normal(new)


def _at(values: Mapping[str, Any], path: str) -> Any:
    value: Any = values
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return value  # an unknown object: whatever is inside it is unknown
        value = value.get(name)
    return value


class _WithoutExpected(logging.Filter):
    """Keeps the traceback of an expected error off the terminal: its message reaches the user through the engine."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, DatabaseError)


passing.show = engine_log.show_passing
logging.getLogger("grpc._server").addFilter(_WithoutExpected())
