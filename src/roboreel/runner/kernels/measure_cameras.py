"""Decode frames of a camera and compute its statistics; `stats/sampling.py` chooses the frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.errors import StorageError
from roboreel.format.images import encoded_image
from roboreel.format.model import EPISODE
from roboreel.plan.plan import ROWS, MeasureCamera
from roboreel.progress.work_done import advance
from roboreel.runner.kernels.episode_frames import camera_frames
from roboreel.runner.work import OpResult, Work
from roboreel.stats.block import blocks_of
from roboreel.stats.camera_pixels import CameraPixels, frames_pixels
from roboreel.stats.feature_stats import Stats
from roboreel.stats.pixel_counts import CameraCounts
from roboreel.stats.sampling import SamplingProfile, stride_of
from roboreel.storage.video.still_images import decode_image
from roboreel.storage.video.subsample import Subsampler
from roboreel.types import Floats


def column_pixels(
    column: pa.ChunkedArray, profile: SamplingProfile, *, depth: bool
) -> CameraPixels:
    """The pixels of a column of encoded images of one episode: of a sample, or of all images."""
    chosen = profile.frames(len(column), video=False)
    encoded = (
        encoded_image(column[at])[0] for at in (range(len(column)) if chosen is None else chosen)
    )
    frames = (decode_image(data) for data in encoded if data)
    return frames_pixels(frames, profile, video=False, depth=depth)


def run_measure_camera(work: Work, op: MeasureCamera) -> OpResult:
    """Compute a camera's statistics for some episodes."""
    root, _ = work.roots()
    stats: list[Stats] = []
    counted = CameraCounts()
    for at, episode in enumerate(work.outputs[EPISODE].to_pylist()):
        frames = camera_frames(
            work,
            root,
            op.camera,
            at,
            in_tables=op.from_tables,
            chosen=op.profile.frames(work.inputs[ROWS][at].as_py(), video=op.video),
            backend=op.backend,
        )
        pixels = frames_pixels(
            _images(frames, op), op.profile, video=op.video, depth=op.depth is not None
        )
        measured = pixels.stats()
        if measured is None:
            raise StorageError(f"no frame of '{op.camera}' in episode {episode} can be decoded")
        stats.append({op.camera: measured})
        if op.profile.exact_quantiles:
            counted.add(op.camera, pixels.counted)
    return OpResult(
        number=work.number,
        measured=len(stats),
        stats=tuple(blocks_of(stats)),
        pixels=counted.by_camera(),
    )


def _depths(codes: npt.NDArray[np.generic], distances: Floats) -> Floats:
    """The distances that the codes of a depth video stand for."""
    if codes.dtype != np.uint16 or codes.shape[-1] != 1:
        raise StorageError("info.json declares depth, but the video does not store depth")
    return distances[np.minimum(codes.astype(np.int64), len(distances) - 1)]


def _images(frames: Iterable[Any], op: MeasureCamera) -> Iterator[npt.NDArray[np.generic]]:
    """(H, W, C) frames, subsampled before conversion if that is faster; distances for depth videos."""
    distances = None if op.depth is None or op.from_tables else op.depth.distances
    subsampler: Subsampler | None = None
    for frame in frames:
        image = frame
        if not isinstance(frame, np.ndarray):
            subsampler = subsampler or Subsampler()
            every = op.profile.every_pixel
            image = subsampler.frame(frame, 1 if every else stride_of(frame.height, frame.width))
        yield image if distances is None else _depths(image, distances)
        advance(frames=1)
