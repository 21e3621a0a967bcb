"""Workers and `finalize` killed with SIGKILL: no whole episode is lost, none is half, a retry goes on."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roboreel.errors import StorageError
from roboreel.sink import EpisodeSink, FinalizeReport, finalize
from roboreel.storage.disk import faults
from tests.crash.sweep import Share, swept
from tests.crash.victim import Count, fill_disk, moments
from tests.unit.sink.staged import (
    clip,
    put,
    require_clean,
    shown,
    sink_in,
    states,
    states_of,
    tree,
)

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.unit.sink.staged", "roboreel.ops.write", "av"])
_FILLING = ("create", "write", "make_folders", "sync")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at(at: int, work: Callable[..., object], *given: object) -> None:
    with faults(Count(at=at, act=_die)):
        work(*given)


def _killed(at: int, work: Callable[..., object], *given: object) -> None:
    process = _CONTEXT.Process(target=_die_at, args=(at, work, *given))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def _write(folder: Path, episode: int) -> None:
    """One episode in two parts, its video copied, for a key that an attempt before had for another."""
    sink = sink_in(folder / "staging", gaps="split")
    put(sink, episode, 4, key="a", frames=[0, 1, 3, 4], videos={"cam": folder / "clip.mp4"})


@swept(few=4, parts=4)
def test_a_write_killed_at_any_operation(tmp_path: Path, share: Share) -> None:
    clip(tmp_path / "begun/clip.mp4", 1, 5)
    put(sink_in(tmp_path / "begun/staging"), 2, key="a")
    shutil.copytree(tmp_path / "begun", tmp_path / "counted")
    for at, moment in share(moments(lambda: _write(tmp_path / "counted", 1))).items():
        work = tmp_path / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(tmp_path / "begun", work)
        _killed(at, _write, work, 1)
        for out in ("killed", "again"):
            report = finalize(work / "staging", work / out)
            assert report.skipped == (), moment
            require_clean(work / out)
            old = out == "killed" and report.episodes == 1
            expected = [states_of(2, 3)] if old else [states_of(1, 4)[:2], states_of(1, 4)[2:]]
            found = states(work / out)
            assert len(found) == len(expected), moment
            assert all(map(np.array_equal, found, expected)), moment
            numbers = [[frame for _, frame in own] for own in shown(work / out)]
            assert numbers == ([[0, 1, 2]] if old else [[0, 1], [3, 4]]), moment
            _write(work, 1)


def _write_asleep(at: int, folder: Path, asleep: Any) -> None:
    def sleep() -> None:
        asleep.set()
        os.kill(os.getpid(), signal.SIGSTOP)

    with faults(Count(at=at, act=sleep)):
        _write(folder, 1)


@swept(few=2, parts=2)
def test_a_worker_that_wakes_late_changes_nothing(tmp_path: Path, share: Share) -> None:
    """It is stopped at any operation after its claim, until a retry and the dataset are done."""
    clip(tmp_path / "counted/clip.mp4", 1, 5)
    stops = moments(lambda: _write(tmp_path / "counted", 1))
    claimed = next(at for at, m in stops.items() if m[0] == "after" and m[2].endswith("begun"))
    for at, moment in share({at: m for at, m in stops.items() if at >= claimed}).items():
        work, asleep = tmp_path / f"work {at}", _CONTEXT.Event()
        clip(work / "clip.mp4", 1, 5)
        worker = _CONTEXT.Process(target=_write_asleep, args=(at, work, asleep))
        worker.start()
        assert asleep.wait(60)
        put(sink_in(work / "staging"), 2, key="a")
        finalize(work / "staging", work / "out")
        while worker.is_alive():  # it may not have fallen asleep yet when it is woken
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid or 0, signal.SIGCONT)
            worker.join(0.05)
        assert worker.exitcode == 0, moment
        finalize(work / "staging", work / "again")
        assert tree(work / "out") == tree(work / "again"), moment
        assert [int(own[0, 0]) // 1000 for own in states(work / "again")] == [2], moment


@swept(few=4, parts=2)
def test_a_full_disk_at_any_operation_of_a_write(tmp_path: Path, share: Share) -> None:
    clip(tmp_path / "begun/clip.mp4", 1, 5)
    put(sink_in(tmp_path / "begun/staging"), 2, key="a")
    shutil.copytree(tmp_path / "begun", tmp_path / "counted")
    stops = moments(lambda: _write(tmp_path / "counted", 1))
    making = {at: m for at, m in stops.items() if m[0] == "before" and m[1] in _FILLING}
    for at, moment in share(making).items():
        work = tmp_path / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(tmp_path / "begun", work)
        with faults(Count(at=at, act=fill_disk)), pytest.raises(StorageError, match="No space"):
            _write(work, 1)
        assert not [p for p in work.rglob("*") if p.name.startswith(".roboreel")], moment
        finalize(work / "staging", work / "out")
        found = [int(own[0, 0]) // 1000 for own in states(work / "out")]
        flushed = moment[1] == "sync" and Path(moment[2]).is_dir()  # all has its name already
        assert found == [2] or (found == [1, 1] and flushed), moment
        _write(work, 1)
        finalize(work / "staging", work / "again")
        assert [int(own[0, 0]) // 1000 for own in states(work / "again")] == [1, 1], moment


def _work(sink: EpisodeSink, episodes: list[int]) -> None:
    for episode in episodes:
        if not sink.is_staged(("rec", episode)):
            put(sink, episode, 3)


def _killed_workers(folder: Path, rounds: int) -> None:
    """Workers share the episodes; each is killed at a random moment and started again."""
    chance, sink = random.Random(5), sink_in(folder / "staging")
    shares: list[Any] = [list(range(0, 12, 2)), list(range(1, 12, 2))]
    for _ in range(rounds):
        workers = [_CONTEXT.Process(target=_work, args=(sink, own)) for own in shares]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(chance.uniform(0.02, 0.3))
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            worker.join(60)
        if any(sink.is_staged(("rec", episode)) for episode in range(12)):
            report = finalize(folder / "staging", folder / "out")
            whole = [e for e in range(12) if sink.is_staged(("rec", e))]
            assert [int(own[0, 0]) // 1000 for own in states(folder / "out")] == whole
            assert report.episodes + len(report.skipped) <= 12
            require_clean(folder / "out")
            shutil.rmtree(folder / "out")
    for own in shares:
        _work(sink, own)
    finalize(folder / "staging", folder / "out")
    require_clean(folder / "out")
    _work(sink_in(folder / "undisturbed"), list(range(12)))
    finalize(folder / "undisturbed", folder / "expected")
    assert tree(folder / "out") == tree(folder / "expected")


def test_workers_killed_at_a_few_moments(tmp_path: Path) -> None:
    _killed_workers(tmp_path, 2)


@pytest.mark.slow
def test_workers_killed_at_many_moments(tmp_path: Path) -> None:
    _killed_workers(tmp_path, 100)


def _finalize(folder: Path, leftovers: Any) -> FinalizeReport:
    return finalize(
        folder / "staging", folder / "out", version="v2.1", leftovers=leftovers, executor="serial"
    )


@swept(few=4, parts=4)
def test_a_finalize_killed_at_any_operation_is_resumed(tmp_path: Path, share: Share) -> None:
    sink = sink_in(tmp_path / "begun/staging")
    for episode in (1, 2):
        put(sink, episode)
    sink.fail("lost", "why")
    shutil.copytree(tmp_path / "begun", tmp_path / "counted")
    stops = moments(lambda: _finalize(tmp_path / "counted", "refuse"))
    staged, expected = tree(tmp_path / "begun"), tree(tmp_path / "counted/out")
    resumed = 0
    for at, moment in share(stops).items():
        work = tmp_path / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(tmp_path / "begun", work)
        _killed(at, _finalize, work, "refuse")
        published = (work / "out").exists()
        assert not published or tree(work / "out") == expected, moment
        left = tree(work)
        assert {name: left.get(name) for name in staged} == staged, moment
        if not published:
            resumed += _finalize(work, "resume").report.resumed
        assert tree(work / "out") == expected, moment
    assert resumed  # at least once, operations of the killed run were not repeated
