"""JSON values as types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

# Documents are open: any value may be JSON of any shape until it is parsed.
Json: TypeAlias = Any
JsonObject: TypeAlias = Mapping[str, Json]

_DEEPEST = 64
_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BESIDES_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def is_deep(document: bytes) -> bool:
    """True where a JSON document has objects and lists within each other beyond what anyone means.

    Python's and Arrow's own ways through nested values end in a recursion without a bottom.
    """
    if document.count(b"[") + document.count(b"{") <= _DEEPEST:
        return False
    escapes = b"\\" in document
    outside = _TEXTS.sub(b"", document) if escapes else b"".join(document.split(b'"')[::2])
    brackets = np.frombuffer(outside.translate(None, _BESIDES_BRACKETS), dtype=np.uint8)
    steps = (brackets & 2).astype(np.int32) - 1  # 1 for each that opens, -1 for each that closes
    return bool(steps.cumsum().max(initial=0) > _DEEPEST)
