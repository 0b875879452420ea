# ruff: noqa: E501 - statements read better on one line
"""A graph from tables: its labels are jobs of the engine, on PostgreSQL with the real age."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.postgres.vector_server import SUPERUSER, VectorDatabase, in_threads

TABLES = """
CREATE TABLE public.vendors (id bigint PRIMARY KEY, name text, state text NOT NULL DEFAULT 'open', rate numeric(8, 2), score float8, active boolean, extra jsonb, tags text[]);
CREATE TABLE public.contracts (id integer PRIMARY KEY, vendor_id bigint, title text);
INSERT INTO vendors SELECT g, 'Vendor ' || g, 'open', g / 4.0, g, g % 2 = 0, '{"a": [1, null]}', '{a,b}' FROM generate_series(1, 20) AS g;
INSERT INTO contracts SELECT g, 1 + g % 20, 'Contract ' || g FROM generate_series(1, 100) AS g;
"""
VENDOR = {"label": "Vendor", "properties": ["name", "rate"], "filter": "state <> 'closed'"}
SIGNED = {
    "label": "SIGNED",
    "from": {"vertex": "Vendor", "key": ["vendor_id"]},
    "to": {"vertex": "Contract", "key": ["id"]},
}


@pytest.fixture
def graph(db_debian: VectorDatabase) -> VectorDatabase:
    """Vendors, contracts, and who signed which: declared, and not loaded yet."""
    db_debian.execute(TABLES)
    db_debian.execute("CALL vectorize.define_graph('trade')")
    label(db_debian, "vertex", "vendors", VENDOR)
    label(db_debian, "vertex", "contracts", {"label": "Contract", "properties": ["title"]})
    label(db_debian, "edge", "contracts", SIGNED)
    return db_debian


def label(db: VectorDatabase, operation: str, table: str, arguments: dict[str, Any]) -> None:
    spec = {
        "name": f"trade.{arguments['label']}",
        "table": f"public.{table}",
        "operation": operation,
        "arguments": {"graph": "trade", **arguments},
    }
    db.execute("CALL vectorize.define(%s)", [Jsonb(spec)])


def cypher(conn: psycopg.Connection[Any], query: str) -> list[Any]:
    statement = f"SELECT * FROM ag_catalog.cypher('trade', $$ {query} $$) AS (answer ag_catalog.agtype)"
    return [row[0] for row in conn.execute(statement.encode()).fetchall()]


def ask(db: VectorDatabase, query: str) -> list[Any]:
    with db.connect(options="-csearch_path=public,ag_catalog") as conn:
        return cypher(conn, query)


def edges(db: VectorDatabase) -> set[tuple[str, str]]:
    rows = ask(db, "MATCH (v:Vendor)-[:SIGNED]->(c:Contract) RETURN toString(v.id) + '-' + toString(c.id)")
    return {(one, two) for one, _, two in (row.strip('"').partition("-") for row in rows)}


def wanted(db: VectorDatabase) -> set[tuple[str, str]]:
    return set(
        db.rows(
            "SELECT v.id::text, c.id::text FROM contracts AS c JOIN vendors AS v ON v.id = c.vendor_id WHERE v.state <> 'closed'"
        )
    )


def test_vertices_and_edges_are_those_of_the_tables(graph: VectorDatabase) -> None:
    graph.work()
    assert edges(graph) == wanted(graph)
    assert len(edges(graph)) == 100
    assert ask(graph, "MATCH (v:Vendor {id: 3}) RETURN v.name") == ['"Vendor 3"']
    assert graph.rows("SELECT label, written, present FROM vectorize.graph_labels('trade')") == [
        ("Contract", 100, 100),
        ("Vendor", 20, 20),
        ("SIGNED", 100, 100),
    ]
    assert graph.status("trade.SIGNED")["pending"] == 0


def test_edges_need_no_order_of_load(graph: VectorDatabase) -> None:
    """Edges first: they give ids to vertices that are not there yet."""
    for job in ("trade.SIGNED", "trade.Contract"):
        graph.work(job=job)
    assert edges(graph) == set()
    graph.work(job="trade.Vendor")
    assert edges(graph) == wanted(graph)


def test_what_changes_is_written_again_and_nothing_else(graph: VectorDatabase) -> None:
    graph.work()
    graph.execute("UPDATE vendors SET active = NOT active")  # no property
    assert graph.work()["embedded"] == 0
    graph.execute("UPDATE vendors SET name = NULL WHERE id = 1")
    graph.execute("UPDATE vendors SET state = 'closed' WHERE id = 2")
    graph.execute("UPDATE contracts SET vendor_id = 5 WHERE id = 3")
    graph.execute("UPDATE contracts SET vendor_id = NULL WHERE id = 4")
    graph.execute("DELETE FROM contracts WHERE id = 5")
    graph.execute("UPDATE contracts SET id = 1000 WHERE id = 6")
    graph.execute("INSERT INTO contracts VALUES (1001, 5, 'new'), (1002, 77, 'of nobody')")
    graph.work()
    assert edges(graph) == wanted(graph)
    assert ask(graph, "MATCH (v:Vendor {id: 1}) RETURN properties(v)") == ['{"id": 1, "rate": 0.25::numeric}']
    graph.execute("UPDATE vendors SET state = 'open' WHERE id = 2")
    graph.execute("INSERT INTO vendors (id, name) VALUES (77, 'late')")
    graph.work()
    assert edges(graph) == wanted(graph)
    graph.execute("TRUNCATE contracts")
    graph.work()
    assert edges(graph) == set()
    assert [row[1] for row in graph.rows("SELECT label, present FROM vectorize.graph_labels('trade')")] == [0, 21, 0]


def test_an_edge_deleted_by_hand_is_found_and_mended(graph: VectorDatabase) -> None:
    graph.work()
    graph.execute('DELETE FROM trade."SIGNED" WHERE ctid IN (SELECT ctid FROM trade."SIGNED" LIMIT 3)')
    assert graph.value("SELECT written - present FROM vectorize.graph_labels('trade') WHERE label = 'SIGNED'") == 3
    report = graph.value("CALL vectorize.verify('trade.SIGNED')")
    assert report == {"missing": 0, "stale": 3, "orphaned": 0, "added": 0}
    graph.work()
    assert edges(graph) == wanted(graph)


def by_hand(db: VectorDatabase, statement: str) -> None:
    """Write what the engine does not see: it is no row of a table."""
    with db.connect(options="-csearch_path=public,ag_catalog") as conn:
        assert conn.execute(statement.encode()).rowcount > 0


def everything(db: VectorDatabase) -> list[tuple[Any, ...]]:
    return db.rows(
        'SELECT concat(id), NULL, NULL, concat(properties) FROM trade."Vendor" UNION ALL '
        'SELECT concat(id), concat(start_id), concat(end_id), concat(properties) FROM trade."SIGNED" ORDER BY 1'
    )


@pytest.mark.parametrize(
    ("job", "statement"),
    [
        ("trade.Vendor", """UPDATE trade."Vendor" SET properties = '{"id": 3, "name": "x"}' WHERE properties @> '{"id": 3}'"""),
        ("trade.Vendor", """UPDATE trade."Vendor" SET properties = CAST(replace(concat(properties), '{', '{"more": 1, ') AS agtype) WHERE properties @> '{"id": 3}'"""),
        # The same number in another type: equal to age.
        ("trade.Vendor", """UPDATE trade."Vendor" SET properties = CAST(replace(concat(properties), '1.00::numeric', '1.0') AS agtype) WHERE properties @> '{"id": 4}'"""),
        ("trade.SIGNED", """UPDATE trade."SIGNED" SET properties = '{"who": "hand"}' WHERE ctid = '(0,1)'"""),
        ("trade.SIGNED", """UPDATE trade."SIGNED" SET start_id = (SELECT id FROM trade."Vendor" ORDER BY id DESC LIMIT 1) WHERE ctid = '(0,1)'"""),
        ("trade.SIGNED", """UPDATE trade."SIGNED" SET end_id = (SELECT id FROM trade."Contract" ORDER BY id DESC LIMIT 1) WHERE ctid = '(0,1)'"""),
    ],
)  # fmt: skip
def test_what_was_changed_by_hand_is_found_and_mended(graph: VectorDatabase, job: str, statement: str) -> None:
    graph.work()
    had = everything(graph)
    by_hand(graph, statement)
    assert everything(graph) != had
    assert graph.rows("SELECT label FROM vectorize.graph_labels('trade') WHERE written <> present") == []
    assert graph.value("CALL vectorize.verify(%s)", [job]) == {"missing": 0, "stale": 1, "orphaned": 0, "added": 0}
    assert graph.work()["embedded"] == 1
    assert everything(graph) == had
    assert graph.value("CALL vectorize.verify(%s)", [job]) == {"missing": 0, "stale": 0, "orphaned": 0, "added": 0}
    assert graph.work()["embedded"] == 0


def test_rows_that_wait_or_are_left_out_are_not_taken_for_changed(graph: VectorDatabase) -> None:
    graph.execute("UPDATE vendors SET state = 'closed' WHERE id = 1")
    graph.execute("UPDATE contracts SET vendor_id = 77 WHERE id = 2")  # its vertex has an id, and is not there
    graph.execute("UPDATE contracts SET vendor_id = NULL WHERE id = 3")
    graph.work()
    graph.execute("UPDATE vendors SET name = 'waits' WHERE id = 5")
    for job, waits in (("trade.Vendor", 1), ("trade.Contract", 0), ("trade.SIGNED", 0)):
        report = {"missing": 0, "stale": waits, "orphaned": 0, "added": 0}
        assert graph.value("CALL vectorize.verify(%s)", [job]) == report
    assert graph.work()["embedded"] == 1
    assert edges(graph) == wanted(graph)


def test_what_somebody_added_is_named_and_stays(graph: VectorDatabase) -> None:
    """As many as were deleted, so that the count is right."""
    graph.work()
    by_hand(graph, """DELETE FROM trade."SIGNED" WHERE ctid = '(0,1)'""")
    by_hand(
        graph,
        """INSERT INTO trade."SIGNED" (start_id, end_id, properties) SELECT start_id, end_id, '{"who": "hand"}' FROM trade."SIGNED" LIMIT 1""",
    )
    by_hand(graph, """INSERT INTO trade."Vendor" (properties) VALUES ('{"id": 3, "name": "another"}')""")
    assert graph.value("CALL vectorize.verify('trade.SIGNED')") == {"missing": 0, "stale": 1, "orphaned": 0, "added": 1}
    assert graph.notices[-1] == "job trade.SIGNED: 1 that somebody else added stay (vectorize.added_to_graph)"
    assert graph.value("CALL vectorize.verify('trade.Vendor')") == {"missing": 0, "stale": 0, "orphaned": 0, "added": 1}
    graph.work()
    added = graph.rows("SELECT label, id, properties FROM vectorize.added_to_graph('trade')")
    assert [(label, properties) for label, _, properties in added] == [
        ("Vendor", '{"id": 3, "name": "another"}'),
        ("SIGNED", '{"who": "hand"}'),
    ]
    assert ask(graph, f"MATCH ()-[e]->() WHERE id(e) = {added[1][1]} RETURN e.who") == ['"hand"']
    assert edges(graph) == wanted(graph)
    graph.execute("DELETE FROM vendors WHERE id = 9")
    graph.execute("DELETE FROM contracts WHERE vendor_id = 9")
    graph.work()
    assert graph.rows("SELECT label, id, properties FROM vectorize.added_to_graph('trade')") == added


def test_values_keep_their_types(graph: VectorDatabase) -> None:
    graph.execute(
        "INSERT INTO vendors VALUES (50, %s, 'open', 'NaN', 'Infinity', NULL, '{\"x\": \"\\\\u00e9\"}', '{\"a \\\"b\"}')",
        ['quote " \\ new\nline \x01 é $$ 🙂'],
    )
    label(
        graph,
        "vertex",
        "vendors",
        {"label": "Vendor", "properties": ["name", "rate", "score", "active", "extra", "tags"]},
    )
    graph.work()
    assert graph.status("trade.Vendor")["quarantined"] == 0
    assert ask(graph, "MATCH (v:Vendor {id: 2}) RETURN v") == [
        '{"id": 844424930131970, "label": "Vendor", "properties": {"id": 2, "name": "Vendor 2", "rate": 0.50::numeric, "tags": ["a", "b"], "extra": {"a": [1, null]}, "score": 2.0, "active": true}}::vertex'
    ]
    assert ask(graph, "MATCH (v:Vendor) WHERE v.id = 50 RETURN v.score") == ["Infinity"]
    with graph.connect(options="-csearch_path=public,ag_catalog") as conn:
        found = conn.execute(
            'SELECT (ag_catalog.agtype_access_operator(properties, \'"name"\'))::text FROM trade."Vendor" WHERE properties @> \'{"id": 50}\''
        ).fetchone()
    assert found == ('quote " \\ new\nline \x01 é $$ 🙂',)


def test_a_property_more_renders_all_rows_again(graph: VectorDatabase) -> None:
    graph.work()
    label(graph, "vertex", "contracts", {"label": "Contract", "properties": ["title", "vendor_id"]})
    assert graph.work()["embedded"] == 100
    assert edges(graph) == wanted(graph)
    assert ask(graph, "MATCH (c:Contract {id: 1}) RETURN c.vendor_id") == ["2"]


@pytest.mark.parametrize(
    ("operation", "arguments", "says"),
    [
        ("vertex", {"label": "Vendor_key"}, "arguments.label: not a name of 1 to 58"),
        ("vertex", {"label": "Contract"}, "arguments.label: job trade.Contract keeps the label Contract already"),
        ("vertex", {"label": "V", "filter": "nothing > 1"}, 'arguments.filter: column "nothing" does not exist'),
        ("vertex", {"label": "V", "filter": "id"}, "arguments.filter: argument of OR must be type boolean"),
        ("vertex", {"label": "V", "properties": ["nothing"]}, "has no column nothing"),
        (
            "edge",
            {"label": "E", "from": {"vertex": "Vendor", "key": ["name"]}, "to": {"vertex": "Vendor", "key": ["id"]}},
            "arguments.from: \\(name\\) is of type text",
        ),
        (
            "edge",
            {"label": "E", "from": {"vertex": "Vendor", "key": ["id", "id"]}, "to": {"vertex": "X", "key": ["id"]}},
            "(?s)so 1 columns name it, not 2.*the graph has no vertices X",
        ),
        ("edge", {"label": "E"}, "arguments.from: not an object of vertex"),
    ],
)
def test_mistakes_are_told(graph: VectorDatabase, operation: str, arguments: dict[str, Any], says: str) -> None:
    spec = {
        "name": "trade.new",
        "table": "public.vendors",
        "operation": operation,
        "arguments": {"graph": "trade", **arguments},
    }
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=says):
        graph.execute("CALL vectorize.define(%s)", [Jsonb(spec)])


def test_a_filter_runs_as_the_owner_of_the_table_and_never_in_a_trigger(graph: VectorDatabase) -> None:
    with graph.connect(SUPERUSER) as conn:
        conn.execute("CREATE TABLE public.seen (who text)")
        conn.execute("GRANT ALL ON public.seen TO PUBLIC")
        conn.execute(
            "CREATE FUNCTION public.tell() RETURNS boolean LANGUAGE sql AS $$ INSERT INTO public.seen VALUES (current_user) RETURNING true $$"
        )
        conn.execute(
            "CREATE ROLE table_owner LOGIN; GRANT table_owner TO deployer; ALTER TABLE public.contracts OWNER TO table_owner; GRANT USAGE, CREATE ON SCHEMA public TO table_owner"
        )
    try:
        label(graph, "vertex", "contracts", {"label": "Contract", "filter": "public.tell()"})
        graph.execute("TRUNCATE public.seen")
        graph.execute("UPDATE contracts SET title = 'x' WHERE id = 1")
        assert graph.value("SELECT count(*) FROM public.seen") == 0
        graph.work()
        assert graph.rows("SELECT DISTINCT who FROM public.seen") == [("table_owner",)]
    finally:
        with graph.connect(SUPERUSER) as conn:
            conn.execute(
                "ALTER TABLE public.contracts OWNER TO deployer; DROP OWNED BY table_owner; DROP ROLE table_owner"
            )


def test_a_reader_asks_from_a_fresh_session(graph: VectorDatabase) -> None:
    graph.work()
    with graph.connect() as conn:
        before = conn.execute("SHOW search_path").fetchone()
    with graph.connect(SUPERUSER) as conn:
        conn.execute("CREATE ROLE reader LOGIN; GRANT reader TO deployer WITH ADMIN TRUE")
    with graph.connect("reader") as conn:  # its own path is no statement
        conn.execute("SELECT set_config('search_path', 'a;create/**/table/**/public.taken()', false)")
        conn.execute(f"ALTER ROLE reader IN DATABASE {graph.name} SET search_path FROM CURRENT")
    try:
        graph.execute("CALL vectorize.define_graph('trade', '{reader}')")
        with graph.connect("reader") as conn:
            assert cypher(conn, "MATCH (:Vendor {id: 3})-[:SIGNED]->(c) RETURN count(c)") == ["5"]
            assert cypher(conn, "MATCH (:Vendor {id: 3})-[*1..2]->(c) RETURN count(c)") == ["5"]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                cypher(conn, "CREATE (v:Vendor {id: 4}) RETURN v")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute("SELECT * FROM public.vendors")
        label(graph, "vertex", "vendors", {"label": "Later"})
        with graph.connect("reader") as conn:
            assert cypher(conn, "MATCH (v:Later) RETURN v") == []
        with graph.connect() as conn:
            assert conn.execute("SHOW search_path").fetchone() == before
        assert graph.value("SELECT to_regclass('public.taken') IS NULL")
        graph.execute(f"ALTER ROLE reader IN DATABASE {graph.name} RESET search_path")
        graph.execute("CALL vectorize.define_graph('trade', '{reader}')")
        graph.execute("CALL vectorize.define_graph('trade', '{}')")
        with graph.connect("reader") as conn:
            assert conn.execute("SHOW search_path").fetchone() == before
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                cypher(conn, "MATCH (v:Vendor) RETURN v")
    finally:
        with graph.connect(SUPERUSER) as conn:
            conn.execute("DROP OWNED BY reader; DROP ROLE reader")


def test_removal_takes_what_the_engine_made_and_nothing_else(graph: VectorDatabase) -> None:
    graph.work()
    graph.execute("CALL vectorize.remove('trade.SIGNED', false)")
    assert edges(graph) == set()
    label(graph, "edge", "contracts", SIGNED)
    graph.work()
    assert edges(graph) == wanted(graph)
    graph.execute("CALL vectorize.remove_graph('trade')")
    assert len(edges(graph)) == 100  # kept
    graph.execute("CALL vectorize.define_graph('trade')")
    label(graph, "vertex", "vendors", VENDOR)
    assert graph.work()["embedded"] == 0  # by the receipts that stayed
    with graph.connect(SUPERUSER) as conn:
        conn.execute("CREATE TABLE trade.mine (id integer)")
    graph.execute("CALL vectorize.remove_graph('trade', false)")
    assert graph.value("SELECT to_regclass('trade.mine') IS NOT NULL")
    assert graph.notices[-1] == "graph trade: trade.mine stays"
    with graph.connect(SUPERUSER) as conn:
        conn.execute("DROP TABLE trade.mine")
    graph.execute("CALL vectorize.remove_graph('trade', false)")
    assert graph.value("SELECT to_regnamespace('trade') IS NULL")
    assert graph.value("SELECT count(*) FROM ag_catalog.ag_graph") == 0
    assert graph.value("SELECT count(*) FROM vectorize.job") == 0
    assert graph.value("SELECT count(*) FROM public.vendors") == 20


def test_a_schema_of_somebody_else_is_not_taken(db_debian: VectorDatabase) -> None:
    db_debian.execute("SELECT ag_catalog.create_graph('theirs')")
    with pytest.raises(
        psycopg.errors.InvalidParameterValue, match="a schema of this name that the engine did not make"
    ):
        db_debian.execute("CALL vectorize.define_graph('theirs')")


def test_without_age_it_is_told(db: VectorDatabase) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="the extension age is not installed"):
        db.execute("CALL vectorize.define_graph('trade')")


def test_workers_side_by_side_while_rows_change_and_are_compared(graph: VectorDatabase) -> None:
    """Edges in both directions, so that two workers could wait for each other in a circle."""
    label(graph, "edge", "contracts", {"label": "SIGNED_BY", "from": SIGNED["to"], "to": SIGNED["from"]})
    graph.execute("INSERT INTO contracts SELECT g, g % 700, 'c' FROM generate_series(1001, 5000) AS g")
    graph.execute("INSERT INTO vendors (id) SELECT g FROM generate_series(21, 699) AS g")

    def change() -> None:
        with graph.connect() as conn:
            for number in range(1001, 2001, 10):
                conn.execute(
                    "UPDATE contracts SET vendor_id = 1 + (vendor_id + 13) %% 700 WHERE id BETWEEN %s AND %s",
                    [number, number + 5],
                )
                conn.execute("DELETE FROM contracts WHERE id = %s", [number + 7])

    def verify() -> None:
        with graph.connect() as conn:
            for job in 2 * ("trade.Vendor", "trade.Contract", "trade.SIGNED", "trade.SIGNED_BY"):
                report = conn.execute("CALL vectorize.verify(%s)", [job]).fetchall()[0][0]
                assert report["added"] == 0

    in_threads(change, verify, lambda: graph.work_together(4))
    graph.work()
    assert edges(graph) == wanted(graph)
    back = ask(graph, "MATCH (c:Contract)-[:SIGNED_BY]->(v:Vendor) RETURN count(c)")
    assert back == [str(len(wanted(graph)))]
    assert [
        row for row in graph.rows("SELECT name, state, quarantined FROM vectorize.status") if row[1:] != ("active", 0)
    ] == []


def test_a_search_goes_on_in_the_graph(graph: VectorDatabase) -> None:
    """The contract that was meant, its vendor a hop away, that vendor's other contracts two."""
    graph.define("public.contracts", "{title}", name="contracts")
    graph.work()
    search = "SELECT key, hop, label, substring(properties FROM '%s') FROM vectorize.search_graph('trade', 'contracts', 'Contract 7', %s)"
    found = graph.rows(search % (r'"id": (\d+)', "1"))
    others = graph.rows("SELECT id::text FROM contracts WHERE vendor_id = 8 AND id <> 7 ORDER BY id")
    assert found[:2] == [({"id": 7}, 0, "Contract", "7"), ({"id": 7}, 1, "Vendor", "8")]
    assert [(row[1], row[2]) for row in found[2:]] == [(2, "Contract")] * 4
    assert {row[3] for row in found[2:]} == {other for (other,) in others}
    near = graph.rows(search % ('"name": "([^"]+)', "1, 1, '{Vendor}'"))
    assert near == [({"id": 7}, 1, "Vendor", "Vendor 8")]
    graph.execute("CREATE TABLE public.notes (id bigint PRIMARY KEY, body text)")
    graph.define("public.notes", name="notes")
    with pytest.raises(psycopg.errors.UndefinedObject, match="are no vertices of it"):
        graph.execute("SELECT * FROM vectorize.search_graph('trade', 'notes', 'x')")
