"""Draw status-watch.svg: the page of `make status ARGS=--watch` in the middle of a backfill.

Run `PYTHONPATH=. .venv/bin/python docs/images/status-watch.py` after a change; a test checks that the picture is what
this file draws.
"""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console

from tools.watch.page import page
from tools.watch.reading import Snapshot

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
THROTTLED = (
    "azure_openai.create_embeddings: 429: Requests to the Embeddings_Create Operation under Azure OpenAI API version "
    "2024-10-21 have exceeded token rate limit. Please retry after 2 seconds."
)


def _job(name: str, **values: Any) -> dict[str, Any]:
    return {
        "name": name, "state": "active", "reason": None, "empty": 0, "leased": 0, "quarantined": 0,
        "index_state": "none", "last_error": None, "last_error_at": None, **values,
    }  # fmt: skip


def snapshot() -> Snapshot:
    """Return three jobs: one in the middle, one that changes its model, one that is done."""
    jobs = [
        _job(
            "line-items", rows=48_210, embedded=17_300, empty=56, pending=30_454, leased=400, quarantined=2,
            tokens=182_340, cost_usd=Decimal("0.0036"), rows_per_second=Decimal(402), tokens_per_second=Decimal(4236),
            eta_seconds=77, last_error=THROTTLED, last_error_at=NOW - timedelta(seconds=8),
        ),
        _job(
            "statement-chunks", rows=2160, embedded=2160, pending=0, tokens=159_455, cost_usd=Decimal("0.0032"),
            rows_per_second=Decimal(11), tokens_per_second=Decimal(880), eta_seconds=0, index_state="ready",
            generation=1, next_generation=2, next_embedded=640,
        ),
        _job(
            "validation-results", rows=960, embedded=960, pending=0, tokens=11_774, cost_usd=Decimal("0.0002"),
            rows_per_second=Decimal(0), tokens_per_second=Decimal(0), eta_seconds=None, index_state="ready",
        ),
    ]  # fmt: skip
    quota = {
        "deployment": "embedding", "tokens_per_minute": 350_000, "requests_per_minute": 2100, "rate": Decimal("0.96"),
        "tokens_last_minute": 337_400, "requests_last_minute": 118, "not_before": NOW + timedelta(seconds=1),
    }  # fmt: skip
    return Snapshot(NOW, jobs, [quota])


def draw() -> str:
    """Return the picture."""
    console = Console(width=104, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(page("prod", snapshot(), now=NOW))
    drawn = console.export_svg(title="make status ARGS=--watch", unique_id="status-watch")
    # Readers have a monospaced font of their own; the picture fetches none.
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL).replace("Fira Code, ", "")


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(draw(), encoding="utf-8")
