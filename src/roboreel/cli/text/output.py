"""The only module that prints: data to stdout, everything else to stderr."""

from __future__ import annotations

import errno
import io
import json
import math
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TextIO, get_args

from roboreel.cli.text.terminal import Tone, coloured, in_encoding, painted, width_of, wrapped
from roboreel.cli.text.typed_options import as_typed
from roboreel.errors import Problem, RoboreelError, visible
from roboreel.types import Json

BROKEN_PIPE = 141
"""Exit code if the reader of the output has closed, as of programs that its signal ends."""
_Stream = Literal["stdout", "stderr"]
_STREAMS: tuple[_Stream, ...] = get_args(_Stream)
_LEAST_COLUMN = 24
"""Characters that the last column of a table has at least, however narrow the terminal."""
_SEVERITY = re.compile(r"^( *)(error|warning|note|failed|try)(?=:)")
_TONES: dict[str, Tone] = {
    "error": "error",
    "failed": "error",
    "warning": "warning",
    "note": "note",
    "try": "note",
}
_MESSAGES = {"message", "action", "error", "problem"}
"""Keys of JSON objects that have a message."""
_lost: list[OSError] = []
"""Errors of output that could not be printed."""
_begun_with: list[TextIO | None] = []


def say(text: str = "") -> None:
    """Print a line for people on stdout, with control characters escaped; on a terminal wrapped at words."""
    _write_lines("stdout", visible(as_typed(text)))


def heading(text: str) -> None:
    """Print a heading on stdout."""
    _write_lines("stdout", visible(text), tone="heading")


def tell(text: str) -> None:
    """Print lines other than data on stderr, with control characters escaped; on a terminal wrapped."""
    _write_lines("stderr", visible(as_typed(text), keep="\n"))


def emit_json(value: Json) -> None:
    """Print a JSON document on stdout. NaN and infinity, which JSON does not have, become null."""
    value = typed_messages(value)
    try:
        text = json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), indent=2, ensure_ascii=True, allow_nan=False)
    _put("stdout", text.replace("\x7f", "\\u007f") + "\n")


def refused(error: RoboreelError) -> dict[str, Json]:
    """What `--json` prints in place of a result: the message, and the problems as data."""
    problems: Sequence[Problem] = getattr(error, "problems", ())
    return {"error": str(error), "problems": [problem.to_json() for problem in problems]}


def typed_messages(value: Json) -> Json:
    """The value with options in messages as they are typed."""
    if isinstance(value, Mapping):
        return {
            key: as_typed(part)
            if key in _MESSAGES and isinstance(part, str)
            else typed_messages(part)
            for key, part in value.items()
        }
    return [typed_messages(part) for part in value] if isinstance(value, (list, tuple)) else value


def _finite(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(rows: Sequence[Sequence[str]], *, indent: str = "  ") -> None:
    """Print rows of text in aligned columns; on a terminal, the last one is wrapped in its column.

    Where the other columns leave it too little room, it is printed below them.
    """
    seen = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in seen) for at in range(len(seen[0]))] if seen else []
    screen = width_of(sys.stdout) if sys.stdout is not None else None
    start = len(indent) + sum(width + 2 for width in widths[:-1])
    below = screen is not None and start + min([*widths[-1:], _LEAST_COLUMN]) > screen
    for row in seen:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        left = indent + "".join(f"{cell}  " for cell in cells)
        if below:
            _write_line("stdout", left.rstrip())
            left = indent * 3
        first, *rest = _in_column(row[-1], len(left), screen)
        _write_line("stdout", ((" " * len(left) if below else left) + first).rstrip())
        for line in rest:
            _write_line("stdout", " " * len(left) + line)


def wide_table(rows: Sequence[Sequence[str]], *, indent: str = "  ") -> None:
    """Print rows with many short columns; those that the terminal has no room for follow in a table below.

    The first column is repeated in each.
    """
    screen = width_of(sys.stdout) if sys.stdout is not None else None
    widths = (
        [max(len(visible(row[at])) for row in rows) for at in range(len(rows[0]))] if rows else []
    )
    begin = 1
    while begin < len(widths):
        used, end = len(indent) + widths[0], begin
        while end < len(widths) and (
            screen is None or end == begin or used + 2 + widths[end] <= screen
        ):
            used, end = used + 2 + widths[end], end + 1
        table([(row[0], *row[begin:end]) for row in rows], indent=indent)
        begin = end


def _in_column(text: str, start: int, screen: int | None) -> list[str]:
    """The lines of a cell that starts at a column of the screen."""
    if screen is None or start + len(text) <= screen:
        return [text]
    room = max(screen - start, _LEAST_COLUMN)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)


def problems(found: Iterable[Problem], *, to_stderr: bool = False) -> None:
    """Print problems, one per line, with their severity."""
    write = tell if to_stderr else say
    for problem in found:
        write(f"  {problem.severity}: {problem}")


def start() -> None:
    """Begin a command: forget the output errors of an earlier one in this process."""
    _lost.clear()
    if sys.stdout is None:  # closed (`>&-`): typer would not notice lost output
        sys.stdout = _Closed()
    _begun_with[:] = [sys.stdout]


def lost(error: OSError) -> None:
    """Record that some output was lost."""
    _lost.append(error)


def exit_code(code: int) -> int:
    """The exit code of a command that ends with `code`: a different one if its output was lost.

    A reader that has closed (`| head`) is not an error, so nothing is printed. A full disk is an error.
    """
    for name in _STREAMS:
        if getattr(sys, name) is not None:
            _put(name, "")
    if not _lost:
        # typer replaces streams itself if the reader of its help has closed
        return code if [sys.stdout] == _begun_with else BROKEN_PIPE
    if all(error.errno == errno.EPIPE for error in _lost):
        return code or BROKEN_PIPE
    tell(f"error: the output cannot be printed: {_lost[0].strerror}")
    return code or 1


def _write_lines(name: _Stream, text: str, *, tone: Tone | None = None) -> None:
    stream: TextIO | None = getattr(sys, name)
    if stream is None:
        return
    for line in wrapped(text, width_of(stream)):
        _write_line(name, line, tone=tone)


def _write_line(name: _Stream, text: str, *, tone: Tone | None = None) -> None:
    """Write a line in the stream's encoding; if the stream is closed or full, record it and go on."""
    stream: TextIO | None = getattr(sys, name)
    if stream is None:
        return
    shown = in_encoding(text, stream.encoding or "utf-8")
    if coloured(stream):
        shown = painted(shown, tone) if tone else _SEVERITY.sub(_painted_severity, shown)
    _put(name, shown + "\n")


def _painted_severity(found: re.Match[str]) -> str:
    return found[1] + painted(found[2], _TONES[found[2]])


def _put(name: _Stream, text: str) -> None:
    stream: TextIO = getattr(sys, name)
    try:
        if text:  # even an empty write can fail
            stream.write(text)
        stream.flush()
    except (OSError, ValueError) as error:
        _lost.append(error if isinstance(error, OSError) else _closed())
        setattr(sys, name, io.StringIO())


class _Closed(io.StringIO):
    """Replaces a stream that was closed before the command began."""

    def write(self, text: str) -> int:
        if text:
            _lost.append(_closed())
            raise _lost[-1]
        return 0


def _closed() -> OSError:
    return OSError(errno.EBADF, "it is closed")
