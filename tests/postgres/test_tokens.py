# ruff: noqa: E501 - statements read better on one line
"""Estimated tokens: near to what cl100k counts, and nearer once calibrated by what was billed."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from database import migrations
from emulator.ai.tokens import count
from tests.postgres.vector_server import Connection, VectorDatabase

LIBRARY = Path(sysconfig.get_path("stdlib"))
CHINESE = "数据库把每一行文字变成向量。如果供应商延迟交货超过十天，每周应支付合同金额百分之二的违约金，但总额不超过百分之十五。"  # noqa: RUF001 - its own commas
JAPANESE = "データベースは各行の文章をベクトルに変換します。納品が十日以上遅れた場合、供給者は毎週、契約金額の二パーセントを支払います。"


def docstrings() -> Iterator[str]:
    """English that nobody here wrote: what the standard library says of itself."""
    for path in sorted(LIBRARY.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                text = ast.get_docstring(node)
                if text and len(text) > 200:
                    yield text


def sample(conn: Connection) -> list[str]:
    """The business English of the sample tables."""
    migrations.apply(conn, "sample", say=lambda line: None)
    return [row[0] for row in conn.execute("SELECT heading || E'\\n' || content FROM statement_chunks").fetchall()]


def estimated(db: VectorDatabase, texts: list[str]) -> int:
    return int(
        db.value("SELECT sum(vectorize.tokens(x, bytes_per_token)) FROM unnest(%s::text[]) AS x, vectorize.deployment", [texts])
    )  # fmt: skip


def test_calibrated_on_one_kind_of_english_they_hold_for_another(db: VectorDatabase) -> None:
    contracts, library = sample(db.conn), list(docstrings())
    assert len(contracts) > 1000
    assert len(library) > 1000
    for one, other in ((contracts, library), (library, contracts)):
        db.execute("UPDATE vectorize.deployment SET bytes_per_token = 4, calibration_tokens = 0")
        db.value("SELECT vectorize.calibrate('embedding', %s, %s)", [estimated(db, one), sum(count(one))])
        assert estimated(db, other) == pytest.approx(sum(count(other)), rel=0.05)


@pytest.mark.parametrize("text", [CHINESE, JAPANESE], ids=["Chinese", "Japanese"])
def test_chinese_and_japanese_are_near_without_calibration(db: VectorDatabase, text: str) -> None:
    assert estimated(db, [text]) == pytest.approx(count([text])[0], rel=0.15)


def test_code_and_indented_data_are_near_without_calibration(db: VectorDatabase) -> None:
    code = [path.read_text(encoding="utf-8")[:20_000] for path in sorted(LIBRARY.glob("a*.py"))]
    assert estimated(db, code) == pytest.approx(sum(count(code)), rel=0.12)
    wide = ["{\n" + "\n".join(f'                    "part{n}": {{"weight": {n * 37}}},' for n in range(200)) + "\n}"]
    assert estimated(db, wide) == pytest.approx(sum(count(wide)), rel=0.2)


def test_the_scale_multiplies_and_no_text_is_below_one(db: VectorDatabase) -> None:
    text = "Penalties for late delivery are capped at 15 percent. " * 20
    one, half, double = (db.value("SELECT vectorize.tokens(%s, %s)", [text, scale]) for scale in (4, 8, 2))
    assert half == pytest.approx(one / 2, abs=1)
    assert double == pytest.approx(one * 2, abs=1)
    assert db.rows("SELECT vectorize.tokens('', 4), vectorize.tokens('a', 16), vectorize.tokens(NULL, 4)") == [
        (1, 1, 1)
    ]


def scale(db: VectorDatabase) -> float:
    return 4 / float(db.value("SELECT bytes_per_token FROM vectorize.deployment"))


def test_calibration_goes_near_what_was_billed_and_not_beyond(db: VectorDatabase) -> None:
    db.execute("SELECT vectorize.calibrate('embedding', 10000, 13000)")
    assert 1.25 < scale(db) < 1.3
    assert any("13,000 tokens were billed where 10,000 were estimated" in line for line in db.notices)
    learned = scale(db)
    db.execute("SELECT vectorize.calibrate('embedding', 10, 20)")
    assert scale(db) == pytest.approx(learned, rel=0.01), "ten tokens teach little beside thirteen thousand"
    for _ in range(20):
        db.execute("SELECT vectorize.calibrate('embedding', 1000000, 100000000)")
    assert scale(db) == pytest.approx(4), "a wrong bill is no reason to estimate without limit"
    for _ in range(20):
        db.execute("SELECT vectorize.calibrate('embedding', 100000000, 1000000)")
    assert scale(db) == pytest.approx(0.25)


def test_calibration_outlives_the_next_up(db: VectorDatabase) -> None:
    db.execute("SELECT vectorize.calibrate('embedding', 10000, 12000)")
    learned = scale(db)
    db.execute("SELECT vectorize.set_deployment('embedding', 'text-embedding-3-small', 1536, 700000, 4200, 0.02)")
    assert scale(db) == learned


def test_calibration_refuses_what_teaches_nothing(db: VectorDatabase) -> None:
    for call in ("calibrate('embedding', 0, 10)", "calibrate('embedding', 10, NULL)"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="above 0"):
            db.value(f"SELECT vectorize.{call}")
    with pytest.raises(psycopg.errors.UndefinedObject, match="there is no deployment other") as refused:
        db.value("SELECT vectorize.calibrate('other', 10, 10)")
    assert refused.value.diag.message_hint == "Deployments: embedding"


def test_a_calibration_on_a_jobs_texts_is_spent_by_that_job(db: VectorDatabase) -> None:
    db.make_docs(10)
    db.value("SELECT vectorize.calibrate('embedding', 100, 110, 'docs')")
    assert db.rows("SELECT job, requests, tokens FROM vectorize.spend") == [("docs", 1, 110)]


def test_sample_texts_are_rendered_and_leave_out_the_blank(db: VectorDatabase) -> None:
    db.make_docs(50, template="{n}: {body}")
    db.execute("UPDATE docs SET body = repeat('long text ', 100) WHERE id = 7")
    db.define(name="bodies", column="other")
    db.execute("UPDATE docs SET body = ' ' WHERE id > 40")
    found = db.rows("SELECT content, tokens FROM vectorize.sample_texts('docs', 20)")
    assert len(found) == 20
    assert all(text.startswith("0: ") for text, _ in found)
    assert found == db.rows("SELECT content, tokens FROM vectorize.sample_texts('docs', 20)"), "the same ones each time"
    assert len(db.rows("SELECT * FROM vectorize.sample_texts('bodies')")) == 40


def test_sample_texts_are_shown_to_who_may_act_as_the_owner_only(db: VectorDatabase) -> None:
    db.make_docs(5)
    db.execute("GRANT USAGE ON SCHEMA vectorize TO application")
    db.execute("GRANT EXECUTE ON FUNCTION vectorize.sample_texts TO application")
    with (
        db.connect("application") as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="cannot act as it"),
    ):
        conn.execute("SELECT * FROM vectorize.sample_texts('docs')")
