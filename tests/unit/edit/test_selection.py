"""Which episodes, in which order, how much of each, with which tasks: what is asked, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel.edit.tasks import tasks_of
from roboreel.edit.view import View
from roboreel.testing import make_dataset
from tests.unit.edit.conftest import LENGTHS, TASKS


def _rows(view: View) -> list[int]:
    return [int(row) for row in view.slices.row]


KEPT: dict[str, tuple[Callable[[roboreel.Dataset], View], list[int]]] = {
    "keep by number": (lambda d: d.keep([3, 0]), [0, 3]),
    "keep numpy numbers": (lambda d: d.keep(np.array([1, 2])), [1, 2]),
    "keep a generator": (lambda d: d.keep(n for n in (1, 3)), [1, 3]),
    "keep by task": (lambda d: d.keep(task=TASKS[2]), [2]),
    "keep long ones": (lambda d: d.keep(min_frames=10), [0, 3]),
    "keep short ones": (lambda d: d.keep(max_frames=9), [1, 2]),
    "conditions are met together": (lambda d: d.keep([0, 1, 2], min_frames=9), [0, 1]),
    "delete by number": (lambda d: d.delete([1]), [0, 2, 3]),
    "delete what meets all": (lambda d: d.delete([0, 2], max_frames=1), [0, 1, 3]),
    "an edit of an edit calls by places": (lambda d: d.delete([0]).delete([0]), [2, 3]),
    "reorder": (lambda d: d.reorder([2, 0, 3, 1]), [2, 0, 3, 1]),
}


@pytest.mark.parametrize(("edit", "rows"), KEPT.values(), ids=KEPT)
def test_these_episodes_stay(
    dataset: roboreel.Dataset, edit: Callable[[roboreel.Dataset], View], rows: list[int]
) -> None:
    assert _rows(edit(dataset)) == rows


def test_a_shuffle_has_every_episode_once_and_is_the_same_for_a_seed(
    dataset: roboreel.Dataset,
) -> None:
    orders = [tuple(_rows(dataset.shuffle(seed=seed))) for seed in range(20)]
    assert {tuple(sorted(order)) for order in orders} == {(0, 1, 2, 3)}
    assert len(set(orders)) > 5
    assert orders == [tuple(_rows(dataset.shuffle(seed=seed))) for seed in range(20)]


def test_ranges_may_be_open(dataset: roboreel.Dataset) -> None:
    view = dataset.trim({3: (2, None), 0: (None, 5), 1: (None, None)})
    lengths = dataset.as_view().lengths
    assert view.lengths.tolist() == [5, lengths[1], lengths[2], lengths[3] - 2]
    assert view.slices.stop.tolist() == [5, -1, -1, -1]
    assert view.trim({3: (1, None)}).lengths[3] == lengths[3] - 3


def test_a_plan_and_a_report_name_what_is_trimmed(tmp_path: Path) -> None:
    parts = [
        roboreel.open(make_dataset(tmp_path / name, episodes=(5, 4), cameras={})) for name in "ab"
    ]
    view = roboreel.concat([parts[0].trim({1: (1, None)}), parts[1].trim({0: (0, 5)}).delete([1])])
    view = view.trim({2: (2, 4)})
    wanted = [f"episode 1 of '{tmp_path / 'a'}': 4 → 3, keeps 1:4"]
    wanted += [f"episode 0 of '{tmp_path / 'b'}': 5 → 2, keeps 2:4"]
    plan = roboreel.plan_write(view, out=tmp_path / "out")
    assert [str(one) for one in plan.trimmed] == wanted
    report = roboreel.run(plan)
    assert report.trimmed == plan.trimmed
    assert roboreel.Report.from_json(report.to_json()) == report
    older = {name: value for name, value in report.to_json().items() if name != "trimmed"}
    assert roboreel.Report.from_json(older).trimmed == ()


def test_all_ranges_that_do_not_fit_are_told(dataset: roboreel.Dataset) -> None:
    with pytest.raises(
        roboreel.UsageError,
        match=r"99: is not a range of episode 0, .*; 99: is not a range of episode 1",
    ):
        dataset.trim(dict.fromkeys(range(4), (99, None)))


def test_trimmed_lengths_count_from_the_piece_before(dataset: roboreel.Dataset) -> None:
    once = dataset.trim({3: (2, 12), 0: (0, 12)})
    assert once.lengths.tolist() == [12, 9, 1, 10]
    twice = once.trim({3: (1, 4)})
    assert twice.lengths.tolist() == [12, 9, 1, 3]
    assert (twice.slices.start[3], twice.slices.stop[3]) == (3, 6)


def test_an_episodes_own_task_counts_before_replaced_and_common_ones(
    dataset: roboreel.Dataset,
) -> None:
    view = dataset.set_tasks("rest", replacing={TASKS[0]: "a", TASKS[1]: "b"}, episodes={1: "own"})
    assert tasks_of(view) == [["a"], ["own"], ["rest"], ["rest"]]


def test_tasks_may_change_places(dataset: roboreel.Dataset) -> None:
    view = dataset.set_tasks(replacing={TASKS[0]: TASKS[1], TASKS[1]: TASKS[0]})
    assert tasks_of(view)[:2] == [[TASKS[1]], [TASKS[0]]]


Edit = Callable[[Any], object]
REFUSED: dict[str, tuple[Edit, str]] = {
    "unknown episodes": (
        lambda d: d.delete([1, 4, 9]),
        r"no episode 4, 9: the dataset has episodes 0 to 3",
    ),
    "negative numbers": (lambda d: d.keep([-1]), r"no episode -1: the dataset has episodes 0 to 3"),
    "an episode twice": (lambda d: d.keep([1, 3, 1]), r"episode 1 is named twice"),
    "text for numbers": (lambda d: d.keep("3"), r"'3' is not the number of an episode"),
    "a truth": (lambda d: d.keep([True]), r"True is not the number"),
    "a fraction": (lambda d: d.keep([1.0]), r"1.0 is not the number"),
    "a number for a list": (lambda d: d.delete(3), r"3 is not a list of episodes: write \[3\]"),
    "a function": (lambda d: d.keep(len), r"a function cannot choose episodes: give their numbers"),
    "nothing said": (lambda d: d.delete(), r"choose episodes by"),
    "all deleted": (lambda d: d.delete([0, 1, 2, 3]), r"no episode would be left"),
    "all deleted by length": (lambda d: d.delete(min_frames=1), r"no episode would be left"),
    "none met": (lambda d: d.keep(min_frames=16), r"1 to 15 frames"),
    "unknown task": (
        lambda d: d.keep(task="x"),
        r"no episode has the task 'x': the tasks are 'pick",
    ),
    "order leaves out": (lambda d: d.reorder([0, 3]), r"leaves out episode 1, 2"),
    "order names twice": (lambda d: d.reorder([0, 0, 1, 2, 3]), r"episode 0 is named twice"),
    "trim an unknown episode": (lambda d: d.trim({7: (0, 1)}), r"no episode 7"),
    "trim beyond the end": (
        lambda d: d.trim({1: (3, 10)}),
        r"3:10 is not a range of episode 1, which has 9 frames \(0:9\)",
    ),
    "trim to nothing": (lambda d: d.trim({1: (3, 3)}), r"3:3 is not a range"),
    "trim backwards": (lambda d: d.trim({1: (5, 3)}), r"5:3 is not a range"),
    "trim from before": (lambda d: d.trim({1: (-2, 3)}), r"-2:3 is not a range"),
    "trim by one number": (lambda d: d.trim({1: 3}), r"3 is not a range of frames"),
    "trim by text": (lambda d: d.trim({1: "35"}), r"'35' is not a range"),
    "trim by seconds": (lambda d: d.trim({1: (0.5, 3)}), r"0.5 is not the number of a frame"),
    "trim after resampling": (lambda d: d.resample(10).trim({0: (0, 2)}), r"before resampling"),
    "no task": (lambda d: d.set_tasks(), r"give the tasks"),
    "an empty task": (lambda d: d.set_tasks(" "), r"a task must be a string, got ' '"),
    "a task that is no text": (lambda d: d.set_tasks(episodes={0: 3}), r"got 3"),
    "replacing an unknown": (lambda d: d.set_tasks(replacing={"x": "y"}), r"no episode has .* 'x'"),
    "task of an unknown": (lambda d: d.set_tasks(episodes={9: "y"}), r"no episode 9"),
    "no rate": (lambda d: d.resample(0), r"expected a positive number"),
    "no camera": (
        lambda d: d.decode("action"),
        r"no video camera 'action': the dataset has 'obs.*top'",
    ),
    "pictures are no video": (lambda d: d.decode("observation.images.still"), r"no video camera"),
}


@pytest.mark.parametrize(("edit", "says"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_message(dataset: roboreel.Dataset, edit: Edit, says: str) -> None:
    with pytest.raises(roboreel.UsageError, match=says):
        edit(dataset)


def test_a_refused_edit_leaves_the_dataset_as_it_was(dataset: roboreel.Dataset) -> None:
    with pytest.raises(roboreel.UsageError):
        dataset.trim({0: (0, 3), 1: (0, 100)})
    assert dataset.as_view().lengths.tolist() == list(LENGTHS)


@pytest.mark.parametrize("seed", [-1, "seven", 1.5])
def test_a_seed_is_a_whole_number(dataset: roboreel.Dataset, seed: Any) -> None:
    with pytest.raises(roboreel.UsageError, match="the seed must be a whole number of 0 or more"):
        dataset.shuffle(seed=seed)
    with pytest.raises(roboreel.UsageError, match="the seed must be a whole number of 0 or more"):
        dataset.split({"a": 0.5, "b": 0.5}, seed=seed)


def test_a_word_for_unlike_features_is_one_of_three(dataset: roboreel.Dataset) -> None:
    word: Any = "paddle"
    with pytest.raises(roboreel.UsageError, match="'paddle', expected one of 'strict'"):
        roboreel.concat([dataset], features=word)
