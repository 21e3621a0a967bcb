"""Recordings whose writer was killed: all whole episodes come back, with their rows and frames."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.storage.disk import faults
from roboreel.testing import Camera, make_dataset
from tests.command import run_here
from tests.crash.victim import Count, moments
from tests.mutate import copied, edit_info
from tests.oracle import tree_digest
from tests.unit.repair.damage import killed

LENGTHS = (12, 9, 15)
CAMERAS = {"observation.images.top": Camera(), "observation.images.wrist": Camera()}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed") / "sound"
    return make_dataset(folder, version="v3.0", episodes=LENGTHS, cameras=CAMERAS, features="rich")


@pytest.mark.parametrize(("torn", "whole"), [(0, 3), (40, 2)])
def test_whole_episodes_of_a_killed_recording_come_back(
    sound: Path, tmp_path: Path, torn: int, whole: int
) -> None:
    root = killed(copied(sound, tmp_path / "a"), torn=torn)
    before = tree_digest(root)
    report = roboreel.repair(root, out=tmp_path / "b")
    assert report.ok
    assert not report.before.ok
    assert {"table.readable", "episode.unlisted"} <= {step.rule for step in report.repaired}
    assert tree_digest(root) == before
    pairs = [(number, number) for number in range(whole)]
    assert roboreel.diff(sound, tmp_path / "b", episodes=pairs).same
    assert len(roboreel.open(tmp_path / "b").episodes) == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_in_place_keeps_the_original(sound: Path, tmp_path: Path) -> None:
    root = killed(copied(sound, tmp_path / "a"))
    before = tree_digest(root)
    found = run_here("repair", root, "--in-place")
    assert found.returncode == 0, found.stderr
    (kept,) = tmp_path.glob("a.before-*")
    assert kept.name in found.stdout
    assert tree_digest(kept) == before
    assert roboreel.check(root).ok
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a", kept.name])


def test_a_dry_run_writes_nothing(sound: Path, tmp_path: Path) -> None:
    root = killed(copied(sound, tmp_path / "a"))
    before = tree_digest(tmp_path)
    found = run_here("repair", root, "--dry-run")
    assert "3 episodes (0 to 2) had rows and frames, but no entry: added" in found.stdout
    assert found.returncode == 0
    assert tree_digest(tmp_path) == before


def test_a_repair_stopped_at_any_operation_can_be_repeated(sound: Path, tmp_path: Path) -> None:
    root = killed(copied(sound, tmp_path / "a"))
    before = tree_digest(root)
    clean = roboreel.RunOptions(leftovers="clean")
    stops = moments(lambda: roboreel.repair(root, out=tmp_path / "counted"))
    for at in [*stops][:: max(1, len(stops) // 6)]:
        with pytest.raises(_Stopped), faults(Count(at=at, act=_stop)):
            roboreel.repair(root, out=tmp_path / "b", run_options=clean)
        assert tree_digest(root) == before
        if (tmp_path / "b").exists():  # it was published already
            assert roboreel.check(tmp_path / "b").ok
            shutil.rmtree(tmp_path / "b")
    assert roboreel.repair(root, out=tmp_path / "b", run_options=clean).ok
    assert tree_digest(tmp_path / "b") == tree_digest(tmp_path / "counted")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "counted"]


def test_a_dry_run_tells_what_a_repair_would_refuse(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path / "a")
    (root / "videos/observation.images.top/chunk-000/file-000.mp4").write_bytes(b"no video")
    edit_info(root, total_frames=1)
    found = run_here("repair", root, "--dry-run")
    assert found.returncode == 1
    assert "would be repaired\n  'total_frames' is 1" in found.stdout
    assert "3 of 3 episodes cannot be written" in found.stderr


def test_a_dry_run_exits_as_the_repair_where_an_error_is_left(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path / "a")
    (root / "data/chunk-000/file-000.parquet").write_bytes(b"PAR1")
    found = [run_here("repair", root, *how) for how in (("--dry-run",), ("-o", tmp_path / "b"))]
    assert [one.returncode for one in found] == [1, 1]
    assert all("--on-broken skip leaves such episodes out" in one.stdout for one in found)
    assert not (tmp_path / "b").exists()


class _Stopped(BaseException):
    """What no handler of errors takes for a failing disk."""


def _stop() -> None:
    raise _Stopped


def test_nothing_is_written_where_nothing_is_wrong(sound: Path, tmp_path: Path) -> None:
    report = roboreel.repair(sound, out=tmp_path / "b")
    assert report.ok
    assert report.out is None
    assert not (tmp_path / "b").exists()


def test_rows_after_a_gap_get_no_frames_of_others(sound: Path, tmp_path: Path) -> None:
    root = killed(copied(sound, tmp_path / "a"))
    path = root / "data/chunk-000/file-000.parquet"
    edit_table_without_episode(sound / path.relative_to(root), path, episode=1)
    report = roboreel.repair(root, out=tmp_path / "b")
    assert "episode 2 is not preceded by episode 0" in " ".join(
        step.message for step in report.left
    )
    assert roboreel.diff(sound, tmp_path / "b", episodes=[(0, 0)]).same
    assert len(roboreel.open(tmp_path / "b").episodes) == 1


def test_where_nothing_can_be_recovered_the_reasons_are_told(sound: Path, tmp_path: Path) -> None:
    root = killed(copied(sound, tmp_path / "a"))
    (root / "data/chunk-000/file-000.parquet").write_bytes(b"PAR1")
    with pytest.raises(roboreel.DatasetError, match="no complete row group in its 4 bytes"):
        roboreel.repair(root, out=tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def edit_table_without_episode(source: Path, target: Path, *, episode: int) -> None:
    table = pq.ParquetFile(source).read()
    pq.write_table(table.filter(pc.not_equal(table["episode_index"], episode)), target)
