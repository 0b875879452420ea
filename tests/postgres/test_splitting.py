# ruff: noqa: E501 - statements read better on one line
"""How a text is cut: where, how large, how long it takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.postgres.test_chunks import PARAGRAPHS
from tests.postgres.vector_server import VectorDatabase, VectorServer


@pytest.fixture(scope="module")
def splitter(server: VectorServer) -> Any:
    db = server.new_database()

    def split(*arguments: Any) -> Any:
        return db.value("SELECT vectorize.split(%s, %s, %s, 4)", list(arguments))

    split.tokens = lambda text: db.value("SELECT vectorize.tokens(%s, 4)", [text])  # type: ignore[attr-defined]
    yield split
    db.close()


@given(
    text=st.text(alphabet=st.sampled_from("ab  .!?\n\n\t。é漢"), max_size=3000) | st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), max_size=300),
    tokens=st.integers(16, 200),
    share=st.floats(0, 0.5),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_nothing_of_a_text_is_lost_and_no_chunk_is_too_large(
    splitter: Any, text: str, tokens: int, share: float
) -> None:
    pieces = splitter(text, tokens, 0)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    overlapping = splitter(text, tokens, int(tokens * share))
    assert all(piece.strip() for piece in pieces + overlapping)
    for piece in pieces + overlapping:
        assert splitter.tokens(piece) <= tokens or len(piece) == 1


def test_cuts_fall_on_paragraphs_then_sentences_then_words(splitter: Any) -> None:
    text = "\n\n".join(PARAGRAPHS)
    assert all(piece.startswith("Paragraph ") and piece.endswith(".") for piece in splitter(text, 60, 0))
    sentences = " ".join(PARAGRAPHS)
    assert all(piece.endswith(".") for piece in splitter(sentences, 60, 0))
    words = "word " * 500
    assert all(set(piece.split()) == {"word"} for piece in splitter(words, 20, 0))
    [first, second, *_] = splitter(text, 60, 20)
    assert (
        first.endswith(second.split(".")[0] + ". " + second.split(".")[1].strip() + ".")
        or second.split("\n")[0] in first
    )


def test_a_dense_passage_is_not_repeated_over_and_over(splitter: Any) -> None:
    text = "plain English words " * 900 + "数据库向量我们昨天在城市公园看到很多孩子一起学习历史" * 75
    pieces = splitter(text, 512, 128)
    assert all(splitter.tokens(piece) <= 512 for piece in pieces)
    assert sum(map(splitter.tokens, pieces)) < 2 * splitter.tokens(text)


def test_cutting_takes_as_long_as_the_text_is(db: VectorDatabase) -> None:
    """9 million characters take 10 to 40 seconds; with a copy of what is left for each chunk it was many minutes."""
    db.execute("SET statement_timeout = '120s'")
    text = "\n\n".join(f"{paragraph} é数 {number}" for number in range(1800) for paragraph in PARAGRAPHS)
    assert len(text) > 8_000_000
    pieces = db.value("SELECT vectorize.split(%s, 512, 0, 4)", [text])
    assert "".join("".join(pieces).split()) == "".join(text.split())
