"""Parse how episodes, ranges and pairs are written on the command line."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Annotated

import typer

from roboreel.cli.failures.advice import AmbiguousError, NoUnitError
from roboreel.cli.shared.shared_options import choices
from roboreel.cli.text.output import emit_json, say, table, tell
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.user_files import read_lines
from roboreel.edit.selection import FrameRange
from roboreel.edit.tasks import TasksFrom, tasks_of, tasks_of_both
from roboreel.edit.view import Verbs, View
from roboreel.errors import UsageError, counted
from roboreel.format.model import EPISODE, LENGTH, TASKS
from roboreel.types import JsonObject

_ANY = (10**15,)
"""Stands for the episodes of a dataset that is not open: no typed number is larger."""


def _can_be_parsed(text: str | None) -> str | None:
    """Refuse what is no list of episodes before the output is asked for; `[3,` may be one, cut by a shell."""
    for word in _words(text) if text and text[0] not in "@[" else ():
        _members(word, _ANY)
    return text


UidOption = Annotated[
    list[str] | None,
    typer.Option(
        "--uid",
        metavar="UID",
        help="Choose episodes by uid (listed by `info --lineage`): A,B or @FILE. Repeatable.",
    ),
]
EpisodesOption = Annotated[
    str | None,
    typer.Option(
        "--episodes",
        metavar="LIST",
        callback=_can_be_parsed,
        help="Choose episodes by number: 3,11,20:26 (20 to 25; the end is not included), or @FILE.",
    ),
]
TaskOption = Annotated[
    str | None, typer.Option("--task", metavar="TEXT", help="Choose episodes with this task.")
]
TasksFromOption = Annotated[
    TasksFrom | None,
    typer.Option(
        "--tasks-from",
        metavar=choices(TasksFrom),
        help="If rows and the episode list name different tasks, use the ones from here.",
    ),
]
MinFramesOption = Annotated[
    int | None,
    typer.Option("--min-frames", metavar="N", min=1, help="Choose episodes of at least N frames."),
]
MaxFramesOption = Annotated[
    int | None,
    typer.Option("--max-frames", metavar="N", min=1, help="Choose episodes of at most N frames."),
]

_SPAN = re.compile(r"(\d*):(\d*)")
_MOMENT = re.compile(r"(-?)(\d+\.?\d*|\.\d+)\s*([sf]?)")
_CLOSED = re.compile(r"(\d+)\s*(?:-|\.\.)\s*(\d+)")
_NAMED = 21
"""Numbers beyond the last episode that a range keeps, so that an error can name them."""
_SHOWN_TASK = 60
_OF_ROWS = "tasks_of_rows"


def episodes_in(text: str, source: Verbs) -> list[int]:
    """The numbers in `3,11,20:26`, or in a file of such words (`@FILE`), in the given order.

    Raises:
        UsageError: a word is neither a number nor a half-open range.
    """
    known = source.as_view().numbers.tolist()
    return [number for word in _words(text) for number in _members(word, known)]


def episode_pairs_in(text: str, first: Dataset, second: Dataset) -> list[tuple[int, int]]:
    """The pairs in `0=0,3:10=2:9`, or in a file of such words (`@FILE`); `3` alone means `3=3`.

    Raises:
        UsageError: a word names no episodes, or a different number on each side.
    """
    pairs: list[tuple[int, int]] = []
    for word in _words(text):
        left, equals, right = word.partition("=")
        numbers = [
            [*_members(part, dataset.episodes[EPISODE].to_pylist())]
            for part, dataset in ((left, first), (right if equals else left, second))
        ]
        if len(numbers[0]) != len(numbers[1]):
            raise UsageError(
                f"'{word}' pairs {counted(len(numbers[0]), 'episode')} with {len(numbers[1])}: both sides"
                " need the same number"
            )
        pairs += zip(*numbers, strict=True)
    return pairs


def pair_words(pairs: Iterable[tuple[int, int]]) -> str:
    """Format pairs of episodes for `episode_pairs_in`, with consecutive pairs as ranges."""
    words: list[str] = []
    runs: list[tuple[int, int, int]] = []
    for a, b in pairs:
        if runs and (a, b) == (runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]):
            runs[-1] = (*runs[-1][:2], runs[-1][2] + 1)
        else:
            runs.append((a, b, 1))
    for a, b, length in runs:
        words.append(f"{a}={b}" if length == 1 else f"{a}:{a + length}={b}:{b + length}")
    return ",".join(words)


def frames_in(text: str) -> FrameRange:
    """The range in `10:200`, `10:` (to the end) or `:200`.

    Raises:
        UsageError: the text is not a range.
    """
    _refuse_closed(text, "frames")
    found = _SPAN.fullmatch(text)
    if found is None or text == ":":
        raise UsageError(
            f"'{text}' is not a range of frames: 10:200 means frames 10 to 199, 10: means frame 10 to the"
            " end"
        )
    start, stop = (_number(digits) if digits else None for digits in found.groups())
    return start, stop


def moment_in(text: str, option: str, fps: Fraction) -> int:
    """The first frame at or after a moment: `1.5` or `1.5s` in seconds, `30f` in frames.

    Moments with `-` and negative frame numbers count from the episode's end.

    Raises:
        UsageError: the text is not a moment, or its unit is unclear.
    """
    found = _MOMENT.fullmatch(text.strip())
    unit = "" if found is None else found[3] or ("s" if "." in found[2] else "")
    if found is None or (unit == "f" and "." in found[2]):
        raise UsageError(f"{option} '{text}': expected seconds such as 1.5, or frames such as 30f")
    if not unit:
        raise NoUnitError(
            f"{option} '{text}' can mean seconds or frames: write {text}s or {text}f (1.5 is seconds)"
        )
    _number(found[2].replace(".", ""))
    moment = Fraction(f"{found[1]}{found[2]}")
    return math.ceil(moment * fps) if unit == "s" else int(moment)


def number_in(text: str) -> int:
    """Parse the number of an episode.

    Raises:
        UsageError: the text is not a number.
    """
    if re.fullmatch(r"\d+", text) is None:
        raise UsageError(f"'{text}' is not an episode number: expected an integer, such as 3")
    return _number(text)


def pairs_in(strings: Iterable[str], option: str, *, form: str = "old=new") -> dict[str, str]:
    """Split each text at its first `=`.

    Raises:
        UsageError: a text has no `=`, or the same left side as another.
    """
    pairs: dict[str, str] = {}
    for text in strings:
        left, equals, right = text.partition("=")
        if not equals or not left.strip():
            raise UsageError(f"{option} '{text}': expected {form}")
        if left in pairs:
            raise UsageError(f"{option} has '{left}' twice: give it once")
        pairs[left] = right
    return pairs


def uids_in(strings: Sequence[str] | None) -> list[str] | None:
    """The uids in `--uid`, which may part several by commas, or name a file of them: `@FILE`."""
    return None if strings is None else [word for text in strings for word in _words(text)]


def show_episodes(view: View, *, as_json: bool, tasks_from: TasksFrom | None = None) -> None:
    """List the episodes with their frames and tasks; show both if the rows have other tasks."""
    rows = described_episodes(view, tasks_from)
    if as_json:
        emit_json({"episodes": rows})
    else:
        show_described(rows)
    differing = sum(_OF_ROWS in row for row in rows)
    if differing:
        tell(
            f"warning: in {counted(differing, 'episode')} the episode list and the rows name different tasks"
        )


def described_episodes(view: View, tasks_from: TasksFrom | None = None) -> list[JsonObject]:
    """The episodes as JSON objects; with `tasks_from="episodes"`, no rows are read."""
    listed = tasks_from == "episodes"
    both = [(own, own) for own in tasks_of(view)] if listed else tasks_of_both(view)
    rates = [float(source.model.info.fps) for source in view.sources]
    of_source, numbers, lengths = view.slices.source.tolist(), view.numbers, view.lengths.tolist()
    return [
        {
            EPISODE: number,
            LENGTH: frames,
            "duration_s": round(frames / rates[source], 6),
            TASKS: by_rows if tasks_from == "rows" else own,
            **({} if tasks_from or set(by_rows) <= set(own) else {_OF_ROWS: by_rows}),
        }
        for number, frames, source, (own, by_rows) in zip(
            numbers.tolist(), lengths, of_source, both, strict=True
        )
    ]


def show_described(rows: Sequence[JsonObject]) -> None:
    """Print a line per episode: its number, frames, length in seconds and tasks."""
    frames = [row[LENGTH] for row in rows]
    columns = [
        [str(row[EPISODE]) for row in rows],
        [counted(number, "frame") for number in frames],
        [f"{row['duration_s']:.1f} s" for row in rows],
    ]
    widths = [max(map(len, column), default=0) for column in columns]
    say(f"{counted(len(rows), 'episode')}, {counted(sum(frames), 'frame')}")
    table(
        [
            (
                *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)),
                _task(row[TASKS], row.get(_OF_ROWS)),
            )
            for *cells, row in zip(*columns, rows, strict=True)
        ]
    )


def _task(tasks: Sequence[str], of_rows: Sequence[str] | None) -> str:
    text = " | ".join(tasks)
    if of_rows is not None:
        text = f"rows: {' | '.join(of_rows)}; listed: {text}"
    return text if len(text) <= _SHOWN_TASK else f"{text[: _SHOWN_TASK - 2]} …"


def _words(text: str) -> list[str]:
    if text.strip()[:1] == "[":
        numbers = ",".join(re.findall(r"[^\[\],\s]+", text))
        message = f"'{text}' has brackets: write the numbers with commas only, {numbers}"
        raise AmbiguousError(message, text, {numbers: ""})
    lines = read_lines(text[1:]) if text.startswith("@") else [text]
    words = [word for line in lines for word in re.split(r"[,\s]+", line) if word]
    if not words:
        raise UsageError(f"'{text}' contains no episode: write 3, or 20:26 for episodes 20 to 25")
    return words


def _members(word: str, known: Sequence[int]) -> Iterable[int]:
    _refuse_closed(word, "episodes")
    if re.fullmatch(r"\d+", word):
        return [_number(word)]
    found = _SPAN.fullmatch(word)
    if found is None and os.path.isfile(word):
        raise AmbiguousError(
            f"'{word}' is a file: write @{word} for the episodes that it lists",
            word,
            {f"@{word}": ""},
        )
    if found is None or word == ":":
        raise UsageError(
            f"'{word}' is not an episode or a range of episodes: write 3, or 20:26 for episodes 20 to 25"
        )
    end = max(known, default=-1) + 1
    start = _number(found[1] or "0")
    stop = _number(found[2]) if found[2] else end
    if start >= stop:
        raise UsageError(
            f"'{word}' is an empty range: the end is not included, so 20:26 means episodes 20 to 25"
        )
    if not found[2]:
        return sorted(number for number in known if number >= start)
    return range(start, min(stop, max(start, end) + _NAMED))


def _refuse_closed(word: str, what: str) -> None:
    closed = _CLOSED.fullmatch(word)
    if closed is not None:
        first, last = _number(closed[1]), _number(closed[2])
        raise AmbiguousError(
            f"'{word}' is not a range: write {first}:{last + 1} for {what} {first} to {last} (the end of a"
            " range is not included)",
            word,
            {
                f"{first}:{last + 1}": f"{what} {first} to {last}",
                f"{first}:{last}": f"{what} {first} to {last - 1}",
            },
        )


def _number(digits: str) -> int:
    if len(digits) > 15:
        raise UsageError(f"{digits[:15]}… is too large: expected at most 15 digits")
    return int(digits)
