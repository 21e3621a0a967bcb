"""A view is asked for what it holds like a dataset, and answers what writing it would give."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel import Dataset, View
from roboreel.testing import Camera, make_dataset

SAME = ("total_episodes", "num_episodes", "num_frames", "total_frames", "fps", "robot_type")
SAME_KEYS = ("camera_keys",)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "set"
    return make_dataset(
        folder, version="v2.1", episodes=(12, 8, 10, 5), cameras={"wrist": Camera(height=32)}
    )


@pytest.fixture
def dataset(made: Path) -> Dataset:
    opened = roboreel.open(made)
    assert isinstance(opened, Dataset)
    return opened


EDITS: dict[str, Callable[[Dataset], View]] = {
    "as it is": lambda d: d.as_view(),
    "delete": lambda d: d.delete([1]),
    "trim": lambda d: d.trim({0: (2, 7)}),
    "reorder": lambda d: d.reorder([3, 1, 0, 2]),
    "resample": lambda d: d.resample(7),
    "rename": lambda d: d.rename({"action": "act", "wrist": "side"}),
    "remove": lambda d: d.remove("action"),
    "add": lambda d: d.add("extra", np.zeros((35, 2), dtype=np.float32)),
    "tasks": lambda d: d.delete([0]).set_tasks(replacing={"fold the towel": "iron it"}),
    "decode": lambda d: d.decode("wrist"),
    "merge": lambda d: roboreel.concat([d.delete([0]), d]),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_view_holds_what_writing_it_gives(
    dataset: Dataset, edit: Callable[[Dataset], View], tmp_path: Path
) -> None:
    view = edit(dataset)
    roboreel.write(view, out=tmp_path / "out")
    written = roboreel.open(tmp_path / "out")
    for name in (*SAME, *SAME_KEYS):
        assert getattr(view, name) == getattr(written, name), name
    assert len(view) == len(written)
    assert view.tasks == written.tasks
    for name in ("episode_index", "length", "tasks"):
        assert view.episodes[name].to_pylist() == written.episodes[name].to_pylist(), name
    told = {name: (one.dtype, one.shape) for name, one in view.features.items()}
    assert told == {
        name: (one.dtype, one.shape) for name, one in written.features.items() if name in told
    }


def test_episodes_tell_where_they_come_from(dataset: Dataset) -> None:
    view = dataset.delete([1]).trim({1: (2, 7)})
    rows = view.episodes.select(
        ["source", "source_episode", "source_start", "source_stop"]
    ).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (dataset.url, 0, 0, 12),
        (dataset.url, 2, 2, 7),
        (dataset.url, 3, 0, 5),
    ]


def test_a_dataset_has_the_counts_of_lerobot(dataset: Dataset) -> None:
    assert (len(dataset), dataset.num_frames, dataset.num_episodes) == (35, 35, 4)
    assert dataset.camera_keys == ("wrist",)
    assert dataset.fps == Fraction(30)


def test_an_episode_is_an_arrow_table(dataset: Dataset) -> None:
    table = dataset.episode_table(2)
    assert table.num_rows == 10
    assert table["episode_index"].to_pylist() == [2] * 10
    assert table["frame_index"].to_pylist() == list(range(10))
    assert dataset.episode_table(2, ["action"]).column_names == ["action"]
    with pytest.raises(roboreel.UsageError, match="no episode 9"):
        dataset.episode_table(9)
    with pytest.raises(roboreel.UsageError, match="no column 'actoin'"):
        dataset.episode_table(2, ["actoin"])


def test_an_episode_has_its_images_only_if_asked_for(tmp_path: Path, dataset: Dataset) -> None:
    roboreel.write(dataset.decode("wrist"), out=tmp_path / "images")
    images = roboreel.open(tmp_path / "images")
    assert isinstance(images, Dataset)
    assert "wrist" not in images.episode_table(0).column_names
    assert images.episode_table(0, ["wrist"])["wrist"][0]["bytes"].as_py()


def test_inner_names_are_not_completed(dataset: Dataset) -> None:
    for value in (dataset, dataset.as_view()):
        public = {name for name in dir(value) if not name.startswith("_")}
        assert {"delete", "features", "episodes", "num_frames", "save", "tasks"} <= public
        inner = {"sources", "slices", "options", "recipe", "having", "noting", "model", "root"}
        assert not public & inner
        assert all(hasattr(value, name) for name in public)


def test_every_public_property_says_what_it_is() -> None:
    for kind in (Dataset, View):
        for name in dir(kind):
            if not name.startswith("_") and isinstance(getattr(kind, name), property):
                assert getattr(kind, name).__doc__, (kind, name)


NOTHING: dict[str, Callable[[Any], View]] = {
    "delete": lambda d: d.delete([]),
    "delete an array": lambda d: d.delete(np.array([], dtype=np.int64)),
    "delete uids": lambda d: d.delete(uid=[]),
    "trim": lambda d: d.trim({}),
    "rename": lambda d: d.rename({}),
    "remove": lambda d: d.remove(),
    "encode": lambda d: d.encode({}),
    "decode": lambda d: d.decode(),
    "tasks": lambda d: d.set_tasks(replacing={}),
    "tasks of episodes": lambda d: d.set_tasks(episodes={}),
    "recompute": lambda d: d.recompute([]),
}


@pytest.mark.parametrize("edit", NOTHING.values(), ids=NOTHING)
def test_an_empty_edit_changes_nothing(dataset: Dataset, edit: Callable[[Any], View]) -> None:
    for before in (dataset.as_view(), dataset.delete([1])):
        after = edit(before)
        assert after is before
    assert repr(edit(dataset)) == repr(dataset.as_view())


def test_keeping_nothing_is_refused(dataset: Dataset) -> None:
    with pytest.raises(roboreel.UsageError):
        dataset.keep([])
