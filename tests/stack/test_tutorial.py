"""docs/tutorial.md, gone through as a reader does: its YAML, its commands and its SQL, and what it says they print."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from emulator.postgres.installation import Installations
from tests.stack.conftest import SECONDS, Workplace, workplace
from tools.places import ROOT, VENV

PAGE = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = "…"
NAME = "tutorial"


@dataclass
class Section:
    """A part of the page under one heading: its blocks in their order, each a kind and a text."""

    heading: str
    blocks: list[tuple[str, str]]

    def __str__(self) -> str:
        return re.sub(r"\W+", "-", self.heading.lower()).strip("-")


def sections() -> list[Section]:
    """Return the parts of the page that have something to do."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = [Section(heading, BLOCK.findall(text)) for heading, text in zip(parts[1::2], parts[2::2], strict=True)]
    return [section for section in found if section.blocks]


@dataclass
class Reader:
    """Somebody who does what the page says, in a checkout of their own.

    Attributes:
        place: the checkout.
        config: what `Pulumi.tutorial.yaml` has so far.
        exports: lines of the page that set variables for all that follows.
    """

    place: Workplace
    config: dict[str, Any] = field(default_factory=dict)
    exports: list[str] = field(default_factory=list)

    def write(self, block: str) -> None:
        """Put the keys of a block into the stack's file."""
        self.config.update(yaml.safe_load(block)["config"])
        text = yaml.safe_dump({"config": self.config}, sort_keys=False)
        (self.place.root / f"Pulumi.{NAME}.yaml").write_text(text, encoding="utf-8")

    def type(self, block: str) -> None:
        """Run the commands of a block in one shell, and compare what they print together."""
        lines = block.splitlines()
        commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        self.exports += [command for command in commands if command.startswith("export ")]
        printed = self._run(["sh", "-ec", "\n".join([*self.exports, *commands])])
        compare("\n".join(line for line in lines if not line.startswith("$ ")), printed, block)

    def ask(self, statements: str, answer: str) -> None:
        """Run SQL in psql, and compare what it prints."""
        psql = "make psql ARGS='-X -v ON_ERROR_STOP=1'"
        printed = self._run(["sh", "-ec", "\n".join([*self.exports, psql])], statements, subprocess.DEVNULL)
        compare(answer, printed, statements)

    def _run(self, command: list[str], typed: str = "", errors: int = subprocess.STDOUT) -> str:
        own = self.place.environment
        environment = {**own, "PATH": f"{VENV / 'bin'}{os.pathsep}{own['PATH']}"}
        done = subprocess.run(
            command, cwd=self.place.root, env=environment, input=typed, stdout=subprocess.PIPE, stderr=errors,
            text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}"
        return done.stdout


def compare(expected: str, printed: str, about: str) -> None:
    """Compare lines, in which the mark of the page stands for anything: alone for lines, else within a line."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == LEFT_OUT else ".*?".join(map(re.escape, line.split(LEFT_OUT))) + r"[ ]*\n"
        for line in tidy(expected).splitlines()
    )
    same = re.fullmatch(pattern, tidy(printed)) is not None
    assert same, f"the page says of\n{about}\nthat it prints\n{expected}\nand it prints\n{printed}"


def tidy(text: str) -> str:
    """Return a text without blank lines and without blanks at the ends of lines."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines() if line.strip())


@pytest.fixture(scope="module")
def reader(debian: type[Installations]) -> Iterator[Reader]:
    """A reader at the beginning; the parts of the page follow one another."""
    with workplace() as place:
        (place.root / ".venv").symlink_to(VENV)
        yield Reader(place)


def test_the_page_has_the_five_steps() -> None:
    steps = [section.heading for section in sections() if re.match(r"\d", section.heading)]
    assert [step.split(".")[0] for step in steps] == ["1", "2", "3", "4", "5"]
    for section in sections():
        kinds = [kind for kind, _ in section.blocks]
        if section.heading in steps:
            assert {"yaml", "console", "sql"} <= set(kinds)
        assert all(kinds[place + 1 : place + 2] == ["text"] for place, kind in enumerate(kinds) if kind == "sql")


@pytest.mark.parametrize("section", sections(), ids=str)
def test_the_page_says_what_happens(reader: Reader, section: Section) -> None:
    for place, (kind, block) in enumerate(section.blocks):
        if kind == "yaml":
            reader.write(block)
        elif kind == "console":
            reader.type(block)
        elif kind == "sql":
            reader.ask(block, section.blocks[place + 1][1])
