"""The fields of a verb in a view file: each is asked for by its kind, and refused where it is another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import chain
from operator import lt

import numpy as np

from roboreel.errors import UsageError
from roboreel.types import Int64, Json

CONTINUES = "continues"
"""A field that is true in verbs which belong to the one before: they are taken back together."""
_LARGEST = 1 << 53


def packed(numbers: Int64) -> list[Json]:
    """Numbers for a document: those that count on as half-open ranges `[start, stop]`."""
    if not len(numbers):
        return []
    starts = np.concatenate([[0], np.flatnonzero(np.diff(numbers) != 1) + 1])
    counts = np.diff(np.append(starts, len(numbers)))
    items: list[Json] = []
    for first, length in zip(numbers[starts].tolist(), counts.tolist(), strict=True):
        items += [first, first + 1][:length] if length < 3 else [[first, first + length]]
    return items


class StepFields:
    """A JSON object, its fields taken one by one; `finish` refuses what nobody asked for.

    Raises:
        UsageError: it is no object, or a field is missing or of another kind.
    """

    def __init__(self, fields: Json, *, episodes: int) -> None:
        """`episodes`: how many the view has, so that positions can be judged."""
        if not isinstance(fields, Mapping):
            raise UsageError("expected a JSON object")
        self._fields, self._episodes = fields, episodes
        self._left = {key for key in fields if key not in ("verb", CONTINUES)}

    @property
    def verb(self) -> str:
        """The verb's name."""
        return self.text("verb")

    def finish(self) -> None:
        """Refuse fields that were not asked for: they could change what the verb means."""
        if self._left:
            raise UsageError(f"unknown fields {', '.join(sorted(map(repr, self._left)))[:200]}")

    def rest(self) -> dict[str, Json]:
        """All fields that were not asked for yet."""
        found = {key: self._fields[key] for key in self._fields if key in self._left}
        self._left = set()
        return found

    def has(self, key: str) -> bool:
        """True where there is such a field, and it is not null."""
        self._left.discard(key)
        return self._fields.get(key) is not None

    def text(self, key: str) -> str:
        """A text."""
        value = self._take(key)
        return value if isinstance(value, str) else self._refuse(key, "a text")

    def number(self, key: str) -> int:
        """A whole number from 0 on."""
        value = self._take(key)
        if type(value) is not int or not 0 <= value < _LARGEST:
            self._refuse(key, "a whole number of 0 or more")
        return int(value)

    def json(self, key: str) -> Json:
        """Any value."""
        return self._take(key)

    def texts(self, key: str) -> list[str]:
        """A list of texts."""
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self._refuse(key, "a list of strings")
        return list(value)

    def numbers(self, key: str) -> list[float]:
        """A list of finite numbers."""
        value = self._take(key)
        kinds = set(map(type, value)) if isinstance(value, list) else {str}
        if not kinds <= {int, float} or not all(-_LARGEST < one < _LARGEST for one in value):
            self._refuse(key, "a list of numbers")
        return [one for one in value if math.isfinite(one)]

    def texts_by_text(self, key: str) -> dict[str, str]:
        """Texts by text."""
        value = self._take(key)
        if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
            self._refuse(key, "an object of strings")
        return dict(value)

    def object(self, key: str) -> Mapping[str, Json]:
        """An object."""
        value = self._take(key)
        if not isinstance(value, Mapping):
            self._refuse(key, "an object")
        return dict(value)

    def inside(self, key: str) -> StepFields:
        """An object with fields of its own."""
        return StepFields(self.object(key), episodes=self._episodes)

    def objects(self, key: str) -> list[Mapping[str, Json]]:
        """A list of objects."""
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            self._refuse(key, "a list of objects")
        return list(value)

    def inner(self, key: str) -> list[StepFields]:
        """A list of objects with fields of their own."""
        return [StepFields(one, episodes=self._episodes) for one in self.objects(key)]

    def positions(self, key: str = "positions") -> Int64:
        """(m,) positions of episodes, each once: numbers, and half-open ranges."""
        items = self._take(key)
        spans = _spans(items)
        if spans is None or not _inside(*spans, self._episodes):
            self._refuse(key, f"positions from 0 to {self._episodes - 1}, each once")
        start, stop = np.array(spans, dtype=np.int64)
        counts = stop - start
        total = int(counts.sum())
        found = np.repeat(start - (np.cumsum(counts) - counts), counts) + np.arange(total)
        seen = np.zeros(self._episodes, dtype=np.bool_)
        seen[found] = True
        if np.count_nonzero(seen) < total:
            self._refuse(key, f"positions from 0 to {self._episodes - 1}, each once")
        return np.asarray(found, dtype=np.int64)

    def frames(self, key: str) -> Int64:
        """(m,) numbers of frames; -1 for an episode's end."""
        value = self._take(key)
        if not isinstance(value, list) or not set(map(type, value)) <= {int}:
            self._refuse(key, "a list of frames")
        if value and not -1 <= min(value) <= max(value) < _LARGEST:
            self._refuse(key, "a list of frames")
        return np.array(value, dtype=np.int64)

    def _take(self, key: str) -> Json:
        self._left.discard(key)
        if key not in self._fields:
            raise UsageError(f"the field '{key}' is missing")
        return self._fields[key]

    def _refuse(self, key: str, expected: str) -> Json:
        shown = repr(self._fields[key])
        short = shown if len(shown) <= 60 else f"{shown[:60]} …"
        raise UsageError(f"'{key}' is {short}, expected {expected}")


def _spans(items: Json) -> tuple[list[int], list[int]] | None:
    """The starts and stops of a list of numbers and half-open ranges; None where it is no such list."""
    if not isinstance(items, list) or not set(map(type, items)) <= {int, list}:
        return None
    pairs = [item for item in items if type(item) is list]
    if not set(map(len, pairs)) <= {2} or not set(map(type, chain.from_iterable(pairs))) <= {int}:
        return None
    if not pairs:
        return items, [item + 1 for item in items]
    start = [item[0] if type(item) is list else item for item in items]
    return start, [item[1] if type(item) is list else item + 1 for item in items]


def _inside(start: list[int], stop: list[int], episodes: int) -> bool:
    """True where all ranges have something, are of these episodes, and are not more than these together."""
    if not start:
        return True
    return (
        min(start) >= 0
        and max(stop) <= episodes
        and all(map(lt, start, stop))
        and sum(stop) - sum(start) <= episodes
    )
