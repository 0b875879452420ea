"""Mistakes in the config, each with its path, what is wrong and what is allowed; all of them in one message.

Two kinds of check find them: validators of single values (pydantic) and rules over several. So that one wrong value
does not hide the others, the wrong ones are replaced by an example and the rules run over what remains; a rule that
would judge a replaced value stays silent.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

from pulumi import RunError
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from components.section import Section, decode_json

Path = tuple[str | int, ...]
S = TypeVar("S", bound=Section)

_ROUNDS = 6  # each round goes one level further out; the settings are five levels deep


@dataclass(frozen=True, order=True)
class Mistake:
    """One mistake: the config path without its namespace, and a sentence."""

    path: str
    message: str


class SettingsError(RunError):
    """Every mistake in a stack's config, as one message without a traceback."""

    def __init__(self, project: str, stack: str, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        lines = [f"  {project}:{mistake.path}: {mistake.message}" for mistake in self.mistakes]
        head = (
            f"{count} in the config of stack {stack!r} (Pulumi.{stack}.yaml, or `pulumi config`); nothing was changed:"
        )
        super().__init__("\n".join([head, *lines]))


class Findings:
    """Collects mistakes, and knows which paths hold a replaced value."""

    def __init__(self) -> None:
        self._mistakes: list[Mistake] = []
        self._wrong: list[Path] = []

    @property
    def mistakes(self) -> list[Mistake]:
        """Return the mistakes found so far, each once, sorted by path."""
        return sorted(set(self._mistakes))

    def add(self, path: Path, message: str, *, reads: Iterable[Path] = ()) -> None:
        """Add a mistake unless its path, or a value that the rule read, is known to be wrong already."""
        if not any(_touches(known, other) for known in self._wrong for other in (path, *reads)):
            self._mistakes.append(Mistake(spell(path), message))

    def add_wrong_value(self, path: Path, message: str) -> None:
        """Add the mistake of a single value, which rules must no longer judge."""
        self._mistakes.append(Mistake(spell(path), message))
        self._wrong.append(path)


def _touches(known: Path, other: Path) -> bool:
    """Say whether a wrong value is at or above another path, or right below it (an entry of a map that was read)."""
    if len(known) <= len(other):
        return known == other[: len(known)]
    return len(known) == len(other) + 1 and known[:-1] == other


def spell(path: Path) -> str:
    """Spell a path as `pulumi config set --path` takes it: jobs.line-items.template, rules[0].name."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names the nearest known names, or all when there are few."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    folded = {other.lower().replace("_", "").replace("-", ""): other for other in names}
    exact = folded.get(name.lower().replace("_", "").replace("-", ""))
    if exact or close:
        return f"did you mean {exact or close[0]!r}?"
    return f"allowed: {', '.join(names)}" if names else "none is declared"


def parse(model: type[S], values: Mapping[str, Any], findings: Findings) -> S:
    """Build the model, or as much of it as its right values allow; the wrong ones go to `findings`."""
    remaining: dict[str, Any] = deepcopy(dict(values))
    for attempt in range(_ROUNDS):
        try:
            return model.model_validate(remaining)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=True):
                path = tuple(step for step in detail["loc"] if step != "[key]")  # pydantic's mark for a map's key
                if attempt == 0:
                    findings.add_wrong_value(path, _sentence(detail, model))
                _mend(remaining, path, missing=detail["type"] == "missing")
    return model.model_validate({})


def _mend(values: dict[str, Any], path: Path, *, missing: bool) -> None:
    """Take a wrong value out; put an example in where one is required."""
    holder: Any = values
    for step in path[:-1]:
        inner = decode_json(holder[step]) if _holds(holder, step) else None
        if not isinstance(inner, (dict, list)):
            if isinstance(holder, dict):
                holder.pop(str(step), None)  # a short form that stands for a section
            return
        holder[step] = inner
        holder = inner
    last = path[-1] if path else ""
    if missing and isinstance(holder, dict):
        holder[str(last)] = _examples(Section).get(str(last), "")
    elif isinstance(holder, dict):
        holder.pop(str(last), None)
    elif isinstance(holder, list) and isinstance(last, int) and last < len(holder):
        if holder[last] is None:
            holder.pop(last)  # neither a section nor left out: one value among others
        else:
            holder[last] = None if isinstance(holder[last], dict) else {}


def _holds(holder: Any, step: str | int) -> bool:
    return step in holder if isinstance(holder, dict) else isinstance(step, int) and step < len(holder)


def _examples(base: type[Section]) -> dict[str, object]:
    """Return an example for every required field of every section, by its name in YAML."""
    found: dict[str, object] = {}
    for section in base.__subclasses__():
        for field in section.model_fields.values():
            if field.is_required() and field.alias and field.examples:
                found[field.alias] = field.examples[0]
        found |= _examples(section)
    return found


def _sentence(detail: ErrorDetails, model: type[Section]) -> str:
    """Say in words what is wrong with one value and what is allowed."""
    kind, value, context = detail["type"], detail.get("input"), detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key; {nearest(str(detail['loc'][-1]), _keys_at(model, detail['loc'][:-1]))}"
    if kind == "value_error":
        return str(context["error"])
    fixed = {
        "missing": "is missing and required",
        "dict_type": "must be a map",
        "model_type": "must be a map",
        "model_attributes_type": "must be a map",
        "tuple_type": "must be a list",
        "ip_v4_address": "is not an IPv4 address, such as 203.0.113.4",
    }
    if kind in fixed:
        shown = "" if kind == "missing" or isinstance(value, (dict, list)) else f"{value!r} "
        return f"{shown}{fixed[kind]}"
    wanted = _wanted(kind, context)
    return f"{_short(value)} is not allowed; allowed: {wanted}" if wanted else f"{_short(value)}: {detail['msg']}"


def _wanted(kind: str, context: Mapping[str, Any]) -> str:
    if kind.startswith("bool"):
        return "true, false"
    if kind.startswith("int"):
        return "a whole number"
    if kind == "string_type":
        return "text (quote it)"
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "").replace(" or ", ", ")
    names = {
        "greater_than_equal": ("ge", "at least {}"),
        "less_than_equal": ("le", "at most {}"),
        "string_too_short": ("min_length", "at least {} character(s)"),
        "string_too_long": ("max_length", "at most {} characters"),
    }
    if kind in names:
        key, words = names[kind]
        return words.format(context[key])
    return ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys_at(model: type[Section], path: Path) -> list[str]:
    """Return the keys that are known where an unknown one stands."""
    current: type[Section] = model
    for step in path:
        if isinstance(step, int):
            continue
        field = next((f for f in current.model_fields.values() if f.alias == step), None)
        # Below a map, a step is an entry's name and not a field: stay with the section already found.
        if field is not None:
            current = section_in(field.annotation) or current
    return [field.alias for field in current.model_fields.values() if field.alias]


def section_in(annotation: Any) -> type[Section] | None:
    """Return the section inside a field's type, whatever map, list or option is around it."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = section_in(inner)
        if found is not None:
            return found
    return None
