"""Episodes recorded frame by frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import roboreel
from roboreel.format.encoding import Encoding
from tests.unit.recording.frames import FEATURES, frame_of, recorded


def test_saved_episodes_are_a_dataset(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with roboreel.Recorder.create(
        path, fps=10, features=FEATURES, encoding=Encoding(vcodec="h264")
    ) as recorder:
        for episode, rows in enumerate((5, 1, 3)):
            for k in range(rows):
                recorder.add_frame(frame_of(episode, k), task=f"task {episode}")
            assert recorder.save_episode() == episode
            dataset = roboreel.open(path)
            assert dataset.total_episodes == episode + 1
    report = roboreel.check(path, decode=True)
    assert not report.problems
    found = recorded(path)
    assert [row["note"] for row in found[5:7]] == ["1/0", "2/0"]
    expected: Any = frame_of(2, 1)["state"]
    np.testing.assert_array_equal(found[7]["state"], expected)
