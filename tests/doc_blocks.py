"""Runs the code blocks of a page in order, and tells where what they print is not what the page shows.

A page is run in a folder of its own. Blocks that are run:

- `console`: lines that begin with `$ ` are `roboreel` commands, the lines after them are what they print.
  A command that exits with another code than 0 says so: `$ roboreel check x  # exit code 1`.
- `python`: run in one namespace. A `text` block right after it holds what it prints.

`<!-- not run: REASON -->` before a block leaves it out, `<!-- run: COMMAND -->` runs a command that the
page does not show. A block in any other language that looks like commands is refused by `unmarked`.

What changes from run to run (seconds, sizes of files, times in names) does not count as a difference.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.command import run_together

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/python.md", "docs/tutorial.md", "docs/every-name.md")
"""Pages whose blocks are run. `docs/reading.md` and others hold blocks that need data of the reader's."""

HOME = "/home/you"
"""What pages show in place of the folder in which they are run."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HIDDEN = re.compile(r"<!-- run: (.+?) -->")
_EXIT = re.compile(r"\s+# exit code (\d+)$")
_SHELL = {"", "sh", "bash", "shell"}

_VOLATILE = (
    (re.compile(r"\d+(?:\.\d+)? (?:ms|s|min)\b"), "TIME"),
    (re.compile(r"\d[\d,]*(?:\.\d+)? (?:bytes|B|KiB|MiB|GiB|kB|MB|GB)\b"), "SIZE"),
    (re.compile(r"\d{8}T\d{6}Z"), "WHEN"),
    (re.compile(r" +"), " "),
)


@dataclass(slots=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    start: int
    """Offsets of the text between the fences in the page."""
    stop: int
    line: int
    skipped: bool
    hidden: list[str] = field(default_factory=list)
    """Commands to run before it."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A block whose output is not what the page shows."""

    line: int
    shown: str
    printed: str
    start: int
    stop: int

    def __str__(self) -> str:
        return f"line {self.line}: the page shows\n{self.shown}\nprinted\n{self.printed}"


def blocks_of(page: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    found, last = [], 0
    for fence in _FENCE.finditer(page):
        between = page[last : fence.start()]
        skipped = between.rstrip().endswith("-->") and "<!-- not run: " in between.split("\n\n")[-1]
        line = page.count("\n", 0, fence.start()) + 1
        hidden = _HIDDEN.findall(between)
        found.append(Block(fence[1], fence[2], fence.start(2), fence.end(2), line, skipped, hidden))
        last = fence.end()
    return found


def unmarked(page: str) -> Iterator[str]:
    """Blocks with commands that are neither run nor marked `not run`."""
    for block in blocks_of(page):
        if block.language in _SHELL and not block.skipped and "roboreel " in block.text:
            yield f"line {block.line}: use a `console` block, or say why it is not run"


def run_page(page: str, folder: Path) -> Iterator[Mismatch]:
    """Run the blocks of a page in a folder; yields where the output is not what the page shows."""
    names: dict[str, Any] = {"__name__": "__main__"}
    blocks = blocks_of(page)
    here = str(folder.resolve())
    with contextlib.chdir(folder) if hasattr(contextlib, "chdir") else _changed_to(folder):
        for at, block in enumerate(blocks):
            for command in block.hidden:
                _run(command)
            if block.skipped:
                continue
            if block.language == "console":
                yield from _compared(block, block, _console(block.text).replace(here, HOME))
            elif block.language == "python":
                printed = _python(block, names)
                after = blocks[at + 1] if at + 1 < len(blocks) else None
                if after is not None and after.language == "text" and _adjoin(page, block, after):
                    yield from _compared(block, after, printed.replace(here, HOME))
                elif printed:
                    raise AssertionError(f"line {block.line}: prints, and shows nothing: {printed}")


def normalized(text: str) -> str:
    """A text without what changes from run to run."""
    for pattern, stands_for in _VOLATILE:
        text = pattern.sub(stands_for, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _compared(block: Block, shown: Block, printed: str) -> Iterator[Mismatch]:
    if normalized(shown.text) != normalized(printed):
        yield Mismatch(block.line, shown.text, printed, shown.start, shown.stop)


def _adjoin(page: str, block: Block, after: Block) -> bool:
    return page[block.stop : after.start].split() == ["```", "```text"]


def _console(text: str) -> str:
    """Run the commands of a block; returns what the block should show."""
    if not text.startswith("$ "):
        raise AssertionError(f"a console block begins with a command: {text[:60]!r}")
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    return "".join(f"$ {command}\n{_run(command)}" for command in commands)


def _run(command: str) -> str:
    expected = _EXIT.search(command)
    words = shlex.split(_EXIT.sub("", command).replace("\\\n", " "), comments=True)
    if words[0] != "roboreel":
        raise AssertionError(f"only roboreel is run: {command}")
    code, printed = run_together(*words[1:])
    if code != (int(expected[1]) if expected else 0):
        raise AssertionError(f"exit code {code}: {command}\n{printed}")
    return printed


def _python(block: Block, names: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block.text, f"block in line {block.line}", "exec"), names)
    return printed.getvalue()


@contextlib.contextmanager
def _changed_to(folder: Path) -> Iterator[None]:
    """Stand in for `contextlib.chdir` before Python 3.11."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
