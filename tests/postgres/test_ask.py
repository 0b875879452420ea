# ruff: noqa: E501 - statements read better on one line
"""The example that answers questions about contracts: what it prints, by a role that may read and do nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from database import migrations
from tests.postgres.vector_server import Connection, VectorDatabase
from tools.places import ROOT

TABLES = migrations.ROOT / "sample" / "0001_tables.sql"
ROWS = """
    INSERT INTO vendors (name, category, country) VALUES ('Northgate', 'freight', 'PT'), ('Kestrel', 'freight', 'UK');
    INSERT INTO statements_of_work (vendor_id, number, title, starts_on, ends_on, budget)
    VALUES (1, 'SOW-1', 'Freight', '2026-01-01', '2026-12-31', 1), (2, 'SOW-2', 'Freight', '2026-01-01', '2026-12-31', 1);
    INSERT INTO statement_chunks (statement_id, position, heading, content) VALUES
    (1, 1, 'Late delivery', 'A penalty of 2 percent a week.'), (1, 2, 'Late payment', NULL),
    (2, 1, 'Late delivery', E'No penalty.\\n\\033[2J\\u202Eevil');
"""


@pytest.fixture
def reader(db: VectorDatabase) -> Iterator[Connection]:
    """A reader of the sample's tables, with three clauses, of which one is a heading alone."""
    db.execute(TABLES.read_text(encoding="utf-8"))
    db.execute(ROWS)
    db.define("public.statement_chunks", "{heading}\n{content}", name="statement-chunks")
    db.work()
    db.execute("GRANT SELECT ON vendors, statements_of_work, statement_chunks TO application")
    with db.member("application", "vectorize_reader") as connection:
        yield connection


def ask(reader: Connection, *arguments: str | bytes, **variables: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    info = reader.info
    address = {"PGHOST": info.host, "PGPORT": str(info.port), "PGUSER": info.user, "PGDATABASE": info.dbname}
    return subprocess.run(
        [sys.executable, "examples/ask.py", *arguments], cwd=ROOT, env={**own, **address, **variables},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_model_answers_from_the_clauses_and_the_sources_follow(reader: Connection) -> None:
    done = ask(reader, "What does a late delivery cost?", "--contract", "SOW-1")
    assert (done.returncode, done.stderr) == (0, "")
    answer, sources = done.stdout.split("\n\n")
    assert answer.startswith("chat, told You answer questions about contracts from the numbered clauses")
    assert sources == "[1] SOW-1, Northgate: Late delivery\n    A penalty of 2 percent a week.\n"


def test_without_a_model_the_clauses_are_the_answer(reader: Connection, db: VectorDatabase) -> None:
    db.fault("error", "azure_ai.generate: 404: The API deployment for this resource does not exist.", "Question:%")
    done = ask(reader, "penalty", "--model", "nobody")
    assert done.returncode == 0
    assert done.stderr.startswith("No answer of the model nobody, so see the clauses. azure_ai.generate: 404: ")
    assert done.stdout.startswith("[1] SOW-")
    assert "A penalty of 2 percent a week." in done.stdout


def test_what_stands_in_a_row_is_printed_as_text(reader: Connection) -> None:
    done = ask(reader, "penalty", "--contract", "SOW-2")
    assert done.stdout.endswith("[1] SOW-2, Kestrel: Late delivery\n    No penalty. [2J evil\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([" \n"], 2, "the question is empty"),
        ([b"\xff"], 2, "the question is empty"),
        (["x", "--clauses", "0"], 2, "argument --clauses: invalid choice"),
        (["x", "--contract", "SOW-1' OR true --"], 1, "There is no contract SOW-1' OR true --."),
    ],
)
def test_what_cannot_be_asked_is_refused(
    reader: Connection, arguments: list[str | bytes], code: int, said: str
) -> None:
    done = ask(reader, *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_found_is_said(reader: Connection, db: VectorDatabase) -> None:
    db.execute("DELETE FROM statement_chunks")
    done = ask(reader, "penalty")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "No clause was found.\n")


@pytest.mark.parametrize(
    "variables", [{"PGHOST": "127.0.0.1", "PGPORT": "9"}, {"PGDATABASE": "postgres"}], ids=["no server", "no engine"]
)
def test_a_database_that_cannot_be_asked_is_one_sentence(reader: Connection, variables: dict[str, str]) -> None:
    done = ask(reader, "penalty", **variables)
    assert (done.returncode, done.stdout) == (2, "")
    said, way_out = done.stderr.splitlines()
    assert said.startswith("The database cannot be asked: ")
    assert way_out == 'It connects by the variables of libpq; eval "$(python3 -m tools env)" sets them.'


def test_nothing_that_it_reads_makes_it_write(reader: Connection, db: VectorDatabase) -> None:
    db.execute("CREATE TABLE public.seen (at timestamptz); GRANT INSERT ON public.seen TO application")
    db.execute(
        "CREATE FUNCTION note() RETURNS boolean LANGUAGE sql AS 'INSERT INTO public.seen VALUES (now()) RETURNING true'"
    )
    db.execute("CREATE POLICY noted ON statement_chunks USING (note())")
    db.execute("ALTER TABLE statement_chunks ENABLE ROW LEVEL SECURITY")
    done = ask(reader, "penalty")
    assert done.returncode == 2
    assert "cannot execute INSERT in a read-only transaction" in done.stderr
