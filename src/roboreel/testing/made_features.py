"""The features of a test dataset, and their values in one episode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from roboreel.testing.cameras import Camera

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FeatureSet = Literal["basic", "rich"]
Columns = dict[str, NDArray[Any]]
STILL = "observation.images.still"
_JOINTS = ("shoulder_pan", "shoulder_lift", "elbow", "wrist_flex", "wrist_roll", "gripper")


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeFeature:
    """One entry of `features` in info.json."""

    name: str
    dtype: str
    shape: tuple[int, ...] = (1,)
    names: tuple[str, ...] | None = None

    @property
    def is_camera(self) -> bool:
        """True for video and image features."""
        return self.dtype in ("video", "image")

    @property
    def has_stats(self) -> bool:
        """True for features with statistics: all but strings."""
        return self.dtype != "string"


_BASIC = (
    MadeFeature(name="observation.state", dtype="float32", shape=(6,), names=_JOINTS),
    MadeFeature(name="action", dtype="float32", shape=(6,), names=_JOINTS),
)
_RICH = (
    MadeFeature(name="observation.note", dtype="string"),
    MadeFeature(name="observation.pose", dtype="float32", shape=(3, 4)),
    MadeFeature(name="observation.effort", dtype="float64", shape=(3,), names=("x", "y", "z")),
    MadeFeature(name="observation.ticks", dtype="int64", shape=(2,)),
)
_NEXT = (
    MadeFeature(name="next.reward", dtype="float32"),
    MadeFeature(name="next.done", dtype="bool"),
)
_ALWAYS = (
    MadeFeature(name="timestamp", dtype="float32"),
    MadeFeature(name="frame_index", dtype="int64"),
    MadeFeature(name="episode_index", dtype="int64"),
    MadeFeature(name="index", dtype="int64"),
    MadeFeature(name="task_index", dtype="int64"),
)


def choose_cameras(cameras: Mapping[str, Camera] | None, features: FeatureSet) -> dict[str, Camera]:
    """Return the cameras in the order of their numbers; the rich set's PNG camera comes last."""
    if cameras is None:
        cameras = {"observation.images.top": Camera(), "observation.images.wrist": Camera()}
    chosen = dict(cameras)
    if features == "rich":
        chosen[STILL] = Camera(width=160, height=48, storage="image")
    return chosen


def declare(features: FeatureSet, cameras: Mapping[str, Camera]) -> tuple[MadeFeature, ...]:
    """Return all features in the order of info.json: the robot's, the cameras, the index columns."""
    rich = _RICH if features == "rich" else ()
    camera_features = (
        MadeFeature(
            name=name,
            dtype=camera.storage,
            shape=(camera.height, camera.width, 3),
            names=("height", "width", "channels"),
        )
        for name, camera in cameras.items()
    )
    return (*_BASIC, *rich, *_NEXT, *camera_features, *_ALWAYS)


def draw_columns(
    *, episode: int, start: int, task_of_frame: Sequence[int], fps: float, seed: int
) -> Columns:
    """Return the values of every feature that is not a camera, for the frames of one episode.

    The first component of state and action is exactly `episode + frame / 1024`. Timestamps are
    float64 seconds here: the format computes statistics before it rounds them to float32.
    """
    frames = len(task_of_frame)
    frame = np.arange(frames)
    random = np.random.default_rng((seed, episode))
    stamp = episode + frame / 1024
    walk = random.normal(0, 0.05, (frames, 10)).cumsum(axis=0)
    return {
        "observation.state": np.column_stack([stamp, walk[:, :5]]).astype(np.float32),
        "action": np.column_stack([stamp, walk[:, 5:]]).astype(np.float32),
        "observation.note": np.array([f"Bild {i} für Episode {episode}" for i in frame]),
        "observation.pose": (stamp[:, None, None] + np.arange(12).reshape(3, 4)).astype(np.float32),
        "observation.effort": np.column_stack([stamp, np.sqrt(stamp), -stamp / 3]),
        "observation.ticks": np.column_stack([start + frame, (1 << 53) + frame]),
        "next.reward": (frame / frames).astype(np.float32),
        "next.done": frame == frames - 1,
        "timestamp": frame / fps,
        "frame_index": frame,
        "episode_index": np.full(frames, episode),
        "index": start + frame,
        "task_index": np.array(task_of_frame),
    }
