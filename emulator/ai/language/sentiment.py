"""Sentiment from a lexicon of our own: words for and against, and what turns or strengthens them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.ai.language.sentences import Sentence, split

_POSITIVE_WORDS = """
accurate accepted achieved admire agree amazing appreciate approved awesome beautiful beneficial best better bonus
brilliant calm careful charming clean clear comfortable commend compliant complete confident congratulations
convenient courteous delicious delight delighted delightful dependable easy effective efficient effortless elegant
enjoy enjoyed enjoyable excellent exceptional exceed exceeded exceeds excited exciting fair fantastic fast favorite
 flawless friendly fulfilled generous glad good gorgeous grateful great happy helpful ideal impressed impressive
improved improvement incredible love loved lovely marvelous nice outstanding perfect perfectly pleasant pleased
polite positive praise praised precise productive professional prompt promptly proud punctual recommend recommended
reliable resolved respectful responsive reward safe satisfied satisfaction satisfactory smooth smoothly solid
spotless stellar strong succeed succeeded success successful superb superior supportive terrific thank
thanks thorough thoughtful timely trust trusted trustworthy useful valid valuable welcome well win wonderful worth
"""
_POSITIVE = frozenset(_POSITIVE_WORDS.split())
_NEGATIVE_WORDS = """
abandoned absent absurd abysmal angry annoyed annoying appalling awful bad badly breach breached broken careless
chaotic cheated cold complain complained complaint confused confusing corrupt costly crash crashed damage damaged
dangerous deceptive defect defective deficient delay delayed delays dirty disagree disappointed disappointing
disappointment disaster disgusting dishonest dislike dispute disputed dissatisfied error errors expensive fail
failed failing fails failure faulty fault flawed fraud frustrated frustrating frustration hate hated horrible
hostile ignored inaccurate inadequate incompetent incomplete inconsistent incorrect inferior insufficient invalid
issue issues lack lacking lacks late leak leaking lose loss lost mediocre mess misleading mismatch missed missing
mistake mistakes neglected negative noisy noncompliant outage overcharged overdue pathetic penalty penalties poor
poorly problem problems refused regret reject rejected rude ruined sad scam shortage slow sloppy sorry stale
terrible terribly threat trouble ugly unacceptable unclear uncomfortable unfair unfortunate unfortunately unhappy
unhelpful unpaid unpleasant unprofessional unreliable unresolved unresponsive unsafe unusable upset useless violated
violation waste wasted weak worse worst worthless wrong
"""
_NEGATIVE = frozenset(_NEGATIVE_WORDS.split())
_NEGATORS = frozenset(["not", "no", "never", "none", "hardly", "barely", "without", "cannot", "nothing", "neither"])
_STRENGTHENERS = frozenset(
    ["very", "really", "extremely", "absolutely", "so", "too", "highly", "completely", "totally", "incredibly"]
)
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_NEGATION_REACH = 3


@dataclass(frozen=True)
class Scores:
    """How sure the answer is of each label; they add up to 1."""

    positive: float
    neutral: float
    negative: float

    @property
    def label(self) -> str:
        """Return the label with the highest score."""
        scores = {"positive": self.positive, "neutral": self.neutral, "negative": self.negative}
        return max(scores, key=lambda name: scores[name])


@dataclass(frozen=True)
class SentenceSentiment:
    """A sentence and its scores."""

    sentence: Sentence
    scores: Scores


@dataclass(frozen=True)
class Sentiment:
    """A document's label, its scores, and those of its sentences."""

    label: str
    scores: Scores
    sentences: Sequence[SentenceSentiment]


def _weights(text: str) -> tuple[float, float]:
    """Return how much speaks for and how much against."""
    words = _WORD.findall(text.lower().replace("\u2019", "'"))
    positive = negative = 0.0
    for position, word in enumerate(words):
        if word not in _POSITIVE and word not in _NEGATIVE:
            continue
        before = words[max(0, position - _NEGATION_REACH) : position]
        weight = 1.6 if before and before[-1] in _STRENGTHENERS else 1.0
        negated = any(other in _NEGATORS or other.endswith("n't") for other in before)
        if (word in _POSITIVE) != negated:
            positive += weight
        else:
            negative += weight
    return positive, negative


def _scores(positive: float, negative: float) -> Scores:
    powers = [math.exp(2 * positive), math.exp(1.2), math.exp(2 * negative)]
    shares = [round(power / sum(powers), 2) for power in powers]
    # Two decimals, as the service sends them, and still a sum of 1.
    largest = shares.index(max(shares))
    shares[largest] = round(1 - sum(share for index, share in enumerate(shares) if index != largest), 2)
    return Scores(*shares)


def analyze(text: str) -> Sentiment:
    """Return the sentiment of an English text.

    A document is `mixed` when it has a positive and a negative sentence, else what its sentences say, neutral ones
    left aside (azure-ai-docs, "Sentiment analysis and opinion mining": sentiment labelling).
    """
    found = [SentenceSentiment(sentence, _scores(*_weights(sentence.text))) for sentence in split(text)]
    labels = {sentence.scores.label for sentence in found} or {"neutral"}
    if {"positive", "negative"} <= labels:
        label = "mixed"
    else:
        label = next((other for other in ("positive", "negative") if other in labels), "neutral")
    number = max(1, len(found))
    positive = round(sum(sentence.scores.positive for sentence in found) / number, 2)
    negative = round(sum(sentence.scores.negative for sentence in found) / number, 2)
    return Sentiment(label, Scores(positive, round(1 - positive - negative, 2), negative), found)
