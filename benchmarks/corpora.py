# ruff: noqa: E501 - lists of words read better on one line
"""Texts to count tokens of: from Python's own library, from this repository, and from a generator."""

from __future__ import annotations

import ast
import random
import re
import sysconfig
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LIBRARY_FILES = 80  # of several hundred: enough texts, read in a second or two
_LEAST_CHARACTERS = 200
_MOST_CHARACTERS = 4_000

_CJK = {
    "Chinese": "数据库 向量 我们 昨天 在 城市 公园 看到 很多 孩子 一起 学习 历史 经济 发展 问题 需要 时间 解决 新的 技术 改变 生活 天气 今天 非常 好 公司 决定 "
    "明年 增加 投资 医生 建议 每天 运动 图书馆 里 安静 读书 火车 准时 到达 车站 老师 认真 回答 学生 提出",
    "Japanese": "データベース は とても 速く 動き ます 昨日 友達 と 一緒に 公園 へ 行き ました 新しい 技術 が 生活 を 変える と 思い ます 天気 の 良い 日 に 散歩 する こと "
    "好き です 会社 来年 投資 増やす 決めた 先生 学生 質問 丁寧に 答える 電車 時間 通り 着く",
    "Korean": "데이터베이스 는 매우 빠르게 움직입니다 어제 친구와 함께 공원에 갔습니다 새로운 기술이 생활을 바꾼다고 생각합니다 날씨가 좋은 날에 산책하는 것을 좋아합니다 회사는 내년에 "
    "투자를 늘리기로 결정했다 선생님은 학생의 질문에 친절하게 대답합니다 기차는 제시간에 도착합니다",
}


@cache
def _library() -> list[Path]:
    """Return some files of Python's own library, the same ones every time."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = (
        path for path in root.rglob("*.py") if not {"site-packages", "test", "tests", "dist-packages"} & set(path.parts)
    )
    ordered = sorted(files, key=lambda path: path.relative_to(root).as_posix())
    return random.Random(12).sample(ordered, min(_LIBRARY_FILES, len(ordered)))


def _parsed() -> Iterator[tuple[str, ast.Module]]:
    for path in _library():
        try:
            source = path.read_text(encoding="utf-8")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield source, ast.parse(source)
        except (SyntaxError, UnicodeDecodeError, OSError):
            continue


def docstrings() -> list[str]:
    """Return the longer docstrings of Python's library: technical prose, written by hundreds of people."""
    documented = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
    found = [
        text
        for _, tree in _parsed()
        for node in ast.walk(tree)
        if isinstance(node, documented) and (text := ast.get_docstring(node))
    ]
    return _fitting(found)


def functions() -> list[str]:
    """Return functions of Python's library as they are written."""
    found = [
        text
        for source, tree in _parsed()
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and (text := ast.get_source_segment(source, node))
    ]
    return _fitting(found)


def reference() -> list[str]:
    """Return the paragraphs of Python's language reference, as its help shows them."""
    from pydoc_data.topics import topics

    paragraphs = [paragraph for _, topic in sorted(topics.items()) for paragraph in topic.split("\n\n")]
    return _fitting([" ".join(paragraph.split()) for paragraph in paragraphs if not paragraph.startswith("   ")])


def pages() -> list[str]:
    """Return the paragraphs of this repository's pages, tables, code and lists left aside."""
    found: list[str] = []
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]):
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        found += [paragraph for paragraph in text.split("\n\n") if not re.match(r"\s*[|#<>*-]", paragraph)]
    return _fitting(found)


def _generated(language: str) -> list[str]:
    """Return texts of a language's common words in a random order; the same ones every time."""
    dice = random.Random(language)
    words = _CJK[language].split()
    space, stop = (" ", ". ") if language == "Korean" else ("", "。")
    return [
        "".join(space.join(dice.choices(words, k=dice.randint(5, 15))) + stop for _ in range(dice.randint(4, 12)))
        for _ in range(500)
    ]


def _fitting(texts: list[str]) -> list[str]:
    """Return the texts that are neither too short nor too long, in a random order that is the same every time."""
    fitting = sorted({text for text in texts if _LEAST_CHARACTERS <= len(text) <= _MOST_CHARACTERS})
    random.Random(12).shuffle(fitting)
    return fitting


ENGLISH: dict[str, Callable[[], list[str]]] = {
    "docstrings of Python's library": docstrings,
    "Python's reference": reference,
}
# The pages are few, half of their words are names of code, and they change with the project: no bar hangs on them.
OTHERS: dict[str, Callable[[], list[str]]] = {
    "pages of this repository": pages,
    "code of Python's library": functions,
    "Chinese": lambda: _generated("Chinese"),
    "Japanese": lambda: _generated("Japanese"),
    "Korean": lambda: _generated("Korean"),
}
