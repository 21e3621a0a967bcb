"""Which episodes a Data-Juicer sample has, and what names them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from roboreel.sink.data_juicer_rows import UnusableEpisodeError
from roboreel.sink.data_juicer_sample import frame_lists, segment_episodes, video_episodes
from roboreel.sink.data_juicer_values import source_of
from tests.data_juicer_samples import META, hand, no_hand, segment

FRAMES = ["a.jpg", "", "c.jpg"]


@pytest.mark.parametrize(
    "sample",
    [
        {"video_frames": FRAMES},
        {"video_frames": [FRAMES]},
        {META: {"video_frames": FRAMES}},
        {"video_frames": [], META: {"video_frames": [FRAMES]}},
        {"video_frames": None, META: {"video_frames": [FRAMES]}},
        {"video_frames": np.array(FRAMES, dtype=np.object_)},
        {"video_frames": [np.array(FRAMES, dtype=np.object_)]},
        {"video_frames": np.array([FRAMES], dtype=np.object_)},
    ],
    ids=str,
)
def test_frames_are_found_in_the_sample_or_its_meta_plain_or_nested(sample: dict[str, Any]) -> None:
    (found,) = frame_lists(sample, "video_frames")
    assert list(found) == FRAMES


def test_each_video_has_its_own_list_of_frames() -> None:
    lists = frame_lists({"video_frames": [["a"], None, ["b", "c"]]}, "video_frames")
    assert [list(one) for one in lists] == [["a"], [], ["b", "c"]]
    assert frame_lists({}, "video_frames") == []
    assert frame_lists({META: None}, "video_frames") == []


def test_images_as_arrays_are_frames_not_lists() -> None:
    images = [np.zeros((4, 4, 3), dtype=np.uint8)] * 2
    (found,) = frame_lists({"video_frames": images}, "video_frames")
    assert len(found) == 2


@pytest.mark.parametrize(
    ("caption", "task"),
    [
        ({"think": "…", "action": "grasp it"}, "grasp it"),
        ("grasp it", "grasp it"),
        ({"think": "…"}, "right hand action"),
        ({"action": ""}, "right hand action"),
        ({"action": None}, "right hand action"),
        ("", "right hand action"),
        (None, "right hand action"),
        (7, "7"),
    ],
    ids=str,
)
def test_a_segments_caption_is_its_task(caption: Any, task: str) -> None:
    (found,) = segment_episodes([segment([4, 5], caption=caption)], "v.mp4")
    assert found.task == task


def test_a_segment_without_a_hand_is_an_action_of_a_hand() -> None:
    bare = {"states": [[0.0]] * 2, "actions": [[0.0]] * 2}
    (found,) = segment_episodes([bare], "v.mp4")
    assert (found.task, found.hand_type, found.segment_id) == ("hand hand action", "unknown", -1)
    assert found.rows().frame_ids.tolist() == [0, 1]


@pytest.mark.parametrize("caption", ["N/A", {"action": "N/A"}], ids=str)
def test_a_segment_in_which_nothing_happens_is_refused(caption: Any) -> None:
    (found,) = segment_episodes([segment([4, 5], caption=caption)], "v.mp4")
    with pytest.raises(UnusableEpisodeError, match="N/A"):
        found.rows()


def test_one_state_is_no_episode_and_no_states_are_nothing() -> None:
    (found,) = segment_episodes([segment([4], caption="x"), no_hand("left"), None], "v.mp4")
    with pytest.raises(UnusableEpisodeError, match="one state"):
        found.rows()


def test_names_of_segments_are_unique_and_sort_by_time() -> None:
    twice = [segment([2, 3], caption="x", number=0)] * 2  # numbers start again in each clip
    later = segment([10, 11], caption="x", number=1)
    names = [found.segment for found in segment_episodes([later, *twice], "v.mp4")]
    assert sorted(names) == [
        "00000002-right-0",
        "00000002-right-0-2",
        "00000010-right-1",
    ]


def test_whole_videos_have_an_episode_for_each_hand_that_was_seen() -> None:
    both = {"left": hand([1, 2], "left"), "right": hand([0, 1])}
    tags = [both, {"right": no_hand("right"), "left": hand([5, 6], "left")}, None, {"right": None}]
    found = list(video_episodes(tags, ["a", "b", "c", "d"], "stack"))
    assert [(e.source, e.hand_type, e.video, e.segment) for e in found] == [
        ("a", "right", 0, "00000000-right"),
        ("a", "left", 0, "00000000-left"),
        ("b", "left", 1, "00000001-left"),
    ]
    assert {e.task for e in found} == {"stack"}


@pytest.mark.parametrize("text", ["", None], ids=str)
def test_a_video_without_a_text_has_the_usual_task(text: Any) -> None:
    (found,) = video_episodes([{"right": hand([0, 1])}], ["a"], text)
    assert found.task == "manipulate object"


def test_a_flat_dict_of_states_is_one_hand() -> None:
    flat = {"states": [[0.0], [1.0]], "actions": [[0.0], [1.0]]}
    (found,) = video_episodes([flat], ["a"], "x")
    assert (found.hand_type, found.rows().frame_ids.tolist()) == ("unknown", [0, 1])
    (named,) = video_episodes([hand([3, 4], "left")], ["a"], "x")
    assert (named.hand_type, named.rows().frame_ids.tolist()) == ("left", [3, 4])


def test_other_names_of_hands_are_kept_too() -> None:
    found = video_episodes([{"gripper": hand([0, 1], "gripper"), "note": "x"}], ["a"], "x")
    assert [e.hand_type for e in found] == ["gripper"]


def test_a_sample_is_named_by_the_first_thing_that_is_there() -> None:
    assert source_of(["a.mp4", "f.jpg"], {}) == "a.mp4"
    assert source_of([None, "", "f.jpg"], {}) == "f.jpg"
    of_bytes = source_of([b"video"], {})
    assert of_bytes.startswith("sha256:")
    assert of_bytes == source_of([b"video", "f.jpg"], {}) != source_of([b"other"], {})


def test_content_names_a_sample_the_same_way_from_lists_arrays_and_tables() -> None:
    plain = [{"states": [[0.0, 1.0]], "caption": None}]
    arrays = [{"states": np.array([[0.0, 1.0]])}]
    assert source_of([], plain) == source_of([], arrays)
    assert source_of([], plain) != source_of([], [{"states": [[0.0, 1.5]]}])
    long = [{"states": np.arange(5000.0)}]  # too long for numpy to print
    other = [{"states": np.arange(5000.0) + (np.arange(5000) == 2500)}]
    assert source_of([], long) != source_of([], other)
