"""Ask a stream for its width and colours, and lay text out for it."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections.abc import Iterator
from typing import Literal, TextIO

Tone = Literal["error", "warning", "note", "heading", "option", "command", "faint"]

MID_TONES: dict[Tone, str] = {
    "error": "1;38;5;160",
    "warning": "1;38;5;130",
    "note": "1;38;5;31",
    "heading": "1",
    "option": "38;5;30",
    "command": "1",
    "faint": "2",
}
"""Codes for terminals of 256 colours: tones between light and dark, readable on both."""
BASIC: dict[Tone, str] = {
    **MID_TONES,
    "error": "1;31",
    "warning": "1;35",
    "note": "1",
    "option": "1",
}
"""Codes for terminals of 8 colours: red and magenta are readable on both, yellow and cyan are not."""
_CODE = re.compile("\x1b\\[[0-9;]*m")
_NARROWEST, _WIDEST = 40, 120
_ARROW = " → "
_COMMAND = re.compile(r"roboreel [a-z][^\n'`;([]*[^\n'`;([ ]")
_ASCII = str.maketrans(
    {"…": "...", "×": "x", "→": "->", "–": "-", **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True))}
)


def coloured(stream: TextIO) -> bool:
    """True if text on `stream` may have colours: on a terminal, or as `NO_COLOR` and `FORCE_COLOR` say."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def is_terminal(stream: TextIO) -> bool:
    """True if a person reads `stream` as it is written."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def width_of(stream: TextIO) -> int | None:
    """Columns to lay text out in, 40 to 120; None if `stream` is not a terminal."""
    return terminal_width() if is_terminal(stream) else None


def terminal_width() -> int:
    """Columns of the terminal, 40 to 120; 80 if there is none. `COLUMNS` overrides."""
    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((80, 24)).columns))


def painted(text: str, tone: Tone) -> str:
    """The text in the colours of a tone."""
    many = "256color" in os.environ.get("TERM", "") or "COLORTERM" in os.environ
    return f"\x1b[{(MID_TONES if many else BASIC)[tone]}m{text}\x1b[0m" if text else text


def plain(text: str) -> str:
    """The text without colours."""
    return _CODE.sub("", text)


def in_encoding(text: str, encoding: str) -> str:
    """The text with characters that the encoding lacks replaced by ASCII."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "replace").decode(encoding)
    return text


def wrapped(text: str, width: int | None, *, hang: str = "  ") -> Iterator[str]:
    """The lines of a text, wrapped at words; commands to type stay on one line, to be copied.

    What to do about a problem, after an arrow, starts a line of its own if not all fits on one.

    Args:
        text: lines, each with its own indentation, without colours.
        width: columns; None wraps nothing.
        hang: added to the indentation of a line that continues one.
    """
    for line in text.split("\n"):
        if width is None or len(line) <= width or line.lstrip().startswith("try: "):
            yield line
            continue
        below = line[: len(line) - len(line.lstrip(" "))] + hang
        what, *actions = line.split(_ARROW)
        yield from _filled(what, width, below)
        for action in actions:
            yield from _filled(f"{below}{_ARROW.lstrip()}{action}", width, below + hang)


def _filled(line: str, width: int, below: str) -> Iterator[str]:
    """The lines of a line; those after the first begin with `below`."""
    glued = _COMMAND.sub(lambda found: found[0].replace(" ", "\0"), line)
    for one in textwrap.wrap(
        glued, width, subsequent_indent=below, break_long_words=False, break_on_hyphens=False
    ):
        yield one.replace("\0", " ")
