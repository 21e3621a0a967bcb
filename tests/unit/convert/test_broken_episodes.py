"""Episodes that cannot be written: refused by name, or left out; rows never shift against frames."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

import roboreel
from tests.judge import differences, faults, sound
from tests.mutate import (
    LFS_POINTER,
    drop_columns,
    edit_table,
    episode_table,
    episode_video,
    set_column,
)
from tests.oracle import read
from tests.unit.convert.sources import (
    LENGTHS,
    TOP,
    WRIST,
    Change,
    nothing_written,
    rules_of,
)


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
    with pytest.raises(roboreel.PlanError, match='on_broken="skip"') as caught:
        roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert {(p.rule, p.episode) for p in caught.value.problems} == {(rule, 2)}
    assert nothing_written(tmp_path)
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
    assert {"episode.length", "video.long"} <= rules_of(report)
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert result.numbers(result.episodes[2], WRIST) == [(k, 2, 1) for k in range(6)]


def test_nothing_is_written_where_no_episode_is_sound(v21: Path, tmp_path: Path) -> None:
    for episode in range(3):
        episode_table(v21, episode).unlink()
    with pytest.raises(roboreel.PlanError, match="3 of 3 episodes"):
        roboreel.convert(v21, to="v3.0", out=tmp_path / "out", on_broken="skip")
    assert nothing_written(tmp_path)
