"""Export Data-Juicer samples of hands to a LeRobot dataset; it needs no Data-Juicer.

    python examples/data_juicer/export_hands.py OUT [--segments] [--version v3.0]

The samples are made here: a moving square, and a hand that follows it, as `video_hand_action_compute_mapper`
and `video_atomic_action_segment_mapper` leave them. With Data-Juicer, name the operator in a recipe instead
(`recipe.yaml` beside this file), and call `finalize_dataset` when the recipe is done.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.sink.data_juicer import ExportToLeRobotMapper

WIDTH, HEIGHT, FRAMES = 160, 120, 40
SEGMENTS = "atomic_action_segments"


def frame(number: int) -> npt.NDArray[np.uint8]:
    """A frame: a white square that goes from left to right."""
    image = np.full((HEIGHT, WIDTH, 3), 40, dtype=np.uint8)
    left = 4 + number * (WIDTH - 32) // FRAMES
    image[48:72, left : left + 24] = 230
    return image


def hand(seen: Sequence[int], name: str, *, clip: int) -> dict[str, Any]:
    """A hand's states and actions in the frames where it was seen; each clip moves at a speed of its own."""
    time = np.asarray(seen)[:, None] / FRAMES
    states = np.sin(
        (1 + clip / 4) * time * np.arange(1, 9)
    )  # x, y, z, roll, pitch, yaw, pad, gripper
    actions = np.diff(states[:, [0, 1, 2, 3, 4, 5, 7]], axis=0)  # one fewer than states
    return {
        "states": states.tolist(),
        "actions": actions.tolist(),
        "valid_frame_ids": list(seen),
        "hand_type": name,
    }


def samples(count: int) -> Iterator[dict[str, Any]]:
    """Samples with two hands; the left one is hidden for a while."""
    for clip in range(count):
        right = hand(range(FRAMES), "right", clip=clip)
        left = hand([*range(12), *range(20, 30)], "left", clip=clip)
        reach = hand(range(20), "right", clip=clip)
        lift = hand(range(20, FRAMES), "right", clip=clip)
        segments = [
            {**reach, "segment_id": 0, "start_frame": 0, "caption": {"action": "reach"}},
            {**lift, "segment_id": 1, "start_frame": 20, "caption": {"action": "lift"}},
        ]
        meta = {"hand_action_tags": [{"right": right, "left": left}], SEGMENTS: segments}
        yield {
            "id": f"clip-{clip}",
            "text": "move the square",
            "video_frames": [frame(at) for at in range(FRAMES)],
            "__dj__meta__": meta,
        }


def main() -> None:
    """Make samples, export each, and finalize."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", help="the folder that becomes the dataset")
    parser.add_argument("--segments", action="store_true", help="an episode per atomic segment")
    parser.add_argument("--version", default="v2.0", help="v2.0, v2.1 or v3.0")
    given = parser.parse_args()
    operator = ExportToLeRobotMapper(
        output_dir=given.out,
        fps=10,
        segment_field=SEGMENTS if given.segments else None,
        key_field="id",
    )
    for sample in samples(3):
        for entry in operator(sample)["__dj__meta__"]["lerobot_export"]:
            print(f"{sample['id']}, {entry['hand_type']} hand: {entry['num_frames']} frames")
    report = ExportToLeRobotMapper.finalize_dataset(given.out, version=given.version)
    if report is not None:
        print(f"{report.episodes} episodes, {report.frames} frames in {given.out}")


if __name__ == "__main__":
    main()
