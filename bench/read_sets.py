"""Makes the datasets that reading is timed on, once: what is there already is taken as it is."""

from dataclasses import dataclass, replace
from pathlib import Path

from edit_fabrication import ALOHA, STATE_ONLY, video_set

SCENE = replace(ALOHA, noise=10, texture="smooth")
"""Packets of about 8 kB at 640×480; to decode one costs what it costs of a robot's recording."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadSets:
    """v3.0 with two cameras of 640×480 at 30 fps, one file each; `state` has none."""

    av1: Path
    h264: Path
    few: Path
    """Like `av1`, a quarter of it: what a cache of frames is filled from."""
    long_gop: Path
    """h264 with a keyframe every 250 frames and B-frames."""
    state: Path


def make_read_sets(folder: Path, *, episodes: int) -> ReadSets:
    long_gop = replace(SCENE, codec="h264", gop=250, clip_lengths=(500,))
    return ReadSets(
        av1=video_set(folder / "av1", SCENE, episodes),
        h264=video_set(folder / "h264", replace(SCENE, codec="h264"), episodes),
        few=video_set(folder / "few", SCENE, max(1, episodes // 4)),
        long_gop=video_set(folder / "long_gop", long_gop, episodes),
        state=video_set(folder / "state", STATE_ONLY, episodes * 50),
    )
