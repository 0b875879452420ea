# ruff: noqa: E501 - statements read better on one line
"""Keys of any type, names of any kind, owners of any name."""

from __future__ import annotations

import psycopg
import pytest

from tests.postgres.promise import settled
from tests.postgres.vector_server import SUPERUSER, VectorDatabase

# A key's columns, an expression for each over g, and an update that changes keys.
KEYS = {
    "uuid": ("id uuid", "lpad(g::text, 32, '0')::uuid", "id = gen_random_uuid()"),
    "text": ("id text", "chr(64 + g) || ' ''\"\\'", "id = lower(id) || 'x'"),
    "text C": ('id text COLLATE "C"', "chr(64 + g)", "id = lower(id)"),
    "text of another collation": ('id text COLLATE "POSIX"', "chr(64 + g) || 'ß'", "id = lower(id)"),
    "varchar": ("id varchar(7)", "'k' || g", "id = 'r' || substr(id, 2)"),
    "bpchar": ("id char(6)", "'k' || g", "id = 'r' || substr(id, 2)"),
    '"char"': ('id "char"', 'chr(64 + g)::"char"', 'id = lower(id::text)::"char"'),
    "name": ("id name", "'n' || g", "id = 'm' || id"),
    "smallint": ("id smallint", "g", "id = -id"),
    "numeric": ("id numeric", "g * 1.50", "id = -id"),
    "float8": ("id float8", "CASE g WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE g * 0.1 END", "id = id * 1000 WHERE id > 0"),
    "boolean and int": ("id boolean, n int", "g % 2 = 0, g", "id = NOT id"),
    "bytea": ("id bytea", "decode(lpad(to_hex(g), 4, '0'), 'hex')", "id = id || '\\x00'"),
    "date": ("id date", "date '2026-01-01' + g", "id = id + 1000"),
    "date with infinity": ("id date", "CASE g WHEN 1 THEN date 'infinity' ELSE date '0001-01-01 BC' + g END", "id = date '2026-01-01' + 1 WHERE id = 'infinity'"),
    "timestamptz": ("id timestamptz", "timestamptz '2026-03-29 00:59:59.123456+01' + g * interval '10 min'", "id = id + interval '1 year'"),
    "timestamp": ("id timestamp", "timestamp '2026-03-29 01:59:59.1' + g * interval '1 us'", "id = id + interval '1 year'"),
    "time": ("id timetz", "timetz '10:00+01' + g * interval '1 min'", "id = id + interval '5 hours'"),
    "interval": ("id interval", "g * interval '1 day 1 hour'", "id = id + interval '1 year'"),
    "inet": ("id inet", "'10.0.0.0/24'::inet + g", "id = id + 100"),
    "macaddr": ("id macaddr", "('08:00:2b:01:02:' || lpad(to_hex(g), 2, '0'))::macaddr", "id = ~id"),
    "bit": ("id bit(8)", "g::bit(8)", "id = ~id"),
    "enum": ("id mood, n int", "(enum_range(NULL::mood))[1 + g % 2], g", "id = 'glad'"),
    "domain": ("id sku", "'s' || g", "id = 't' || id"),
    "domain of a domain": ("id fine_sku", "'s' || g", "id = 't' || id"),
    "range": ("id int4range", "int4range(g, g + 5)", "id = int4range(lower(id) + 1000, upper(id) + 1000)"),
    "multirange": ("id int4multirange", "int4multirange(int4range(g, g + 5))", "id = int4multirange(int4range(g_of(body) + 1000, NULL))"),
    "jsonb": ("id jsonb", "jsonb_build_object('b', g, 'a', 1.0)", "id = id || '{\"c\": 1}'"),
    "an extension's": ("id vector(2)", "('[' || g || ',1]')::vector", "id = id + '[1000,0]'"),
    "three columns": ('a text, "B c" timestamptz, n numeric', "'k' || g % 3, timestamptz '2026-01-01 00:00+00' + g * interval '1 day', g / 2.0", "a = a || 'x', n = -n"),
    "words of the engine": ("version int, ord int, lease text, k2 int, content int", "g, g + 1, 'l' || g, g, g", "k2 = -k2, ord = -ord"),
}  # fmt: skip

TYPES = (
    "CREATE TYPE mood AS ENUM ('sad', 'so', 'glad'); CREATE DOMAIN sku AS varchar(9) CHECK (value <> ''); "
    "CREATE DOMAIN fine_sku AS sku CHECK (value <> 'x'); "
    "CREATE FUNCTION g_of(text) RETURNS int LANGUAGE sql IMMUTABLE AS $$SELECT (regexp_match($1, '\\d+'))[1]::int$$"
)


def names(columns: str) -> str:
    """Return the names out of column definitions that hold no comma."""
    return ", ".join(
        c.strip().split('"')[1].join('""') if c.strip().startswith('"') else c.split()[0] for c in columns.split(",")
    )


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_of_any_type_is_followed_through_every_change(db: VectorDatabase, kind: str) -> None:
    columns, values, change = KEYS[kind]
    db.execute(TYPES)
    db.execute(f"CREATE TABLE docs ({columns}, body text, PRIMARY KEY ({names(columns)}))")
    db.execute(f"INSERT INTO docs SELECT {values}, 'text ' || g FROM generate_series(1, 12) AS g")
    for target in ("column", "table"):
        db.define(name=target, target=target, batch_size=5)
    with db.connect(
        options="-c timezone=Pacific/Auckland -c datestyle=german -c intervalstyle=sql_standard -c bytea_output=escape"
    ) as conn:
        assert conn.execute("CALL vectorize.work()").fetchone() == ({"embedded": 24, "requests": 6},)
        conn.execute("UPDATE docs SET body = body || '!' WHERE body LIKE '%7'")
        conn.execute("DELETE FROM docs WHERE body = 'text 5'")
    assert db.execute(f"UPDATE docs SET {change}").rowcount >= 1
    db.execute(f"INSERT INTO docs SELECT {values}, 'text ' || g FROM generate_series(20, 22) AS g")
    with db.connect(SUPERUSER) as conn:  # a sweep in pages of two, so that each begins after a key
        conn.execute("SELECT vectorize.restart_sweep(id) FROM vectorize.job")
        for job in (1, 2):
            while conn.execute("SELECT more FROM vectorize.feed(%s, 2)", [job]).fetchone() == (True,):
                pass
    db.work()
    for target in ("column", "table"):
        settled(db, job=target)
        assert len(db.rows("SELECT key FROM vectorize.search(%s, 'text 3', 100)", [target])) == 14


def test_a_key_of_a_collation_that_folds_case(db_debian: VectorDatabase) -> None:
    db = db_debian
    db.execute("CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    db.execute("CREATE TABLE docs (id text COLLATE nocase PRIMARY KEY, body text)")
    db.execute("INSERT INTO docs SELECT 'K' || g, 'text ' || g FROM generate_series(1, 12) AS g")
    db.define()
    db.work()
    db.execute("UPDATE docs SET id = lower(id), body = 'Text' WHERE id = 'k3'")
    db.work()
    settled(db)


def test_a_citext_key(db_debian: VectorDatabase) -> None:
    db = db_debian
    with db.connect(SUPERUSER) as conn:
        conn.execute("CREATE EXTENSION citext")
    db.execute("CREATE TABLE docs (id citext PRIMARY KEY, body citext)")
    db.execute("INSERT INTO docs SELECT 'K' || g, 'text ' || g FROM generate_series(1, 12) AS g")
    db.define()
    db.work()
    db.execute("UPDATE docs SET id = lower(id::text)::citext, body = 'Text' WHERE id = 'k3'")
    db.work()
    settled(db, text="body::text")


def touched(db: VectorDatabase, kept: str, moved: str) -> None:
    """An update that keeps the key notes nothing, one that moves it notes both; neither is a doubt."""
    noted = "SELECT count(*) FROM vectorize_jobs.change_1"
    doubts = "SELECT count(*) FROM vectorize.doubt"
    db.execute(f"UPDATE docs SET {kept}")
    assert (db.value(noted), db.value(doubts)) == (0, 0)
    assert db.execute(f"UPDATE docs SET {moved}").rowcount == 1
    assert (db.value(noted), db.value(doubts)) == (2, 0)
    db.work()


@pytest.mark.parametrize("target", ["column", "table"])
@pytest.mark.parametrize(
    ("extension", "key", "value", "moved"),
    [
        ("ltree", "ltree", "('a.k' || g)::ltree", "id = id || 'x' WHERE id = 'a.k3'"),
        ("ltree", "of_ltree", "('a.k' || g)::ltree", "id = id || 'x' WHERE id = 'a.k3'"),
        ("isn", "issn", "('143658' || g || '?')::issn", "id = '0000000?' WHERE body = 'text 3'"),
        ("citext", "citext", "'K' || g", "id = 'other' WHERE id = 'k3'"),
    ],
)
@pytest.mark.parametrize("schema", ["public", "elsewhere"])
def test_a_key_of_an_extension_s_type_raises_no_doubt(
    db_debian: VectorDatabase, schema: str, extension: str, key: str, value: str, moved: str, target: str
) -> None:
    db = db_debian
    db.execute("CREATE SCHEMA IF NOT EXISTS elsewhere; GRANT USAGE ON SCHEMA elsewhere TO vectorize_owner")
    with db.connect(SUPERUSER) as conn:
        conn.execute(f"CREATE EXTENSION {extension} SCHEMA {schema}".encode())
    db.execute("SET search_path = public, elsewhere")
    if key == "of_ltree":
        db.execute("CREATE DOMAIN of_ltree AS ltree")
    db.execute(f"CREATE TABLE docs (id {key} PRIMARY KEY, body text, n int)")
    db.execute(f"INSERT INTO docs SELECT {value}, 'text ' || g, 0 FROM generate_series(1, 9) AS g")
    db.define(target=target)
    db.work()
    touched(db, "n = 1", moved)
    settled(db)


def test_a_key_of_vectors_raises_no_doubt(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id vector(2), part text, body text, n int, PRIMARY KEY (id, part))")
    db.execute(
        "INSERT INTO docs SELECT ('[' || g || ',1]')::vector, 'p', 'text ' || g, 0 FROM generate_series(1, 9) AS g"
    )
    db.define()
    db.work()
    touched(db, "n = 1, id = id + '[0,0]'", "id = id + '[1000,0]' WHERE id = '[3,1]'")
    settled(db)


ODD = '"Ünï ""code"" {x} %s $1; --"'
LONG = '"' + "L" * 63 + '"'


@pytest.mark.parametrize("name", [ODD, LONG, '"select"', '"1"', '"ä.b"', '"ab\\"'])
@pytest.mark.parametrize("target", ["column", "table"])
def test_names_of_any_kind(db: VectorDatabase, name: str, target: str) -> None:
    """Schema, table, key, text and vector column, all of one name where they may be."""
    other = '"' + name.strip('"')[:-1] + '2"' if name == LONG else name.rstrip('"') + '2"'
    db.execute(f"CREATE SCHEMA {name}")
    table = f"{name}.{name}"
    db.execute(f"CREATE TABLE {table} ({name} int PRIMARY KEY, {other} text, n int)")
    db.execute(f"INSERT INTO {table} SELECT g, 'text ' || g, 0 FROM generate_series(1, 6) AS g")
    plain = other.strip('"').replace('""', '"')
    if "{" in plain:
        db.execute(f"ALTER TABLE {table} RENAME COLUMN {other} TO body")
        other = plain = "body"
    db.define(table, "{" + plain + "}", target=target, column="Vec tör", index="hnsw")
    db.work()
    db.execute(f"UPDATE {table} SET {other} = {other} || '!' WHERE {name} = 1")
    db.execute(f"UPDATE {table} SET {name} = 100 WHERE {name} = 2")
    db.execute(f"DELETE FROM {table} WHERE {name} = 3")
    db.work()
    settled(db, table, text=other)
    for (statement,) in db.rows("SELECT statement FROM vectorize.next_maintenance()"):
        db.execute(statement)
    assert db.status()["index_state"] == "ready"
    assert len(db.rows("SELECT key FROM vectorize.search('docs', 'text 4', 9)")) == 5
    db.execute("CALL vectorize.remove('docs', false)")
    assert db.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ '^vectorize'") == 0


@pytest.mark.parametrize("owner", ["alice@contoso.com", "Big Role", "select"])
def test_an_owner_of_any_name_defines_twice(db: VectorDatabase, owner: str) -> None:
    with db.connect(SUPERUSER) as conn:
        conn.execute(f'CREATE ROLE "{owner}" ROLE deployer'.encode())
        conn.execute(f'GRANT CREATE ON SCHEMA public TO "{owner}"'.encode())
    try:
        db.execute(f'SET ROLE "{owner}"')
        db.execute("CREATE TABLE docs (id int PRIMARY KEY, body text)")
        db.execute("INSERT INTO docs VALUES (1, 'x')")
        db.execute("RESET ROLE")
        for template in ("{body}", "{id} {body}"):
            db.define(template=template)
            db.work()
        settled(db, text="id || ' ' || body")
        db.execute("CALL vectorize.remove('docs', false)")
        db.execute("DROP TABLE docs")
    finally:
        with db.connect(SUPERUSER) as conn:
            conn.execute(f'DROP OWNED BY "{owner}" CASCADE; DROP ROLE "{owner}"'.encode())


@pytest.mark.parametrize(
    ("column", "said"), [("id int[]", "the array type integer"), ("id pair", "the composite type")]
)
def test_a_key_that_is_many_values_is_refused(db: VectorDatabase, column: str, said: str) -> None:
    db.execute("CREATE TYPE pair AS (a int, b int)")
    db.execute(f"CREATE TABLE docs ({column} PRIMARY KEY, body text)")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=said):
        db.define()
