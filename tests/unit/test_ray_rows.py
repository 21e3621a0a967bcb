"""A row of a Ray dataset becomes a staged episode; no ray is needed for that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel.ray.staged_rows import EpisodeColumns, episode_row, stage_row
from roboreel.sink import EpisodeKey, EpisodeSink, finalize

FEATURES: dict[str, Any] = {
    "action": {"dtype": "float32", "shape": [2], "names": None},
    "timestamp": {"dtype": "float32", "shape": [1], "names": None},
}


def columns(*key: str, **given: Any) -> EpisodeColumns:
    return EpisodeColumns(**{"key": key, "task": "task", "frames": None, "fields": (), **given})


def sink(tmp_path: Path) -> EpisodeSink:
    return EpisodeSink(staging=tmp_path / "staging", fps=30, features=FEATURES)


def row(**given: Any) -> dict[str, Any]:
    return {"clip": "a.mp4", "n": np.int64(3), "task": "pick", "action": np.ones((4, 2)), **given}


def test_a_row_is_an_episode(tmp_path: Path) -> None:
    done = stage_row(
        sink(tmp_path), columns("clip", "n", fields=("score",)), row(score=np.float64(2))
    )
    assert (done.key, done.frames, done.episodes, done.error) == (
        EpisodeKey("a.mp4", 3),
        4,
        1,
        None,
    )
    finalize(tmp_path / "staging", tmp_path / "out")
    dataset = roboreel.open(tmp_path / "out")
    assert dataset.episodes["score"].to_pylist() == [2.0]
    assert dataset.tasks == {0: "pick"} or list(dataset.tasks.values()) == ["pick"]


def test_a_number_counts_in_the_name_of_its_column(tmp_path: Path) -> None:
    assert stage_row(sink(tmp_path), columns("n"), row()).key == EpisodeKey("n", 3)
    assert stage_row(sink(tmp_path), columns("clip"), row()).key == EpisodeKey("a.mp4", 0)


def test_what_cannot_be_staged_is_said_and_noted(tmp_path: Path) -> None:
    done = stage_row(sink(tmp_path), columns("clip"), row(action=np.ones((4, 3))))
    assert done.frames == 0
    assert "action" in str(done.error)
    with pytest.raises(roboreel.UsageError, match="action"):
        finalize(tmp_path / "staging", tmp_path / "out")


@pytest.mark.parametrize("absent", ["clip", "task", "action"])
def test_a_missing_column_is_refused_with_those_that_are_there(tmp_path: Path, absent: str) -> None:
    given = row()
    del given[absent]
    with pytest.raises(roboreel.UsageError, match=f"lack '{absent}': they have .*'n'"):
        stage_row(sink(tmp_path), columns("clip"), given)


def test_the_rows_of_an_episode_become_one_in_their_order() -> None:
    group = {
        "clip": np.array(["a", "a", "a"], dtype=object),
        "task": np.array(["x", "y", "x"], dtype=object),
        "action": np.array([[2.0], [0.0], [1.0]]),
        "frame_index": np.array([2, 0, 1]),
        "other": np.zeros(3),
    }
    made = episode_row(columns("clip"), ["action"], "frame_index", group)
    assert made["action"].tolist() == [[[0.0], [1.0], [2.0]]]
    assert made["task"] == [["y", "x", "x"]]
    assert list(made["clip"]) == ["a"]
    assert "other" not in made
    unordered = episode_row(columns("clip"), ["action"], None, group)
    assert unordered["action"].tolist() == [[[2.0], [0.0], [1.0]]]
