"""The only place that prints: data to stdout, everything else to stderr."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from roboreel.errors import Problem, visible
from roboreel.format.json_types import Json


def say(text: str = "") -> None:
    """A line for people, on stdout; what a terminal would obey is spelled out."""
    _write(sys.stdout, visible(text))


def tell(text: str) -> None:
    """Lines beside the data, on stderr; what a terminal would obey is spelled out."""
    _write(sys.stderr, visible(text, keep="\n"))


def emit_json(value: Json) -> None:
    """A JSON document on stdout. NaN and infinity, which JSON does not have, become null."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), indent=2, ensure_ascii=True, allow_nan=False)
    _write(sys.stdout, text.replace("\x7f", "\\u007f"))


def _finite(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(rows: Sequence[Sequence[str]], *, indent: str = "  ") -> None:
    """Rows of text in aligned columns."""
    seen = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in seen) for at in range(len(seen[0]))] if seen else []
    for row in seen:
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
