"""Measures of a ranking against grades."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def ndcg(found: Sequence[int], grades: Mapping[int, int], k: int = 10) -> float:
    """Return the discounted gain of the first `k`, as a share of the best possible one; gain is 2^grade - 1.

    Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002; the exponential gain is
    that of Burges et al., 2005.
    """

    def gain(ranked: Sequence[int]) -> float:
        return math.fsum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(ranked[:k]))

    best = gain(sorted(grades.values(), reverse=True))
    return gain([grades.get(document, 0) for document in found]) / best if best else 0.0


def recall(found: Sequence[int], wanted: Sequence[int], k: int = 10) -> float:
    """Return the share of the wanted ones among the first `k`; of more than `k` wanted, `k` are all."""
    return len(set(found[:k]) & set(wanted)) / min(k, len(wanted)) if wanted else 0.0
