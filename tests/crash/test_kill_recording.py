"""A recorder killed at any moment: every saved episode is there and whole, and recording goes on."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

import roboreel
from roboreel.storage import disk
from roboreel.storage.disk import faults
from tests.crash.sweep import Share, swept
from tests.crash.victim import Count, Moment, moments
from tests.unit.recording.frames import assert_recorded, frame_of, record, recorder_of, resumed

_CONTEXT = multiprocessing.get_context("forkserver")
_FRAMES, _WAIT_S = 3, 60
RANDOM_KILLS = 120
"""In each slow test."""
VERSIONS = ("v3.0", "v2.1")


def _begun(path: Path, version: str) -> None:
    with recorder_of(path, version=version) as recorder:
        for episode in range(2):
            record(recorder, episode, _FRAMES)
        recorder.finalize("never")


def _save(path: Path, at: int | None = None) -> Count:
    """Record a third episode, and die at an operation of its save."""
    count = Count(at=at, act=lambda: os.kill(os.getpid(), signal.SIGKILL))
    recorder = resumed(path)
    for number in range(_FRAMES):
        recorder.add_frame(frame_of(2, number), task="task 0")
    with faults(count):
        recorder.save_episode()
    recorder.finalize("never")
    return count


def _die(path: Path, at: int) -> None:
    _save(path, at)


@swept(few=3, parts=6)
@pytest.mark.parametrize("version", VERSIONS)
def test_killed_at_any_operation_of_a_save(tmp_path: Path, version: str, share: Share) -> None:
    begun, path = tmp_path / "begun", tmp_path / "set"
    _begun(begun, version)
    shutil.copytree(begun, path)
    seen = _save(path).seen
    names = {name for _, name, _ in seen}
    assert names >= {"create", "write", "replace", "sync", "unlink"}
    stops = moments(lambda: _replay(seen))
    for at, moment in share(stops).items():
        shutil.rmtree(path)
        shutil.copytree(begun, path)
        process = _CONTEXT.Process(target=_die, args=(path, at))
        process.start()
        process.join(_WAIT_S)
        # a camera's thread writes too, so that a run can have an operation less: then it is not killed
        assert process.exitcode in (-signal.SIGKILL, 0), moment
        _look(path, 3 if process.exitcode == 0 else 2, moment)


def _replay(seen: list[Moment]) -> None:
    """Tell the hook of a run again what happened in another."""
    for moment in seen:
        for hook in disk._hooks:
            hook(*moment)


def _record_on(path: Path, acknowledged: Path, processes: bool) -> None:
    """Record until killed; a byte is written for each episode whose save has returned."""
    recorder = recorder_of(path, processes=processes)
    descriptor = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for episode in range(1000):
        record(recorder, episode, _FRAMES)
        os.write(descriptor, b"x")


@pytest.mark.parametrize(
    ("kills", "processes"),
    [
        pytest.param(2, False, id="few"),
        pytest.param(RANDOM_KILLS, False, id="threads", marks=pytest.mark.slow),
        pytest.param(RANDOM_KILLS, True, id="processes", marks=pytest.mark.slow),
    ],
)
def test_killed_at_random(tmp_path: Path, kills: int, processes: bool) -> None:
    chance = random.Random(kills)
    for number in range(kills):
        path, acknowledged = tmp_path / f"set{number}", tmp_path / f"saved{number}"
        process = _CONTEXT.Process(target=_record_on, args=(path, acknowledged, processes))
        process.start()
        wanted, latest = chance.randrange(3), time.monotonic() + _WAIT_S
        while _saved(acknowledged) < wanted and time.monotonic() < latest:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.join(_WAIT_S)
        _look(path, _saved(acknowledged), number)
        shutil.rmtree(path, ignore_errors=True)


def _saved(acknowledged: Path) -> int:
    return acknowledged.stat().st_size if acknowledged.exists() else 0


def _look(path: Path, saved: int, moment: object) -> None:
    """What readers see of a killed recording, and that it goes on."""
    there = 0
    if (path / "meta/info.json").exists():
        there = roboreel.open(path).total_episodes
        problems = {problem.rule for problem in roboreel.check(path).problems}
        # all of an episode is there but `info.json`
        allowed = {"recording.unfinished"} | ({"info.totals"} if there > saved else set())
        assert problems <= allowed, (moment, problems)
        assert_recorded(path, dict.fromkeys(range(there), _FRAMES))
    assert saved <= there <= saved + 1, moment
    with _going_on(path) as recorder:
        assert there <= recorder.episodes <= saved + 1, moment
        episodes = recorder.episodes + 1
        record(recorder, recorder.episodes, _FRAMES)
        recorder.finalize("never")
    report = roboreel.check(path)
    assert not report.problems, (moment, report.problems)
    assert_recorded(path, dict.fromkeys(range(episodes), _FRAMES))


def _going_on(path: Path) -> roboreel.Recorder:
    """What a user would do: go on, or begin where no episode was saved."""
    try:
        return resumed(path)
    except roboreel.RoboreelError:
        return recorder_of(path)
