"""The only place that prints: data to stdout, everything else to stderr."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from roboreel.errors import Problem
from roboreel.format.json_types import Json


def say(text: str = "") -> None:
    """A line for people, on stdout."""
    _write(sys.stdout, text)


def tell(text: str) -> None:
    """A line beside the data, on stderr."""
    _write(sys.stderr, text)


def emit_json(value: Json) -> None:
    """A JSON document on stdout."""
    _write(sys.stdout, json.dumps(value, indent=2, ensure_ascii=True))


def table(rows: Sequence[Sequence[str]], *, indent: str = "  ") -> None:
    """Rows of text in aligned columns."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        say((indent + "  ".join(cells)).rstrip())


def problems(found: Iterable[Problem], *, to_stderr: bool = False) -> None:
    """Problems, one per line, with their severity."""
    write = tell if to_stderr else say
    for problem in found:
        write(f"  {problem.severity}: {problem}")


def human_bytes(size: int) -> str:
    """`1.2 MiB` for 1234567."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def count(number: int, noun: str) -> str:
    """`1 episode`, `2 episodes`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _write(stream: TextIO | None, text: str) -> None:
    """A line to a stream, as far as it can show it. One that is closed or full stops no work."""
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding, "replace") + "\n")
        stream.flush()
    except (OSError, ValueError):
        silent = io.StringIO()
        if stream is sys.stdout:
            sys.stdout = silent
        else:
            sys.stderr = silent
