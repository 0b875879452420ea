"""A process of its own for what embeddings cost: the daemon's gateway shares its interpreter with no computation.

A statement of a client passes through the gateway's event loop, and would wait there for the vectors of others.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any

ONLY_IDLE = "EMULATOR_MODEL_ONLY_IDLE"
"""The variable that keeps the process to processors which nobody else wants, where it is set; Linux alone."""
_NICENESS = 5  # behind PostgreSQL, which has real work to do
# Pools of threads that wait for their next piece of work by spinning, for batches of some milliseconds.
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS")


def load() -> None:
    """Load the tokenizer and the word vectors (0.7 s), which the first request would wait for; safe in any thread."""
    # Not at the top: the libraries look at their numbers of threads when they are imported.
    from emulator.ai import tokens, vectors

    tokens.load()
    vectors.load()


class OwnProcess(Executor):
    """Runs functions in one process, which starts with the first and ends with this one, however this one ends."""

    def __init__(self) -> None:
        self._pool = self._create()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function there; where the process was killed, in a new one."""
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenProcessPool:
            self._pool = self._create()
            return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the process."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    @staticmethod
    def _create() -> ProcessPoolExecutor:
        # Spawned: a fork would take the daemon's listening sockets along, and the locks of its threads.
        return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)


def _begin() -> None:
    _step_back()
    os.environ |= dict.fromkeys(_ONE_THREAD, "1")
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True, name="end-with-parent").start()


def _step_back() -> None:
    """Let PostgreSQL go first: on the service, embeddings are computed on other machines.

    However nice a process is, a statement that wakes up waits until its slice is over, some milliseconds. A process of
    Linux's idle class is interrupted at once, and stands still while others want every core (sched(7)): nothing for a
    machine that does other work too, and right where the statements beside it are measured.
    """
    if os.environ.get(ONLY_IDLE):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(_NICENESS)


def _end_with(sentinel: int) -> None:
    """End when the parent is gone; the executor's own queue would not tell, since this process holds both its ends."""
    wait([sentinel])
    os._exit(0)
