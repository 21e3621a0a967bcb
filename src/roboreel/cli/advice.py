"""Errors of the command line that know what to type instead."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from roboreel.errors import UsageError

_RESULTS = {
    "delete": "cleaned",
    "keep": "selected",
    "trim": "trimmed",
    "split": "parts",
    "merge": "merged",
    "reorder": "reordered",
    "shuffle": "shuffled",
    "features": "features",
    "tasks": "tasks",
    "resample": "resampled",
    "encode": "encoded",
    "compact": "compacted",
    "repair": "repaired",
    "convert": "converted",
    "stats": "stats",
    "write": "written",
}
"""The end of the name of a suggested output, by command."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A message, and lines to type instead, each with a comment that may be empty."""

    message: str
    lines: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"error: {self.message}", *self._tries()])

    def _tries(self) -> Iterable[str]:
        for line, comment in self.lines:
            yield f"  try: {line}" + (f"   # {comment}" if comment else "")


class NoOutputError(UsageError):
    """A command that writes was not told where."""

    def __init__(self, source: str, *, in_place: bool = True) -> None:
        """Name the dataset that is read, and whether it could be replaced."""
        self.source, self.in_place = source, in_place
        instead = ", or --in-place to replace the dataset" if in_place else ""
        super().__init__(f"the output is missing: give -o DST{instead}")


class AmbiguousError(UsageError):
    """A word can be read in several ways; none is chosen."""

    def __init__(self, message: str, word: str, readings: Mapping[str, str]) -> None:
        """Name the word, and what each of the words to type in its place means."""
        self.word, self.readings = word, readings
        super().__init__(message)


def suggested_output(source: str, command: str) -> str:
    """A name for a result beside the user that doesn't exist yet."""
    name = (
        os.path.basename(source.rstrip("/\\").split("@")[0]).removesuffix(".view.json") or "dataset"
    )
    base = f"{name}_{_RESULTS.get(command, command)}"
    taken, number = base, 2
    while os.path.lexists(taken):
        taken, number = f"{base}_{number}", number + 1
    return taken


def typed(words: Iterable[str]) -> str:
    """The line that a user types for these arguments of `roboreel`."""
    return shlex.join(["roboreel", *words])


def replaced(words: Sequence[str], old: str, new: str) -> list[str]:
    """The arguments with a word, or a part of one between commas, replaced."""
    return [
        new
        if word == old
        else ",".join(new if part.strip() == old else part for part in word.split(","))
        for word in words
    ]
