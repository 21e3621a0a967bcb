"""Frames to record, drawn from their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import roboreel
from roboreel.format.encoding import Encoding
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
VECTOR: Mapping[str, Any] = {"action": FEATURES["action"]}
"""Features without a camera, which record quickly."""


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


def recorder_of(path: Path, **options: Any) -> roboreel.Recorder:
    """A recorder of a new dataset with `FEATURES`, which encodes in threads."""
    given: dict[str, Any] = {
        "fps": 10,
        "features": FEATURES,
        "encoding": Encoding(vcodec="h264"),
        "processes": False,
    }
    return roboreel.Recorder.create(path, **{**given, **options})


def resumed(path: Path, **options: Any) -> roboreel.Recorder:
    """A recorder that goes on, and encodes in threads."""
    return roboreel.Recorder.resume(path, **{"processes": False, **options})


def record(recorder: roboreel.Recorder, episode: int, frames: int, **options: Any) -> int:
    """Record and save one episode; returns its number."""
    for number in range(frames):
        recorder.add_frame(frame_of(episode, number), task=f"task {episode % 2}")
    return recorder.save_episode(**options)


def recorded(path: Path) -> list[dict[str, Any]]:
    """The rows of a dataset in order, as Python values."""
    dataset = roboreel.open(path)
    files = dict.fromkeys(dataset.episodes[DATA_PATH].to_pylist())
    return [row for name in files for row in pq.read_table(path / name).to_pylist()]


def assert_recorded(path: Path, episodes: Mapping[int, int], first_row: int = 0) -> None:
    """The dataset has these frames of these episodes, one after the other, from a row on."""
    rows = recorded(path)[first_row:]
    wanted = [(e, n) for e, frames in episodes.items() for n in range(frames)]
    assert [row["note"] for row in rows] == [f"{e}/{n}" for e, n in wanted]
    for row, (episode, number) in zip(rows, wanted, strict=True):
        frame = frame_of(episode, number)
        np.testing.assert_array_equal(row["action"], frame["action"])
        np.testing.assert_array_equal(row["state"], frame["state"])
        assert row["done"] == frame["done"]
        assert row["frame_index"] == number
