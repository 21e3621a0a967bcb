"""An append killed at any operation: every earlier episode is there, and the next append goes on."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

import roboreel
from roboreel.format.model import DATA_PATH
from roboreel.storage.disk import faults
from roboreel.testing import Camera, make_dataset
from roboreel.testing.make_dataset import Version
from roboreel.writing.append import open_writer
from tests.crash.victim import Count, moments
from tests.unit.writing.episodes import created_like, episode_of

VERSIONS: tuple[Version, ...] = ("v3.0", "v2.1")
_FORK = multiprocessing.get_context("forkserver")
_KILLED_BY_DEFAULT = 5


def _source(folder: Path, version: Version) -> Path:
    cameras = {"top": Camera(height=32)}
    return make_dataset(folder / "source", version=version, episodes=(3, 1, 2, 2), cameras=cameras)


def _append(source: Path, path: Path, number: int) -> None:
    open_writer(path).append(episode_of(roboreel.open(source), number))


def _die_appending(at: int, source: Path, path: Path) -> None:
    with faults(Count(at=at, act=lambda: os.kill(os.getpid(), signal.SIGKILL))):
        _append(source, path, 2)


def _killed(at: int, source: Path, path: Path) -> int | None:
    process = _FORK.Process(target=_die_appending, args=(at, source, path))
    process.start()
    process.join(60)
    return process.exitcode


def _sweep(tmp_path: Path, version: Version, most: int | None) -> None:
    """Kill the third append, look at what is left, and append again."""
    source, begun = _source(tmp_path, version), tmp_path / "begun"
    writer = created_like(roboreel.open(source), begun)
    for number in (0, 1):
        writer.append(episode_of(roboreel.open(source), number))
    shutil.copytree(begun, tmp_path / "counted")
    stops = moments(lambda: _append(source, tmp_path / "counted", 2))
    chosen = list(stops)
    if most is not None:  # of those that change what a reader sees
        chosen = [at for at in chosen if stops[at][1] in ("replace", "append")]
        spread = np.linspace(0, len(chosen) - 1, most).round().astype(int)
        chosen = [chosen[n] for n in dict.fromkeys(spread.tolist())]
    path = tmp_path / "set"
    for at in chosen:
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(begun, path)
        assert _killed(at, source, path) == -signal.SIGKILL, stops[at]
        _look(source, path, stops[at])


def _look(source: Path, path: Path, moment: object) -> None:
    dataset = roboreel.open(path)
    there = dataset.total_episodes
    assert there in (2, 3), moment
    problems = roboreel.check(path).problems
    # all of it is there but `info.json`
    allowed = {"recording.unfinished", "info.totals"} if there == 3 else {"recording.unfinished"}
    assert {p.rule for p in problems} <= allowed, (moment, problems)
    compared = roboreel.diff(source, path)
    episodes = {found.episode for found in compared.differences if found.kind != "episodes"}
    assert not episodes & set(range(there)), (moment, compared.differences)
    resumed = open_writer(path)
    assert there <= resumed.episodes <= 3, moment
    for number in range(resumed.episodes, 4):
        _append(source, path, number)
    report = roboreel.check(path)
    assert not report.problems, (moment, report.problems)
    assert not roboreel.diff(source, path).differences, moment
    assert _numbers(path) == [0, 1, 2, 3], moment


def _numbers(path: Path) -> list[int]:
    """Episodes by the tables that readers find without documents."""
    found: list[int] = roboreel.open(path).episodes["episode_index"].to_pylist()
    tables = {str(p.relative_to(path)) for p in path.glob("data/*/*.parquet")}
    assert tables == set(roboreel.open(path).episodes[DATA_PATH].to_pylist())
    return found


@pytest.mark.sample(1)
@pytest.mark.parametrize("version", VERSIONS)
def test_killed_at_some_operations(tmp_path: Path, version: Version) -> None:
    _sweep(tmp_path, version, _KILLED_BY_DEFAULT)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_killed_before_or_after_any_operation(tmp_path: Path, version: Version) -> None:
    _sweep(tmp_path, version, None)


@pytest.mark.parametrize("name", ["episodes", "episodes_stats", "tasks"])
def test_a_line_that_a_power_cut_left_torn(tmp_path: Path, name: str) -> None:
    source = _source(tmp_path, "v2.1")
    path = tmp_path / "set"
    shutil.copytree(source, path)
    document = path / f"meta/{name}.jsonl"
    with document.open("a") as file:
        file.write('{"episode_index": 4, "ta')
    assert open_writer(path).append(episode_of(roboreel.open(source), 0)) == 4
    assert roboreel.check(path).ok


def test_a_last_line_without_its_end(tmp_path: Path) -> None:
    source = _source(tmp_path, "v2.1")
    for name in ("episodes", "episodes_stats", "tasks"):
        document = source / f"meta/{name}.jsonl"
        document.write_bytes(document.read_bytes().rstrip(b"\n"))
    given = episode_of(roboreel.open(source), 0)
    assert open_writer(source).append(given) == 4
    assert roboreel.check(source).ok


@pytest.mark.parametrize("version", VERSIONS)
def test_an_unclaimed_file_is_kept_beside(tmp_path: Path, version: Version) -> None:
    source = _source(tmp_path, version)
    file = {
        "v3.0": "data/chunk-000/file-001.parquet",
        "v2.1": "data/chunk-000/episode_000004.parquet",
    }[version]
    (source / file).write_text("somebody's")
    open_writer(source).append(episode_of(roboreel.open(source), 0))
    assert (source / f"{file}.unclaimed-1").read_text() == "somebody's"
    assert roboreel.check(source).ok
