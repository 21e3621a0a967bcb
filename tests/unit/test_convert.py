"""Every option of conversion, and every oddity it must take, refuse or report."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.testing import Camera, Version, make_dataset
from tests.judge import differences, faults, sound
from tests.mutate import (
    LFS_POINTER,
    add_track,
    copied,
    drop_columns,
    edit_info,
    edit_json,
    edit_lines,
    edit_table,
    episode_table,
    episode_video,
    set_column,
)
from tests.oracle import json_lines, read, tree_digest

TOP, WRIST = "observation.images.top", "observation.images.wrist"
LENGTHS = (5, 1, 8)
EPISODES_FILE = "meta/episodes/chunk-000/file-000.parquet"
Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    cameras = {TOP: Camera(height=32), WRIST: Camera(height=32)}
    versions: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")
    for version in versions:
        make_dataset(folder / version, version=version, episodes=LENGTHS, cameras=cameras)
    mixed = {TOP: Camera(height=32, codec="av1"), WRIST: Camera(height=64)}
    make_dataset(folder / "mixed", version="v2.1", episodes=LENGTHS, cameras=mixed)
    return folder


@pytest.fixture
def v21(bases: Path, tmp_path: Path) -> Path:
    """A v2.1 dataset of the test's own."""
    return copied(bases / "v2.1", tmp_path / "source")


@pytest.fixture
def v30(bases: Path, tmp_path: Path) -> Path:
    """A v3.0 dataset of the test's own."""
    return copied(bases / "v3.0", tmp_path / "source")


def _rules(report: roboreel.Report) -> set[str]:
    return {problem.rule for problem in report.problems}


def _nothing_written(tmp_path: Path) -> bool:
    return {path.name for path in tmp_path.iterdir()} <= {"source"}


# broken episodes


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    edit_table(path, lambda table: table.slice(0, 0))


def _without_rows(*rows: int) -> Change:
    def change(root: Path) -> None:
        keep = [row for row in range(LENGTHS[2]) if row not in rows]
        edit_table(episode_table(root, 2), lambda table: table.take(keep))

    return change


BROKEN: dict[str, tuple[str, Change]] = {
    "video deleted": ("video.missing", lambda r: episode_video(r, TOP, 2).unlink()),
    "video cut": ("video.readable", lambda r: _truncate(episode_video(r, TOP, 2))),
    "video empty": ("video.readable", lambda r: episode_video(r, TOP, 2).write_bytes(b"")),
    "video pointer": (
        "video.readable",
        lambda r: episode_video(r, TOP, 2).write_bytes(LFS_POINTER),
    ),
    "video short": (
        "video.short",
        lambda r: shutil.copy(episode_video(r, TOP, 0), episode_video(r, TOP, 2)),
    ),
    "table deleted": ("table.missing", lambda r: episode_table(r, 2).unlink()),
    "table cut": ("table.readable", lambda r: _truncate(episode_table(r, 2))),
    "table pointer": ("table.readable", lambda r: episode_table(r, 2).write_bytes(LFS_POINTER)),
    "table without rows": ("table.empty", lambda r: _empty(episode_table(r, 2))),
    "table lacks a column": (
        "table.columns",
        lambda r: drop_columns(episode_table(r, 2), "action"),
    ),
    "task unknown": (
        "task.resolves",
        lambda r: set_column(episode_table(r, 2), "task_index", pa.array([9] * LENGTHS[2])),
    ),
}


@pytest.mark.parametrize(("rule", "change"), BROKEN.values(), ids=BROKEN)
def test_a_broken_episode_is_refused_by_name_or_left_out(
    v21: Path, bases: Path, tmp_path: Path, rule: str, change: Change
) -> None:
    change(v21)
    with pytest.raises(roboreel.PlanError, match="--on-broken skip") as caught:
        roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert {(p.rule, p.episode) for p in caught.value.problems} == {(rule, 2)}
    assert _nothing_written(tmp_path)
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out", on_broken="skip")
    assert [(p.rule, p.episode) for p in report.skipped] == [(rule, 2)]
    result = read(sound(tmp_path / "out"))
    assert faults(result) == []
    assert differences(read(bases / "v2.1"), result, episodes=[0, 1]) == []


@pytest.mark.parametrize("rows", [(3,), (0, 1)], ids=["in the middle", "at the start"])
def test_rows_taken_out_of_a_table_never_shift_against_its_video(
    v21: Path, bases: Path, tmp_path: Path, rows: tuple[int, ...]
) -> None:
    """frame_index and timestamp say which frames are left: the k-th row is not the k-th frame's."""
    _without_rows(*rows)(v21)
    with pytest.raises(roboreel.PlanError):
        roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out", on_broken="skip")
    result = read(tmp_path / "out")
    assert differences(read(bases / "v2.1"), result, episodes=[0, 1]) == []


def test_rows_taken_off_the_end_of_a_table_end_the_episode(v21: Path, tmp_path: Path) -> None:
    _without_rows(6, 7)(v21)
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert {"episode.length", "video.long"} <= _rules(report)
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert result.numbers(result.episodes[2], WRIST) == [(k, 2, 1) for k in range(6)]


def test_nothing_is_written_where_no_episode_is_sound(v21: Path, tmp_path: Path) -> None:
    for episode in range(3):
        episode_table(v21, episode).unlink()
    with pytest.raises(roboreel.PlanError, match="3 of 3 episodes"):
        roboreel.convert(v21, to="v3.0", out=tmp_path / "out", on_broken="skip")
    assert _nothing_written(tmp_path)


# timestamps


def _recorded(root: Path, *, start: float = 0.05, type_: pa.DataType | None = None) -> None:
    """Wall-clock timestamps with jitter."""
    for episode, length in enumerate(LENGTHS):
        stamps = start + np.arange(length) * 0.0335
        set_column(
            episode_table(root, episode), "timestamp", pa.array(stamps, type_ or pa.float32())
        )


@pytest.mark.parametrize("type_", [pa.float32(), pa.float64()], ids=str)
def test_irregular_timestamps_become_regular_and_are_kept_beside(
    v21: Path, tmp_path: Path, type_: pa.DataType
) -> None:
    _recorded(v21, start=1.7e9 if type_ == pa.float64() else 0.05, type_=type_)
    source = read(v21)
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "there")
    assert "table.timestamps" in _rules(report)
    roboreel.convert(tmp_path / "there", to="v2.1", out=tmp_path / "back")
    for out in ("there", "back"):
        result = read(tmp_path / out)
        assert faults(result) == []
        assert differences(source, result, added=["source_timestamp"]) == []
        for old, new in zip(source.episodes, result.episodes, strict=True):
            assert new.rows["source_timestamp"].equals(old.rows["timestamp"])


def test_whole_number_timestamps_are_kept_exactly(v21: Path, tmp_path: Path) -> None:
    for episode, length in enumerate(LENGTHS):
        stamps = pa.array(1_700_000_000_123_456_789 + np.arange(length) * 33_000_000)
        set_column(episode_table(v21, episode), "timestamp", stamps)
    source = read(v21)
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    result = read(tmp_path / "out")
    for old, new in zip(source.episodes, result.episodes, strict=True):
        kept = new.rows["source_timestamp"].to_pylist()
        assert kept == old.rows["timestamp"].to_pylist()


def test_irregular_timestamps_stay_where_asked(v21: Path, tmp_path: Path) -> None:
    _recorded(v21)
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out", timestamps="keep")
    assert "table.timestamps" in _rules(report)
    result = read(tmp_path / "out")
    for old, new in zip(read(v21).episodes, result.episodes, strict=True):
        assert new.rows["timestamp"].equals(old.rows["timestamp"])
    assert faults(result, timestamp_error_s=1.0) == []


def test_a_column_of_the_users_is_not_taken_for_the_kept_timestamps(
    v21: Path, tmp_path: Path
) -> None:
    _recorded(v21)
    for episode, length in enumerate(LENGTHS):
        set_column(episode_table(v21, episode), "source_timestamp", pa.array([7.0] * length))
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    result = read(tmp_path / "out")
    assert differences(read(v21), result, added=["source_timestamp_2"]) == []
    assert "source_timestamp_2" in result.episodes[0].rows.column_names


def test_a_table_without_timestamps_beside_irregular_ones(v21: Path, tmp_path: Path) -> None:
    _recorded(v21)
    drop_columns(episode_table(v21, 1), "timestamp")
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    rows = read(tmp_path / "out").episodes[1].rows
    assert rows["timestamp"].to_pylist() == [0.0]
    assert rows["source_timestamp"].to_pylist() == [None]


# file sizes and layout


def test_small_size_limits_give_many_files(bases: Path, tmp_path: Path) -> None:
    report = roboreel.convert(
        bases / "v2.1", to="v3.0", out=tmp_path / "out", data_file_mb=0.001, video_file_mb=0.001
    )
    assert (report.table_files, report.video_files) == (3, 6)
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(bases / "v2.1"), result) == []
    assert result.info["data_files_size_in_mb"] == 0.001


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_size_limits_are_positive(bases: Path, tmp_path: Path, limit: float) -> None:
    with pytest.raises(roboreel.UsageError, match="positive number of MiB"):
        roboreel.plan_convert(bases / "v2.1", to="v3.0", out=tmp_path / "out", data_file_mb=limit)


# output


@pytest.mark.parametrize("kind", ["not empty", "a file", "a link", "inside", "the source"])
def test_an_output_that_is_taken_is_refused(v21: Path, tmp_path: Path, kind: str) -> None:
    out = {"inside": v21 / "out", "the source": v21}.get(kind, tmp_path / "out")
    if kind == "not empty":
        out.mkdir()
        (out / "mine").write_text("mine")
    elif kind == "a file":
        out.write_text("mine")
    elif kind == "a link":
        out.symlink_to(tmp_path / "nowhere")
    before = tree_digest(tmp_path)
    with pytest.raises(roboreel.UsageError):
        roboreel.convert(v21, to="v3.0", out=out)
    assert tree_digest(tmp_path) == before


def test_an_empty_folder_is_taken_as_output(bases: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    roboreel.convert(bases / "v2.1", to="v3.0", out=tmp_path / "out")
    assert faults(read(sound(tmp_path / "out"))) == []


def test_an_output_that_appears_between_plan_and_run_is_left_alone(
    bases: Path, tmp_path: Path
) -> None:
    plan = roboreel.plan_convert(bases / "v2.1", to="v3.0", out=tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")
    with pytest.raises(roboreel.UsageError):
        roboreel.run(plan)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine"]


def test_planning_writes_nothing(bases: Path, tmp_path: Path) -> None:
    before = tree_digest(bases)
    roboreel.plan_convert(bases / "v2.1", to="v3.0", out=tmp_path / "out")
    assert not list(tmp_path.iterdir())
    assert tree_digest(bases) == before


def test_unknown_choices_are_refused(bases: Path, tmp_path: Path) -> None:
    source, out = bases / "v2.1", tmp_path / "out"
    with pytest.raises(roboreel.UsageError, match=r"v2\.0, v2\.1, v3\.0"):
        roboreel.plan_convert(source, to="v1.6", out=out)
    with pytest.raises(roboreel.UsageError, match="regular, keep"):
        roboreel.plan_convert(source, to="v3.0", out=out, timestamps="drop")  # type: ignore[arg-type]
    with pytest.raises(roboreel.UsageError, match="fail, skip"):
        roboreel.plan_convert(source, to="v3.0", out=out, on_broken="x")  # type: ignore[arg-type]
    with pytest.raises(roboreel.UsageError, match="serial, thread or process"):
        roboreel.convert(source, to="v3.0", out=out, executor="ray")  # type: ignore[arg-type]
    with pytest.raises(roboreel.UsageError, match="workers"):
        roboreel.convert(source, to="v3.0", out=out, workers=0)
    assert not out.exists()


INPUTS: dict[str, Change] = {
    "table": lambda r: os.utime(episode_table(r, 1)),
    "video": lambda r: os.utime(episode_video(r, WRIST, 1)),
    "statistics": lambda r: (r / "meta/episodes_stats.jsonl").write_text(""),
    "extra file": lambda r: (r / "NOTES.md").write_text("other notes"),
}


@pytest.mark.parametrize("change", INPUTS.values(), ids=INPUTS)
def test_an_input_that_changed_since_planning_is_refused(
    v21: Path, tmp_path: Path, change: Change
) -> None:
    (v21 / "NOTES.md").write_text("notes")
    plan = roboreel.plan_convert(v21, to="v3.0", out=tmp_path / "out")
    change(v21)
    with pytest.raises(roboreel.RunError, match="plan again"):
        roboreel.run(plan)
    assert _nothing_written(tmp_path)


# sound and other tracks


def test_sound_is_refused_or_dropped(v21: Path, bases: Path, tmp_path: Path) -> None:
    add_track(episode_video(v21, TOP, 2), "audio")
    with pytest.raises(roboreel.PlanError, match="--drop-audio") as caught:
        roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert [(p.rule, p.column) for p in caught.value.problems] == [("video.audio", TOP)]
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out", drop_audio=True)
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(bases / "v2.1"), result) == []
    assert result.info["features"][TOP]["info"]["has_audio"] is False


# columns


def test_missing_index_columns_are_supplied(v21: Path, bases: Path, tmp_path: Path) -> None:
    names = ("timestamp", "frame_index", "episode_index", "index", "task_index")
    for episode in range(3):
        drop_columns(episode_table(v21, episode), *names)
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert {p.column for p in report.problems if p.rule == "table.index-columns"} == set(names)
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(bases / "v2.1"), result) == []


def _cast(root: Path, name: str, type_: pa.DataType) -> None:
    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        return table.set_column(at, name, table[name].cast(type_))

    edit_table(episode_table(root, 1), change)


def test_lists_of_two_kinds_keep_their_values(v21: Path, bases: Path, tmp_path: Path) -> None:
    _cast(v21, "action", pa.list_(pa.float32()))
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert "table.types" in _rules(report)
    assert differences(read(bases / "v2.1"), read(tmp_path / "out")) == []


def test_narrow_and_wide_floats_become_wide(v21: Path, bases: Path, tmp_path: Path) -> None:
    _cast(v21, "action", pa.list_(pa.float64(), 6))
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    result = read(tmp_path / "out")
    for old, new in zip(read(bases / "v2.1").episodes, result.episodes, strict=True):
        assert new.rows["action"].type.value_type == pa.float64()
        assert new.rows["action"].to_pylist() == old.rows["action"].to_pylist()
    assert result.info["features"]["action"]["dtype"] == "float64"


def test_a_column_without_values_takes_the_others_type(v21: Path, tmp_path: Path) -> None:
    for episode, length in enumerate(LENGTHS):
        notes = pa.array(["note"] * length) if episode else pa.nulls(length)
        set_column(episode_table(v21, episode), "note", notes)
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    notes = [e.rows["note"].to_pylist() for e in read(tmp_path / "out").episodes]
    assert notes == [[None] * 5, ["note"], ["note"] * 8]


def test_types_that_fit_no_one_type_are_refused(v21: Path, tmp_path: Path) -> None:
    set_column(episode_table(v21, 1), "next.reward", pa.array(["much"]))
    with pytest.raises(roboreel.PlanError, match=r"next\.reward"):
        roboreel.convert(v21, to="v3.0", out=tmp_path / "out")


@pytest.mark.parametrize("name", ["timestamp", "frame_index", "task_index"])
def test_index_columns_of_text_are_refused(v21: Path, tmp_path: Path, name: str) -> None:
    for episode, length in enumerate(LENGTHS):
        set_column(episode_table(v21, episode), name, pa.array(["a"] * length))
    with pytest.raises(roboreel.RoboreelError, match=name):
        roboreel.convert(v21, to="v3.0", out=tmp_path / "out")


def test_undeclared_columns_are_declared_and_absent_ones_left_out(
    v21: Path, bases: Path, tmp_path: Path
) -> None:
    for episode, length in enumerate(LENGTHS):
        path = episode_table(v21, episode)
        set_column(path, "force", pa.array([[1.5, 2.5]] * length))
        set_column(path, "raw", pa.array([b"\x00\xff"] * length))
        set_column(path, "when", pa.array([1] * length, pa.timestamp("us")))
        set_column(path, "words", pa.array([[{"role": "user", "n": 1}]] * length))
        drop_columns(path, "next.reward")
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    declared = {p.column for p in report.problems if p.rule == "feature.undeclared"}
    assert declared == {"force", "raw", "when", "words"}
    assert [p.column for p in report.problems if p.rule == "feature.absent"] == ["next.reward"]
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(v21), result) == []
    assert result.info["features"]["force"] == {"dtype": "float64", "shape": [2], "names": None}


def test_nan_and_infinity_travel(v21: Path, tmp_path: Path) -> None:
    odd = [float("nan"), float("inf"), -float("inf"), -0.0, 1e-45, 0.0]
    set_column(episode_table(v21, 0), "action", pa.array([odd] * 5, pa.list_(pa.float32(), 6)))
    (v21 / "meta/episodes_stats.jsonl").unlink()
    for version in ("v2.0", "v2.1", "v3.0"):
        roboreel.convert(v21, to=version, out=tmp_path / version)
        assert differences(read(v21), read(tmp_path / version)) == []


def test_missing_values_travel(v21: Path, tmp_path: Path) -> None:
    # a plain list: pyarrow reads missing fixed-size ones only since release 26
    values = pa.array([[1.0] * 6, None] + [[2.0] * 6] * 3, pa.list_(pa.float32()))
    set_column(episode_table(v21, 0), "action", values)
    (v21 / "meta/episodes_stats.jsonl").unlink()
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert read(tmp_path / "out").episodes[0].rows["action"].to_pylist() == values.to_pylist()


@pytest.mark.parametrize("names", [None, ["a"] * 6, {"motors": ["a"] * 6}, "absent"])
def test_names_of_dimensions_stay_as_they_are(v21: Path, tmp_path: Path, names: object) -> None:
    def change(document: dict[str, dict[str, dict[str, object]]]) -> None:
        document["features"]["action"]["names"] = names
        if names == "absent":
            del document["features"]["action"]["names"]

    edit_json(v21 / "meta/info.json", change)
    roboreel.convert(v21, to="v3.0", out=tmp_path / "there")
    roboreel.convert(tmp_path / "there", to="v2.1", out=tmp_path / "back")
    for out in ("there", "back"):
        spec = read(tmp_path / out).info["features"]["action"]
        assert spec.get("names", "absent") == names


# episodes and tasks


def test_gaps_between_episode_numbers_close(v21: Path, bases: Path, tmp_path: Path) -> None:
    for name in ("episodes", "episodes_stats"):
        edit_lines(v21 / f"meta/{name}.jsonl", lambda lines: [lines[0], lines[2]])
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(bases / "v2.1"), result, episodes=[0, 2]) == []


def test_gaps_between_task_indexes_close_in_v30(v21: Path, tmp_path: Path) -> None:
    edit_lines(
        v21 / "meta/tasks.jsonl",
        lambda lines: [{**line, "task_index": 10 * line["task_index"]} for line in lines],
    )
    for episode, length in enumerate(LENGTHS):
        tasks = pa.array([10 * episode] * length)
        set_column(episode_table(v21, episode), "task_index", tasks)
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert "task.contiguous" in _rules(report)
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(v21), result) == []


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


# videos


@pytest.mark.parametrize("camera", [TOP, WRIST], ids=["codec", "size"])
def test_streams_that_differ_never_share_a_file(
    v21: Path, bases: Path, tmp_path: Path, camera: str
) -> None:
    shutil.copy(episode_video(bases / "mixed", camera, 1), episode_video(v21, camera, 1))
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert report.video_files == 4
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(v21), result) == []


def test_frames_after_the_last_row_are_left_out(v21: Path, tmp_path: Path) -> None:
    shutil.copy(episode_video(v21, TOP, 2), episode_video(v21, TOP, 1))
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert [(p.rule, p.episode) for p in report.problems] == [("video.long", 1)]
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert result.numbers(result.episodes[1], TOP) == [(0, 2, 0)]


def _encoded_as(path: Path, codec: str, pix_fmt: str, options: dict[str, str]) -> None:
    """Encode a video file again, with one keyframe only."""
    aside = path.with_suffix(".aside.mp4")
    with av.open(str(path)) as old, av.open(str(aside), "w") as new:
        stream: Any = new.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 32, pix_fmt
        for frame in old.decode(video=0):
            picture = frame.reformat(format=pix_fmt)
            picture.pict_type = 0
            new.mux(stream.encode(picture))
        new.mux(stream.encode(None))
    aside.replace(path)


def _pixel_format(path: Path) -> str | None:
    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context.pix_fmt


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "options"),
    [
        ("libx265", "gray12le", {"x265-params": "keyint=250:bframes=0:log-level=none"}),
        ("libx264", "yuv420p10le", {"g": "250", "bf": "0"}),
        ("libx264", "yuv444p", {"g": "250", "bf": "0"}),
    ],
    ids=["depth", "10 bits", "full colour"],
)
def test_frames_that_are_encoded_again_keep_their_pixel_format(
    tmp_path: Path, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    """Depth has 12 bits: in 8-bit pixels it would be lost without a word."""
    cameras = {TOP: Camera(height=32, gop=250, join="encoded")}
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=(5, 4), cameras=cameras)
    _encoded_as(root / f"videos/{TOP}/chunk-000/file-000.mp4", codec, pix_fmt, options)
    try:
        roboreel.convert(root, to="v2.1", out=tmp_path / "out", allow_reencode=True)
    except roboreel.PlanError:
        return
    formats = [_pixel_format(episode_video(tmp_path / "out", TOP, n)) for n in range(2)]
    assert formats == [pix_fmt] * 2


# v3.0 documents that are wrong


def _from_timestamps(root: Path, change: Callable[[float], float]) -> None:
    name = f"videos/{TOP}/from_timestamp"

    def drifted(table: pa.Table) -> pa.Table:
        seconds = pa.array([change(s) for s in table[name].to_pylist()])
        return table.set_column(table.column_names.index(name), name, seconds)

    edit_table(root / EPISODES_FILE, drifted)


def test_drifted_starts_still_find_their_frames(v30: Path, bases: Path, tmp_path: Path) -> None:
    _from_timestamps(v30, lambda seconds: seconds + 0.9 / 30)
    for version in ("v2.1", "v3.0"):
        roboreel.convert(v30, to=version, out=tmp_path / version)
        result = read(tmp_path / version)
        assert faults(result) == []
        assert differences(read(bases / "v3.0"), result) == []


def test_starts_beyond_the_file_are_refused(v30: Path, tmp_path: Path) -> None:
    set_column(v30 / EPISODES_FILE, "length", pa.array([5, 1, 7]))
    edit_table(v30 / "data/chunk-000/file-000.parquet", lambda table: table.slice(0, 13))
    _from_timestamps(v30, lambda seconds: seconds + 10)
    with pytest.raises(roboreel.PlanError, match=r"video\.short"):
        roboreel.convert(v30, to="v3.0", out=tmp_path / "out")


def test_the_tables_own_numbers_win_over_wrong_ranges(
    v30: Path, bases: Path, tmp_path: Path
) -> None:
    set_column(v30 / EPISODES_FILE, "dataset_from_index", pa.array([3, 4, 4]))
    set_column(v30 / EPISODES_FILE, "dataset_to_index", pa.array([4, 4, 5]))
    report = roboreel.convert(v30, to="v3.0", out=tmp_path / "out")
    assert "table.episode-rows" in _rules(report)
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(bases / "v3.0"), result) == []


def test_episodes_without_listed_tasks_take_those_of_their_rows(
    v30: Path, bases: Path, tmp_path: Path
) -> None:
    drop_columns(v30 / EPISODES_FILE, "tasks")
    roboreel.convert(v30, to="v2.1", out=tmp_path / "out")
    assert differences(read(bases / "v3.0"), read(tmp_path / "out")) == []


# statistics


@pytest.mark.parametrize("lines", [0, 1])
def test_statistics_that_are_missing_are_computed(
    v21: Path, bases: Path, tmp_path: Path, lines: int
) -> None:
    edit_lines(v21 / "meta/episodes_stats.jsonl", lambda found: found[:lines])
    for version in ("v2.0", "v2.1", "v3.0"):
        report = roboreel.convert(v21, to=version, out=tmp_path / version)
        assert report.measured == 2 * (3 - lines)
        assert faults(read(tmp_path / version)) == []


def test_global_statistics_that_disagree_are_reported(bases: Path, tmp_path: Path) -> None:
    root = copied(bases / "v2.0", tmp_path / "source")
    edit_json(root / "meta/stats.json", lambda d: d["action"].update(mean=[1.0] * 6))
    report = roboreel.convert(root, to="v2.1", out=tmp_path / "out")
    assert "action" in [p.column for p in report.problems if p.rule == "stats.agree"]
    assert faults(read(tmp_path / "out")) == []


PICTURE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def _stills(folder: Path, cell: object) -> Path:
    root = make_dataset(folder, version="v2.1", episodes=(4,), cameras={}, features="rich")
    set_column(episode_table(root, 0), "observation.images.still", pa.array([cell] * 4, PICTURE))
    (root / "meta/episodes_stats.jsonl").unlink()
    return root


def test_pictures_that_are_not_there_have_no_statistics(tmp_path: Path) -> None:
    root = _stills(tmp_path / "source", None)
    roboreel.convert(root, to="v3.0", out=tmp_path / "out")
    assert differences(read(root), read(tmp_path / "out")) == []


def test_a_picture_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    root = _stills(tmp_path / "source", {"bytes": b"rubbish", "path": "a.png"})
    with pytest.raises(roboreel.RunError, match=r"observation\.images\.still"):
        roboreel.convert(root, to="v3.0", out=tmp_path / "out")
    assert _nothing_written(tmp_path)


def test_a_link_that_leads_nowhere_does_not_fail_the_run(v21: Path, tmp_path: Path) -> None:
    (v21 / "NOTES.md").symlink_to(tmp_path / "nowhere")
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert faults(read(tmp_path / "out")) == []
