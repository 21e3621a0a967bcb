"""New features computed from the rows, and dead time at the ends of episodes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import roboreel
from roboreel.edit.standstill import moving_frames
from roboreel.testing import make_dataset
from tests.mutate import episode_table, set_column
from tests.oracle import read
from tests.unit.edit.conftest import LENGTHS

Columns = Mapping[str, npt.NDArray[Any]]


def _all(root: Path, name: str) -> list[Any]:
    return [value for episode in read(root).episodes for value in episode.rows[name].to_pylist()]


def test_a_function_of_an_episodes_columns(dataset: roboreel.Dataset, source: Path) -> None:
    view = dataset.add("sum", lambda columns: columns["action"].sum(axis=1))
    wanted = np.array(_all(source, "action"), np.float32).sum(axis=1).tolist()
    assert view.sources[0].supplied["sum"].to_pylist() == wanted
    assert view.model.info.features["sum"].dtype == "float32"


def test_a_function_of_a_row_its_episode_and_its_frame(
    dataset: roboreel.Dataset, source: Path
) -> None:
    calls: list[tuple[int, int]] = []

    def value(row: Mapping[str, Any], episode: int, frame: int) -> list[float]:
        calls.append((episode, frame))
        return [float(row["next.reward"]), float(row["action"][0]), len(row["observation.note"])]

    view = dataset.add("new", value, dtype="float32", names=["a", "b", "c"])
    assert calls == [(e, f) for e, length in enumerate(LENGTHS) for f in range(length)]
    wanted = [
        [reward, action[0], len(note)]
        for reward, action, note in zip(
            _all(source, "next.reward"),
            _all(source, "action"),
            _all(source, "observation.note"),
            strict=True,
        )
    ]
    assert view.sources[0].supplied["new"].to_pylist() == wanted


def test_a_function_sees_the_view_as_it_is(dataset: roboreel.Dataset, source: Path) -> None:
    seen: list[tuple[list[str], list[int], int]] = []

    def look(columns: Columns) -> npt.NDArray[Any]:
        names = [name for name in columns if name in ("action", "a", "next.done", "twice")]
        seen.append((names, columns["frame_index"].tolist(), int(columns["episode_index"][0])))
        return columns["a"][:, 0] + columns["twice"]

    view = dataset.rename({"action": "a"}).remove("next.done").reorder([3, 0, 1, 2])
    view = view.add("twice", np.arange(37)).trim({0: (2, 5)}).keep([0, 1])
    added = view.add("new", look).sources[0].supplied["new"].to_pylist()
    assert seen == [(["a", "twice"], [0, 1, 2], 0), (["a", "twice"], list(range(12)), 1)]
    actions = [value[0] for value in _all(source, "action")]
    wanted = [np.float32(actions[22 + k]) + k for k in (2, 3, 4)]
    assert added[24:27] == pytest.approx(wanted)
    assert added[:12] == pytest.approx([actions[k] + 15 + k for k in range(12)])


def test_the_result_holds_what_was_computed(dataset: roboreel.Dataset, tmp_path: Path) -> None:
    view = dataset.delete([1]).add("frame", lambda row, episode, frame: 100 * episode + frame)
    roboreel.write(view, out=tmp_path / "out")
    lengths = [length for at, length in enumerate(LENGTHS) if at != 1]
    wanted = [100 * e + f for e, length in enumerate(lengths) for f in range(length)]
    assert _all(tmp_path / "out", "frame") == wanted


Edit = Callable[[Any], object]
REFUSED: dict[str, tuple[Edit, str]] = {
    "too few values": (
        lambda d: d.add("n", lambda c: [1]),
        r"1 values for the 12 frames of epi.* 0",
    ),
    "one value": (lambda d: d.add("n", lambda c: 1), r"one value for the 12 frames"),
    "other arguments": (
        lambda d: d.add("n", lambda a, b: 1),
        r"expected a function of \(columns\)",
    ),
    "different shapes": (lambda d: d.add("n", lambda r, e, f: [0] * f), r"different shapes"),
    "shapes by episode": (
        lambda d: d.add("n", lambda c: np.ones((len(c["index"]), len(c["index"])))),
        r"different shapes: \(12,\) in episode 0, \(9,\) in 1",
    ),
    "a taken name": (lambda d: d.add("action", lambda c: 1 / 0), r"a feature 'action' exists"),
    "still: no feature": (
        lambda d: d.trim_still(0.1, feature="x"),
        r"no numeric feature 'x': the dataset has",
    ),
    "still: text": (lambda d: d.trim_still(0.1, feature="observation.note"), r"no numeric feature"),
    "still: negative": (
        lambda d: d.trim_still(-1),
        r"threshold must be a non-negative number, got -1",
    ),
    "still: NaN": (lambda d: d.trim_still(float("nan")), r"non-negative number, got nan"),
    "still: all": (lambda d: d.trim_still(1e9), r"never moves by more than 1e\+09 in episode 0, 1"),
    "still: unknown": (lambda d: d.trim_still(0.1, episodes=[9]), r"no episode 9"),
}


@pytest.mark.parametrize(("edit", "says"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_message(dataset: roboreel.Dataset, edit: Edit, says: str) -> None:
    with pytest.raises(roboreel.UsageError, match=says):
        edit(dataset)


STILL: dict[str, tuple[list[float], tuple[int, int] | None]] = {
    "both ends": ([0, 0, 0, 1, 2, 2, 2], (2, 5)),
    "never": ([3, 3, 3], None),
    "one frame": ([3], None),
    "always": ([0, 1, 2], (0, 3)),
    "once": ([0, 0, 5, 5], (1, 3)),
    "a pause within": ([0, 1, 1, 1, 1, 2, 2], (0, 6)),
    "just as much as allowed": ([0, 0.5, 1, 1.5], None),
    "what is no number": ([0, 0, float("nan"), 0, 0], (1, 4)),
}


@pytest.mark.parametrize(("values", "frames"), STILL.values(), ids=STILL)
def test_still_ends_are_those_in_which_nothing_moves(
    values: list[float], frames: tuple[int, int] | None
) -> None:
    assert moving_frames(np.array(values, np.float32), 0.5) == frames
    beside = np.stack([np.zeros(len(values)), np.array(values)], axis=1)
    assert moving_frames(beside, 0.5) == frames


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(0, 2))
def test_what_is_cut_stands_still_and_no_more_could_be_cut(values: list[int], most: int) -> None:
    moves = [abs(b - a) > most for a, b in itertools.pairwise(values)]
    frames = moving_frames(np.array(values), most)
    if frames is None:
        assert not any(moves)
        return
    start, stop = frames
    assert not any(moves[:start] + moves[stop - 1 :])
    assert moves[start]
    assert moves[stop - 2]


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_dead_time_is_cut_from_episodes(tmp_path: Path, version: Any) -> None:
    folder = make_dataset(tmp_path / "a", version=version, episodes=(6, 5), cameras={})
    states = [[[0.0] * 6] * 2 + [[float(k)] * 6 for k in (1, 2)] + [[2.0] * 6] * 2, [[7.0] * 6] * 5]
    if version == "v2.1":
        for episode, values in enumerate(states):
            column = pa.array(values, pa.list_(pa.float32(), 6))
            set_column(episode_table(folder, episode), "observation.state", column)
    else:
        column = pa.array(states[0] + states[1], pa.list_(pa.float32(), 6))
        (table,) = (folder / "data").rglob("*.parquet")
        set_column(table, "observation.state", column)
    dataset = roboreel.open(folder)
    assert dataset.trim_still(0.1, episodes=[0]).lengths.tolist() == [3, 5]
    with pytest.raises(roboreel.UsageError, match=r"never moves by more than 0\.1 in episode 1"):
        dataset.trim_still(0.1)
    roboreel.write(dataset.trim_still(0.1, episodes=[0]), out=tmp_path / "out")
    assert _all(tmp_path / "out", "observation.state")[:3] == states[0][1:4]
