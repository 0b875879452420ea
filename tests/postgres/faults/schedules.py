"""What random schedules share: workers that go from gate to gate, and how one is drawn, run and shrunk."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings

from tests.postgres.faults.drill import FaultDatabase, Worker

Test = Callable[..., None]


@dataclass
class Workers:
    """A database and its workers, each of which stops at its gates."""

    db: FaultDatabase
    workers: list[Worker] = field(default_factory=list)

    def step(self, which: int, times: int) -> None:
        """Let a worker go on to its next gates."""
        for _ in range(times):
            if which < len(self.workers) and self.workers[which].step() is None and self.workers[which].ended:
                self.workers.pop(which).finish()

    def let_go(self) -> None:
        """Let all workers run to their end."""
        for worker in self.workers:
            worker.open()
        while self.workers:
            self.workers.pop().finish()

    @contextmanager
    def run(self, drawn: str) -> Iterator[None]:
        """Say what was drawn when the block fails; end the workers and drop the database in any case."""
        try:
            yield
        except Exception:
            print(f"broken by {drawn}")  # the last of these is the shortest, even when time runs out
            raise
        finally:
            for worker in self.workers:
                if not worker.ended:
                    worker.terminate()
            self.db.close()


def drawn_by(dice: random.Random, examples: int) -> Callable[[Test], Test]:
    """Return a decorator that runs a test of `given` so often, by the dice, and shrinks what breaks it."""

    def decorate(test: Any) -> Any:
        return seed(dice.randrange(2**32))(
            settings(
                max_examples=examples,
                deadline=None,
                derandomize=False,
                print_blob=True,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            )(test)
        )

    return decorate
