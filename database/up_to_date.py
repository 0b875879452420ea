"""How many of a job's rows need no more work: one number for the lines of `up`, tables, `--watch` and the console."""

from __future__ import annotations


def up_to_date(has: int, rows: int, waiting: int, *, filling: bool) -> int:
    """Return how many rows have what belongs to their present text.

    A row whose text changed keeps its older value until the new one comes, so it counts among those that have one and
    among those that wait. Changes of one row that no worker looked at yet wait one by one, so the number may be too
    small for a moment; it is never too large.

    Args:
        has: rows with a value of any age, and those without a text.
        rows: all rows.
        waiting: rows that are pending or leased.
        filling: whether a next generation is being filled. What waits is mostly its own then, and says nothing of the
            vectors that searches use.
    """
    return has if filling else max(0, min(has, rows - waiting))
