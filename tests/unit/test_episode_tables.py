"""The table of episodes as other tools write it: strays beside it, doubles for whole numbers, other ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import roboreel
from roboreel.testing import Camera, make_dataset
from tests.mutate import copied, edit_lines, edit_table, set_column
from tests.oracle import tree_digest

TOP, WRIST = "observation.images.top", "observation.images.wrist"
CAMERAS = {TOP: Camera(height=32), WRIST: Camera(height=32)}
EPISODES_FILE = "meta/episodes/chunk-000/file-000.parquet"
LENGTHS = (12, 11, 15, 10)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    return make_dataset(folder / "a", version="v3.0", episodes=LENGTHS, cameras=CAMERAS)


@pytest.mark.parametrize("stray", ["stray.parquet", "chunk-000/old/file-000.parquet"])
def test_a_table_that_readers_pass_over_is_ignored_and_reported(
    base: Path, tmp_path: Path, stray: str
) -> None:
    root = copied(base, tmp_path / "a")
    (root / "meta/episodes" / stray).parent.mkdir(exist_ok=True)
    shutil.copy(root / EPISODES_FILE, root / "meta/episodes" / stray)
    (found,) = roboreel.open(root).problems
    assert (found.rule, found.path) == ("file.unused", f"meta/episodes/{stray}")
    assert [p.rule for p in roboreel.check(root).problems] == ["file.unused"]
    report = roboreel.convert(root, to="v2.1", out=tmp_path / "out")
    assert any(stray in loss for loss in report.losses)
    assert roboreel.diff(base, tmp_path / "out").same


def test_a_table_of_episodes_one_folder_too_high_is_named(base: Path, tmp_path: Path) -> None:
    root = copied(base, tmp_path / "a")
    shutil.move(root / EPISODES_FILE, root / "meta/episodes/file-000.parquet")
    with pytest.raises(roboreel.DatasetError, match=f"move it to {EPISODES_FILE}") as caught:
        roboreel.open(root)
    assert "meta/episodes/file-000.parquet" in str(caught.value)


@pytest.mark.parametrize("stray", ["data/stray.parquet", "data/chunk-000/old/x.parquet"])
def test_a_data_table_that_readers_pass_over_is_no_error(
    base: Path, tmp_path: Path, stray: str
) -> None:
    root = copied(base, tmp_path / "a")
    (root / stray).parent.mkdir(exist_ok=True)
    shutil.copy(root / "data/chunk-000/file-000.parquet", root / stray)
    (found,) = roboreel.check(root).problems
    assert (found.rule, found.severity, found.path) == ("file.unused", "warning", stray)


def _as_doubles(table: pa.Table) -> pa.Table:
    for at, item in enumerate(table.schema):
        if pa.types.is_integer(item.type):
            table = table.set_column(at, item.name, table[item.name].cast(pa.float64()))
    return table


def test_whole_numbers_stored_as_doubles_are_read(base: Path, tmp_path: Path) -> None:
    root = copied(base, tmp_path / "a")
    edit_table(root / EPISODES_FILE, _as_doubles)
    assert roboreel.check(root).problems == ()
    assert roboreel.diff(base, root).notes == ()
    roboreel.convert(base, to="v2.1", out=tmp_path / "of-base")
    roboreel.convert(root, to="v2.1", out=tmp_path / "of-doubles")
    assert tree_digest(tmp_path / "of-doubles") == tree_digest(tmp_path / "of-base")


def test_numbers_that_are_not_whole_are_refused(base: Path, tmp_path: Path) -> None:
    root = copied(base, tmp_path / "a")
    set_column(root / EPISODES_FILE, "length", pa.array([12.0, 11.5, 15.0, 10.0]))
    with pytest.raises(roboreel.DatasetError, match=r"'length' must have whole numbers"):
        roboreel.open(root)


def test_a_place_that_is_nan_is_no_place(base: Path, tmp_path: Path) -> None:
    root = copied(base, tmp_path / "a")
    name = f"videos/{TOP}/file_index"
    set_column(root / EPISODES_FILE, name, pa.array([0.0, 0.0, float("nan"), 0.0]))
    paths = roboreel.open(root).episodes[f"videos/{TOP}/path"].to_pylist()
    assert [path is None for path in paths] == [False, False, True, False]


def test_statistics_of_episodes_numbered_as_doubles_are_read(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 4), cameras={})
    edit_lines(
        root / "meta/episodes_stats.jsonl",
        lambda lines: [{**line, "episode_index": float(line["episode_index"])} for line in lines],
    )
    assert [number for number, _ in roboreel.open(root).episode_stats()] == [0, 1]
    assert roboreel.check(root).problems == ()


def _ends_earlier(root: Path, frames: list[float], cameras: tuple[str, ...] = (TOP, WRIST)) -> None:
    def change(table: pa.Table) -> pa.Table:
        for camera in cameras:
            name = f"videos/{camera}/to_timestamp"
            at = table.column_names.index(name)
            ends = pc.subtract(table[name], pa.array([value / 30 for value in frames]))
            table = table.set_column(at, name, ends)
        return table

    edit_table(root / EPISODES_FILE, change)


def test_ends_at_the_last_frame_throughout_are_said_once(base: Path, tmp_path: Path) -> None:
    root = copied(base, tmp_path / "a")
    _ends_earlier(root, [1, 1, 1, 1])
    (found,) = roboreel.check(root).problems
    assert (found.rule, found.episode, found.column) == ("video.duration", None, None)
    assert "in all 4 episodes" in found.message
    assert f"cameras {TOP}, {WRIST}" in found.message


def test_an_end_within_a_frame_is_nothing_and_the_worst_is_named(
    base: Path, tmp_path: Path
) -> None:
    root = copied(base, tmp_path / "a")
    _ends_earlier(root, [1, 0, 2, 3], (TOP,))
    (found,) = roboreel.check(root).problems
    assert (found.rule, found.episode, found.column) == ("video.duration", 3, TOP)
    assert "2 episodes" in found.message
    assert "10 frames" in found.message
