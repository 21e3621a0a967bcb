"""A set of samples with everything that Data-Juicer's operators leave, and what a dataset of it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from roboreel.sink.data_juicer import ExportToLeRobotMapper
from tests.data_juicer_samples import (
    META,
    hand,
    no_hand,
    segment,
    segment_sample,
    video_sample,
    write_frames,
    write_video,
)

CAMERA = "observation.images.image"
SEGMENTS = "atomic_action_segments"
_COUNT = 12


def sample_set(folder: Path) -> list[dict[str, Any]]:
    """The samples and their files: gaps, two hands, T-1 actions, missing frames, `.mov`, bytes, no video."""
    movie = write_video(folder / "phone.mov", _COUNT)
    long = write_video(folder / "long.mp4", 2 * _COUNT, fps=30)
    frames = write_frames(folder / "frames", _COUNT)
    holes = [*frames[:5], None, "", str(folder / "nowhere.jpg"), b"broken", *frames[9:]]
    left = hand([1, 2, 3, 4, 9], "left", seed=1, actions=4)
    return [
        video_sample(movie, hand([0, 1, 3, 7, 8, 11]), left, frames=frames, text="stack the cups"),
        video_sample(long, hand(range(_COUNT), seed=2), no_hand("left"), frames=frames, text=""),
        video_sample(
            Path(write_video(folder / "bytes.mp4", _COUNT)).read_bytes(),
            hand(range(_COUNT), seed=3),
            text="pour",
        ),
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


EXPECTED: list[tuple[str, str, list[int]]] = [
    # in the order of their sources: the segments' frames, long.mp4, phone.mov; bytes are named by digest
    ("frame_0.jpg", "grasp", [2, 3, 4]),
    ("frame_0.jpg", "left hand action", [3, 4]),
    ("frame_0.jpg", "lift", [9, 10, 11]),
    ("long.mp4", "manipulate object", list(range(_COUNT))),
    ("phone.mov", "stack the cups", [1, 2, 3, 4, 9]),
    ("phone.mov", "stack the cups", [0, 1, 3, 7, 8, 11]),
    ("sha256", "pour", list(range(_COUNT))),
]
"""The source, the task and the extracted frames of each episode."""


def stage(sample: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Export a sample, in the mode that it is made for."""
    field = SEGMENTS if SEGMENTS in sample[META] else None
    op = ExportToLeRobotMapper(output_dir=str(folder), segment_field=field, fps=10)
    done: dict[str, Any] = op.process_single(sample)
    return done


def sources_of(out: Path) -> list[str]:
    """The end of each episode's source, as the manifest of a dataset says it."""
    lines = (out / "meta/staged_episodes.jsonl").read_text(encoding="utf-8").splitlines()
    return [Path(json.loads(line)["source"]).name.partition(":")[0] for line in lines]
