"""Values that no document should hold, and that some do."""

from __future__ import annotations

import math
import random
from typing import Any

TEXTS = (
    "", ".", "..", "/", "../../out", "/etc/passwd", "a/../../b", "C:\\x", "a\0b", "a\nb", "\r",
    "\x1b[31m\x1b]0;x\x07", "\u202egnp", "\ud800", "\udcff", "é" * 40, "x" * 100_000, "nan", "1e999999999",
    "-1", "1/0", "0", "true", "{", "{}", "{0}", "{nothing}", "{episode_index.__class__}",
    "{episode_index:999999999}", "{video_key!r}", "{episode_index:06d", "{chunk_index:03d}", "%s%n",
    "data/{episode_index}", "data/x.parquet", "{video_key}{video_key}", "video", "image", "int64",
    "float32", "string", "bool", "list", "observation.images.top", "timestamp", "episode_index",
    "v2.0", "v2.1", "v3.0", "2.1", "v9.9", "parquet",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 3, 7, 255, 1 << 16, 1 << 31, (1 << 31) - 1, 1 << 32, 1 << 53, 1 << 63, (1 << 63) - 1,
    1 << 64, 10**30, -(10**30), 10**400, 0.0, -0.0, 0.5, 1e-9, 1e-320, 1e17, 1e300, 1.7e308, -1e308,
    math.nan, math.inf, -math.inf, 29.97, 100_000, 100_001,
)  # fmt: skip


def nested(depth: int, *, objects: bool = False) -> Any:
    """A value inside `depth` lists or objects."""
    value: Any = 1
    for _ in range(depth):
        value = {"a": value} if objects else [value]
    return value


def odd_value(choose: random.Random) -> Any:
    """A value of any kind that JSON can spell, Python's `NaN` and `Infinity` included."""
    kind = choose.randrange(8)
    if kind < 3:
        return choose.choice(NUMBERS)
    if kind < 5:
        return choose.choice(TEXTS)
    if kind < 6:
        return choose.choice((None, True, False))
    plain = (choose.choice(NUMBERS), choose.choice(TEXTS), None, True)
    lists: tuple[Any, ...] = (
        [], {}, [[]], [None], {"": None}, [plain[0]], [plain[1]], list(plain), {plain[1]: plain[0]},
        [[1, 2], [3]], [1] * 5000, nested(20), nested(90, objects=True), {"a": {}}, [{}],
        {"dtype": plain[1], "shape": [plain[0]], "names": None},
    )  # fmt: skip
    return choose.choice(lists)
