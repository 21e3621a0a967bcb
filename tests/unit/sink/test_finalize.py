"""One dataset from all that is staged: any version, the same bytes whoever staged what when, nothing lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel import Encoding
from roboreel.errors import DatasetError, UsageError
from roboreel.sink import EpisodeSink, finalize, open_staging, staged_dataset, staged_table
from roboreel.storage.lock import hold
from tests.unit.sink.staged import (
    NUMBERS,
    STATE,
    clip,
    put,
    require_clean,
    shown,
    sink_in,
    states,
    states_of,
    tree,
)

ORDER = [("a", 2), ("a", 10), ("a", "x"), ("b", 1)]
"""Keys in their order: sources, then numbered segments by number, then named ones."""


def _staged(folder: Path, order: list[int]) -> EpisodeSink:
    """A copied, a copied and cut, and two encoded episodes, staged in an order."""
    sink = sink_in(folder / "staging")
    file = clip(folder / "clip.mp4", 1, 8)
    for number in order:
        given: dict[str, Any] = {"fields": {"success": number > 1}, "key": ORDER[number]}
        if number == 0:
            put(sink, 1, 8, videos={"cam": file.read_bytes()}, **given)
        elif number == 1:
            put(sink, 1, 4, videos={"cam": file}, frames=range(4, 8), **given)
        else:
            put(sink, number, 3, **given)
    return sink


FRAMES = [
    [(1, frame) for frame in range(8)],
    [(1, frame) for frame in range(4, 8)],
    [(2, frame) for frame in range(3)],
    [(3, frame) for frame in range(3)],
]


@pytest.mark.parametrize("version", ["v3.0", "v2.1", "v2.0"])
def test_every_version_has_what_was_given(tmp_path: Path, version: str) -> None:
    _staged(tmp_path, [0, 1, 2, 3])
    report = finalize(tmp_path / "staging", tmp_path / "out", version=version)
    assert (report.episodes, report.frames, report.skipped) == (4, 18, ())
    assert not report.report.problems
    require_clean(tmp_path / "out")
    assert shown(tmp_path / "out") == FRAMES
    given = [states_of(1, 8), states_of(1, 4), states_of(2, 3), states_of(3, 3)]
    for found, expected in zip(states(tmp_path / "out"), given, strict=True):
        assert np.array_equal(found, expected)
    dataset = roboreel.open(tmp_path / "out")
    assert (dataset.version.value, dataset.robot_type, float(dataset.fps)) == (version, "arm", 10)
    assert dataset.tasks == {0: "task 1", 1: "task 0"}  # in the order of their first use
    assert dataset.episodes["success"].to_pylist() == [False, False, True, True]


def test_the_bytes_do_not_depend_on_order_attempts_or_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, order in (("one", [0, 1, 2, 3]), ("two", [2, 3, 1, 0])):
        (tmp_path / name).mkdir()
        sink = _staged(tmp_path / name, order)
        if name == "two":
            put(sink, 9, 2, key=ORDER[3])
            put(sink, 3, 3, key=ORDER[3], fields={"success": True})
    finalize(tmp_path / "one/staging", tmp_path / "out one")
    monkeypatch.setattr(staged_table, "_FEWEST_TASKS", 2)  # processes for these few, too
    monkeypatch.setattr(staged_table, "_FILES_PER_TASK", 2)
    monkeypatch.setattr(staged_table, "_MOST_HELD_STATS", 3)
    monkeypatch.setattr(staged_dataset, "_EPISODES_PER_FILE", 3)
    monkeypatch.setattr(staged_dataset, "_EPISODES_AT_ONCE", 2)
    finalize(tmp_path / "two/staging", tmp_path / "out two", workers=2)
    assert tree(tmp_path / "out one") == tree(tmp_path / "out two")


def test_the_staging_folder_can_be_read_as_the_dataset_it_will_be(tmp_path: Path) -> None:
    _staged(tmp_path, [0, 1, 2, 3])
    staged = roboreel.reader(open_staging(tmp_path / "staging"))
    finalize(tmp_path / "staging", tmp_path / "out")
    written = roboreel.reader(roboreel.open(tmp_path / "out"))
    assert (len(staged), staged.tasks) == (len(written), written.tasks)
    for at in range(len(written)):
        ours, theirs = staged[at], written[at]
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours), at


def test_several_runs_add_to_one_staging_folder(tmp_path: Path) -> None:
    sink = sink_in(tmp_path / "staging", features=NUMBERS)
    put(sink, 4)
    first = finalize(tmp_path / "staging", tmp_path / "first")
    put(sink, 2)
    second = finalize(tmp_path / "staging", tmp_path / "second")
    assert (first.episodes, second.episodes) == (1, 2)
    assert [int(own[0, 0]) for own in states(tmp_path / "second")] == [2000, 4000]


def test_nothing_staged_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        finalize(tmp_path / "staging", tmp_path / "out")
    sink = sink_in(tmp_path / "staging", features=NUMBERS)
    (tmp_path / "staging").mkdir()
    with pytest.raises(UsageError, match="no episode is staged"):
        finalize(tmp_path / "staging", tmp_path / "out")
    sink.fail("a", "the disk is gone")
    with pytest.raises(UsageError, match="'a', segment 0: the disk is gone"):
        finalize(tmp_path / "staging", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"fps": 30}, "fps is 30, not 10"),
        ({"robot_type": "leg"}, "robot_type is leg, not arm"),
        ({"features": {"observation.state": {**STATE, "names": None}}}, "observation.state"),
    ],
)
def test_episodes_that_do_not_go_together(
    tmp_path: Path, others: dict[str, Any], reason: str
) -> None:
    for number in (1, 2):
        put(sink_in(tmp_path / "staging", features=NUMBERS), number)
    put(sink_in(tmp_path / "staging", **{"features": NUMBERS, **others}), 0)
    with pytest.raises(DatasetError, match=f"'rec', segment 0.*{reason}"):
        finalize(tmp_path / "staging", tmp_path / "out")
    report = finalize(tmp_path / "staging", tmp_path / "out", on_broken="skip")
    assert [str(one.key) for one in report.skipped] == ["'rec', segment 0"]
    assert [int(own[0, 0]) for own in states(tmp_path / "out")] == [1000, 2000]


@pytest.mark.parametrize("what", ["table", "video", "no video"])
def test_a_damaged_episode_is_refused_or_skipped_by_name(tmp_path: Path, what: str) -> None:
    sink = sink_in(tmp_path / "staging")
    (bad,) = put(sink, 0)
    put(sink, 1)
    file = Path(bad.table if what == "table" else bad.videos["cam"])
    if what == "no video":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-30])
    named = file.name if what == "table" else "'rec', segment 0"
    with pytest.raises(DatasetError, match=f"1 of 2 staged episodes.*\n.*{named}"):
        finalize(tmp_path / "staging", tmp_path / "out")
    report = finalize(tmp_path / "staging", tmp_path / "out", on_broken="skip")
    assert (report.episodes, len(report.skipped)) == (1, 1)
    require_clean(tmp_path / "out")
    assert shown(tmp_path / "out") == [[(1, frame) for frame in range(3)]]


def test_one_finalize_at_a_time(tmp_path: Path) -> None:
    put(sink_in(tmp_path / "staging", features=NUMBERS), 0)
    with (
        hold(tmp_path / "staging/finalize.lock", timeout_s=0, busy=""),
        pytest.raises(UsageError, match="another finalize"),
    ):
        finalize(tmp_path / "staging", tmp_path / "out")


def test_an_output_that_exists_or_is_inside(tmp_path: Path) -> None:
    put(sink_in(tmp_path / "staging", features=NUMBERS), 0)
    with pytest.raises(UsageError, match="inside the dataset"):
        finalize(tmp_path / "staging", tmp_path / "staging/out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")
    with pytest.raises(UsageError):
        finalize(tmp_path / "staging", tmp_path / "out")
    assert (tmp_path / "out/mine").read_text() == "mine"


def test_staged_files_are_removed_only_on_request_and_only_those(tmp_path: Path) -> None:
    sink = sink_in(tmp_path / "staging", gaps="split")
    put(
        sink, 1, 4, key="parts", frames=[0, 1, 3, 4], videos={"cam": clip(tmp_path / "a.mp4", 1, 5)}
    )
    put(sink, 2, key="twice")
    put(sink, 3, key="twice")
    sink.fail("lost", "why")
    killed = tmp_path / "staging/videos/cam/ab"
    killed.mkdir(exist_ok=True)
    (killed / f".roboreel-{'0' * 32}").write_text("what a killed worker left")
    (tmp_path / "staging/notes.txt").write_text("mine")
    (tmp_path / "staging/episodes/mine.parquet").write_text("mine")
    before = tree(tmp_path / "staging")
    finalize(tmp_path / "staging", tmp_path / "kept")
    own = {name: mark for name, mark in tree(tmp_path / "staging").items() if name in before}
    assert own == before
    late = sink.claim("twice")
    report = finalize(tmp_path / "staging", tmp_path / "out", remove_staged=True)
    assert tree(tmp_path / "out") == tree(tmp_path / "kept")
    put(sink, 5, key="twice", attempt=late)  # what was begun since the last whole attempt stays
    assert [int(own[0, 0]) for own in _states_again(tmp_path)] == [5000]
    put(sink, 6, key="twice")
    shutil.rmtree(tmp_path / "again")
    assert [int(own[0, 0]) for own in _states_again(tmp_path)] == [6000]  # numbers went on rising
    finalize(tmp_path / "staging", tmp_path / "third", remove_staged=True)
    left = {name for name in tree(tmp_path / "staging") if not name.endswith(".failed")}
    assert left == {"notes.txt", "episodes/mine.parquet", "finalize.lock"}
    assert report.removed > 0
    with pytest.raises(UsageError, match="'lost'"):
        finalize(tmp_path / "staging", tmp_path / "none")


def _states_again(folder: Path) -> list[Any]:
    finalize(folder / "staging", folder / "again")
    return states(folder / "again")


def test_copied_and_encoded_videos_of_several_codecs(tmp_path: Path) -> None:
    sink = sink_in(tmp_path / "staging", encoding=Encoding(vcodec="libsvtav1", g=2))
    put(sink, 1, 8, videos={"cam": clip(tmp_path / "a.mp4", 1, 8)})
    put(sink, 2, 4)
    put(sink, 3, 8, videos={"cam": clip(tmp_path / "b.mp4", 3, 8)})
    finalize(tmp_path / "staging", tmp_path / "out")
    assert roboreel.check(tmp_path / "out").ok
    lengths = [8, 4, 8]
    expected = [[(n, f) for f in range(count)] for n, count in enumerate(lengths, start=1)]
    assert shown(tmp_path / "out") == expected


def test_a_declaration_may_list_its_keys_in_any_order(tmp_path: Path) -> None:
    put(sink_in(tmp_path / "staging", features=NUMBERS), 1)
    turned = {"observation.state": dict(sorted(STATE.items(), reverse=True))}
    put(sink_in(tmp_path / "staging", features=turned, fps=10.0), 2)
    assert finalize(tmp_path / "staging", tmp_path / "out").episodes == 2


def test_a_staging_folder_can_move(tmp_path: Path) -> None:
    put(sink_in(tmp_path / "staging", features=NUMBERS), 0)
    finalize(tmp_path / "staging", tmp_path / "one")
    shutil.move(tmp_path / "staging", tmp_path / "elsewhere")
    finalize(tmp_path / "elsewhere", tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
