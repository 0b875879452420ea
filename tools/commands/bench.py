"""`bench`: the benchmarks of the engine, on a server of their own."""

from __future__ import annotations

from tools import display
from tools.failure import Failure


def bench(only: str, runs: int | None, *, quick: bool, as_json: bool) -> int:
    """Run benchmarks and print what they found.

    Returns:
        0; 1 where one could not be run.

    Raises:
        Failure: there is no such benchmark.
    """
    from benchmarks import command

    try:
        return command.main(only, runs, display.console(), quick=quick, as_json=as_json)
    except ValueError as error:
        raise Failure(f"{error}.", 'Name them as in: make bench ARGS="--only B1,B6".') from None
