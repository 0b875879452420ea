"""SqlMigration: order, once and again, atomicity, edits, and what was dropped by hand."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from components.dynamic.access import connection_of
from components.dynamic.props import Props
from components.dynamic.sql_migration import SqlMigrationArgs
from components.dynamic.sql_migration import SqlMigrationProvider as Provider
from database import migrations
from database.connection import connect, locked
from database.errors import DatabaseError
from tests.protocol.local_server import LocalServer
from tests.protocol.plugin import Plugin


@pytest.fixture
def conn(server: LocalServer, access: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    with connect(connection_of(Props(access))) as connection:
        yield connection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "things"
    folder.mkdir()
    (folder / "0001_tables.sql").write_text("CREATE SCHEMA things; CREATE TABLE things.one (id int);")
    (folder / "0002_more.sql").write_text(
        "CREATE TABLE things.two (id int); CREATE OR REPLACE FUNCTION pg_temp.x() RETURNS int LANGUAGE sql AS 'SELECT "
        "1';"
    )
    (folder / "count.sql").write_text(
        "CREATE OR REPLACE FUNCTION things.count() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM things.one';"
    )
    return folder


def apply(conn: psycopg.Connection, folder: Path) -> list[str]:
    return migrations.apply(conn, folder.name, root=folder.parent, say=lambda _: None)


def test_once_in_order_and_again_when_changed(conn: psycopg.Connection, folder: Path) -> None:
    assert apply(conn, folder) == ["0001_tables.sql", "0002_more.sql", "count.sql"]
    assert apply(conn, folder) == []
    assert migrations.applied(conn, "things") == migrations.folder("things", folder.parent)
    (folder / "count.sql").write_text(
        "CREATE OR REPLACE FUNCTION things.count() RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint';"
    )
    (folder / "0003_index.sql").write_text("CREATE INDEX one_id ON things.one (id);")
    assert apply(conn, folder) == ["0003_index.sql", "count.sql"]
    assert conn.execute("SELECT things.count()").fetchone() == (7,)


def test_what_comes_after_runs_last_and_whenever_something_ran(conn: psycopg.Connection, folder: Path) -> None:
    (folder / "after_rights.sql").write_text(
        "GRANT USAGE ON SCHEMA things TO PUBLIC; COMMENT ON FUNCTION things.count() IS 'kept';"
    )
    assert apply(conn, folder) == ["0001_tables.sql", "0002_more.sql", "count.sql", "after_rights.sql"]
    assert apply(conn, folder) == []
    (folder / "0003_gone.sql").write_text("DROP FUNCTION things.count();")
    (folder / "count.sql").write_text("CREATE FUNCTION things.count() RETURNS integer LANGUAGE sql AS 'SELECT 7';")
    assert apply(conn, folder) == ["0003_gone.sql", "count.sql", "after_rights.sql"]
    assert conn.execute("SELECT obj_description('things.count()'::regprocedure, 'pg_proc')").fetchone() == ("kept",)
    assert migrations.applied(conn, "things") == migrations.folder("things", folder.parent)


def test_an_edit_of_an_applied_file_is_refused(conn: psycopg.Connection, folder: Path) -> None:
    apply(conn, folder)
    (folder / "0001_tables.sql").write_text("CREATE SCHEMA things; -- edited")
    with pytest.raises(DatabaseError, match=r"0001_tables\.sql was edited after it was applied"):
        apply(conn, folder)


def test_a_database_that_is_newer_is_refused(conn: psycopg.Connection, folder: Path) -> None:
    apply(conn, folder)
    (folder / "0002_more.sql").unlink()
    with pytest.raises(DatabaseError, match="brought up by a newer version of this program"):
        apply(conn, folder)


def test_a_failure_keeps_nothing_and_names_the_line(conn: psycopg.Connection, folder: Path) -> None:
    (folder / "0002_more.sql").write_text("SELECT 1;\nSELECT 2;\nSELECT * FROM missing;\n")
    with pytest.raises(DatabaseError, match=r"sql/things/0002_more\.sql, line 3: relation .* does not exist"):
        apply(conn, folder)
    assert conn.execute("SELECT to_regnamespace('things')").fetchone() == (None,)
    assert migrations.applied(conn, "things") is None


def test_what_was_dropped_by_hand_is_found_and_mended(conn: psycopg.Connection, folder: Path) -> None:
    apply(conn, folder)
    conn.execute("DROP FUNCTION things.count()")
    assert [file.name for file in migrations.applied(conn, "things") or []] == ["0001_tables.sql", "0002_more.sql"]
    assert apply(conn, folder) == ["count.sql"]
    conn.execute("DROP TABLE things.one")
    with pytest.raises(DatabaseError, match=r"relation things\.one of sql/things/0001_tables\.sql was dropped by hand"):
        apply(conn, folder)
    conn.execute("DROP SCHEMA things CASCADE")
    assert migrations.applied(conn, "things") is None
    assert apply(conn, folder) == ["0001_tables.sql", "0002_more.sql", "count.sql"]


def test_a_later_file_may_drop_what_an_earlier_made(conn: psycopg.Connection, folder: Path) -> None:
    (folder / "0003_drop.sql").write_text("DROP TABLE things.two;")
    apply(conn, folder)
    assert apply(conn, folder) == []
    assert len(migrations.applied(conn, "things") or []) == 4


def test_the_sample_through_the_engine_s_protocol(
    plugin: Plugin, server: LocalServer, database: str, access: dict[str, Any]
) -> None:
    args = SqlMigrationArgs.for_folder("sample", **access)
    news = {**access, "folder": "sample", "files": args.files}
    id_, outs = plugin.create(Provider, news)
    assert id_ == f"local-pg/{database}/sql/sample"
    assert outs["applied"] == [file["name"] for file in args.files]  # type: ignore[union-attr]
    assert not plugin.diff(Provider, outs, news).any
    assert plugin.read(Provider, id_, outs) == (id_, outs, news)
    assert plugin.create(Provider, news) == (id_, outs)
    with server.superuser(database) as conn:
        conn.execute("UPDATE migrations.applied SET sha256 = 'other' WHERE name = '0002_data.sql'")
    _, read, _ = plugin.read(Provider, id_, outs)
    assert plugin.diff(Provider, read, news).any
    plugin.delete(Provider, outs)
    with server.superuser(database) as conn:
        assert conn.execute("SELECT count(*) > 1000 FROM public.line_items").fetchone() == (True,)
        conn.execute("DROP SCHEMA migrations CASCADE")
    assert plugin.read(Provider, id_, outs)[0] == ""


def test_an_unknown_folder_names_those_there_are() -> None:
    with pytest.raises(DatabaseError, match=r"no SQL folder named ../etc: the folders are .*sample"):
        migrations.folder("../etc")


def test_two_programs_do_not_apply_at_the_same_time(
    conn: psycopg.Connection, access: dict[str, Any], folder: Path
) -> None:
    """Without the lock, both would begin with the first file, and one would fail on the other's schema."""
    with (
        connect(connection_of(Props(access))) as holder,
        locked(holder, "migrations"),
        pytest.raises(DatabaseError, match="another session has been changing migrations in database"),
    ):
        migrations.apply(conn, folder.name, root=folder.parent, timeout_seconds=0)
    assert conn.execute("SELECT to_regnamespace('things')").fetchone() == (None,)
    (folder / "0001_tables.sql").write_text(
        "SELECT pg_sleep(0.3); CREATE SCHEMA things; CREATE TABLE things.one (id int);"
    )
    with connect(connection_of(Props(access))) as other, ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(lambda session: apply(session, folder), (conn, other)))
    assert sorted(map(len, ran)) == [0, 3]


def test_a_program_knows_whether_it_fits_the_database(conn: psycopg.Connection, folder: Path) -> None:
    def mismatch() -> str | None:
        return migrations.mismatch(conn, "things", root=folder.parent)

    assert "run `pulumi up` first" in str(mismatch())
    apply(conn, folder)
    assert mismatch() is None
    (folder / "count.sql").write_text("SELECT 1")
    assert mismatch() is None
    (folder / "0003_more.sql").write_text("SELECT 1")
    assert "lacks 0003_more.sql of sql/things" in str(mismatch())
    (folder / "0002_more.sql").unlink()
    assert "has 0002_more.sql of sql/things, which this program does not have" in str(mismatch())
