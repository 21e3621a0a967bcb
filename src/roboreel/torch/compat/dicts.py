"""Nested mappings as flat ones, and small searches in lists of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from roboreel.torch.errors import ArgumentError
from roboreel.types import Json

_Item = TypeVar("_Item")
_THRESHOLD = 1e-6


def flatten_dict(d: Mapping[str, Any], parent_key: str = "", sep: str = "/") -> dict[str, Any]:
    """`{"a/b": 1}` for `{"a": {"b": 1}}`."""
    flat: dict[str, Any] = {}
    for key, value in d.items():
        name = f"{parent_key}{sep}{key}" if parent_key else key
        flat |= flatten_dict(value, name, sep) if isinstance(value, Mapping) else {name: value}
    return flat


def unflatten_dict(d: Mapping[str, Any], sep: str = "/") -> dict[str, Any]:
    """`{"a": {"b": 1}}` for `{"a/b": 1}`."""
    nested: dict[str, Any] = {}
    for key, value in d.items():
        *above, last = key.split(sep)
        inner = nested
        for name in above:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return nested


def serialize_dict(stats: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with lists and numbers for arrays and tensors, ready for JSON.

    Raises:
        NotImplementedError: a value is none of these.
    """
    plain = {key: _serialized(value) for key, value in flatten_dict(stats).items()}
    return unflatten_dict(plain)


def _serialized(value: Any) -> Json:
    if hasattr(value, "tolist"):  # arrays, tensors, numpy's numbers
        return value.tolist()
    whole = isinstance(value, list) and (not value or isinstance(value[0], int | float | list))
    if whole or isinstance(value, int | float):
        return value
    raise NotImplementedError(
        f"{value!r} has an unsupported type: expected an array, tensor, list or number"
    )


def is_float_in_list(
    target: float, float_list: Iterable[float], threshold: float = _THRESHOLD
) -> bool:
    """True where a number of the list is within `threshold` of the target."""
    return find_float_index(target, float_list, threshold) >= 0


def find_float_index(
    target: float, float_list: Iterable[float], threshold: float = _THRESHOLD
) -> int:
    """The position of the first number within `threshold` of the target, -1 where there is none."""
    near = (at for at, value in enumerate(float_list) if abs(target - value) <= threshold)
    return next(near, -1)


def cycle(iterable: Iterable[_Item]) -> Iterator[_Item]:
    """The items again and again; a loader is iterated each time, so that it shuffles again.

    Raises:
        ArgumentError: the iterable is empty.
    """
    while True:
        empty = True
        for item in iterable:
            empty = False
            yield item
        if empty:
            raise ArgumentError("cannot repeat an empty iterable")


def resolve_episode_indices(
    episodes: Sequence[int] | None,
    total_episodes: int,
    exclude_episodes: Sequence[int] | None = None,
) -> list[int] | None:
    """The chosen episodes without the excluded ones; None for all of them.

    Args:
        episodes: the chosen ones; None for all.
        total_episodes: how many there are.
        exclude_episodes: those to leave out.

    Raises:
        ArgumentError: an episode is not there, or none is left.
    """
    if episodes is None and not exclude_episodes:
        return None
    outside = [
        n for n in [*(episodes or ()), *(exclude_episodes or ())] if not 0 <= n < total_episodes
    ]
    if outside:
        raise ArgumentError(
            f"episodes {outside} are out of range: total_episodes is {total_episodes}"
        )
    left_out = set(exclude_episodes or ())
    wanted = range(total_episodes) if episodes is None else episodes
    found = [int(number) for number in np.asarray(wanted, dtype=np.int64) if number not in left_out]
    if not found:
        raise ArgumentError("all episodes are excluded: leave at least one")
    return found


def update_chunk_file_indices(chunk_idx: int, file_idx: int, chunks_size: int) -> tuple[int, int]:
    """(chunk, file) numbers of the next file."""
    last = file_idx == chunks_size - 1
    return (chunk_idx + 1, 0) if last else (chunk_idx, file_idx + 1)
