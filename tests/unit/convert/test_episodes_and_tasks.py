"""Numbers of episodes and tasks with gaps, and v3.0 documents that are wrong about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

import roboreel
from tests.judge import differences, faults
from tests.mutate import (
    drop_columns,
    edit_lines,
    edit_table,
    episode_table,
    set_column,
)
from tests.oracle import read
from tests.unit.convert.sources import (
    EPISODES_FILE,
    LENGTHS,
    TOP,
    rules_of,
)


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
    assert "task.contiguous" in rules_of(report)
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(v21), result) == []


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
    assert "table.episode-rows" in rules_of(report)
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(bases / "v3.0"), result) == []


def test_episodes_without_listed_tasks_take_those_of_their_rows(
    v30: Path, bases: Path, tmp_path: Path
) -> None:
    drop_columns(v30 / EPISODES_FILE, "tasks")
    roboreel.convert(v30, to="v2.1", out=tmp_path / "out")
    assert differences(read(bases / "v3.0"), read(tmp_path / "out")) == []
