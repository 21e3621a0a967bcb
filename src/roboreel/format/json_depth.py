"""Measure how deeply the values of a JSON document are nested."""

from __future__ import annotations

import re

import numpy as np

_DEEPEST = 64
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BESIDES_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def is_deep(document: bytes) -> bool:
    """True if a JSON document nests objects and lists deeper than 64 levels, which no dataset needs.

    Python's and Arrow's own code for nested values would recurse without limit.
    """
    if document.count(b"[") + document.count(b"{") <= _DEEPEST:
        return False
    escapes = b"\\" in document
    outside = _STRINGS.sub(b"", document) if escapes else b"".join(document.split(b'"')[::2])
    brackets = np.frombuffer(outside.translate(None, _BESIDES_BRACKETS), dtype=np.uint8)
    steps = (brackets & 2).astype(np.int32) - 1  # 1 opens, -1 closes
    return bool(steps.cumsum().max(initial=0) > _DEEPEST)
