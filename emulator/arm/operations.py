"""Long-running operations: work that goes on after the answer, and what its progress looks like."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from emulator.arm.body import Json
from emulator.arm.conflicts import Conflicts
from emulator.arm.errors import ArmError, internal
from emulator.postgres.backend import BackendError
from emulator.state import StateError

_log = logging.getLogger(__name__)

MINIMUM_SECONDS = 0.03
"""How long an operation takes at least, so that a client that does not wait meets the conflict that Azure has."""

_TOLD_SECONDS = 10.0
"""How long a strict operation at most waits for its client to ask how it ended."""

_KEEP = 2000
"""How many finished operations can still be asked for."""

Work = Callable[[], Awaitable[None]]


def now() -> str:
    """Return the time as ARM writes it."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Operation:
    """One piece of work on a resource."""

    resource_id: str
    namespace: str
    location: str
    deletes: bool
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    error: ArmError | None = None
    started: str = field(default_factory=now)
    ended: str | None = None
    locks: tuple[str, ...] = ()
    done: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its locks are free again, which may be after it is done."""

    @property
    def path(self) -> str:
        """The path under a subscription at which the operation answers, without its last part's name."""
        return f"/providers/{self.namespace}/locations/{self.location}"

    def to_json(self, path: str) -> Json:
        """Return what `Azure-AsyncOperation` answers."""
        body: Json = {"id": path, "name": self.id, "status": self.status, "startTime": self.started}
        if self.ended:
            body["endTime"] = self.ended
        if self.error:
            body |= self.error.body()
        return body


class Operations:
    """The operations in progress, one at a time on each lock, and those that ended lately."""

    def __init__(self, conflicts: Conflicts | None = None) -> None:
        """Create it.

        Args:
            conflicts: Says whether a lock is held until the client has been told of the end.
        """
        self._conflicts = conflicts or Conflicts()
        self._by_id: dict[str, Operation] = {}
        self._locks: dict[str, Operation] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, operation_id: str) -> Operation | None:
        """Return an operation, or None when it is unknown or long past."""
        return self._by_id.get(operation_id)

    def holder(self, lock: str) -> Operation | None:
        """Return the operation in progress that holds a lock, or None."""
        return self._locks.get(lock.lower())

    def start(self, operation: Operation, work: Work, *locks: str) -> Operation:
        """Begin the work in the background.

        Args:
            operation: What it is about.
            work: Does it; an ArmError, or any other exception, is how it fails.
            locks: The ids on which there may be only one operation; the caller has looked at `holder` before.
        """
        self._by_id[operation.id] = operation
        operation.locks = tuple(lock.lower() for lock in locks)
        self._locks.update(dict.fromkeys(operation.locks, operation))
        while len(self._by_id) > _KEEP:
            self._by_id.pop(next(iter(self._by_id)))
        task = asyncio.create_task(self._run(operation, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return operation

    async def idle(self, lock: str) -> None:
        """Wait until no operation holds a lock."""
        while (holder := self.holder(lock)) is not None:
            await holder.released.wait()

    async def finish(self) -> None:
        """Wait for every operation in progress."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    def tell(self, operation: Operation) -> None:
        """Take note that a client is told how an operation is; when it has ended, its locks are free."""
        if operation.done.is_set():
            self._release(operation)

    def _release(self, operation: Operation) -> None:
        for lock in operation.locks:
            if self._locks.get(lock) is operation:
                del self._locks[lock]
        operation.released.set()

    async def _run(self, operation: Operation, work: Work) -> None:
        try:
            # Before the work, not after it: whoever sees the work's result must find the lock free.
            await asyncio.sleep(MINIMUM_SECONDS)
            await work()
            operation.status = "Succeeded"
        except ArmError as error:
            operation.error, operation.status = error, "Failed"
        except (BackendError, StateError) as error:
            _log.error("operation on %s failed: %s", operation.resource_id, error)
            operation.error, operation.status = internal(str(error)), "Failed"
        except Exception:  # noqa: BLE001 - logged whole
            # An operation that nobody awaits must still end, or its resource stays busy for ever.
            _log.exception("operation on %s failed", operation.resource_id)
            operation.error, operation.status = internal("The emulator's log says more."), "Failed"
        finally:
            operation.ended = now()
            operation.done.set()
            if self._conflicts.strict:
                asyncio.get_running_loop().call_later(_TOLD_SECONDS, self._release, operation)
            else:
                self._release(operation)
