"""Where a result may appear, what sizes its files have, and what keeps a run from beginning."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import roboreel
from tests.judge import differences, faults, sound
from tests.mutate import (
    episode_table,
    episode_video,
)
from tests.oracle import read, tree_digest
from tests.unit.convert.sources import (
    WRIST,
    Change,
    nothing_written,
)


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
    with pytest.raises(roboreel.UsageError, match="serial, thread, process or ray"):
        roboreel.convert(source, to="v3.0", out=out, executor="spark")  # type: ignore[arg-type]
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
    with pytest.raises(roboreel.RunError, match="since the plan was made"):
        roboreel.run(plan)
    assert nothing_written(tmp_path)
