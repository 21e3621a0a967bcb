"""Several attempts at one episode: the last whole one wins, and one that wakes late changes nothing."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.errors import UsageError
from roboreel.sink import EpisodeKey, EpisodeSink, finalize
from roboreel.sink.staging_area import claim, staging_root
from tests.unit.sink.staged import NUMBERS, put, require_clean, sink_in, states, states_of, tree

_CONTEXT = multiprocessing.get_context("forkserver")
KEY = ("rec", 1)


def _finalized(folder: Path, name: str = "out") -> list[Any]:
    finalize(folder / "staging", folder / name)
    return [own[0, 0] // 1000 for own in states(folder / name)]


def test_a_retry_replaces_the_episode(tmp_path: Path) -> None:
    sink = sink_in(tmp_path / "staging", features=NUMBERS)
    put(sink, 1, key=KEY)
    put(sink, 2, 5, key=KEY)
    assert sink.is_staged(KEY)
    assert _finalized(tmp_path) == [2]


def test_an_attempt_that_was_claimed_earlier_loses(tmp_path: Path) -> None:
    sink = sink_in(tmp_path / "staging", features=NUMBERS)
    asleep = sink.claim(KEY)
    put(sink, 2, key=KEY)
    put(sink, 1, key=KEY, attempt=asleep)  # it wakes after the other one is whole
    assert _finalized(tmp_path) == [2]


def test_an_earlier_attempt_counts_where_the_last_is_not_whole(tmp_path: Path) -> None:
    sink = sink_in(tmp_path / "staging", features=NUMBERS)
    put(sink, 1, key=KEY)
    sink.claim(KEY)
    with pytest.raises(UsageError):
        put(sink, 3, key=KEY, frames=[2, 1, 0])
    sink.fail(KEY, "no more time")
    report = finalize(tmp_path / "staging", tmp_path / "out")
    assert (report.episodes, report.skipped) == (1, ())


def test_one_that_wakes_after_the_dataset_is_written_changes_nothing(tmp_path: Path) -> None:
    sink = sink_in(tmp_path / "staging", features=NUMBERS)
    asleep = sink.claim(KEY)
    put(sink, 2, key=KEY)
    put(sink, 5, key=("other", 1))
    finalize(tmp_path / "staging", tmp_path / "first")
    before = tree(tmp_path / "first")
    put(sink, 1, 9, key=KEY, attempt=asleep)
    sink.fail(KEY, "woken and lost", attempt=asleep)
    assert tree(tmp_path / "first") == before
    assert finalize(tmp_path / "staging", tmp_path / "second").superseded == 1
    assert tree(tmp_path / "second") == before


def test_an_attempt_can_be_tried_again_under_its_number(tmp_path: Path) -> None:
    sink = sink_in(tmp_path / "staging", features=NUMBERS, gaps="split")
    number = sink.claim(KEY)
    assert len(put(sink, 1, 4, key=KEY, attempt=number, frames=[0, 1, 5, 6])) == 2
    put(sink, 2, 4, key=KEY, attempt=number, frames=[0, 3, 5, 6])
    assert _finalized(tmp_path) == [2, 2, 2]


def test_a_number_that_was_not_claimed_is_refused(tmp_path: Path) -> None:
    sink = sink_in(tmp_path, features=NUMBERS)
    with pytest.raises(UsageError, match="attempt 7 was not claimed"):
        put(sink, 1, key=KEY, attempt=7)


def test_numbers_rise_however_attempts_end(tmp_path: Path) -> None:
    sink = sink_in(tmp_path, features=NUMBERS)
    key = EpisodeKey(*KEY)
    assert sink.claim(key) == 1
    put(sink, 1, key=key)
    sink.fail(key, "why")
    assert sink.claim(KEY) == 4
    assert sink.claim(("rec", "1")) == 1  # a named segment is another key


def _claimed(folder: Path, count: int, found: Any) -> None:
    root = staging_root(folder)
    for _ in range(count):
        found.put(claim(root, EpisodeKey(*KEY)))


def test_processes_never_get_one_number(tmp_path: Path) -> None:
    found = _CONTEXT.Queue()
    workers = [_CONTEXT.Process(target=_claimed, args=(tmp_path, 20, found)) for _ in range(4)]
    for worker in workers:
        worker.start()
    numbers = [found.get(timeout=60) for _ in range(80)]
    for worker in workers:
        worker.join(60)
    assert sorted(numbers) == list(range(1, 81))


def _race(sink: EpisodeSink, episode: int, at_once: Any) -> None:
    at_once.wait(60)
    put(sink, episode, 3 + episode, key=KEY)


def test_attempts_at_once_leave_one_whole_episode(tmp_path: Path) -> None:
    sink, at_once = sink_in(tmp_path / "staging"), _CONTEXT.Barrier(3)
    workers = [_CONTEXT.Process(target=_race, args=(sink, n, at_once)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    report = finalize(tmp_path / "staging", tmp_path / "out")
    assert (report.episodes, report.superseded, report.skipped) == (1, 2, ())
    (found,) = states(tmp_path / "out")
    episode = int(found[0, 0]) // 1000
    assert (found == states_of(episode, 3 + episode)).all()
    require_clean(tmp_path / "out")


def test_what_failed_is_in_the_skip_report(tmp_path: Path) -> None:
    sink = pickle.loads(pickle.dumps(sink_in(tmp_path / "staging", features=NUMBERS)))
    put(sink, 1)
    sink.fail(("lost", "a"), "the file is empty")
    sink.fail(("saved", 1), "no memory")
    put(sink, 2, key=("saved", 1))
    sink.claim("killed")
    with pytest.raises(UsageError):
        put(sink, 3, key="wrong", task=["a"])
    report = finalize(tmp_path / "staging", tmp_path / "out")
    skipped = {str(one.key): one.reason for one in report.skipped}
    assert set(skipped) == {"'lost', segment 'a'", "'killed', segment 0", "'wrong', segment 0"}
    assert skipped["'lost', segment 'a'"] == "the file is empty"
    assert "never finished" in skipped["'killed', segment 0"]
    assert "1 tasks for 3 rows" in skipped["'wrong', segment 0"]
    lines = (tmp_path / "out/meta/skipped_episodes.jsonl").read_text().splitlines()
    assert len(lines) == 3
    assert '"the file is empty"' in "".join(lines)
    assert roboreel.open(tmp_path / "out").total_episodes == 2
