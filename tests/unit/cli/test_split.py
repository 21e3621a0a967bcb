"""`roboreel split`: all parts are checked before the first is written, and --resume goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import roboreel as rr
from roboreel.cli.shared.writing import Writing, run_shown
from roboreel.ops.split import plan_parts
from roboreel.plan.plan import Plan
from roboreel.runner.run_options import RunOptions
from roboreel.runner.run_report import Report
from tests.judge import faults
from tests.oracle import read, tree_digest
from tests.unit.cli.conftest import Roboreel

INTO = ["--into", "train=0.75,val=0.25"]


def _lengths(folder: Path) -> list[int]:
    assert faults(read(folder)) == []
    return [len(episode.rows) for episode in read(folder).episodes]


def test_each_part_is_a_dataset(roboreel: Roboreel, source: Path, tmp_path: Path) -> None:
    done = roboreel("split", source, *INTO, "-o", tmp_path / "out", "--json")
    assert (done.code, done.err) == (0, "")
    assert {name: one["episodes"] for name, one in json.loads(done.out).items()} == {
        "train": 3,
        "val": 1,
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["train", "val"]
    assert _lengths(tmp_path / "out/train") == [6, 4, 1]
    assert _lengths(tmp_path / "out/val") == [8]


def test_a_dataset_for_each_task(roboreel: Roboreel, source: Path, tmp_path: Path) -> None:
    assert roboreel("split", source, "--by-task", "-o", tmp_path / "out").code == 0
    assert _lengths(tmp_path / "out/fold_the_towel") == [4]
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_nothing_is_written_where_the_last_part_is_there(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "out/val").mkdir(parents=True)
    (tmp_path / "out/val/file").write_text("mine")
    before = tree_digest(tmp_path)
    done = roboreel("split", source, *INTO, "-o", tmp_path / "out")
    assert done.code == 2
    assert "exists and is not empty" in done.err
    assert tree_digest(tmp_path) == before
    again = roboreel("split", source, *INTO, "-o", tmp_path / "out", "--resume")
    assert again.code == 2
    assert tree_digest(tmp_path) == before


def test_fractions_below_one_need_a_part_for_the_rest(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for into, left in (("train=0.5,val=0.25", "0.25"), ("train=0.75", "0.25")):
        for more in ([], ["--as-splits"]):
            done = roboreel("split", source, "--into", into, *more, "-o", out)
            assert (done.code, done.out) == (2, "")
            assert f"{left} of the 4 episodes would be in no part" in done.err
            assert "add a part 'rest' of 0.25" in done.err
            assert "--rest rest" in done.err
    assert not out.exists()
    done = roboreel("split", source, "--into", "train=0.5,val=0.25", "--rest", "test", "-o", out)
    assert (done.code, done.err) == (0, "")
    assert {name: _lengths(out / name) for name in ("train", "val", "test")} == {
        "train": [6, 4],
        "val": [1],
        "test": [8],
    }
    named = ["--into", "train=0:2", "--rest", "val", "-o", tmp_path / "named"]
    assert roboreel("split", source, *named).code == 0
    assert _lengths(tmp_path / "named/val") == [1, 8]


@pytest.mark.parametrize(
    ("into", "says"),
    [
        ("train=80,val=20", "'train=80,val=20' would name single episodes, not percentages"),
        ("train=80,val=15", "would name single episodes, not percentages"),
        ("train=80%,val=20%", "'train=80%,val=20%': write percentages as fractions"),
    ],
)
def test_percentages_are_told_how_to_be_written(
    roboreel: Roboreel, source: Path, tmp_path: Path, into: str, says: str
) -> None:
    done = roboreel("split", source, "--into", into, "-o", tmp_path / "out")
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert "fractions, train=0.8,val=0." in done.err
    single = roboreel("split", source, "--into", "a=0,b=1,c=2,d=3", "-o", tmp_path / "out")
    assert single.code == 0


@pytest.fixture
def half_done(
    roboreel: Roboreel, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with `train`, written by a run that was stopped before `val`."""

    def stopped(plan: Plan, options: Writing, run_options: RunOptions) -> Report:
        if str(plan.out).endswith("val"):
            raise KeyboardInterrupt
        return run_shown(plan, options, run_options)

    monkeypatch.setattr("roboreel.cli.edit.split.run_shown", stopped)
    done = roboreel("split", source, *INTO, "-o", tmp_path / "out", "--quiet")
    monkeypatch.undo()
    assert done.code == 130
    assert "the output was not written" in done.err
    return tmp_path / "out"


def test_resume_writes_what_is_missing(roboreel: Roboreel, source: Path, half_done: Path) -> None:
    train = tree_digest(half_done / "train")
    assert roboreel("split", source, *INTO, "-o", half_done).code == 2
    done = roboreel("split", source, *INTO, "-o", half_done, "--resume")
    assert (done.code, done.err) == (0, "")
    assert "train was already written by an earlier run" in done.out
    assert tree_digest(half_done / "train") == train
    assert _lengths(half_done / "val") == [8]
    assert sorted(path.name for path in half_done.iterdir()) == ["train", "val"]


@pytest.mark.parametrize(
    "other",
    [
        ["--into", "train=0.75,val=0.25", "--seed", "2"],
        ["--into", "train=1:4,val=0"],
        [*INTO, "--to", "v2.1"],
    ],
)
def test_resume_refuses_parts_of_another_division(
    roboreel: Roboreel, source: Path, half_done: Path, other: list[str]
) -> None:
    before = tree_digest(half_done)
    done = roboreel("split", source, *other, "-o", half_done, "--resume")
    assert done.code == 2
    assert "from a different run" in done.err
    assert tree_digest(half_done) == before


def test_a_planted_note_passes_over_no_part(
    roboreel: Roboreel, source: Path, half_done: Path, tmp_path: Path
) -> None:
    """The note of a run that did finish `train`, copied with it beside other rows under that name."""
    shutil.rmtree(half_done / "train")
    shutil.copytree(source, half_done / "train")
    planted = tmp_path / "planted"
    shutil.copytree(half_done, planted)
    done = roboreel("split", source, *INTO, "-o", planted, "--resume")
    assert done.code == 2
    assert "train' exists and is not empty" in done.err
    assert not (planted / "val").exists()


def test_two_runs_do_not_write_parts_into_one_folder(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    views = rr.open(source).split({"train": 0.75, "val": 0.25})
    parts = plan_parts(views, out=tmp_path / "out", options=RunOptions())
    with parts.written():
        done = roboreel("split", source, *INTO, "-o", tmp_path / "out")
        assert done.code == 2
        assert "another run of roboreel is using" in done.err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_run_that_finished_no_part_leaves_no_note(
    roboreel: Roboreel, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_plan: Plan, _options: Writing, _run_options: RunOptions) -> Report:
        raise KeyboardInterrupt

    monkeypatch.setattr("roboreel.cli.edit.split.run_shown", stopped)
    assert roboreel("split", source, *INTO, "-o", tmp_path / "out", "--quiet").code == 130
    assert list((tmp_path / "out").iterdir()) == []


def test_parts_of_a_view_hold_every_episode_once(source: Path, tmp_path: Path) -> None:
    for name, part in rr.open(source).split({"a": 0.5, "b": 0.5}, seed=4).items():
        rr.write(part, out=tmp_path / name)
    assert sorted(_lengths(tmp_path / "a") + _lengths(tmp_path / "b")) == [1, 4, 6, 8]
