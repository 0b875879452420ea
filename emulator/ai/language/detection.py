"""Which language a text is in: its script, or the small words that only one language uses."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class DetectedLanguage:
    """A language, as the service names it."""

    name: str
    code: str
    score: float


UNKNOWN = DetectedLanguage("(Unknown)", "(Unknown)", 0.0)

_SCRIPTS = (
    ("Japanese", "ja", re.compile(r"[\u3040-\u30ff]")),
    ("Korean", "ko", re.compile(r"[\uac00-\ud7af]")),
    ("Chinese_Simplified", "zh_chs", re.compile(r"[\u4e00-\u9fff]")),
    ("Ukrainian", "uk", re.compile(r"[\u0404\u0406\u0407\u0454\u0456\u0457\u0490\u0491]")),
    ("Russian", "ru", re.compile(r"[\u0400-\u04ff]")),
    ("Greek", "el", re.compile(r"[\u0370-\u03ff]")),
    ("Hebrew", "he", re.compile(r"[\u0590-\u05ff]")),
    ("Arabic", "ar", re.compile(r"[\u0600-\u06ff]")),
    ("Hindi", "hi", re.compile(r"[\u0900-\u097f]")),
    ("Thai", "th", re.compile(r"[\u0e00-\u0e7f]")),
)
_WORDS = {
    ("English", "en"): "the and of to in is was it that for with are this be on have not but they you we has from our "
    "hello what when which will would there their your an by at as were all can been",
    ("Spanish", "es"): "el la los las de que y en un una es por con para no su lo como pero se del al está muy este "
    "gracias hola fue son hay más nos ha",
    ("French", "fr"): "le la les des et en un une est pas que qui dans pour sur avec ce cette nous vous il elle sont "
    "du au bonjour très mais été à je ne plus aux",
    ("German", "de"): "der die das und ist nicht ein eine zu den mit von für auf im sich dem des es wir sie ich wurde "
    "werden aber auch bei nach sehr guten wie hat",
    ("Italian", "it"): "il lo la gli le di che è un una per con non sono del della nel questo ma come anche molto si "
    "al dei delle ciao grazie più stato era",
    ("Portuguese", "pt"): "o a os as de que e em um uma é para com não do da no na por mais se foi são muito mas como "
    "obrigado olá seu sua dos das ao está",
    ("Dutch", "nl"): "de het een en van is niet dat op te zijn met voor aan er maar ook wij ik was door naar worden "
    "heeft deze bij nog wel zeer",
    ("Swedish", "sv"): "och att det som en är på av för med inte den till jag var ett om vi har men han de kan så från "
    "mycket när",
    ("Polish", "pl"): "i w na z jest nie się do to że o jak ale po był dla od przez są tym za oraz bardzo dzień ten",
}
_PROFILES = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_WORD = re.compile(r"[^\W\d_]+")


def detect(text: str) -> DetectedLanguage:
    """Return the language that most of the text is in; latin text without a known word counts as English."""
    letters = sum(map(len, _WORD.findall(text)))
    if not letters:
        return UNKNOWN
    for name, code, letter in _SCRIPTS:
        share = len(letter.findall(text)) / letters
        if share > (0.05 if code in ("ja", "uk") else 0.3):
            return DetectedLanguage(name, code, round(min(1.0, 0.6 + share * 0.4), 2))
    words = _WORD.findall(text.lower())
    hits = {language: sum(word in profile for word in words) for language, profile in _PROFILES.items()}
    (name, code), most = max(hits.items(), key=lambda item: item[1])
    if not most:
        return DetectedLanguage("English", "en", 0.5)
    others = sorted(hits.values())[-2]
    return DetectedLanguage(name, code, round(0.6 + 0.4 * (most - others) / most, 2))
