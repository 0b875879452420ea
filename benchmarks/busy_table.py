"""A busy table, as applications have them, and a writer that notes how long each change of a row takes."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

RATE = 100  # changes a second

# What a table of an application has: indexes on text and time, a trigger that stamps, one that keeps an audit.
TABLE = """
CREATE TABLE public.articles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n bigint NOT NULL UNIQUE, title text NOT NULL, body text,
    category text NOT NULL, views integer NOT NULL DEFAULT 0, touched timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON public.articles USING gin (to_tsvector('english', coalesce(body, '')));
CREATE INDEX ON public.articles (category, touched);
CREATE TABLE public.article_audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, article uuid, title text);
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.title <> OLD.title OR NEW.body IS DISTINCT FROM OLD.body THEN NEW.touched := now(); END IF;
        RETURN NEW;
    END $$;
CREATE TRIGGER touch BEFORE UPDATE ON public.articles FOR EACH ROW EXECUTE FUNCTION public.touch();
CREATE FUNCTION public.audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.article_audit (article, title) VALUES (NEW.id, NEW.title); RETURN NULL; END $$;
CREATE TRIGGER audit AFTER UPDATE OF title, body ON public.articles FOR EACH ROW EXECUTE FUNCTION public.audit();
"""


@dataclass
class Latencies:
    """Seconds that each of a writer's statements took, and what failed."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Return the seconds within which this share of the statements was done."""
        ordered = sorted(self.seconds)
        return round(ordered[int(share * (len(ordered) - 1))], 5)


@contextmanager
def writing(rows: int, seen: Latencies, conn: psycopg.Connection[Any], seed: int) -> Iterator[None]:
    """Let the writer change rows, of which there are so many, for the length of the block."""
    stop = threading.Event()
    writer = threading.Thread(target=_write, args=(stop, rows, seen, conn, seed))
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def _write(stop: threading.Event, rows: int, seen: Latencies, connection: psycopg.Connection[Any], seed: int) -> None:
    """Change rows at a steady rate until told to stop: every second change is one of the text."""
    chance = random.Random(seed)
    began = time.monotonic()
    for number in itertools.count():
        if stop.wait(max(0.0, began + number / RATE - time.monotonic())):
            return
        n = chance.randrange(rows)
        at = time.perf_counter()
        try:
            if number % 2:
                connection.execute("UPDATE public.articles SET views = views + 1 WHERE n = %s", [n])
            else:
                connection.execute("UPDATE public.articles SET title = title || '.' WHERE n = %s", [n])
        except psycopg.Error as error:
            seen.errors.append(str(error))
        else:
            seen.seconds.append(time.perf_counter() - at)
