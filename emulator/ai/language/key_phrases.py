"""Key phrases: runs of words between the small words and the punctuation, as in RAKE (Rose et al., 2010)."""

import re

_WORDS = """
a about above after again all also although always am an and any are as at be because been before being below
between both but by came can come could did do does doing down due during each either else ever every few for
from further get gets got had has have having he her here hers him his how however i if in into is it its itself
just last less like made make makes many may me might more most much must my no nor not now of off often on once
one only or other our out over own per quite rather really s said same she should since so some still such t
take than that the their them then there these they this those though through thus to too under until up upon us
use used uses using very via was way we well went were what when where whether which while who whom whose why
will with within without would yet you your
good great bad best nice new next
"""
SMALL_WORDS = frozenset(_WORDS.split())
_TOKEN = re.compile(r"[^\W_][\w'\u2019-]*|[^\w\s]|\n")
_MAX_WORDS = 4
_MAX_PHRASES = 25


def extract(text: str) -> list[str]:
    """Return the phrases of a text, each once, in the order in which they appear."""
    phrases: dict[str, str] = {}
    run: list[str] = []
    for token in [*_TOKEN.findall(text), "."]:
        if token[0].isalnum() and token.lower() not in SMALL_WORDS:
            run.append(token)
            continue
        # Of a longer run the end is kept, since in English the noun comes last.
        run = run[-_MAX_WORDS:]
        if any(letter.isalpha() for word in run for letter in word):
            phrase = " ".join(run)
            if len(phrase) > 2:
                phrases.setdefault(phrase.lower(), phrase)
        run = []
    return list(phrases.values())[:_MAX_PHRASES]
