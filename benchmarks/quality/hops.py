"""A set of papers that belong to each other, and of questions about them (G2); made from a seed, always the same.

Vendors' profiles, their contracts and the invoices each speak of a matter of their own (source.py), or of none. A
question names a matter: its answers are all invoices that have to do with it. They follow from how the papers were
made: where a vendor's profile speaks of the matter, the vendor's invoices are two hops away, and do not speak of it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.quality.source import ASIDES, SITES, TOPICS, Topic

SEED = 20260103
KINDS = ("invoice", "contract", "vendor")  # by the hops from an invoice
_PREFIXES = {"invoice": "INV", "contract": "CT", "vendor": "V"}
VENDORS = 70
CONTRACTS_A_VENDOR = INVOICES_A_CONTRACT = 2
ANSWERS = 8  # invoices to a question, whichever paper speaks of its matter


@dataclass(frozen=True)
class Paper:
    """A text, and the paper that it belongs to: an invoice to its contract, a contract to its vendor.

    Attributes:
        parent: the id of that, 0 for a vendor.
        topic: the name of its matter, empty where it has none.
    """

    id: int
    kind: str
    parent: int
    topic: str
    body: str


class Question(NamedTuple):
    """A question, how many hops its answers are from what speaks of it, and the ids of those invoices."""

    hops: int
    text: str
    wanted: list[int]


def papers() -> list[Paper]:
    """Return all papers, parents first; ids are in no order."""
    dice = random.Random(SEED)
    numbers = dice.sample(range(10_000, 99_999), VENDORS * (1 + CONTRACTS_A_VENDOR * (1 + INVOICES_A_CONTRACT)))
    ids = iter(dice.sample(range(1, len(numbers) + 1), len(numbers)))
    found: list[Paper] = []
    parents = [0] * VENDORS
    for hops, each in ((2, CONTRACTS_A_VENDOR), (1, INVOICES_A_CONTRACT), (0, 0)):
        speaking = _matters(hops)
        silent = len(parents) - len(speaking)
        matters = speaking + [("", dice.choice(ASIDES)) for _ in range(silent)]
        dice.shuffle(matters)
        kind = KINDS[hops]
        children: list[int] = []
        for parent, (topic, sentence) in zip(parents, matters, strict=True):
            ending = f"Reference {_PREFIXES[kind]}-{numbers[len(found)]}, {dice.choice(SITES)}."
            paper = Paper(next(ids), kind, parent, topic, f"{sentence} {dice.choice(ASIDES)} {ending}")
            found.append(paper)
            children += [paper.id] * each
        parents = children
    return found


def _topics(hops: int) -> list[Topic]:
    """Return the matters of the papers that are so many hops from invoices: no two kinds share one."""
    return TOPICS[hops :: len(KINDS)]


def _matters(hops: int) -> list[tuple[str, str]]:
    """Return what those papers say, as often as gives each question its answers."""
    invoices = (1, INVOICES_A_CONTRACT, INVOICES_A_CONTRACT * CONTRACTS_A_VENDOR)[hops]
    return [(topic.name, topic.wordings[n % 4]) for topic in _topics(hops) for n in range(ANSWERS // invoices)]


def questions(all_papers: list[Paper]) -> list[Question]:
    """Return a question a matter, with its answers."""
    by_id = {paper.id: paper for paper in all_papers}
    invoices = [paper for paper in all_papers if paper.kind == "invoice"]
    found = []
    for hops in range(len(KINDS)):
        for topic in _topics(hops):
            wanted = [invoice.id for invoice in invoices if _above(invoice, hops, by_id).topic == topic.name]
            found.append(Question(hops, topic.question, wanted))
    return found


def _above(paper: Paper, hops: int, by_id: dict[int, Paper]) -> Paper:
    """Return the paper that another belongs to, so many hops up."""
    for _ in range(hops):
        paper = by_id[paper.parent]
    return paper
