"""What names a staged episode: the recording that it comes from, and the segment of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

from roboreel.errors import UsageError
from roboreel.storage.names import is_utf8

_DIGITS = 32
_FOLDER_DIGITS = 2
_LARGEST = 1 << 63


@dataclass(frozen=True, slots=True)
class EpisodeKey:
    """The identity of an episode: the same work has the same key, however often it is tried."""

    source: str
    """The recording: a path, a URL, an id."""
    segment: str | int = 0
    """Which part of the recording."""

    @property
    def digest(self) -> str:
        """The beginning of the episode's file names: 32 hexadecimal digits."""
        return sha256(json.dumps([self.source, self.segment]).encode()).hexdigest()[:_DIGITS]

    @property
    def folder(self) -> str:
        """The folder of its files: one of 256."""
        return self.digest[:_FOLDER_DIGITS]

    @property
    def order(self) -> tuple[str, bool, int, str]:
        """What episodes are sorted by: the source, then numbered segments, then named ones."""
        named = isinstance(self.segment, str)
        number = 0 if isinstance(self.segment, str) else self.segment
        return self.source, named, number, self.segment if isinstance(self.segment, str) else ""

    def __str__(self) -> str:
        return f"'{self.source}', segment {self.segment!r}"


Key: TypeAlias = EpisodeKey | str | tuple[str, str | int]
"""A key, its source, or (source, segment)."""


def key_of(key: Key) -> EpisodeKey:
    """The key that a caller gives.

    Raises:
        UsageError: the source is not a text, or the segment neither a text nor a whole number.
    """
    given: Any = (key.source, key.segment) if isinstance(key, EpisodeKey) else key
    source, segment = (given, 0) if isinstance(given, str) else _pair(given)
    if hasattr(segment, "__index__") and not isinstance(segment, bool):
        segment = int(segment.__index__())  # numpy's integers too
    texts = [part for part in (source, segment) if isinstance(part, str)]
    sound = isinstance(source, str) and bool(source) and all(map(is_utf8, texts))
    if not sound or not (isinstance(segment, str) or _is_64_bit(segment)):
        raise UsageError(
            f"{key!r} is not a key: pass a source (a string), or (source, segment), where the segment is a"
            " string or a whole number"
        )
    return EpisodeKey(source, segment)


def _pair(given: Any) -> tuple[Any, Any]:
    pair = tuple(given) if isinstance(given, (tuple, list)) else ()
    return (pair[0], pair[1]) if len(pair) == 2 else (None, None)


def _is_64_bit(segment: object) -> bool:
    return type(segment) is int and -_LARGEST <= segment < _LARGEST
