"""Graph over the real engine and the real age: load, second run, changes, what others did by hand, removal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.dynamic.graph import GraphProvider as Provider
from emulator.postgres.installation import Installations
from tests.postgres.vector_server import ADMINISTRATOR, VectorDatabase, VectorServer
from tests.protocol.local_server import HOST, PASSWORD, Front
from tests.protocol.plugin import Plugin, PluginError

TABLES = """
CREATE TABLE public.vendors (id bigint PRIMARY KEY, name text NOT NULL, city text);
CREATE TABLE public.contracts (id bigint PRIMARY KEY, vendor_id bigint);
INSERT INTO public.vendors SELECT g, 'Vendor ' || g, 'Ostby' FROM generate_series(1, 20) AS g;
INSERT INTO public.contracts SELECT g, 1 + g % 20 FROM generate_series(1, 100) AS g;
"""
GRAPH: dict[str, Any] = {
    "name": "trade",
    "vertices": {
        "Vendor": {"table": "public.vendors", "key": [], "properties": ["name"]},
        "Contract": {"table": "public.contracts", "key": [], "properties": []},
    },
    "edges": {
        "SIGNED": {
            "table": "public.contracts",
            "key": [],
            "properties": [],
            "from": {"vertex": "Vendor", "key": ["vendor_id"]},
            "to": {"vertex": "Contract", "key": ["id"]},
        }
    },
    "readers": [],
}
LOADED = {"Vendor": 20, "Contract": 100, "SIGNED": 100}
ADD_AN_EDGE = (
    'INSERT INTO trade."SIGNED" (start_id, end_id, properties) '
    """SELECT start_id, end_id, '{"who": "hand"}' FROM trade."SIGNED" LIMIT 1"""
)


@pytest.fixture(scope="module")
def with_age(debian: type[Installations]) -> Iterator[VectorServer]:
    running = VectorServer("17", debian, first=("age",))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def age_plugin(with_age: VectorServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    """A provider process that reaches that server by TLS, as it always does."""
    root: Path = tmp_path_factory.mktemp("front")
    front = Front(root)
    with with_age.connect("postgres") as conn:
        front.start(f"{conn.info.host}/.s.PGSQL.{conn.info.port}")
    environment = {"PGHOSTADDR": "127.0.0.1", "PGPORT": str(front.port), "PGSSLROOTCERT": str(root / "ca.pem")}
    running = Plugin(environment)
    yield running
    printed = running.stop()
    front.stop()
    assert PASSWORD not in printed
    assert "Traceback" not in printed, printed


@pytest.fixture
def db(with_age: VectorServer) -> Iterator[VectorDatabase]:
    """A database with the tables, and the engine."""
    database = with_age.new_database()
    database.execute(TABLES)
    yield database
    database.close()


@pytest.fixture
def inputs(db: VectorDatabase) -> dict[str, Any]:
    connection = {"host": HOST, "database": db.name, "user": ADMINISTRATOR, "authentication": "password"}
    rest = {"workers": 2, "timeoutSeconds": 120, "revision": 1, "removeOnDelete": True}
    return {"connection": connection, "password": PASSWORD, "graph": GRAPH, **rest}


def everything(db: VectorDatabase) -> list[tuple[Any, ...]]:
    return db.rows(
        'SELECT concat(id), NULL, NULL, concat(properties) FROM trade."Vendor" UNION ALL '
        'SELECT concat(id), concat(start_id), concat(end_id), concat(properties) FROM trade."SIGNED" ORDER BY 1'
    )


def test_from_load_to_removal(age_plugin: Plugin, db: VectorDatabase, inputs: dict[str, Any]) -> None:
    id_, outs = age_plugin.create(Provider, inputs)
    assert id_ == f"local-pg/{db.name}/graph/trade"
    assert (outs["labels"], outs["added"], outs["drift"], outs["unfinished"]) == (LOADED, {}, {}, False)
    assert not age_plugin.diff(Provider, outs, inputs).any
    _, read, read_inputs = age_plugin.read(Provider, id_, outs)
    assert read_inputs == inputs
    assert not age_plugin.diff(Provider, read, inputs).any
    had = everything(db)
    assert age_plugin.create(Provider, inputs)[1]["labels"] == LOADED  # as after a kill
    assert everything(db) == had
    age_plugin.delete(Provider, outs)
    assert db.value("SELECT to_regnamespace('trade') IS NULL")
    assert db.value("SELECT count(*) FROM public.vendors") == 20
    assert age_plugin.read(Provider, id_, outs)[0] == ""
    age_plugin.delete(Provider, outs)


def test_it_stays_where_the_stack_says_so(age_plugin: Plugin, db: VectorDatabase, inputs: dict[str, Any]) -> None:
    _, outs = age_plugin.create(Provider, {**inputs, "removeOnDelete": False})
    had = everything(db)
    age_plugin.delete(Provider, outs)
    assert everything(db) == had
    assert db.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'public.vendors'::regclass") == 0


def test_a_property_more_and_a_label_less_are_changes_in_place(
    age_plugin: Plugin, db: VectorDatabase, inputs: dict[str, Any]
) -> None:
    _, outs = age_plugin.create(Provider, inputs)
    vendor = {**GRAPH["vertices"]["Vendor"], "properties": ["name", "city"]}
    graph = {**GRAPH, "vertices": {**GRAPH["vertices"], "Vendor": vendor}, "edges": {}}
    changed = {**inputs, "graph": graph}
    diff = age_plugin.diff(Provider, outs, changed)
    assert diff.any
    assert not diff.replaces
    after = age_plugin.update(Provider, outs, changed)
    assert after["labels"] == {"Vendor": 20, "Contract": 100}
    assert db.value('SELECT count(*) FROM trade."SIGNED"') == 0
    in_ostby = """SELECT count(*) FROM trade."Vendor" WHERE strpos(concat(properties), '"city": "Ostby"') > 0"""
    assert db.value(in_ostby) == 20
    other = age_plugin.diff(Provider, outs, {**inputs, "graph": {**GRAPH, "name": "other"}})
    assert other.replaces == ["graph.name"]


def test_a_mistake_is_told(age_plugin: Plugin, inputs: dict[str, Any]) -> None:
    wrong = {**GRAPH, "vertices": {"Vendor": {**GRAPH["vertices"]["Vendor"], "filter": "nothing > 1"}}, "edges": {}}
    with pytest.raises(PluginError, match=r'arguments\.filter: column "nothing" does not exist'):
        age_plugin.create(Provider, {**inputs, "graph": wrong})


@pytest.mark.parametrize(
    "by_hand",
    [
        'DELETE FROM trade."SIGNED" WHERE ctid IN (SELECT ctid FROM trade."SIGNED" LIMIT 2)',
        'TRUNCATE trade."Vendor"',
        "CALL vectorize.pause('trade.SIGNED')",
        "CALL vectorize.remove('trade.SIGNED', false)",
        "DROP FUNCTION vectorize_jobs.sync_1 CASCADE",
    ],
)
def test_what_others_did_by_hand_is_found_and_mended(
    age_plugin: Plugin, db: VectorDatabase, inputs: dict[str, Any], by_hand: str
) -> None:
    id_, outs = age_plugin.create(Provider, inputs)
    db.execute(by_hand)
    _, read, _ = age_plugin.read(Provider, id_, outs)
    assert age_plugin.diff(Provider, read, inputs).any
    mended = age_plugin.update(Provider, read, inputs)
    assert mended["labels"] == LOADED
    _, read, read_inputs = age_plugin.read(Provider, id_, mended)
    assert read_inputs == inputs
    assert not age_plugin.diff(Provider, read, inputs).any


def test_an_edge_that_somebody_added_is_named_once_and_stays(
    age_plugin: Plugin, db: VectorDatabase, inputs: dict[str, Any]
) -> None:
    id_, outs = age_plugin.create(Provider, inputs)
    had = everything(db)
    db.execute(ADD_AN_EDGE)
    db.execute("""UPDATE trade."Vendor" SET properties = '{"name": "by hand"}' WHERE ctid = '(0,1)'""")
    _, read, _ = age_plugin.read(Provider, id_, outs)
    assert read["drift"] == {"SIGNED": 1}
    mended = age_plugin.update(Provider, read, inputs)
    assert (mended["added"], mended["labels"]) == ({"SIGNED": 1}, {**LOADED, "SIGNED": 101})
    assert [row for row in everything(db) if row[3] != '{"who": "hand"}'] == had
    _, read, _ = age_plugin.read(Provider, id_, mended)
    assert not age_plugin.diff(Provider, read, inputs).any
    db.execute("""DELETE FROM trade."SIGNED" WHERE concat(properties) = '{"who": "hand"}'""")
    _, read, _ = age_plugin.read(Provider, id_, mended)
    assert read["drift"] == {"SIGNED": -1}
    assert age_plugin.update(Provider, read, inputs)["added"] == {}


def test_revision_compares_what_no_count_shows(age_plugin: Plugin, db: VectorDatabase, inputs: dict[str, Any]) -> None:
    id_, outs = age_plugin.create(Provider, inputs)
    had = everything(db)
    db.execute("""UPDATE trade."Vendor" SET properties = '{"name": "by hand"}' WHERE ctid = '(0,1)'""")
    _, read, _ = age_plugin.read(Provider, id_, outs)
    assert not age_plugin.diff(Provider, read, inputs).any
    age_plugin.update(Provider, read, {**inputs, "revision": 2})
    assert everything(db) == had
