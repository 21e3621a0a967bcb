"""Check what a worker passes to `EpisodeSink`, before anything is written.

A value that only fails in `finalize` would cost the whole dataset, so the worker is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from roboreel.errors import UsageError
from roboreel.format.encoding import Encoding
from roboreel.format.model import EPISODE, LENGTH, TASKS, is_layout
from roboreel.storage.names import is_utf8

SOURCE_FIELD, SEGMENT_FIELD, PART_FIELD = "staged_source", "staged_segment", "staged_part"
"""Columns of the table of episodes that say from which key an episode comes."""
_OWN = (EPISODE, TASKS, LENGTH, SOURCE_FIELD, SEGMENT_FIELD, PART_FIELD)


def require_declaration(fps: Any, robot_type: Any) -> None:
    """Raise `UsageError` unless the frame rate is a number and the robot a text."""
    if isinstance(fps, bool) or not isinstance(fps, Real):
        raise UsageError(f"fps: expected a number of frames per second, found {fps!r}")
    if robot_type is not None and not (isinstance(robot_type, str) and is_utf8(robot_type)):
        raise UsageError(f"robot_type: expected a string, found {robot_type!r}")


def require_encoding(encoding: Any) -> None:
    """Raise `UsageError` unless it is an `Encoding`."""
    if not isinstance(encoding, Encoding):
        found = type(encoding).__name__
        raise UsageError(f"encoding: expected a roboreel.Encoding, found {found}")


def require_mapping(what: str, value: Any) -> None:
    """Raise `UsageError` unless an argument is a dict with text keys."""
    if not isinstance(value, Mapping):
        raise UsageError(f"{what}: expected a dict, found {type(value).__name__}")
    for name in value:
        if not isinstance(name, str):
            raise UsageError(f"{what}: expected names as keys, found {name!r}")


def require_stats(stats: Mapping[str, Any]) -> None:
    """Raise `UsageError` unless statistics are a dict of arrays for each feature."""
    require_mapping("stats", stats)
    for name, parts in stats.items():
        require_mapping(f"stats of '{name}'", parts)


def require_documents(fields: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
    """Raise `UsageError` unless fields and provenance are JSON objects that every reader can read.

    Fields become columns of the list of episodes, so their names must not be ones that the format uses.
    """
    for what, value in (("fields", fields), ("provenance", provenance)):
        require_mapping(what, value)
        try:
            text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise UsageError(f"{what} must be JSON: {error}") from error
        if not is_utf8(text):
            raise UsageError(f"{what} must be UTF-8, but has a string that is not")
    for name in fields:
        if not name or is_layout(name) or name in _OWN:
            raise UsageError(
                f"fields: '{name}' is a name that the list of episodes itself uses: choose another"
            )


def require_task(task: Any) -> None:
    """Raise `UsageError` unless a task is a text, or a sequence of texts."""
    if isinstance(task, (bytes, Mapping)) or not (isinstance(task, str) or _is_sequence(task)):
        raise UsageError(f"task: expected a string, or one for each row, found {_shown(task)}")
    for text in [task] if isinstance(task, str) else task:
        if not isinstance(text, str) or not is_utf8(text):
            raise UsageError(f"task: expected a UTF-8 string, found {_shown(text)}")


def require_whole(what: str, value: Any, least: int) -> None:
    """Raise `UsageError` unless a value is a whole number from `least` on."""
    whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not whole or value.__index__() < least:
        raise UsageError(f"{what} is {_shown(value)}, expected a whole number, {least} or more")


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) or (hasattr(value, "__len__") and hasattr(value, "ndim"))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
