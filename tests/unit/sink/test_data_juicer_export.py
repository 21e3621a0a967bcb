"""The export operator: what it stages of a sample, and what it says of it."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roboreel.errors import UsageError
from roboreel.format.encoding import Encoding
from roboreel.sink.data_juicer import ExportToLeRobotMapper, replace_data_juicer_operator
from roboreel.sink.staged_record import StagedRecord
from roboreel.sink.staged_table import record_of
from roboreel.sink.staging_list import list_staging, skipped_episode
from roboreel.storage.local import LocalRoot
from tests.data_juicer_samples import (
    META,
    hand,
    image,
    jpeg,
    no_hand,
    segment,
    segment_sample,
    shown,
    video_sample,
    write_frames,
    write_video,
)

COUNT = 12
SEGMENTS = "atomic_action_segments"
CAMERA = "observation.images.image"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_video(tmp_path_factory.mktemp("source") / "cup.mp4", COUNT)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_frames(tmp_path_factory.mktemp("frames"), COUNT)


def mapper(folder: Path, **more: Any) -> ExportToLeRobotMapper:
    return ExportToLeRobotMapper(output_dir=str(folder / "out"), **more)


def exported(sample: dict[str, Any], folder: Path, **more: Any) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = mapper(folder, **more).process_single(sample)[META][
        "lerobot_export"
    ]
    return entries


def ids_of(entry: dict[str, Any]) -> list[int]:
    column: list[int] = pq.read_table(entry["parquet_path"])["source_frame_index"].to_pylist()
    return column


def failures(folder: Path) -> list[str]:
    """What the staging folder says of episodes that could not be exported."""
    root = LocalRoot(folder / "out" / "staging")
    return [str(skipped_episode(root, name)) for name in list_staging(root).given_up]


def test_an_entry_says_where_an_episode_is(video: str, frames: list[str], tmp_path: Path) -> None:
    (entry,) = exported(
        video_sample(video, hand(range(COUNT)), no_hand("left"), frames=frames), tmp_path
    )
    assert list(entry) == [
        "uuid", "parquet_path", "video_path", "num_frames", "segment_id", "hand_type",
    ]  # fmt: skip
    assert (entry["num_frames"], entry["segment_id"], entry["hand_type"]) == (COUNT, -1, "right")
    assert len(entry["uuid"]) == 32
    assert Path(entry["parquet_path"]).is_file()
    assert Path(entry["parquet_path"]).is_relative_to(tmp_path / "out" / "staging")
    assert shown(entry["video_path"]) == list(range(COUNT))


def test_segments_become_episodes_with_their_frames(frames: list[str], tmp_path: Path) -> None:
    parts = [
        segment([2, 3, 5], caption={"action": "grasp"}, number=4),
        segment([7, 8], caption="lift", name="left"),
    ]
    entries = exported(segment_sample(frames, *parts), tmp_path, segment_field=SEGMENTS)
    assert [(e["segment_id"], e["hand_type"], e["num_frames"]) for e in entries] == [
        (4, "right", 3),
        (0, "left", 2),
    ]
    assert [shown(e["video_path"]) for e in entries] == [[2, 3, 5], [7, 8]]
    assert [ids_of(e) for e in entries] == [[2, 3, 5], [7, 8]]


def test_samples_without_meta_come_back_as_they_are(tmp_path: Path) -> None:
    for sample in ({"text": "x"}, {"text": "x", META: None}):
        before = dict(sample)
        assert mapper(tmp_path).process_single(sample, rank=1) is sample
        assert sample == before


def test_without_segments_the_list_is_empty_and_without_actions_there_is_none(
    tmp_path: Path,
) -> None:
    nothing: list[Any] = [[], None]
    for found in nothing:
        done = mapper(tmp_path, segment_field=SEGMENTS).process_single({META: {SEGMENTS: found}})
        assert done[META]["lerobot_export"] == []
        done = mapper(tmp_path).process_single({META: {"hand_action_tags": found}})
        assert "lerobot_export" not in done[META]
    assert not (tmp_path / "out").exists()


def test_segments_without_an_action_or_with_one_state_are_skipped_and_named(
    frames: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = [
        segment([0, 1], caption="N/A"),
        segment([2], caption="x"),
        segment([4, 5], caption="lift", number=9),
    ]
    entries = exported(segment_sample(frames, *parts), tmp_path, segment_field=SEGMENTS)
    assert [entry["segment_id"] for entry in entries] == [9]
    assert sorted(reason.rpartition(": ")[2] for reason in failures(tmp_path)) == [
        "it has one state, but an episode needs two",
        "no action",
    ]
    assert sum("is not exported" in message for message in caplog.messages) == 2


@pytest.mark.parametrize("missing", [None, "", "nowhere.jpg", b"", b"no image"], ids=str)
def test_a_row_whose_frame_is_missing_goes_with_it(
    missing: Any, frames: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = [*frames[:3], missing, *frames[4:]]
    (entry,) = exported(
        segment_sample([given], segment([2, 3, 5], caption="x")), tmp_path, segment_field=SEGMENTS
    )
    assert shown(entry["video_path"]) == ids_of(entry) == [2, 5]
    assert entry["num_frames"] == 2
    assert "rows without a readable frame are left out: 3" in caplog.text


def test_ids_beyond_the_extracted_frames_have_no_row(frames: list[str], tmp_path: Path) -> None:
    part = segment([COUNT - 2, COUNT - 1, COUNT, COUNT + 1], caption="x")
    (entry,) = exported(segment_sample(frames, part), tmp_path, segment_field=SEGMENTS)
    assert ids_of(entry) == [COUNT - 2, COUNT - 1]


def test_an_episode_without_readable_frames_is_named(tmp_path: Path) -> None:
    part = segment([0, 1, 2], caption="x")
    given = [None, jpeg(1), None]
    assert exported(segment_sample(given, part), tmp_path, segment_field=SEGMENTS) == []
    assert exported(segment_sample([""] * 3, part), tmp_path / "b", segment_field=SEGMENTS) == []
    assert "1 of its frames can be read, but it needs two" in failures(tmp_path)[0]
    assert "none of its 3 frames can be read" in failures(tmp_path / "b")[0]


def test_frames_are_paths_bytes_or_arrays(frames: list[str], tmp_path: Path) -> None:
    given = [Path(frames[0]), jpeg(1), image(2), image(3)[..., 0]]
    part = segment([0, 1, 2, 3], caption="x")
    (entry,) = exported(segment_sample(given, part), tmp_path, segment_field=SEGMENTS)
    assert shown(entry["video_path"]) == [0, 1, 2, 3]


def test_frames_of_other_sizes_get_that_of_the_first(tmp_path: Path) -> None:
    given = [jpeg(0, (66, 50)), jpeg(1, (32, 32)), jpeg(2, (130, 98))]
    part = segment([0, 1, 2], caption="x")
    (entry,) = exported(segment_sample(given, part), tmp_path, segment_field=SEGMENTS)
    assert shown(entry["video_path"]) == [0, 1, 2]
    assert record_in(tmp_path, entry).features[CAMERA]["shape"] == [50, 66, 3]


def test_videos_of_all_sizes_can_be_scaled_to_one(
    video: str, frames: list[str], tmp_path: Path
) -> None:
    size = {"encoding": Encoding(vcodec="h264", size=(96, 64))}
    samples = [
        video_sample(video, hand([0, 2, 5]), frames=[None] * COUNT),  # its own frames
        video_sample(None, hand([0, 2, 5]), frames=[jpeg(n, (130, 98)) for n in range(6)]),
    ]
    for sample in samples:
        (entry,) = exported(sample, tmp_path, **size)
        assert shown(entry["video_path"]) == [0, 2, 5]
        assert record_in(tmp_path, entry).features[CAMERA]["shape"] == [64, 96, 3]
    assert (
        exported(video_sample(Path(video).read_bytes(), hand(range(COUNT))), tmp_path, **size) == []
    )
    assert "bytes, which are not scaled" in failures(tmp_path)[0]


def record_in(folder: Path, entry: dict[str, Any]) -> StagedRecord:
    """What the staged table says of its episode."""
    root = LocalRoot(folder / "out" / "staging")
    return record_of(root, Path(entry["parquet_path"]).relative_to(root.path).as_posix())


def test_a_whole_video_is_copied_where_it_has_the_extracted_frames(
    video: str, frames: list[str], tmp_path: Path
) -> None:
    given = hand([3, 4, 5])
    (copied,) = exported(video_sample(video, given, frames=frames), tmp_path)
    (images,) = exported(video_sample(video, given, frames=frames[:10]), tmp_path / "b")
    assert record_in(tmp_path, copied).videos[CAMERA].made == "copied"
    assert record_in(tmp_path / "b", images).videos[CAMERA].made == "given"  # encoded images
    assert own_frames(tmp_path, copied) == own_frames(tmp_path / "b", images) == [3, 4, 5]


def own_frames(folder: Path, entry: dict[str, Any]) -> list[int]:
    """The episode's frames; those around them are there to decode copied packets."""
    start = record_in(folder, entry).videos[CAMERA].start
    return shown(entry["video_path"])[start:][: entry["num_frames"]]


def test_a_video_of_other_frames_is_refused_where_there_are_no_images(
    video: str, tmp_path: Path
) -> None:
    assert exported(video_sample(video, hand([0, 1, 2])), tmp_path) == []
    (reason,) = failures(tmp_path)
    assert f"has {COUNT} frames, its ids count 3 extracted ones" in reason
    assert "frame_ids='source'" in reason
    (entry,) = exported(video_sample(video, hand([0, 1, 2])), tmp_path / "b", frame_ids="source")
    assert own_frames(tmp_path / "b", entry) == [0, 1, 2]


def test_videos_may_be_bytes(video: str, tmp_path: Path) -> None:
    (entry,) = exported(video_sample(Path(video).read_bytes(), hand([0, 4, COUNT - 1])), tmp_path)
    assert shown(entry["video_path"]) == [0, 4, COUNT - 1]


def test_an_unreadable_video_is_named_or_replaced_by_frames(
    frames: list[str], tmp_path: Path
) -> None:
    bad = str(tmp_path / "bad.mp4")
    Path(bad).write_bytes(b"no video")
    assert exported(video_sample(bad, hand(range(COUNT))), tmp_path) == []
    assert "its source video cannot be read" in failures(tmp_path)[0]
    (entry,) = exported(video_sample(bad, hand(range(COUNT)), frames=frames), tmp_path)
    assert shown(entry["video_path"]) == list(range(COUNT))


def test_each_video_of_a_sample_has_its_own_frames(frames: list[str], tmp_path: Path) -> None:
    sample = video_sample(None, hand([0, 1]))
    sample[META]["hand_action_tags"].append({"right": hand([1, 2])})
    sample["video_frames"] = [frames, frames[4:]]
    entries = exported(sample, tmp_path)
    assert [shown(e["video_path"]) for e in entries] == [[0, 1], [5, 6]]


def test_the_caller_chooses_fields_names_and_keys(frames: list[str], tmp_path: Path) -> None:
    sample = {
        "clips": [None],
        "instruction": "pour",
        "id": 17,
        META: {"tags": [{"right": hand([0, 1])}], "images": [frames]},
    }
    (entry,) = exported(
        sample,
        tmp_path,
        hand_action_field="tags",
        frame_field="images",
        text_key="instruction",
        video_key="clips",
        key_field="id",
        camera="observation.images.wrist",
        state_names=list("abcdefgh"),
        robot_type="hand",
    )
    record = record_in(tmp_path, entry)
    features = record.features
    assert features["observation.state"]["names"] == list("abcdefgh")
    assert "observation.images.wrist" in features
    assert (record.source, record.tasks, record.robot_type) == ("17", ["pour"], "hand")
    with pytest.raises(UsageError, match="a sample has no 'id'"):
        mapper(tmp_path, key_field="id").process_single(video_sample(None, hand([0, 1])))


def test_names_of_another_number_than_values_are_refused(frames: list[str], tmp_path: Path) -> None:
    sample = video_sample(None, hand([0, 1]), frames=frames)
    assert exported(sample, tmp_path, action_names=["x"]) == []
    assert "its actions have 7 values, and action_names has 1" in failures(tmp_path)[0]


def test_unknown_keywords_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        mapper(tmp_path, task_description_key="text", batch_mode=True, video_key="videos")
    assert caplog.messages == [
        "ExportToLeRobotMapper ignores the unknown argument 'task_description_key'"
    ]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"fps": 0}, "fps is 0"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"chunks_size": 0}, "chunks_size is 0"),
        ({"frame_ids": "all"}, "frame_ids"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        mapper(tmp_path, **wrong)


@pytest.mark.parametrize("kind", ["lists", "arrays", "arrow"])
def test_batches_are_exported_sample_by_sample(
    kind: str, frames: list[str], tmp_path: Path
) -> None:
    samples = [video_sample(None, hand([n, n + 1]), frames=frames[: n + 2]) for n in range(2)]
    batch: Any = {name: [sample[name] for sample in samples] for name in samples[0]}
    if kind == "arrays":
        batch = {name: object_array(values) for name, values in batch.items()}
    elif kind == "arrow":
        batch = pa.table(batch)
    done = mapper(tmp_path)(batch)
    entries = [meta["lerobot_export"] for meta in done[META]]
    assert [[ids_of(e) for e in one] for one in entries] == [[[0, 1]], [[1, 2]]]
    assert list(done["text"]) == ["pick up the cup"] * 2


def object_array(values: list[Any]) -> Any:
    array = np.empty(len(values), dtype=np.object_)
    array[:] = values
    return array


def test_the_mapper_can_be_sent_to_a_worker(frames: list[str], tmp_path: Path) -> None:
    sent = pickle.loads(pickle.dumps(mapper(tmp_path, segment_field=SEGMENTS)))
    done = sent(segment_sample(frames, segment([0, 1], caption="x")))
    assert len(done[META]["lerobot_export"]) == 1


def test_segments_of_numpy_batches_are_exported_too(frames: list[str], tmp_path: Path) -> None:
    part = segment([0, 1, 2], caption=np.str_("x"), number=3)
    part |= {name: object_array(part[name]) for name in ("states", "actions")}
    part |= {"segment_id": np.int64(3), "start_frame": np.int64(0), "valid_frame_ids": np.arange(3)}
    sample = segment_sample(object_array([object_array(frames)]))
    sample[META][SEGMENTS] = object_array([part])
    batch = {name: object_array([value]) for name, value in sample.items()}
    (meta,) = mapper(tmp_path, segment_field=SEGMENTS)(batch)[META]
    (entry,) = meta["lerobot_export"]
    assert (entry["segment_id"], ids_of(entry)) == (3, [0, 1, 2])


def test_segments_of_several_videos_are_refused(frames: list[str], tmp_path: Path) -> None:
    sample = segment_sample([frames[:4], frames[4:]], segment([0, 1], caption="x"))
    assert exported(sample, tmp_path, segment_field=SEGMENTS) == []
    assert "do not say which of the 2 lists of frames they belong to" in failures(tmp_path)[0]


def test_a_retry_is_silent_and_another_sample_of_the_same_name_is_not(
    frames: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("pour", "pour", "stack"):
        assert not caplog.messages
        exported(video_sample("", hand([0, 1]), frames=frames, text=text), tmp_path)
    (message,) = caplog.messages
    assert "replaces an episode with other values" in message
    assert "key_field" in message


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ({META: "{}"}, "is a str, expected a dict"),
        ({META: {"hand_action_tags": ["x"]}}, "entry 0 is a str, expected a dict"),
        ({META: {"hand_action_tags": 5}}, "entry 0 is a int, expected a dict"),
        ({META: {SEGMENTS: ["x"]}}, "segment 0 is a str, expected a dict"),
        ({META: {SEGMENTS: "x"}}, "segment 0 is a str, expected a dict"),
        (
            {META: {SEGMENTS: [{**segment([0, 1], caption="x"), "start_frame": "a"}]}},
            "start_frame is 'a'",
        ),
        (
            {META: {SEGMENTS: [{**segment([0, 1], caption="x"), "end_frame": 1e99}]}},
            "end_frame is 1e",
        ),
        (
            {META: {SEGMENTS: [{**segment([0, 1], caption="x"), "states": 5}]}},
            "states are not rows",
        ),
        (
            {META: {SEGMENTS: [{**segment([0, 1], caption="x"), "actions": "xy"}]}},
            "actions are not rows",
        ),
        (
            {META: {SEGMENTS: [{**segment([0, 1], caption="x"), "valid_frame_ids": 5}]}},
            "whole numbers",
        ),
        ({META: {SEGMENTS: [segment([0, 1], caption="\ud800")]}, "videos": 5}, "is a int"),
        ({META: {SEGMENTS: [segment([0, 1], caption="x")]}, "videos": {"a": 1}}, "is a dict"),
        (
            {META: {SEGMENTS: [segment([0, 1], caption="x")]}, "video_frames": 5},
            "frames can be read",
        ),
    ],
    ids=lambda value: str(value)[-60:],
)
def test_malformed_samples_are_named_and_do_not_stop_the_others(
    sample: dict[str, Any], words: str, frames: list[str], tmp_path: Path
) -> None:
    field = SEGMENTS if SEGMENTS in sample[META] else None
    done = mapper(tmp_path, segment_field=field).process_single(sample)
    assert not (isinstance(done[META], dict) and done[META].get("lerobot_export"))
    exported(video_sample("", hand([0, 1]), frames=frames), tmp_path)
    report = ExportToLeRobotMapper.finalize_dataset(tmp_path / "out")
    assert report is not None
    assert report.episodes == 1
    (skipped,) = report.skipped
    assert words in skipped.reason


def test_what_is_no_sample_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a sample"):
        mapper(tmp_path).process_single(["x"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hand_type", "\ud800"),
        ("hand_type", np.zeros(2)),
        ("segment_id", np.zeros((2, 2))),
        ("segment_id", "\ud800"),
        ("segment_id", 2**70),
        ("caption", np.array(["a", "b"])),
        ("caption", {"action": ["a"]}),
        ("caption", "\ud800"),
        ("joints_cam", object()),
    ],
    ids=lambda value: str(value)[:20],
)
def test_odd_names_and_captions_do_not_cost_the_episode(
    field: str, value: Any, frames: list[str], tmp_path: Path
) -> None:
    one = {**segment([0, 1], caption="grasp"), field: value}
    (entry,) = exported(segment_sample([frames], one), tmp_path, segment_field=SEGMENTS)
    assert entry["num_frames"] == 2
    report = ExportToLeRobotMapper.finalize_dataset(tmp_path / "out")
    assert report is not None
    assert report.episodes == 1


def test_a_damaged_earlier_attempt_does_not_stop_a_retry(frames: list[str], tmp_path: Path) -> None:
    sample = video_sample("", hand([0, 1]), frames=frames)
    (entry,) = exported(sample, tmp_path)
    Path(entry["parquet_path"]).write_bytes(b"broken")
    (again,) = exported(sample, tmp_path)
    assert again["num_frames"] == 2


def test_one_video_may_be_given_without_a_list(video: str, tmp_path: Path) -> None:
    tags = {"right": hand(range(COUNT))}
    sample = {"videos": video, META: {"hand_action_tags": tags}}
    (entry,) = exported(sample, tmp_path)
    assert shown(entry["video_path"]) == list(range(COUNT))


def test_without_data_juicer_there_is_no_operator_to_replace() -> None:
    with pytest.raises(UsageError, match="pip install py-data-juicer"):
        replace_data_juicer_operator()
