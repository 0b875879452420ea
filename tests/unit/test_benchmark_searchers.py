"""B10's searchers: what fails is wrong and is told, and a searcher that does not search fails the benchmark."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Self

import psycopg
import pytest

from benchmarks import b10_model_change

ROWS = 10
WAIT_SECONDS = 10


class Database:
    """Stands in for a database and its connections: a search is answered by what it is told to do."""

    def __init__(self, answer: Callable[[int], Any]) -> None:
        self._answer = answer
        self._number = 0
        self._searched = threading.Condition()
        self._found: list[Any] = []

    def connect(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, _statement: str, parameters: list[int]) -> Any:
        with self._searched:
            self._number += 1
            number = self._number
            self._searched.notify_all()
        found = self._answer(number)
        rows = [({"id": parameters[0]}, 0.0), ({"id": -1}, 0.5), ({"id": -2}, 0.6)] if found is None else found
        return type("Cursor", (), {"fetchall": lambda _: rows})()

    def wait_for(self, searches: int) -> None:
        with self._searched:
            assert self._searched.wait_for(lambda: self._number >= searches, WAIT_SECONDS)


def searched(database: Database, searches: int, *, ended: bool = False) -> b10_model_change.Searchers:
    with b10_model_change.searching(database, ROWS) as searchers:  # type: ignore[arg-type]
        database.wait_for(searches)
        for thread in searchers._threads if ended else ():
            thread.join(WAIT_SECONDS)
    return searchers


def test_searches_that_find_their_own_text_are_right_all_the_time() -> None:
    searchers = searched(Database(lambda _: None), 50)
    assert searchers.wrong_seconds() == 0
    assert "failed" not in searchers.said()


@pytest.mark.parametrize("found", [[], [({"id": -3}, 0.0)] * 3])
def test_a_search_that_finds_nothing_or_another_row_is_wrong(found: list[Any]) -> None:
    searchers = searched(Database(lambda number: found if number == 20 else None), 50)
    assert searchers.wrong_seconds() > 0


def test_a_search_that_fails_is_wrong_and_told_and_the_searcher_goes_on() -> None:
    def answer(number: int) -> None:
        if number in (20, 21):
            raise psycopg.errors.UndefinedTable("there is no such generation\nLINE 1: ...")

    searchers = searched(Database(answer), 50)
    assert searchers.wrong_seconds() > 0
    assert searchers.errors == ["UndefinedTable: there is no such generation"] * 2
    assert "2 failed: UndefinedTable: there is no such generation" in searchers.said()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_searcher_that_died_fails_the_benchmark() -> None:
    def answer(_: int) -> None:
        raise ValueError("no error of a database")

    with pytest.raises(RuntimeError, match="searcher 0 died, searcher 1 died"):
        searched(Database(answer), 2, ended=True)


def test_a_searcher_that_made_no_search_fails_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(lambda _: None)
    begun: list[b10_model_change.Searchers] = []

    def connect() -> Database:
        while not (begun and begun[0]._stop.is_set()):
            time.sleep(0.01)
        return database

    monkeypatch.setattr(database, "connect", connect)
    with (
        pytest.raises(RuntimeError, match="searcher 0 made no search, searcher 1 made no search"),
        b10_model_change.searching(database, ROWS) as searchers,  # type: ignore[arg-type]
    ):
        begun.append(searchers)


def test_a_searcher_that_hangs_fails_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(b10_model_change, "JOIN_SECONDS", 0.05)
    answered = threading.Event()

    def answer(_: int) -> None:
        answered.wait(WAIT_SECONDS)

    database = Database(answer)
    with pytest.raises(RuntimeError, match="searcher 0 hangs in a search"):
        searched(database, 2)
    answered.set()
