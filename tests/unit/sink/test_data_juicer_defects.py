"""The twenty defects of Data-Juicer's own exporter, each with a test that this one does not have it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.errors import UsageError
from roboreel.sink.data_juicer import ExportToLeRobotMapper
from tests.data_juicer_samples import (
    META,
    hand,
    jpeg,
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
VIDEO = f"videos/chunk-000/{CAMERA}/episode_{{:06d}}.mp4"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_video(tmp_path_factory.mktemp("source") / "cup.mp4", COUNT)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_frames(tmp_path_factory.mktemp("frames"), COUNT)


def export(folder: Path, *samples: dict[str, Any], version: str = "v2.0", **more: Any) -> Path:
    """Export samples and make them a dataset, which must be sound."""
    for sample in samples:
        if SEGMENTS in sample[META]:
            more["segment_field"] = SEGMENTS
        ExportToLeRobotMapper(output_dir=str(folder), **more).process_single(sample)
    report = ExportToLeRobotMapper.finalize_dataset(str(folder), version=version)
    assert report is not None
    assert roboreel.check(folder).problems == ()
    return folder


def rows_of(dataset: Path, episode: int) -> dict[str, list[Any]]:
    table = pq.read_table(dataset / f"data/chunk-000/episode_{episode:06d}.parquet")
    columns: dict[str, list[Any]] = table.to_pydict()
    return columns


def info_of(dataset: Path) -> dict[str, Any]:
    info: dict[str, Any] = json.loads((dataset / "meta/info.json").read_text())
    return info


def lines_of(dataset: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (dataset / "meta" / name).read_text().splitlines()]


def gapped(frames: list[str]) -> dict[str, Any]:
    """Two segments with gaps, as the ids of hands that were not seen in each frame have them."""
    first = segment([0, 3, 7, 8, 11], caption="grasp")
    second = segment([1, 4, 5], caption="lift", name="left", number=1)
    return segment_sample(frames, first, second)


@pytest.fixture(scope="module")
def hands(frames: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of those."""
    return export(tmp_path_factory.mktemp("hands"), gapped(frames), fps=10)


def test_defect_01_index_counts_all_rows_without_repeats(hands: Path) -> None:
    assert [*rows_of(hands, 0)["index"], *rows_of(hands, 1)["index"]] == list(range(8))


def test_defect_02_timestamps_are_a_frame_apart(hands: Path) -> None:
    times = np.array(rows_of(hands, 0)["timestamp"])
    assert np.allclose(times, np.arange(5) / 10, atol=1e-6)


def test_defect_03_frame_index_counts_rows_and_ids_have_their_own_column(hands: Path) -> None:
    rows = rows_of(hands, 0)
    assert rows["frame_index"] == [0, 1, 2, 3, 4]
    assert rows["source_frame_index"] == [0, 3, 7, 8, 11]


def test_defect_04_a_video_of_other_frames_than_the_rows_is_not_copied(tmp_path: Path) -> None:
    long = write_video(tmp_path / "long.mp4", 3 * COUNT, fps=30)
    every_third = [jpeg(3 * number) for number in range(COUNT)]
    dataset = export(tmp_path / "out", video_sample(long, hand([0, 2, 5]), frames=every_third))
    assert shown(dataset / VIDEO.format(0)) == [0, 6, 15]
    same = export(tmp_path / "same", video_sample(long, hand(range(3 * COUNT))))
    assert shown(same / VIDEO.format(0)) == list(range(3 * COUNT))
    assert rows_of(same, 0)["timestamp"][-1] == pytest.approx((3 * COUNT - 1) / 10)
    with av.open(str(same / VIDEO.format(0))) as container:
        assert container.streams.video[0].average_rate == 10


@pytest.mark.parametrize("mode", ["whole", "segments"])
def test_defect_05_a_missing_last_action_costs_no_other(
    mode: str, frames: list[str], tmp_path: Path
) -> None:
    given = segment([0, 1, 2, 3], caption="x", actions=3)
    sample = (
        segment_sample(frames, given)
        if mode == "segments"
        else video_sample(None, given, frames=frames)
    )
    rows = rows_of(export(tmp_path, sample), 0)
    expected = np.array([*given["actions"], given["actions"][-1]], dtype=np.float32)
    assert np.array_equal(np.array(rows["action"], dtype=np.float32), expected)
    assert rows["action_padded"] == [False, False, False, True]


def test_defect_06_both_hands_of_a_video_are_episodes(frames: list[str], tmp_path: Path) -> None:
    left, right = hand([4, 5, 6], "left", seed=1), hand([0, 1])
    dataset = export(tmp_path, video_sample(None, left, right, frames=frames))
    episodes = lines_of(dataset, "episodes.jsonl")
    assert [(one["hand_type"], one["length"]) for one in episodes] == [("left", 3), ("right", 2)]
    assert np.allclose(rows_of(dataset, 0)["action"], left["actions"])


def test_defect_07_rows_and_video_lose_the_same_frames(frames: list[str], tmp_path: Path) -> None:
    given = [*frames[:2], "missing.jpg", b"broken", *frames[4:]]
    dataset = export(tmp_path, segment_sample(given, segment([1, 2, 3, 4, 5], caption="x")))
    assert shown(dataset / VIDEO.format(0)) == [1, 4, 5]
    assert rows_of(dataset, 0)["source_frame_index"] == [1, 4, 5]
    (line,) = lines_of(dataset, "staged_episodes.jsonl")
    assert line["provenance"]["rows_without_frame"] == [2, 3]


def test_defect_08_an_episode_whose_video_fails_is_named_and_not_exported(
    frames: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = segment([0, 1], caption="x")
    op = ExportToLeRobotMapper(output_dir=str(tmp_path), segment_field=SEGMENTS)
    bad = segment_sample(["missing.jpg"] * 3, good)
    assert op.process_single(bad)[META]["lerobot_export"] == []
    op.process_single(segment_sample(frames, good))
    report = op.finalize_dataset(str(tmp_path))
    assert report is not None
    (skipped,) = report.skipped
    assert "none of its 2 frames can be read" in str(skipped)
    assert "lacks 1 episodes" in caplog.text
    info = info_of(tmp_path)
    assert info["total_episodes"] == info["total_videos"] == 1
    assert lines_of(tmp_path, "skipped_episodes.jsonl") == [skipped.to_json()]


def test_defect_09_a_mov_file_becomes_the_mp4_that_info_names(tmp_path: Path) -> None:
    source = write_video(tmp_path / "phone.mov", COUNT)
    dataset = export(tmp_path / "out", video_sample(source, hand(range(COUNT))))
    assert info_of(dataset)["video_path"].endswith("episode_{episode_index:06d}.mp4")
    assert shown(dataset / VIDEO.format(0)) == list(range(COUNT))


def test_defect_10_samples_without_any_video_make_a_dataset(tmp_path: Path) -> None:
    samples = [video_sample(None, hand([0, 1, 2]), text=text) for text in ("a", "b")]
    dataset = export(tmp_path, *samples)
    info = info_of(dataset)
    assert (info["total_episodes"], info["total_videos"]) == (2, 0)
    assert CAMERA not in info["features"]
    assert json.loads((dataset / "meta/modality.json").read_text())["video"] == {}


def test_defect_11_episodes_are_in_the_order_of_their_sources(
    frames: list[str], tmp_path: Path
) -> None:
    videos = [write_video(tmp_path / f"{name}.mp4", 3) for name in ("b", "a", "c")]
    samples = [video_sample(video, hand([0, 1, 2])) for video in videos]
    orders = [export(tmp_path / "one", *samples), export(tmp_path / "two", *reversed(samples))]
    assert files_of(orders[0]) == files_of(orders[1])
    sources = [line["source"] for line in lines_of(orders[0], "staged_episodes.jsonl")]
    assert sources == sorted(videos)


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_defect_12_a_retry_replaces_the_episode(frames: list[str], tmp_path: Path) -> None:
    first = segment_sample(frames, segment([0, 1, 2], caption="a"))
    again = segment_sample(frames, segment([0, 1, 2], caption="b"))
    dataset = export(tmp_path, first, first, again)
    assert [line["tasks"] for line in lines_of(dataset, "episodes.jsonl")] == [["b"]]


def test_defect_13_statistics_are_those_of_all_rows(hands: Path) -> None:
    stats = json.loads((hands / "meta/stats.json").read_text())
    actions = np.array([*rows_of(hands, 0)["action"], *rows_of(hands, 1)["action"]])
    assert np.allclose(stats["action"]["mean"], actions.mean(axis=0), atol=1e-6)
    assert np.allclose(stats["action"]["std"], actions.std(axis=0), atol=1e-6)
    assert CAMERA in stats


def test_defect_14_episodes_have_a_list_of_tasks(hands: Path) -> None:
    assert [line["tasks"] for line in lines_of(hands, "episodes.jsonl")] == [["grasp"], ["lift"]]
    assert [line["task"] for line in lines_of(hands, "tasks.jsonl")] == ["grasp", "lift"]


def test_defect_15_any_dimensions_and_the_modality_of_them(
    frames: list[str], tmp_path: Path
) -> None:
    values = {"states": np.ones((4, 3)).tolist(), "actions": np.ones((4, 16)).tolist()}
    sample = video_sample(None, {**values, "hand_type": "right"}, frames=frames)
    wrist = "observation.images.wrist"
    dataset = export(tmp_path, sample, camera=wrist, state_names=["x", "y", "z"])
    features = info_of(dataset)["features"]
    assert (features["observation.state"]["shape"], features["action"]["shape"]) == ([3], [16])
    modality = json.loads((dataset / "meta/modality.json").read_text())
    assert modality["state"] == {n: {"start": i, "end": i + 1} for i, n in enumerate("xyz")}
    assert modality["action"] == {"action": {"start": 0, "end": 16}}
    assert modality["video"] == {"primary_image": {"original_key": wrist}}


def test_defect_15_hands_keep_the_modality_that_starvla_reads(hands: Path) -> None:
    modality = json.loads((hands / "meta/modality.json").read_text())
    pose = ["x", "y", "z", "roll", "pitch", "yaw"]
    assert list(modality["state"]) == [*pose, "pad", "gripper"]
    assert list(modality["action"]) == [*pose, "gripper"]
    assert modality["action"]["gripper"] == {"start": 6, "end": 7}
    assert modality["annotation"] == {
        "human.action.task_description": {"original_key": "task_index"}
    }


def test_defect_16_names_and_types_are_declared_as_stored(hands: Path) -> None:
    features = info_of(hands)["features"]
    schema = pq.read_schema(hands / "data/chunk-000/episode_000000.parquet")
    assert set(schema.names) == {name for name, one in features.items() if one["dtype"] != "video"}
    assert features["next.done"] == {"dtype": "bool", "shape": [1], "names": None}
    assert all("names" in one for one in features.values())
    assert len(features["observation.state"]["names"]) == 8
    for name in ("observation.state", "action"):
        stored = schema.field(name).type
        assert features[name]["dtype"] == "float32"
        assert stored.value_type == pa.float32()
    assert rows_of(hands, 0)["next.done"] == [False] * 4 + [True]


def test_defect_17_videos_of_odd_sizes_have_many_keyframes_and_a_duration(tmp_path: Path) -> None:
    given = [jpeg(number, (65, 49)) for number in range(6)]
    dataset = export(tmp_path, segment_sample(given, segment(range(6), caption="x")))
    assert info_of(dataset)["features"][CAMERA]["shape"] == [48, 64, 3]
    with av.open(str(dataset / VIDEO.format(0))) as container:
        assert container.duration == 600_000  # µs: not a fragmented file, which has none
        packets = [packet for packet in container.demux(video=0) if packet.size]
    keys = np.flatnonzero([packet.is_keyframe for packet in packets])
    assert keys[0] == 0
    assert np.diff([*keys, len(packets)]).max() <= 2


def test_defect_17_memory_does_not_hold_all_frames(tmp_path: Path) -> None:
    count, size = 120, (256, 192)
    given = [jpeg(3, size)] * count
    sample = segment_sample(given, segment(range(count), caption="x"))
    op = ExportToLeRobotMapper(output_dir=str(tmp_path), segment_field=SEGMENTS)
    tracemalloc.start()
    try:
        op.process_single(sample)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < count * size[0] * size[1] * 3 / 3


@pytest.mark.slow
def test_defect_18_finalize_uses_processes_and_writes_the_same_bytes(
    frames: list[str], tmp_path: Path
) -> None:
    results = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        op = ExportToLeRobotMapper(output_dir=str(folder), segment_field=SEGMENTS)
        op.process_single(gapped(frames))
        op.finalize_dataset(str(folder), workers=workers)
        results.append(files_of(folder))
    assert results[0] == results[1]


def test_defect_19_a_failing_finalize_leaves_no_dataset_and_all_that_is_staged(
    frames: list[str], tmp_path: Path
) -> None:
    op = ExportToLeRobotMapper(output_dir=str(tmp_path), segment_field=SEGMENTS)
    op.process_single(gapped(frames))
    staged = files_of(tmp_path / "staging")
    with pytest.raises(UsageError, match="fps is 30, but the episodes were staged at 10"):
        op.finalize_dataset(str(tmp_path), fps=30)
    assert [path.name for path in tmp_path.iterdir()] == ["staging"]
    assert files_of(tmp_path / "staging").items() >= staged.items()
    assert op.finalize_dataset(str(tmp_path)) is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "meta", "videos"]


def test_defect_20_nothing_else_has_to_be_imported_first(tmp_path: Path) -> None:
    script = (
        "from roboreel.sink.data_juicer import ExportToLeRobotMapper as Op\n"
        "hand = {'states': [[0.0]] * 3, 'actions': [[0.0]] * 3}\n"
        f"Op('out').process_single({{{META!r}: {{'hand_action_tags': [hand]}}}})\n"
        "print(Op.finalize_dataset('out').episodes)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.stdout == "1\n"
