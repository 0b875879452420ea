"""Makes the set from its source: `python -m benchmarks.quality.generate` writes documents.json and queries.json.

Always the same set: what is random has a fixed seed. Judgements follow from how a note was made, and are no opinion:
2 for a note that is what was asked for, 1 for one that is near it, 0 for all others.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from benchmarks.quality.source import ASIDES, NAMES, PARTS, SITES, TOPICS, Topic

FOLDER = Path(__file__).parent
SEED = 20260101
NOTES_A_TOPIC = 8
REFERENCES, MIXED = 20, 20
PART_EVERY = 7  # notes; which topics that meets goes round

Document = dict[str, Any]
Query = dict[str, Any]


def documents() -> list[Document]:
    """Return the notes: of one wording or two, each with a number, an author, a place, and now and then a part."""
    dice = random.Random(SEED)
    numbers = dice.sample(range(10_000, 99_999), len(TOPICS) * NOTES_A_TOPIC)
    found: list[Document] = []
    for topic in TOPICS:
        for n in range(NOTES_A_TOPIC):
            facts = {
                "topic": topic.name,
                "group": topic.group,
                "reference": f"{dice.choice(('PO', 'CT', 'INV'))}-{numbers[len(found)]}",
                "name": dice.choice(NAMES),
                "part": PARTS[len(found) // PART_EVERY % len(PARTS)] if len(found) % PART_EVERY == 0 else "",
            }
            wordings = [topic.wordings[n % 4], topic.wordings[(n + 1) % 4]]
            sentences = [*wordings[: 1 + n // 4], dice.choice(ASIDES)]
            if facts["part"]:
                sentences.insert(1, f"It is about part {facts['part']}.")
            ending = f"Reference {facts['reference']}, {facts['name']}, {dice.choice(SITES)}."
            found.append({"id": len(found) + 1, "body": " ".join([*sentences, ending]), **facts})
    dice.shuffle(found)
    return [{**document, "id": number} for number, document in enumerate(found, start=1)]


def queries(notes: list[Document]) -> list[Query]:
    """Return the queries with the grades of their documents: questions, references, names, parts, and mixed ones."""
    dice = random.Random(SEED + 1)
    found = [_query("question", topic.question, notes, topic=topic) for topic in TOPICS]
    references = [note["reference"] for note in dice.sample(notes, REFERENCES)]
    found += [_query("reference", reference, notes, reference=reference) for reference in references]
    found += [_query("name", name, notes, name=name) for name in NAMES]
    found += [_query("part", f"part {part}", notes, part=part) for part in PARTS]
    for note in dice.sample(notes, MIXED):
        topic = next(topic for topic in TOPICS if topic.name == note["topic"])
        found.append(_query("mixed", f"{topic.question} {note['name']}", notes, topic=topic, name=note["name"]))
    return found


def _query(kind: str, text: str, notes: list[Document], *, topic: Topic | None = None, **wanted: str) -> Query:
    """Return a query; where a topic and a name are asked for, one of the two is near."""
    grades: dict[str, int] = {}
    for note in notes:
        has = [note[field] == value for field, value in wanted.items()]
        if topic:
            has.append(note["topic"] == topic.name)
        near = any(has) or (topic is not None and not wanted and note["group"] == topic.group)
        if all(has) or near:
            grades[str(note["id"])] = 2 if all(has) else 1
    return {"kind": kind, "text": text, "grades": grades}


def rendered() -> dict[str, str]:
    """Return the files of the set by name."""
    notes = documents()
    shown = [{"id": note["id"], "body": note["body"]} for note in notes]
    return {"documents.json": _lines(shown), "queries.json": _lines(queries(notes))}


def _lines(rows: list[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def main() -> None:
    """Write the files beside this one."""
    for name, text in rendered().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
