"""Timestamps that are kept as they were recorded belong to the frames that an edit leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import roboreel
from roboreel.testing import Camera, make_dataset
from tests.mutate import episode_table, set_column
from tests.oracle import read

LATE = [0.05 + k / 30 for k in range(8)]
DRIFTING = [0.25 * k + 0.03 * k * k for k in range(6)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two episodes: one whose clock begins late, one whose clock drifts."""
    cameras = {"observation.images.top": Camera(height=32, gop=1)}
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(8, 6), cameras=cameras)
    for episode, seconds in enumerate((LATE, DRIFTING)):
        set_column(episode_table(root, episode), "timestamp", pa.array(seconds, pa.float32()))
    return root


def _seconds(root: Path) -> list[Any]:
    return [episode.rows["timestamp"].to_pylist() for episode in read(root).episodes]


def test_those_of_a_trimmed_episode_are_counted_from_its_first_frame(
    source: Path, tmp_path: Path
) -> None:
    out, again = tmp_path / "b", tmp_path / "c"
    roboreel.write(roboreel.open(source).trim({1: (2, 6)}), out=out)
    late, drifting = _seconds(out)
    assert late == _seconds(source)[0]
    assert drifting == pytest.approx([s - DRIFTING[2] for s in DRIFTING[2:]], abs=1e-6)
    roboreel.write(roboreel.open(out).trim({1: (1, 4)}).reorder([1, 0]), out=again)
    drifting, late = _seconds(again)
    assert late == _seconds(source)[0]
    assert drifting == pytest.approx([s - DRIFTING[3] for s in DRIFTING[3:]], abs=1e-6)


def test_an_episode_without_its_end_keeps_every_bit(source: Path, tmp_path: Path) -> None:
    roboreel.write(roboreel.open(source).trim({1: (0, 4)}), out=tmp_path / "b")
    assert _seconds(tmp_path / "b")[1] == _seconds(source)[1][:4]
