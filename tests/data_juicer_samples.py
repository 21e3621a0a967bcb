"""Samples as Data-Juicer's operators leave them: hands, segments, extracted frames, source videos.

Frame k of a video is grey of brightness `shade(k)`, so a decoded frame says which one it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

META = "__dj__meta__"
SIZE = (64, 48)
"""(width, height)"""


def shade(number: int) -> int:
    """The brightness of a frame."""
    return 20 + 5 * number


def number_of(image: npt.NDArray[np.generic]) -> int:
    """Which frame a decoded image is."""
    return round((float(np.mean(image.astype(np.float64))) - 20) / 5)


def image(number: int, size: tuple[int, int] = SIZE) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8: the frame of that number."""
    return np.full((size[1], size[0], 3), shade(number), dtype=np.uint8)


def jpeg(number: int, size: tuple[int, int] = SIZE) -> bytes:
    """The frame of that number as a JPEG file."""
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.options = "yuvj444p", {"qscale": "2"}
    encoder.time_base = Fraction(1)
    frame = av.VideoFrame.from_ndarray(image(number, size), format="rgb24")
    packets = [*encoder.encode(frame.reformat(format="yuvj444p")), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def write_frames(folder: Path, count: int, size: tuple[int, int] = SIZE) -> list[str]:
    """Write frames as image files; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"frame_{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(jpeg(number, size))
    return [str(path) for path in paths]


def write_video(path: Path, count: int, *, fps: int = 10, size: tuple[int, int] = SIZE) -> str:
    """Write a video of the frames 0, 1, …; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {".mov": "mov", ".mkv": "matroska"}.get(path.suffix, "mp4")
    with av.open(str(path), "w", format=kind) as container:
        stream: Any = container.add_stream("libx264", rate=fps, options={"crf": "10", "g": "4"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(image(number, size), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


def hand(
    ids: Sequence[int], name: str = "right", *, seed: int = 0, actions: int | None = None
) -> dict[str, Any]:
    """States and actions of a hand in the frames `ids`; `actions`: how many there are."""
    draws = np.random.default_rng(seed)
    rows = len(ids)
    return {
        "states": draws.normal(size=(rows, 8)).round(4).tolist(),
        "actions": draws.normal(size=(rows if actions is None else actions, 7)).round(4).tolist(),
        "valid_frame_ids": list(ids),
        "hand_type": name,
        "joints_cam": [],
    }


def no_hand(name: str) -> dict[str, Any]:
    """A hand that was nowhere detected."""
    return {"states": [], "actions": [], "valid_frame_ids": [], "hand_type": name}


def segment(
    ids: Sequence[int], *, caption: Any, number: int = 0, name: str = "right", **more: Any
) -> dict[str, Any]:
    """An atomic segment."""
    return {
        **hand(ids, name, seed=number, **more),
        "segment_id": number,
        "start_frame": ids[0],
        "end_frame": ids[-1],
        "caption": caption,
    }


def video_sample(
    video: Any, *hands: dict[str, Any], frames: Any = None, text: str = "pick up the cup"
) -> dict[str, Any]:
    """A sample of one whole video."""
    tags = {one["hand_type"]: one for one in hands}
    sample = {"videos": [video], "text": text, META: {"hand_action_tags": [tags]}}
    return sample if frames is None else {**sample, "video_frames": [frames]}


def segment_sample(frames: Any, *segments: dict[str, Any], video: Any = None) -> dict[str, Any]:
    """A sample of atomic segments."""
    videos = [] if video is None else [video]
    meta = {"atomic_action_segments": list(segments)}
    return {"videos": videos, "video_frames": frames, "text": "", META: meta}


def shown(path: Any) -> list[int]:
    """The numbers of the frames that a player shows of a video file, in order."""
    with av.open(str(path)) as container:
        return [number_of(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
