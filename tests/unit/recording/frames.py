"""Frames to record, drawn from their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import roboreel
from roboreel.format.model import DATA_PATH

_AXES = ["height", "width", "channels"]
FEATURES: Mapping[str, Any] = {
    "action": {"dtype": "float32", "shape": (3,), "names": ["x", "y", "z"]},
    "state": {"dtype": "float64", "shape": (2, 2), "names": None},
    "done": {"dtype": "bool", "shape": (1,), "names": None},
    "note": {"dtype": "string", "shape": (1,), "names": None},
    "top": {"dtype": "video", "shape": (32, 48, 3), "names": _AXES},
    "wrist": {"dtype": "image", "shape": (16, 16, 3), "names": _AXES},
}


def frame_of(episode: int, number: int) -> dict[str, Any]:
    """Frame `number` of an episode: every value is its own."""
    random = np.random.default_rng((episode, number))
    return {
        "action": random.normal(size=3).astype(np.float32),
        "state": random.normal(size=(2, 2)),
        "done": bool(number % 2),
        "note": f"{episode}/{number}",
        "top": random.integers(0, 256, (32, 48, 3), dtype=np.uint8),
        "wrist": random.integers(0, 256, (16, 16, 3), dtype=np.uint8),
    }


def recorded(path: Path) -> list[dict[str, Any]]:
    """The rows of a dataset in order, as Python values."""
    dataset = roboreel.open(path)
    files = dict.fromkeys(dataset.episodes[DATA_PATH].to_pylist())
    return [row for name in files for row in pq.read_table(path / name).to_pylist()]
