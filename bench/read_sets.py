"""Makes the datasets that reading is timed on, once: what is there already is taken as it is."""

from dataclasses import dataclass, replace
from pathlib import Path

from edit_fabrication import ALOHA, STATE_ONLY, video_set

SCENE = replace(ALOHA, noise=10, texture="smooth")
"""Packets of about 19 kB (AV1) and 7 kB (h264) at 640×480, as lerobot's recorder makes of such frames."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadSets:
    """v3.0 with two cameras of 640×480 at 30 fps, one file each; `state` has none."""

    av1: Path
    h264: Path
    long_gop: Path
    """h264 with a keyframe every 250 frames and B-frames."""
    state: Path


def make_read_sets(folder: Path, *, episodes: int) -> ReadSets:
    long_gop = replace(SCENE, codec="h264", gop=250, clip_lengths=(500,))
    return ReadSets(
        av1=video_set(folder / "av1", SCENE, episodes),
        h264=video_set(folder / "h264", replace(SCENE, codec="h264"), episodes),
        long_gop=video_set(folder / "long_gop", long_gop, max(1, episodes // 5)),
        state=video_set(folder / "state", STATE_ONLY, episodes * 50),
    )
