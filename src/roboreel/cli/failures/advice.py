"""Errors of the command line that know what to type instead."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from roboreel.errors import UsageError, ranged
from roboreel.hub.open_reference import is_here
from roboreel.hub.pull import default_folder
from roboreel.hub.reference import parse_reference

RESULTS = {
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
"""The end of the name of a suggested output, by each command that writes a dataset."""

_OUTPUTS = ("-o", "--out", "--in-place", "--dry-run", "suggest")
"""Words of a line that names its output, or writes nothing."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A message, and lines to type instead, each with a comment that may be empty."""

    message: str
    lines: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    """What the lines do not do."""

    def __str__(self) -> str:
        notes = [f"  {note}" for note in self.notes]
        return "\n".join([f"error: {self.message}", *notes, *self._tries()])

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

    def __init__(
        self, message: str, word: str, readings: Mapping[str, str], *, option: str | None = None
    ) -> None:
        """Name the word, what each of the words to type in its place means, and its option if it is all."""
        self.word, self.readings, self.option = word, readings, option
        super().__init__(message)


class NoUnitError(UsageError):
    """A moment was given without a unit."""


class MisplacedWordsError(UsageError):
    """Arguments were typed that are meant as options."""

    def __init__(self, message: str, meant: Mapping[str, Sequence[str]]) -> None:
        """Name the words, and what to type for each."""
        self.meant = meant
        super().__init__(message)


PAIRS = ("--rename", "--replace", "--map")
"""Options whose value is `OLD=NEW`."""


class NoSourceError(UsageError):
    """A command was typed without a dataset."""


def suggested_output(source: str, command: str) -> str:
    """A name for a result that doesn't exist yet: beside the user, or where lerobot looks for datasets.

    The result of a dataset of lerobot's folder, which `user/name` names, is suggested for that folder.
    """
    name = (
        os.path.basename(source.rstrip("/\\").split("@")[0]).removesuffix(".view.json") or "dataset"
    )
    base = f"{name}_{RESULTS.get(command, command)}"
    reference = parse_reference(source)
    if reference is not None and not is_here(source):
        base = os.fspath(default_folder(reference).parent / base)
    taken, number = base, 2
    while os.path.lexists(taken):
        taken, number = f"{base}_{number}", number + 1
    return taken


def in_lerobots_folder(repo_id: str) -> str:
    """The folder in which lerobot looks for a dataset of this name."""
    reference = parse_reference(repo_id)
    return repo_id if reference is None else os.fspath(default_folder(reference))


def shortened(path: str) -> str:
    """A path below the user's home with `~`, for `typed`."""
    home = os.path.join(os.path.expanduser("~"), "")
    return f"~/{path.removeprefix(home)}" if path.startswith(home) else path


def example_source() -> str:
    """A dataset in a line to type: the one of the current folder, else a name."""
    return "." if os.path.isfile(os.path.join("meta", "info.json")) else "my_dataset"


def typed(words: Iterable[str]) -> str:
    """The line that a user types for these arguments of `roboreel`; `~/` stays as it is."""
    return " ".join(["roboreel", *(_quoted(word) for word in words)])


def _quoted(word: str) -> str:
    rest = word.removeprefix("~/")
    return shlex.quote(word) if rest in ("", word) else f"~/{shlex.quote(rest)}"


def spelled(episodes: Iterable[int]) -> str:
    """Episodes as `--episodes` takes them: `0:2,5`; empty if that would be long."""
    text = ranged(episodes)
    return "" if " and " in text else text.replace(", ", ",")


def with_output(words: Sequence[str]) -> list[str]:
    """The arguments with a suggested output, if they name none and the command writes a dataset."""
    command, *rest = words
    source = next((word for word in rest if not word.startswith("-")), None)
    named = any(word.split("=")[0] in _OUTPUTS for word in rest)
    shows = command == "stats" and "--recompute" not in rest
    if shows or command not in RESULTS or source is None or named:
        return [*words]
    if command == "convert" and len(rest) > 1 and rest[0] == source and not rest[1].startswith("-"):
        return [command, source, *rest[2:], "-o", rest[1]]  # `convert SRC DST`
    return [*words, "-o", shortened(suggested_output(source, command))]


def replaced(words: Sequence[str], old: str, new: str) -> list[str]:
    """The arguments with a word, or a part of one between commas and after an equals sign, replaced."""

    def part_replaced(part: str) -> str:
        head, equals, value = part.rpartition("=")
        return f"{head}{equals}{new}" if value.strip() == old else part

    return [new if word == old else ",".join(map(part_replaced, word.split(","))) for word in words]
