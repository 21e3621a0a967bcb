"""Cameras for the tests of recording: their declarations, frames with numbers, and what their videos show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from roboreel.format.encoding import Encoding
from roboreel.format.feature import Feature
from roboreel.recording.camera_types import CameraOptions, CameraTask, CameraWriter
from roboreel.recording.camera_writer import open_cameras
from roboreel.stats.camera_pixels import frames_pixels
from roboreel.stats.feature_stats import FeatureStats
from roboreel.stats.sampling import OWN, SamplingProfile, sampled_frames
from roboreel.testing.numbered_frames import draw_numbers, read_numbers

FPS = Fraction(30)
HEIGHT, WIDTH = 64, 160
FAST = Encoding(vcodec="h264", preset="ultrafast")
Image = npt.NDArray[Any]


def camera_feature(name: str, *, depth: bool = False, **facts: Any) -> Feature:
    """A camera stored as video."""
    shape = (HEIGHT, WIDTH, 1 if depth else 3)
    info = {"is_depth_map": True, **facts} if depth else {}
    spec = {
        "dtype": "video",
        "shape": list(shape),
        "names": ["height", "width", "channels"],
        **({"info": info} if info else {}),
    }
    return Feature(name=name, dtype="video", shape=shape, spec=spec)


def camera_task(name: str, encoding: Encoding | None = FAST, **more: Any) -> CameraTask:
    """A camera to record."""
    feature = more.pop("feature", None) or camera_feature(name)
    return CameraTask(name=name, feature=feature, fps=FPS, encoding=encoding, **more)


@contextmanager
def cameras(
    folder: Path, *tasks: CameraTask, processes: bool = False, **options: Any
) -> Iterator[dict[str, CameraWriter]]:
    """Open cameras, in threads where not said otherwise, and close them."""
    writers = open_cameras(
        tasks, CameraOptions(folder=folder, processes=processes, threads=1, **options)
    )
    try:
        yield writers
    finally:
        for writer in writers.values():
            writer.close()


def drawn(episode: int, count: int, camera: int = 0) -> list[Image]:
    """Frames that show their numbers."""
    return [draw_numbers(episode, number, camera, WIDTH, HEIGHT) for number in range(count)]


def numbers(path: Path) -> list[tuple[int, int, int]]:
    """(frame, episode, camera) as the frames of a video show them."""
    with av.open(str(path)) as file:
        shown = [read_numbers(frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)]
    return [(one.frame, one.episode, one.camera) for one in shown]


def in_memory_stats(
    images: Sequence[Image], profile: SamplingProfile = OWN, *, depth: bool = False
) -> FeatureStats | None:
    """The statistics of the reference's sample, computed with all frames at hand."""
    wanted = profile.frames(len(images), video=True)
    chosen = range(len(images)) if wanted is None else sampled_frames(len(images))
    shaped = [images[number] for number in chosen]
    shaped = [image if image.ndim == 3 else image[..., None] for image in shaped]
    return frames_pixels(shaped, profile, video=True, depth=depth).stats()


def assert_same_stats(found: FeatureStats | None, expected: FeatureStats | None) -> None:
    """Every entry is equal, to the last bit."""
    assert found is not None
    assert expected is not None
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
