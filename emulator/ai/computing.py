"""A process of its own for what embeddings cost: the daemon's gateway shares its interpreter with no computation.

A statement of a client passes through the gateway's event loop, and would wait there for the vectors of others.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any

_NICENESS = 5  # behind PostgreSQL, which has real work to do, where the system has no idle class
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
    """Take the processor only while nobody else wants it: on the service, embeddings are computed on other machines.

    Niceness is not enough for that: a statement that wakes up waits until the slice of the process before it is over,
    some milliseconds, however nice that is; a process of the idle class it interrupts (Linux, sched(7)).
    """
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(_NICENESS)


def _end_with(sentinel: int) -> None:
    """End when the parent is gone; the executor's own queue would not tell, since this process holds both its ends."""
    wait([sentinel])
    os._exit(0)
