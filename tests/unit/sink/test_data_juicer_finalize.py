"""`finalize_dataset`: in the folder of the workers, in another one, killed, and refused."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.errors import UsageError
from roboreel.sink.data_juicer import ExportToLeRobotMapper
from roboreel.sink.finalizing import locked_staging
from roboreel.storage.disk import faults
from tests.crash.sweep import Share, swept
from tests.crash.victim import Count, moments
from tests.data_juicer_samples import META, hand, jpeg, segment, segment_sample, video_sample

SEGMENTS = "atomic_action_segments"
_FORK = multiprocessing.get_context("forkserver")


def staged(folder: Path, count: int = 2, **more: Any) -> ExportToLeRobotMapper:
    """A mapper with episodes in its folder."""
    op = ExportToLeRobotMapper(output_dir=str(folder), **more)
    for number in range(count):
        op.process_single(video_sample(None, hand([0, 1, 2], seed=number), text=f"task {number}"))
    return op


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_becomes_the_dataset_and_keeps_files_of_others(tmp_path: Path) -> None:
    op = staged(tmp_path, 3, chunks_size=2)
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "frame_0.jpg").write_bytes(b"of the user")
    (tmp_path / "meta").mkdir()  # an older exporter makes it
    report = op.finalize_dataset(str(tmp_path), 10, "arm", 2)
    assert report is not None
    assert (report.report.out, report.episodes, report.frames) == (str(tmp_path), 3, 9)
    assert names_in(tmp_path) == ["data", "frames", "meta"]
    info = json.loads((tmp_path / "meta" / "info.json").read_text())
    assert (info["total_chunks"], info["chunks_size"], info["robot_type"]) == (2, 2, "arm")
    assert info["codebase_version"] == "v2.0"
    assert names_in(tmp_path / "data" / "chunk-001") == ["episode_000002.parquet"]
    (tmp_path / "frames" / "frame_0.jpg").unlink()
    (tmp_path / "frames").rmdir()
    assert roboreel.check(tmp_path).problems == ()


@pytest.mark.parametrize("found", ["nothing", "no states", "only failures"])
def test_nothing_staged_is_a_warning(
    found: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    op = ExportToLeRobotMapper(output_dir=str(tmp_path), segment_field=SEGMENTS)
    if found != "nothing":
        parts = [segment([0, 1], caption="N/A")] if found == "only failures" else []
        op.process_single(segment_sample([], *parts))
    before = sorted(tmp_path.rglob("*"))
    assert op.finalize_dataset(str(tmp_path)) is None
    assert "nothing to finalize" in caplog.text
    assert ("its caption is N/A" in caplog.messages[-1]) == (found == "only failures")
    kept = [path for path in tmp_path.rglob("*") if path.name != "finalize.lock"]
    assert sorted(kept) == before


@pytest.mark.parametrize("name", ["data", "meta", ".finalized/notes"])
def test_files_of_others_in_the_way_are_refused_and_kept(tmp_path: Path, name: str) -> None:
    op = staged(tmp_path, 1)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"of the user")
    with pytest.raises(UsageError, match=r"already has|not written by roboreel"):
        op.finalize_dataset(str(tmp_path))
    assert (tmp_path / name).read_bytes() == b"of the user"
    (tmp_path / name).unlink()
    if name.startswith("."):
        (tmp_path / name).parent.rmdir()
    assert op.finalize_dataset(str(tmp_path)) is not None


def test_a_second_export_into_a_dataset_is_refused_and_stays_staged(tmp_path: Path) -> None:
    op = staged(tmp_path, 1)
    op.finalize_dataset(str(tmp_path))
    again = staged(tmp_path, 2)
    with pytest.raises(UsageError, match="already has 'data'"):
        again.finalize_dataset(str(tmp_path))
    report = again.finalize_dataset(str(tmp_path), out=tmp_path / "new")
    assert report is not None
    assert report.episodes == 2
    assert "staging" in names_in(tmp_path)


def test_episodes_that_do_not_go_with_the_others_stay_staged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    op = staged(tmp_path, 2)
    other = {"states": [[0.0]] * 3, "actions": [[0.0]] * 3}
    op.process_single({META: {"hand_action_tags": [other]}, "videos": []})
    report = op.finalize_dataset(str(tmp_path))
    assert report is not None
    assert report.episodes == 2
    (skipped,) = report.skipped
    assert "feature 'observation.state'" in str(skipped)
    assert "has 1 episodes that are not in any dataset" in caplog.text
    assert len(list(tmp_path.glob("staging/episodes/*/*.parquet"))) == 1
    assert roboreel.check(tmp_path).problems[1:] == ()


def test_one_finalize_at_a_time_and_the_other_touches_nothing(tmp_path: Path) -> None:
    op = staged(tmp_path, 1)
    (tmp_path / ".finalized").mkdir()  # of a call that is about to publish it
    with (
        locked_staging(tmp_path / "staging"),
        pytest.raises(UsageError, match=r"another finalize of .* is running"),
    ):
        op.finalize_dataset(str(tmp_path))
    assert (tmp_path / ".finalized").is_dir()


def test_urls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a URL"):
        ExportToLeRobotMapper.finalize_dataset("s3://bucket/export")
    with pytest.raises(UsageError, match="is a URL"):
        ExportToLeRobotMapper(output_dir="s3://bucket/export").process_single(
            video_sample(None, hand([0, 1]))
        )


def test_a_rate_that_is_no_whole_number_is_known_again(tmp_path: Path) -> None:
    op = staged(tmp_path, 1, fps=29.97)
    report = op.finalize_dataset(str(tmp_path), 29.97)
    assert report is not None
    assert json.loads((tmp_path / "meta" / "info.json").read_text())["fps"] == 29.97


def test_other_choices_are_passed_on(tmp_path: Path) -> None:
    op = staged(tmp_path, 1)
    op.process_single(
        {META: {"hand_action_tags": [{"states": [[0.0]] * 3, "actions": [[0.0]] * 3}]}}
    )
    with pytest.raises(roboreel.DatasetError, match="1 of 2 staged episodes cannot be written"):
        op.finalize_dataset(str(tmp_path), on_broken="fail")


def _finalize(folder: Path) -> None:
    ExportToLeRobotMapper.finalize_dataset(str(folder))


def _die_finalizing(at: int, folder: Path) -> None:
    with faults(Count(at=at, act=lambda: os.kill(os.getpid(), signal.SIGKILL))):
        _finalize(folder)


@swept(few=1, parts=4)
def test_a_killed_finalize_is_finished_by_the_next(share: Share, tmp_path: Path) -> None:
    """At each operation: nothing half is ever a dataset, and the next call makes all of it."""
    staged(tmp_path / "begun", 2)
    frames = [jpeg(number) for number in range(3)]
    op = ExportToLeRobotMapper(output_dir=str(tmp_path / "begun"), segment_field=SEGMENTS)
    op.process_single(segment_sample(frames, segment([0, 1], caption="N/A")))
    whole = tmp_path / "whole"
    shutil.copytree(tmp_path / "begun", whole)
    stops = moments(lambda: _finalize(whole))
    folder = tmp_path / "killed"
    for at, moment in share(stops).items():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "begun", folder)
        process = _FORK.Process(target=_die_finalizing, args=(at, folder))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL, moment
        if (folder / "meta").exists():
            assert roboreel.check(folder).problems == (), moment
        _finalize(folder)
        found = files_of(folder)
        left = {name for name in found if name.startswith("staging/")}
        assert {name: found[name] for name in found.keys() - left} == files_of(whole), moment
        # where it was killed when all was done: the note of what the skip report has, too
        assert {Path(name).suffix for name in left} <= {".failed", ".lock"}, moment


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
