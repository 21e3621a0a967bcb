"""A set of samples with everything that Data-Juicer's operators leave: exported, finalized, checked."""

from __future__ import annotations

import json
import multiprocessing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.sink.data_juicer import ExportToLeRobotMapper
from tests.data_juicer_samples import (
    META,
    hand,
    no_hand,
    number_of,
    segment,
    segment_sample,
    video_sample,
    write_frames,
    write_video,
)

COUNT = 12
SEGMENTS = "atomic_action_segments"
CAMERA = "observation.images.image"


def samples_in(folder: Path) -> list[dict[str, Any]]:
    """Gapped ids, two hands, T-1 actions, missing frames, `.mov`, bytes, sizes, no video."""
    movie = write_video(folder / "phone.mov", COUNT)
    long = write_video(folder / "long.mp4", 2 * COUNT, fps=30)
    frames = write_frames(folder / "frames", COUNT)
    holes = [*frames[:5], None, "", str(folder / "nowhere.jpg"), b"broken", *frames[9:]]
    left = hand([1, 2, 3, 4, 9], "left", seed=1, actions=4)
    return [
        video_sample(movie, hand([0, 1, 3, 7, 8, 11]), left, frames=frames, text="stack the cups"),
        video_sample(long, hand(range(COUNT), seed=2), no_hand("left"), frames=frames, text=""),
        video_sample(write_bytes(folder), hand(range(COUNT), seed=3), text="pour"),
        video_sample(None, hand([2, 3, 4], seed=4), text="without any frames"),
        segment_sample(
            [holes],
            segment([2, 3, 4, 6], caption={"think": "…", "action": "grasp"}),
            segment([7, 8, 9, 10, 11], caption="lift", number=1, actions=4),
            segment([0, 1], caption={"action": "N/A"}, number=2),
            segment([3, 4], caption="", name="left", number=0),
            segment([3, 4, 5], caption="few", name="left", number=1, actions=1),
        ),
    ]


def write_bytes(folder: Path) -> bytes:
    return Path(write_video(folder / "bytes.mp4", COUNT)).read_bytes()


EXPECTED = [
    # in the order of their sources: the segments' frames, long.mp4, phone.mov; bytes are named by digest
    ("frame_0.jpg", "grasp", [2, 3, 4]),
    ("frame_0.jpg", "left hand action", [3, 4]),
    ("frame_0.jpg", "lift", [9, 10, 11]),
    ("long.mp4", "manipulate object", list(range(COUNT))),
    ("phone.mov", "stack the cups", [1, 2, 3, 4, 9]),
    ("phone.mov", "stack the cups", [0, 1, 3, 7, 8, 11]),
    ("sha256", "pour", list(range(COUNT))),
]
SKIPPED = [
    "has 3 states and 1 actions",
    "its caption is N/A: no action",
    "most episodes differ",
]


def stage(sample: dict[str, Any], folder: Path) -> dict[str, Any]:
    field = SEGMENTS if SEGMENTS in sample[META] else None
    op = ExportToLeRobotMapper(output_dir=str(folder), segment_field=field, fps=10)
    done: dict[str, Any] = op.process_single(sample)
    return done


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("source")


@pytest.fixture(scope="module")
def staged(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("staged")
    for sample in samples_in(source):
        stage(sample, folder)
    return folder


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_every_version_is_sound_and_has_each_row_with_its_frame(
    staged: Path, version: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    report = ExportToLeRobotMapper.finalize_dataset(str(staged), version=version, out=out)
    assert report is not None
    assert (report.report.out, report.report.version) == (str(out), version)
    assert roboreel.check(out, decode=True).problems == ()
    assert episodes_of(out) == EXPECTED
    reasons = sorted(str(one) for one in report.skipped)
    assert len(reasons) == len(SKIPPED)
    assert all(any(words in reason for reason in reasons) for words in SKIPPED)
    assert (staged / "staging").is_dir()


def episodes_of(out: Path) -> list[tuple[str, str, list[int]]]:
    """The source, the task and the frames of each episode; frames as decoded, which rows must agree with."""
    lines = (out / "meta/staged_episodes.jsonl").read_text().splitlines()
    sources = [json.loads(line)["source"] for line in lines]
    read = roboreel.reader(roboreel.open(out))
    found = []
    for source, (start, stop) in zip(sources, pairwise(read.bounds.tolist()), strict=True):
        batch = read[start:stop]
        shown = [number_of(image) for image in batch[CAMERA]]
        assert shown == batch["source_frame_index"].reshape(-1).tolist()
        (task,) = {read.tasks[int(index)] for index in batch["task_index"].reshape(-1)}
        found.append((Path(source).name.partition(":")[0], task, shown))
    return found


def test_the_bytes_are_the_same_whatever_worker_does_what_and_when(
    source: Path, staged: Path, tmp_path: Path
) -> None:
    """Two processes, samples in another order, and some of them twice."""
    samples = samples_in(source)
    work = [(sample, tmp_path) for sample in [*reversed(samples), samples[1], samples[4]]]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(stage, work, chunksize=1)
    results: list[dict[str, bytes]] = []
    for folder in (staged, tmp_path):
        out = tmp_path / f"out-{len(results)}"
        ExportToLeRobotMapper.finalize_dataset(str(folder), version="v2.1", out=out)
        results.append(files_of(out))
    assert results[0] == results[1]


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
