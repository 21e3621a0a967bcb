"""Objects as compressed bytes, for other processes."""

from __future__ import annotations

import pickle
from typing import Any

import pyarrow as pa

Packed = tuple[int, bytes]
"""Bytes before compression, and what they became."""


def packed(value: object) -> Packed:
    """An object pickled and compressed: tables of episodes repeat themselves, and shrink to a tenth."""
    data = pickle.dumps(value, protocol=5)
    return len(data), pa.compress(data, codec="zstd", asbytes=True)


def unpacked(state: Packed) -> Any:
    """The object of `packed`."""
    size, data = state
    return pickle.loads(pa.decompress(data, size, codec="zstd", asbytes=True))
