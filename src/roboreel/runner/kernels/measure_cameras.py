"""Camera statistics on the reference's sample of frames: see `stats/camera_pixels.py`."""

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
from roboreel.runner.kernels.episode_frames import camera_frames
from roboreel.runner.work import OpResult, Work
from roboreel.stats.block import blocks_of
from roboreel.stats.camera_pixels import CameraPixels, sampled_frames, stride_of
from roboreel.stats.feature_stats import Stats
from roboreel.stats.pixel_counts import CameraCounts
from roboreel.storage.video.decode import decode_image
from roboreel.storage.video.subsample import Subsampler
from roboreel.types import Floats


def column_pixels(
    column: pa.ChunkedArray, pixels: CameraPixels, *, every_frame: bool = False
) -> CameraPixels:
    """The pixels, taken in, of a column of encoded pictures: of a sample of them, or of all."""
    chosen = range(len(column)) if every_frame else sampled_frames(len(column))
    encoded = (encoded_image(column[at])[0] for at in chosen)
    for data in filter(None, encoded):
        pixels.add(decode_image(data))
    return pixels


def run_measure_camera(work: Work, op: MeasureCamera) -> OpResult:
    """Compute a camera's statistics in some episodes."""
    root, _ = work.roots()
    stats: list[Stats] = []
    counted = CameraCounts()
    for at, episode in enumerate(work.outputs[EPISODE].to_pylist()):
        chosen = None if op.every_frame else sampled_frames(work.inputs[ROWS][at].as_py())
        frames = camera_frames(
            work,
            root,
            op.camera,
            at,
            in_tables=op.from_tables,
            chosen=chosen,
            backend=op.backend,
        )
        pixels = CameraPixels(
            every_pixel=op.every_pixel, as_rgb=op.as_rgb, depth=op.depth is not None
        )
        distances = None if op.depth is None or op.from_tables else op.depth.distances
        for picture in _pictures(frames, every_pixel=op.every_pixel):
            pixels.add(picture if distances is None else _depths(picture, distances))
        measured = pixels.stats(
            work.table.quantiles, histogram_quantiles=work.table.histogram_quantiles
        )
        if measured is None:
            raise StorageError(f"no picture of '{op.camera}' in episode {episode} decodes")
        stats.append({op.camera: measured})
        if work.table.counts_pixels:
            counted.add(op.camera, pixels.counted)
    return OpResult(
        number=work.number,
        measured=len(stats),
        stats=tuple(blocks_of(stats)),
        pixels=counted.by_camera(),
    )


def _depths(codes: npt.NDArray[np.generic], distances: Floats) -> Floats:
    """What the codes of a depth video stand for."""
    if codes.dtype != np.uint16 or codes.shape[-1] != 1:
        raise StorageError("the video holds no codes of depths, as info.json says it does")
    return distances[np.minimum(codes.astype(np.int64), len(distances) - 1)]


def _pictures(frames: Iterable[Any], *, every_pixel: bool) -> Iterator[npt.NDArray[np.generic]]:
    """Pictures, thinned where that saves converting them."""
    subsampler: Subsampler | None = None
    for frame in frames:
        if isinstance(frame, np.ndarray):
            yield frame
            continue
        subsampler = subsampler or Subsampler()
        yield subsampler.picture(frame, 1 if every_pixel else stride_of(frame.height, frame.width))
