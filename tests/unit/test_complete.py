"""A result holds every file of its plan, whatever these are called, and nothing else; one run makes it."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.errors import StorageError
from roboreel.plan.plan import CopyFile
from roboreel.storage import disk
from roboreel.storage.fs import open_output
from roboreel.storage.local import LocalRoot
from roboreel.storage.scratch import is_scratch, scratch_beside
from roboreel.storage.staging.staging import Staging, refuse_busy, staging_location
from roboreel.testing import Camera, make_dataset
from tests.oracle import tree_digest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    cameras = {"top": Camera(height=32)}
    return make_dataset(tmp_path / "set", version="v2.1", episodes=(3, 2), cameras=cameras)


SCRATCH = (
    "meta/info.json.partial", "meta/stats.json.partial", "meta/tasks.parquet.partial", "README.md.partial",
    "meta/episodes.jsonl.partial", "meta/swap.json", "lock", "ledger.jsonl", "swap.json", "dataset",
    "meta/x.000000.encoded", "x" * 250, "meta/" + "y" * 255,
)  # fmt: skip


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("to", ["v2.1", "v3.0"])
def test_files_named_like_scratch_travel(
    source: Path, tmp_path: Path, to: str, in_place: bool
) -> None:
    for name in (*SCRATCH, "README.md"):
        (source / name).write_text(f"this is {name}")
    out = source if in_place else tmp_path / "out"
    view = roboreel.open(source).delete([0]).with_target(to)
    roboreel.write(
        view, out=None if in_place else out, in_place=in_place, discard_original=in_place
    )
    for name in (*SCRATCH, "README.md"):
        assert (out / name).read_text() == f"this is {name}"
    assert roboreel.check(out).ok


@pytest.mark.parametrize("encode", [False, True])
def test_a_run_leaves_no_scratch(source: Path, tmp_path: Path, encode: bool) -> None:
    view = roboreel.open(source).with_target("v3.0")
    if encode:
        view = view.encode({"top": roboreel.Encoding(vcodec="h264")})
    roboreel.write(view, out=tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]
    assert [name for name in tree_digest(tmp_path / "out") if "roboreel" in name] == []


def test_scratch_is_hidden_and_new_each_time() -> None:
    names = {scratch_beside("meta/info.json") for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith("meta/.") and is_scratch(name[5:]) for name in names)
    assert not is_scratch(".roboreel-parts")


def test_an_attempt_finishes_no_file_after_its_run(tmp_path: Path) -> None:
    staging = Staging(tmp_path / "out")
    staging.begin()
    root = open_output(staging.root.url, unfinished=staging.unfinished)
    root.put("data/a", b"in time")

    def late() -> None:
        with root.create("data/b") as output:
            output.write(b"late")
            staging.end_attempts()

    with pytest.raises(StorageError, match="No such file"):
        late()
    with pytest.raises(StorageError, match="No such file"):
        root.put("more/c", b"late")
    staging.publish({})
    with pytest.raises(StorageError, match="No such file"):
        root.put("data/d", b"too late")
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "out",
        "out/data",
        "out/data/a",
    ]


def test_a_retried_attempt_and_its_late_twin_write_files_of_their_own(tmp_path: Path) -> None:
    root = LocalRoot(tmp_path)
    with root.create("a") as late:
        late.write(b"late, ")
        with root.create("a") as retried:
            retried.write(b"the retried one")
        assert root.read("a") == b"the retried one"
        late.write(b"and whole")
    assert root.read("a") == b"late, and whole"
    assert root.list() == ("a",)


def _gone(staged: Path) -> None:
    (staged / "README.md").unlink()


def _shorter(staged: Path) -> None:
    (staged / "README.md").write_text("")


def _more(staged: Path) -> None:
    (staged / "stray").touch()


def _gone_table(staged: Path) -> None:
    next((staged / "data").rglob("*.parquet")).unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_gone, r"'README\.md' is missing"),
        (_shorter, "its files have .* bytes, expected"),
        (_more, "'stray' is not part of the plan"),
        (_gone_table, "' is missing"),
    ],
)
def test_a_result_that_is_not_whole_is_not_published(
    source: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    """Something else changes the staged result at the very last."""
    (source / "README.md").write_text("travels along")
    out = tmp_path / "out"

    def change(when: str, name: str, path: str) -> None:
        if (when, name) == ("after", "replace") and path.endswith("meta/info.json"):
            spoil(staging_location(out) / "dataset")

    with (
        disk.faults(change),
        pytest.raises(roboreel.RunError, match=f"not what was planned(.|\n)*{said}"),
    ):
        roboreel.convert(source, to="v3.0", out=out)
    assert not out.exists()
    assert roboreel.convert(source, to="v3.0", out=out, leftovers="resume").resumed > 0
    assert (out / "README.md").read_text() == "travels along"


def test_two_ops_for_one_file_are_found(source: Path, tmp_path: Path) -> None:
    (source / "README.md").write_text("travels along")
    (source / "meta" / "other.md").write_text("another")
    plan = roboreel.plan_convert(source, to="v3.0", out=tmp_path / "out")
    ops = [
        dataclasses.replace(op, path="README.md") if isinstance(op, CopyFile) else op
        for op in plan.ops
    ]
    with pytest.raises(roboreel.RunError, match=r"'README\.md' is written more than once"):
        roboreel.run(dataclasses.replace(plan, ops=tuple(ops)))
    assert not (tmp_path / "out").exists()


# --- two runs


def _waits(change: Callable[[], None]) -> Callable[[str, str, str], None]:
    """A hook that does something once, when the lock is about to be opened."""
    done: list[bool] = []

    def hook(when: str, name: str, path: str) -> None:
        if (when, name) == ("before", "create") and path.endswith("/lock") and not done:
            done.append(True)
            change()

    return hook


def test_an_output_made_while_a_run_waited_ends_it_before_it_works(
    source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def other_run() -> None:
        shutil.copytree(source, out)

    plan = roboreel.plan_convert(source, to="v3.0", out=out)
    worked: list[object] = []
    with (
        disk.faults(_waits(other_run)),
        pytest.raises(roboreel.UsageError, match="exists and is not empty"),
    ):
        roboreel.run(plan, progress=worked.append)
    assert worked == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]
    assert tree_digest(out) == tree_digest(source)


def test_a_dataset_replaced_while_a_run_waited_ends_it_before_it_works(
    source: Path, tmp_path: Path
) -> None:
    plan = roboreel.plan_convert(source, to="v3.0", in_place=True)
    worked: list[object] = []
    kept: list[Any] = []

    def other_run() -> None:
        done = roboreel.convert(source, to="v3.0", in_place=True, progress=False)
        kept.append(done.kept)

    with (
        disk.faults(_waits(other_run)),
        pytest.raises(roboreel.RunError, match=r"has changed since the plan was made|No such file"),
    ):
        roboreel.run(plan, progress=worked.append)
    assert worked == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", *kept]


def test_work_of_an_earlier_run_outlasts_one_whose_sources_changed(
    source: Path, tmp_path: Path
) -> None:
    plan = roboreel.plan_convert(source, to="v3.0", in_place=True)
    place = staging_location(source)
    staging = Staging(source, in_place=True)
    staging.begin()
    staging.notes.append("ledger.jsonl", b"{}\n")
    staging.release()

    def change() -> None:
        (source / "meta" / "tasks.jsonl").write_text('{"task_index": 0, "task": "another"}\n')

    with disk.faults(_waits(change)), pytest.raises(roboreel.RunError, match="has changed"):
        roboreel.run(plan)
    assert (place / "ledger.jsonl").exists()


@pytest.mark.slow
def test_a_run_at_work_is_told_before_anything_is_planned(source: Path, tmp_path: Path) -> None:
    staging = Staging(tmp_path / "out")
    staging.begin()
    before = tree_digest(tmp_path)
    for call in (roboreel.plan_convert, roboreel.convert):
        with pytest.raises(roboreel.UsageError, match="another run of roboreel is using"):
            call(source, to="v3.0", out=tmp_path / "out")
    assert tree_digest(tmp_path) == before
    staging.discard()
    refuse_busy(tmp_path / "out")
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")


@pytest.mark.sample(1)
@pytest.mark.parametrize("in_place", [False, True])
def test_of_many_runs_one_makes_the_result(source: Path, tmp_path: Path, in_place: bool) -> None:
    words = [sys.executable, "-m", "roboreel", "convert", str(source), "--to", "v3.0"]
    words += ["--in-place"] if in_place else ["-o", str(tmp_path / "out")]
    runs = [
        subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = [run.communicate(timeout=100)[1] for run in runs]
    codes = [run.returncode for run in runs]
    if not in_place:
        assert sorted(codes) == [0, 2, 2], told
    assert all(code == 0 or "Traceback" not in text for code, text in zip(codes, told, strict=True))
    copies = [path.name for path in tmp_path.iterdir() if path.name.startswith("set.before-")]
    assert len(copies) == (codes.count(0) if in_place else 0)
    rest = {"set", *copies} | (set() if in_place else {"out"})
    assert {path.name for path in tmp_path.iterdir()} == rest
