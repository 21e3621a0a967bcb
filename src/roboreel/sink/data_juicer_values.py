"""Read values of a Data-Juicer sample: they may be missing, of another type, or arrays for lists. Pure."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

BYTES = (bytes, bytearray, memoryview)
_TEXTS = (str, os.PathLike, *BYTES)


def is_empty(values: Any) -> bool:
    """True for a list or array without values, and for None, which tables have for a missing list."""
    return values is None or size_of(values) == 0


def size_of(values: Any) -> int | None:
    """The number of values in a list, array or dict; None for what has no length."""
    try:
        return len(values)
    except TypeError:
        return None


def is_missing(frame: Any) -> bool:
    """True for a frame that is not there: None, an empty text, no bytes."""
    return frame is None or (not isinstance(frame, np.ndarray) and not frame)


def is_list(value: Any) -> bool:
    """True for a list of frames, also as the object array that NumPy batches make of it."""
    return isinstance(value, (list, tuple)) or (
        isinstance(value, np.ndarray) and value.dtype == np.object_ and value.ndim > 0
    )


def listed(value: Any) -> list[Any]:
    """The values of a list or array; a single value, such as a path or a dict, as a list of one."""
    single = isinstance(value, (Mapping, *_TEXTS)) or size_of(value) is None
    return [value] if single else list(value)


def text_of(value: Any, default: str = "") -> str:
    """A text without blanks around it, which can be stored; `default` where there is none."""
    found = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if not isinstance(found, str):
        found = "" if found is None or size_of(found) is not None else str(found)
    return storable(found.strip() or default)


def storable(text: str) -> str:
    """A text with what is not UTF-8 in it escaped."""
    return text.encode(errors="backslashreplace").decode()


def whole_of(value: Any) -> int:
    """A whole number of 64 bits.

    Raises:
        ValueError: it is none.
    """
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(str(error)) from None
    if isinstance(value, _TEXTS) or not -(1 << 62) < number < 1 << 62 or number != value:
        raise ValueError("not a whole number of 64 bits")
    return number


def id_of(value: Any, default: int) -> int | str:
    """The id of a segment as JSON has it: a whole number, else a text."""
    if value is None:
        return default
    try:
        return whole_of(value)
    except ValueError:
        return storable(str(value))


def source_of(candidates: Iterable[Any], content: Any) -> str:
    """What names a sample's video in every run: the first candidate, such as its path, that is there.

    Args:
        candidates: texts as they are; bytes and arrays by their SHA-256.
        content: named by its SHA-256 where there is no candidate.
    """
    for candidate in candidates:
        if not is_missing(candidate):
            known = isinstance(candidate, (str, os.PathLike))
            return storable(str(os.fspath(candidate))) if known else _digest(candidate)
    return _digest(content)


def _digest(value: Any) -> str:
    """A name for a value: the SHA-256 of its bytes, or of its canonical form."""
    data = bytes(value) if isinstance(value, BYTES) else repr(_canonical(value)).encode()
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _canonical(value: Any) -> Any:
    """A value whose `repr` has all of it, however it was stored: arrays as lists, dicts in order."""
    if isinstance(value, np.ndarray):
        return _canonical(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        items = [(str(name), _canonical(one)) for name, one in value.items() if one is not None]
        return sorted(items, key=lambda item: item[0])
    if isinstance(value, (list, tuple)):
        return [_canonical(one) for one in value]
    return value
