"""Trajectories of Data-Juicer samples: what is read, and what is refused with which words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from roboreel.sink.data_juicer_rows import UnusableEpisodeError, trajectory_of
from tests.data_juicer_samples import hand

STATES = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
ACTIONS = [[1.0], [2.0], [3.0]]


def entry(**more: Any) -> dict[str, Any]:
    return {"states": STATES, "actions": ACTIONS, "valid_frame_ids": [2, 3, 7], **more}


def test_values_become_float32_rows_with_their_own_ids() -> None:
    found = trajectory_of(entry())
    assert found.states.dtype == found.actions.dtype == np.float32
    assert found.states.tolist() == STATES
    assert found.actions.tolist() == ACTIONS
    assert found.frame_ids.tolist() == [2, 3, 7]
    assert not found.padded.any()


def test_arrays_of_arrays_read_as_lists_of_lists() -> None:
    rows = np.empty(3, dtype=np.object_)
    rows[:] = [np.array(row) for row in STATES]
    found = trajectory_of(
        entry(states=rows, actions=np.array(ACTIONS), valid_frame_ids=np.array([2, 3, 7]))
    )
    assert found.states.tolist() == STATES


@pytest.mark.parametrize("shape", [(5, 3), (5, 14), (5, 21, 3), (5,)], ids=str)
def test_any_dimensions_are_kept(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = trajectory_of({"states": values.tolist(), "actions": values.tolist()})
    assert found.states.shape == (shape if len(shape) > 1 else (5, 1))


def test_a_missing_last_action_repeats_the_one_before_and_is_marked() -> None:
    found = trajectory_of(entry(actions=ACTIONS[:2]))
    assert found.actions.tolist() == [[1.0], [2.0], [2.0]]
    assert found.padded.tolist() == [False, False, True]


@pytest.mark.parametrize("ids", [None, []], ids=str)
def test_without_ids_rows_follow_each_other_from_the_first_frame(ids: Any) -> None:
    found = trajectory_of(entry(valid_frame_ids=ids), start=4, stop=7)
    assert found.frame_ids.tolist() == [4, 5, 6]
    assert trajectory_of(entry(valid_frame_ids=ids)).frame_ids.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"actions": []}, "3 states and no actions"),
        ({"actions": None}, "3 states and no actions"),
        ({"actions": ACTIONS[:1]}, "3 states and 1 actions: expected 3, or 2"),
        ({"actions": [*ACTIONS, [4.0]]}, "3 states and 4 actions"),
        ({"states": [[0.0], [1.0, 2.0], [3.0]]}, "states are not rows of numbers of one size"),
        ({"states": [["a"], ["b"], ["c"]]}, "states are not rows of numbers"),
        ({"states": [[], [], []]}, "states have no values"),
        ({"states": [[0.0], [float("nan")], [1.0]]}, "row 1 of its states has a value that is NaN"),
        ({"actions": [[0.0], [1.0], [float("inf")]]}, "row 2 of its actions"),
        ({"valid_frame_ids": [0, 1]}, "3 states and 2 valid_frame_ids"),
        ({"valid_frame_ids": [0, 2, 1]}, "do not ascend"),
        ({"valid_frame_ids": [0, 1, 1]}, "do not ascend"),
        ({"valid_frame_ids": [-1, 0, 1]}, "do not ascend from 0"),
        ({"valid_frame_ids": [0, 1.5, 2]}, "valid_frame_ids are not whole numbers"),
        ({"valid_frame_ids": ["a", "b", "c"]}, "valid_frame_ids are not whole numbers"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_exported_is_refused_in_words(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UnusableEpisodeError, match=words):
        trajectory_of(entry(**wrong))


def test_rows_without_ids_must_fill_the_frames_of_a_segment() -> None:
    with pytest.raises(UnusableEpisodeError, match="3 states for the 5 frames from 4 to 8"):
        trajectory_of(entry(valid_frame_ids=None), start=4, stop=9)


def test_rows_can_be_left_out() -> None:
    found = trajectory_of(hand([0, 3, 4], actions=2)).rows_where(np.array([True, False, True]))
    assert found.frame_ids.tolist() == [0, 4]
    assert found.padded.tolist() == [False, True]
    assert len(found.states) == len(found.actions) == 2
