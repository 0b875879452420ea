# ruff: noqa: E501 - statements read better on one line
"""Declaring jobs: what is accepted, what is refused and how it is said, what a second definition does."""

from __future__ import annotations

import psycopg
import pytest

from tests.postgres.vector_server import VectorDatabase


def problems(db: VectorDatabase, **spec: object) -> list[str]:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        db.define(**spec)  # type: ignore[arg-type]
    return str(caught.value.diag.message_primary).splitlines()[1:]


def make_table(db: VectorDatabase, columns: str = "id bigint PRIMARY KEY, body text") -> None:
    db.execute(f"CREATE TABLE public.docs ({columns})")


@pytest.mark.parametrize("target", ["column", "table"])
def test_a_job_is_defined_and_embeds_every_row(db: VectorDatabase, target: str) -> None:
    db.make_docs(250, target=target)
    assert db.work() == {"embedded": 250, "requests": 3}
    assert (db.wrong() if target == "column" else db.wrong_in_table()) == []
    status = db.status()
    assert (status["rows"], status["embedded"], status["pending"], status["leased"]) == (250, 250, 0, 0)


def test_the_same_definition_again_changes_nothing_and_says_nothing(db: VectorDatabase) -> None:
    db.make_docs(10)
    db.work()
    before = db.rows("SELECT xmin FROM docs ORDER BY id")
    db.notices.clear()
    db.define()
    assert db.notices == []
    assert db.work() == {"embedded": 0, "requests": 0}
    assert db.rows("SELECT xmin FROM docs ORDER BY id") == before


def test_every_mistake_is_named_at_once(db: VectorDatabase) -> None:
    make_table(db)
    found = problems(
        db, template="{titel}", deployment="none", column="id", dimensions=2500, index="hnsw", key=["body"]
    )
    assert [line.split(":")[0] for line in found] == ["- deployment", "- key", "- template", "- index", "- column"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"table": "public.none"}, "there is no table"),
        ({"table": "not a name("}, "there is no table"),
        ({"table": "pg_catalog.pg_class"}, "system table"),
        ({"template": "no column"}, "names no column"),
        ({"template": "{body"}, "single brace"),
        ({"template": "{embedding}"}, "has no column embedding"),
        ({"target": "row"}, "not one of column, table"),
        ({"type": "bit"}, "not one of vector, halfvec"),
        ({"distance": "far"}, "not one of cosine"),
        ({"index": "hnsw", "dimensions": 1537}, "gives 1536 or fewer"),
        ({"index": "hnsw", "index_options": {"lists": 3}}, "has m, ef_construction"),
        ({"index": "ivfflat", "index_options": {"lists": "3); DROP TABLE docs"}}, "not a whole number"),
        ({"index": "diskann"}, "pg_diskann"),
        ({"batch_size": 0}, "1 to 2048"),
        ({"batch_size": 1.5}, "1 to 2048"),
        ({"dimensions": None}, "dimensions: null"),
        ({"state": "gone"}, "not one of active, paused"),
        ({"chunks": 3}, "no such setting"),
        ({"column": ""}, "1 to 63"),
        ({"column": "ö" * 32}, "1 to 63 bytes"),
        ({"key": "id"}, "not a list"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_field(db: VectorDatabase, spec: dict[str, object], said: str) -> None:
    make_table(db)
    found = problems(db, **spec)
    assert any(said in line for line in found), found
    assert db.value("SELECT count(*) FROM vectorize.job") == 0


@pytest.mark.parametrize(
    "columns",
    [
        "id bigint, body text",
        "id bigint UNIQUE, body text",
        "id bigint NOT NULL, body text, UNIQUE (id) DEFERRABLE",
        "id bigint PRIMARY KEY DEFERRABLE, body text",
    ],
)
def test_a_key_needs_a_unique_index_that_holds_at_once(db: VectorDatabase, columns: str) -> None:
    make_table(db, columns)
    assert any(line.startswith("- key:") for line in problems(db, key=["id"]))
    db.execute("CREATE UNIQUE INDEX partial ON docs (id) WHERE id > 0")
    assert any(line.startswith("- key:") for line in problems(db, key=["id"]))


def test_limits_of_indexes_are_known_before_a_row_is_embedded(db: VectorDatabase) -> None:
    db.execute("SELECT vectorize.set_deployment('large', 'text-embedding-3-large', 3072, 1000, 6, 0.13)")
    make_table(db)
    [found] = problems(db, deployment="large", dimensions=3072, index="hnsw")
    assert "at most 2000 dimensions" in found
    assert "halfvec" in found
    db.define(deployment="large", dimensions=3072, index="hnsw", type="halfvec")


def test_a_column_that_is_there_is_adopted_when_it_fits(db: VectorDatabase) -> None:
    make_table(db, "id bigint PRIMARY KEY, body text, embedding vector(9), other vector(8)")
    assert "vector(9)" in problems(db)[0]
    db.define(column="other")
    assert "writes to public.docs.other already" in problems(db, name="second", column="other")[0]


@pytest.mark.parametrize(
    ("columns", "insert"),
    [
        ("id uuid PRIMARY KEY", "gen_random_uuid()"),
        ('id text COLLATE "C" PRIMARY KEY', "'a''b\"'||g"),
        ("id timestamptz PRIMARY KEY", "timestamptz '2026-03-29 01:59:59.123456+01' + g * interval '1 hour'"),
        ("id numeric PRIMARY KEY", "g * 1.50"),
        ("id bytea PRIMARY KEY", "decode(lpad(to_hex(g), 4, '0'), 'hex')"),
        ("id char(5) PRIMARY KEY", "g::text"),
        ("id date PRIMARY KEY", "date '2026-01-01' + g"),
        ("id int4range PRIMARY KEY", "int4range(g, g + 5)"),
    ],
)  # fmt: skip
def test_keys_are_of_any_type(db: VectorDatabase, columns: str, insert: str) -> None:
    make_table(db, f"{columns}, body text")
    db.execute(f"INSERT INTO docs SELECT {insert}, 'text ' || g FROM generate_series(1, 30) AS g")
    db.define(batch_size=7)
    with db.connect(options="-c timezone=Pacific/Auckland -c datestyle=german") as conn:
        conn.execute("CALL vectorize.work()")
        conn.execute("UPDATE docs SET body = body || '!' WHERE body LIKE '%%7'")
    db.work()
    db.execute("CALL vectorize.verify('docs')")
    assert db.notices[-1].endswith("0 missing, 0 stale, 0 orphaned")
    assert db.wrong() == []


def test_enum_domain_and_composite_keys_and_odd_names(db: VectorDatabase) -> None:
    db.execute(
        "CREATE SCHEMA \"My App\"; CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN sku AS varchar(9) CHECK (value <> '')"
    )
    db.execute(
        'CREATE TABLE "My App"."The ""Docs""" (mood mood, "Sku \'n" sku, at timestamptz, "a1" int, content text, '
        'stored boolean, PRIMARY KEY ("Sku \'n", mood, at))'
    )
    db.execute(
        'INSERT INTO "My App"."The ""Docs""" SELECT m, \'s\' || g, now() + g * interval \'1 s\', g, \'text \' || g || m, true '
        "FROM generate_series(1, 40) AS g, unnest(enum_range(NULL::mood)) AS m"
    )
    for target in ("column", "table"):
        db.define(
            '"My App"."The ""Docs"""', "{content} {mood} {{{stored}}} it's", name=target, target=target, batch_size=9
        )
    db.work()
    statement = 'UPDATE "My App"."The ""Docs""" SET content = \'new\' WHERE "a1" = 3'
    assert db.execute(statement).rowcount == 2
    assert db.work()["embedded"] == 4
    expected = db.rows(
        "SELECT d.embedding::text, azure_openai.vector_of(content || ' ' || mood || ' {true} it''s', 8)::vector::text "
        'FROM "My App"."The ""Docs""" AS d'
    )
    assert len(expected) == 80
    assert all(has == needs for has, needs in expected)
    assert db.value('SELECT count(*) FROM "My App"."The ""Docs""_embedding"') == 80
    for job in ("column", "table"):
        db.execute("CALL vectorize.verify(%s)", [job])
        assert db.notices[-1].endswith("0 missing, 0 stale, 0 orphaned")


def test_a_partitioned_source(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text) PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE docs_1 PARTITION OF docs FOR VALUES FROM (0) TO (100)")
    db.execute("CREATE TABLE docs_2 PARTITION OF docs FOR VALUES FROM (100) TO (200)")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(50, 149) AS g")
    db.define()
    db.work()
    assert db.wrong() == []
    db.execute("INSERT INTO docs_2 VALUES (199, 'straight into a partition')")
    db.execute("UPDATE docs SET id = id + 100 WHERE id < 60")
    assert db.work()["embedded"] == 11
    db.execute("TRUNCATE docs_1")
    db.work()
    assert db.wrong() == []
    assert db.status()["rows"] == db.value("SELECT count(*) FROM docs")


def test_a_new_template_embeds_every_row_again(db: VectorDatabase) -> None:
    db.make_docs(30)
    db.work()
    db.notices.clear()
    db.define(template="{id}: {body}")
    assert any("template was" in line for line in db.notices)
    assert db.work()["embedded"] == 30
    assert db.wrong(text="(id || ': ' || body)") == []


def test_a_job_does_not_change_its_table_or_the_model_under_its_vectors(db: VectorDatabase) -> None:
    db.make_docs(3)
    db.execute("CREATE TABLE others (id bigint PRIMARY KEY, body text)")
    assert "cannot become public.others in place" in problems(db, table="public.others")[0]
    with pytest.raises(psycopg.errors.ObjectInUse, match="serves job docs"):
        db.execute("SELECT vectorize.set_deployment('embedding', 'text-embedding-3-large', 3072, 1, 1, 0)")


def test_a_paused_job_estimates_and_spends_nothing(db: VectorDatabase) -> None:
    db.make_docs(200, state="paused")
    rows, tokens, requests, cost, minutes = db.rows("SELECT * FROM vectorize.estimate('docs')")[0]
    assert (rows, requests) == (200, 2)
    assert tokens == db.value("SELECT sum(ceil(length(body) / 4.0)) FROM docs")
    assert float(cost) == pytest.approx(float(tokens) * 0.02 / 1e6, abs=1e-6)
    assert minutes >= 0
    assert db.work() == {"embedded": 0, "requests": 0}
    assert db.calls() == 0
    db.execute("CALL vectorize.resume('docs')")
    assert db.work()["embedded"] == 200
    assert db.rows("SELECT rows, tokens FROM vectorize.estimate('docs')") == [(0, 0)]


def test_an_estimate_counts_the_requests_that_the_quota_makes(db: VectorDatabase) -> None:
    # 2,000 tokens a request are two seconds of this quota: of these rows about 15, where the job would allow 100.
    db.execute("SELECT vectorize.set_deployment('embedding', 'text-embedding-3-small', 1536, 60000, 600, 0.02)")
    db.make_docs(state="paused")
    db.execute("INSERT INTO docs SELECT g, rpad('text ' || g, 600, ' word') FROM generate_series(1, 60) AS g")
    rows, tokens, requests, minutes = db.rows("SELECT rows, tokens, requests, minutes FROM vectorize.estimate('docs')")[
        0
    ]
    assert rows == 60
    assert requests in {4, 5}
    assert float(minutes) == pytest.approx(float(tokens) / 60000 / 0.98, abs=0.01)
    db.execute("CALL vectorize.resume('docs')")
    assert db.work()["embedded"] == 60
    assert abs(db.calls() - requests) <= 1  # a worker learns the size of the rows as it goes


def test_define_waits_for_a_lock_briefly_and_tries_again(db: VectorDatabase) -> None:
    make_table(db)
    db.execute("INSERT INTO docs VALUES (1, 'x')")
    holder = db.connect()
    holder.autocommit = False
    holder.execute("UPDATE docs SET body = 'y'")
    with db.connect() as conn:
        conn.execute("SET lock_timeout = '50ms'")
        waiting = conn.info.backend_pid

        def release_when_waiting() -> None:
            while not db.value("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", [waiting]):
                pass
            holder.commit()

        from tests.postgres.vector_server import in_threads

        in_threads(
            lambda: (
                conn.execute(
                    'CALL vectorize.define(\'{"name": "docs", "table": "public.docs", "template": "{body}", '
                    '"deployment": "embedding", "dimensions": 8}\')'
                )
                and None
            ),
            release_when_waiting,
        )
    holder.close()
    db.work()
    assert db.wrong() == []


@pytest.mark.parametrize(("kind", "dimensions", "beside"), [("halfvec", 1536, False), ("vector", 700, True)])
def test_vectors_that_fill_a_page_of_a_side_table_stay_in_their_rows(
    db: VectorDatabase, kind: str, dimensions: int, beside: bool
) -> None:
    db.make_docs(20, target="table", type=kind, dimensions=dimensions)
    db.work()
    toast = "SELECT pg_relation_size(reltoastrelid) > 0 FROM pg_class WHERE oid = 'docs_embedding'::regclass"
    assert db.value(toast) is beside
