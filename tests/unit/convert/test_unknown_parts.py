"""Fields, keys and files that are not the format's, and frame rates: they travel as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.testing import Camera, make_dataset
from tests.judge import differences, faults
from tests.mutate import (
    edit_info,
    edit_lines,
    episode_table,
    set_column,
)
from tests.oracle import json_lines, read
from tests.unit.convert.sources import (
    EPISODES_FILE,
    TOP,
)

EXTRA_FIELDS = {
    "text": ["a", "b", None],
    "number": [1, None, 3],
    "mixed": [1, "x", [1]],
    "empty object": [{}, {}, {}],
    "objects": [{"a": 1}, {"b": None}, {}],
    "lists": [[1, 2], [], None],
    "big": [2**70, 1, 2],
    "numbers of two kinds": [1, 2.5, True],
}


@pytest.mark.parametrize("values", EXTRA_FIELDS.values(), ids=EXTRA_FIELDS)
def test_fields_of_episodes_that_are_not_the_formats_come_back(
    v21: Path, tmp_path: Path, values: list[object]
) -> None:
    edit_lines(
        v21 / "meta/episodes.jsonl",
        lambda lines: [
            {**line, "mine": value} if value is not None else line
            for line, value in zip(lines, values, strict=True)
        ],
    )
    roboreel.convert(v21, to="v3.0", out=tmp_path / "there")
    assert "mine" in pq.read_schema(tmp_path / "there" / EPISODES_FILE).names
    roboreel.convert(tmp_path / "there", to="v2.1", out=tmp_path / "back")
    back = json_lines(tmp_path / "back/meta/episodes.jsonl")
    assert json.dumps([line.get("mine") for line in back]) == json.dumps(values)


@pytest.mark.parametrize(
    "name",
    [
        "dataset_from_index",
        "data/chunk_index",
        "data/path",
        "stats/action/min",
        "meta/episodes/file_index",
        f"videos/{TOP}/from_timestamp",
        f"videos/{TOP}/path",
    ],
)
def test_fields_of_episodes_never_take_the_place_of_the_formats(
    v21: Path, bases: Path, tmp_path: Path, name: str
) -> None:
    edit_lines(v21 / "meta/episodes.jsonl", lambda lines: [{**line, name: 77} for line in lines])
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(bases / "v2.1"), result) == []


def test_columns_of_the_table_of_episodes_that_json_cannot_hold(v30: Path, tmp_path: Path) -> None:
    set_column(v30 / EPISODES_FILE, "when", pa.array([1, 2, 3], pa.timestamp("us")))
    set_column(v30 / EPISODES_FILE, "raw", pa.array([b"\xff", b"a", None]))
    report = roboreel.convert(v30, to="v2.1", out=tmp_path / "out")
    assert faults(read(tmp_path / "out")) == []
    names = {"when", "raw"}
    kept = {name for line in json_lines(tmp_path / "out/meta/episodes.jsonl") for name in line}
    told = str(report.losses) + str(report.problems)
    assert all(name in kept or name in told for name in names)


def test_unknown_keys_and_files_travel_there_and_back(v21: Path, tmp_path: Path) -> None:
    edit_info(v21, my_key={"a": [1, None]}, robot_type=None)
    (v21 / "meta/modality.json").write_text("{}")
    (v21 / "meta/deep").mkdir()
    (v21 / "meta/deep/notes.txt").write_text("notes")
    (v21 / "README.md").write_text("# mine")
    extra = ("meta/modality.json", "meta/deep/notes.txt", "README.md")
    roboreel.convert(v21, to="v3.0", out=tmp_path / "there")
    roboreel.convert(tmp_path / "there", to="v2.1", out=tmp_path / "back")
    for out in ("there", "back"):
        result = read(tmp_path / out)
        assert faults(result, extra_files=extra) == []
        assert (result.info["my_key"], result.info["robot_type"]) == ({"a": [1, None]}, None)
        assert (tmp_path / out / "README.md").read_text() == "# mine"


def test_files_of_no_episode_are_told_of(v21: Path, tmp_path: Path) -> None:
    shutil.copy(episode_table(v21, 0), v21 / "data/chunk-000/episode_000099.parquet")
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert any("episode_000099" in loss for loss in report.losses)


@pytest.mark.parametrize("fps", [29.97, 30.0, 30])
def test_frame_rates_are_written_as_they_were(tmp_path: Path, fps: float) -> None:
    cameras = {TOP: Camera(height=32)}
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(40, 3), fps=fps, cameras=cameras)
    roboreel.convert(root, to="v3.0", out=tmp_path / "there")
    roboreel.convert(tmp_path / "there", to="v2.1", out=tmp_path / "back")
    for out in ("there", "back"):
        assert faults(read(tmp_path / out)) == []
        assert repr(read(tmp_path / out).info["fps"]) == repr(fps)


def test_a_link_that_leads_nowhere_does_not_fail_the_run(v21: Path, tmp_path: Path) -> None:
    (v21 / "NOTES.md").symlink_to(tmp_path / "nowhere")
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert faults(read(tmp_path / "out")) == []
