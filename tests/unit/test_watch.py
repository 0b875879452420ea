"""The page of `status --watch`: what it says of each state, and what it does without what an older engine has not."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from tools.commands.watch import Goal
from tools.watch.page import facts, line, page, percent
from tools.watch.reading import Snapshot

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


def job(**changes: Any) -> dict[str, Any]:
    """A row of vectorize.status of the first engine."""
    return {
        "name": "docs", "source": "public.docs", "state": "active", "reason": None, "rows": 1000, "embedded": 600,
        "empty": 10, "pending": 300, "leased": 90, "quarantined": 0, "changes": 0, "sweeping": True, "tokens": 60_000,
        "requests": 7, "cost_usd": Decimal("0.001200"), "rows_per_second": Decimal("412.5"),
        "tokens_per_second": Decimal("35100.2"), "eta_seconds": 75, "oldest_pending": None, "index_state": "waiting",
        "last_error": None, "last_error_at": None, **changes,
    }  # fmt: skip


def idle(**changes: Any) -> dict[str, Any]:
    done = {"embedded": 990, "pending": 0, "leased": 0, "eta_seconds": 0, "index_state": "ready"}
    return job(**{**done, **changes})


def printed(snapshot: Snapshot | None, trouble: str = "", width: int = 100, now: datetime = NOW) -> str:
    console = Console(width=width, no_color=True, highlight=False, force_terminal=False)
    with console.capture() as captured:
        console.print(page("local", snapshot, trouble, now))
    return captured.get()


def test_a_working_job_shows_its_share_speed_and_time_left() -> None:
    text = " ".join(printed(Snapshot(NOW, [job()])).split())
    assert "docs" in text
    assert "61 % 610 of 1,000 rows" in text
    assert "412 rows/s · 35,100 tokens/s · about 1 min 15 s left · 300 pending · 90 leased" in text
    assert "90 leased · 10 without text · index waiting" in text
    assert "60,000 tokens, 0.0012 USD" in text


def test_nothing_is_called_done_before_it_is() -> None:
    assert percent(job(embedded=999, empty=0, pending=1, leased=0)) == 99
    assert percent(idle(rows=0, embedded=0, empty=0)) == 100
    assert "nothing left to do" in facts(idle())
    filling = idle(generation=1, next_generation=2, next_embedded=40)
    assert "nothing left to do" not in facts(filling)
    assert "generation 2 is being filled: 40 of 1,000" in facts(filling)


def test_rows_with_an_older_vector_are_not_done() -> None:
    changed = idle(pending=3)
    assert percent(changed) == 99
    assert "997 of 1,000 rows (99 %)" in line(changed)
    assert "catching up, 3 pending" in facts(changed)
    assert "3 pending" in facts(idle(embedded=987, pending=3))  # new ones, which had none yet
    assert percent(idle(pending=2000)) == 0  # each row changed twice, and nobody looked yet
    assert percent(idle(rows=0, embedded=0, empty=0, pending=1)) == 0  # a row that was deleted
    assert percent(idle(pending=1000, next_generation=2, next_embedded=40)) == 100  # what waits is the next one's


def test_a_job_that_nobody_works_on_says_so() -> None:
    resting = job(rows_per_second=Decimal(0), tokens_per_second=Decimal(0), eta_seconds=None)
    assert facts(resting)[0] == "nothing written in the last minute"
    paused = job(state="paused", quarantined=3)
    assert "waits for `make resume`" in facts(paused)
    assert "3 in quarantine" in facts(paused)
    assert line(paused).startswith("docs: paused, 610 of 1,000 rows (61 %)")
    stopped = job(state="stopped", reason="the source table is gone: define the job on another table")
    assert "stopped: the source table is gone" in printed(Snapshot(NOW, [stopped]))


def test_quotas_are_shown_where_the_engine_has_them() -> None:
    quota = {
        "deployment": "embedding", "tokens_per_minute": 350_000, "requests_per_minute": 2100, "rate": Decimal("0.5"),
        "tokens_last_minute": 336_000, "requests_last_minute": 1050, "not_before": NOW + timedelta(seconds=3),
    }  # fmt: skip
    text = " ".join(printed(Snapshot(NOW, [job()], [quota])).split())
    assert "quota of embedding 96 % of 350,000 tokens, 50 % of 2,100 requests in the last minute" in text
    assert "slowed to 50 % after refusals, waits 3 s" in text
    calm = {**quota, "rate": Decimal(1), "not_before": None}
    assert "slowed" not in printed(Snapshot(NOW, [job()], [calm]))
    assert "quota" not in printed(Snapshot(NOW, [job()]))


def test_errors_are_told_once_and_old_ones_not_at_all() -> None:
    told = "azure_openai.create_embeddings: 429: Please retry after {}."
    several = [
        job(name="a", last_error=told.format("1 second"), last_error_at=NOW - timedelta(seconds=9)),
        job(name="b", last_error=told.format("12 seconds"), last_error_at=NOW - timedelta(seconds=4)),
        job(name="c", last_error="something else", last_error_at=NOW - timedelta(hours=3)),
    ]
    text = printed(Snapshot(NOW, several))
    assert (
        "last error of b, a, 4 s ago: azure_openai.create_embeddings: 429: Please retry after 12 seconds."
        in " ".join(text.split())
    )
    assert text.count("last error") == 1


def test_without_a_database_an_engine_or_a_job_it_says_what_is_missing() -> None:
    assert "connecting" in printed(None)
    assert "make up STACK=local" in printed(Snapshot(NOW, installed=False))
    assert "There is no job" in printed(Snapshot(NOW))
    late = printed(Snapshot(NOW, [job()]), "the database went away", now=NOW + timedelta(seconds=42))
    assert "42 s ago" in late
    assert "the database went away" in late


def test_no_part_of_a_drawn_heading_begins_with_a_blank() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(page("a-stack-with-a-rather-long-name", Snapshot(NOW, [job()]), now=NOW))
    drawn = console.export_svg(title="")
    parts = re.findall(r'<text [^>]*y="20"[^>]*>([^<]+)</text>', drawn)
    assert "".join(parts).replace("&#160;", " ").startswith("a-stack-with-a-rather-long-name at 12:00:00")
    assert not [part for part in parts if part.startswith("&#160;") and part.replace("&#160;", "")]


def test_rows_without_a_text_are_said() -> None:
    assert "10 without text" in facts(job())
    assert not [fact for fact in facts(job(empty=0)) if "without text" in fact]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    rows = [job(), job(name="a-job-with-a-rather-long-name", last_error="x" * 500, last_error_at=NOW), idle(name="z")]
    assert all(len(text) <= width for text in printed(Snapshot(NOW, rows), width=width).splitlines())


def test_waiting_ends_when_all_is_done_or_a_job_cannot_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    goal = Goal(until_done=True)
    assert goal.reached(Snapshot(NOW, [job(), idle()])) is None
    assert goal.reached(Snapshot(NOW, [idle(next_generation=2)])) is None
    assert goal.reached(Snapshot(NOW, installed=False)) is None
    assert goal.reached(Snapshot(NOW, [idle(), idle(state="paused", quarantined=2)])) == 0
    assert capsys.readouterr().err == ""
    assert goal.reached(Snapshot(NOW, [job(), idle(name="x", state="stopped", reason="no such deployment")])) == 1
    assert "Job x is stopped: no such deployment" in capsys.readouterr().err
    assert goal.reached(Snapshot(NOW, [job(state="paused")])) == 1
    assert "make resume JOB=docs" in capsys.readouterr().err
    assert Goal(until_done=False).reached(Snapshot(NOW, [idle()])) is None
