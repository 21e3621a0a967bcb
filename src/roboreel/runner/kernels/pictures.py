"""Camera statistics on the reference's sample of pictures.

The sample is lerobot's (`compute_stats.py`): `k = max(min(100, n), min(int(n ** 0.75), 10000))` frames at
`round(linspace(0, n - 1, k))`; pictures of 300 pixels and more are thinned by a stride of `int(side / 150)`
on both axes. Moments and quantiles are exact over the sample (256-bin histograms).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.edit.plan import ROWS, MeasureCamera
from roboreel.errors import StorageError
from roboreel.format.model import EPISODE
from roboreel.format.stats import FeatureStats, Stats, histogram_stats, values_stats
from roboreel.format.stats_block import blocks_of
from roboreel.runner.kernels.frames import camera_frames
from roboreel.runner.work import OpResult, Work
from roboreel.storage.video.decode import decode_picture
from roboreel.storage.video.thin import Thinner

_LARGE, _WANTED = 300, 150
_COUNTED_AT_ONCE = 8
"""Pictures whose pixels are counted together: what is in memory does not grow with an episode."""


def sampled_frames(frames: int) -> list[int]:
    """Numbers of the frames of an episode that the reference samples, ascending, each once."""
    count = max(min(100, frames), min(int(frames**0.75), 10_000))
    return sorted(set(np.round(np.linspace(0, frames - 1, count)).astype(int).tolist()))


def stride_of(height: int, width: int) -> int:
    """How far apart, both ways, the pixels stand that the reference takes of a picture."""
    return int(max(height, width) / _WANTED) if max(height, width) >= _LARGE else 1


def thinned(picture: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """(H, W, C) every n-th pixel of a large picture, both ways; of a thinned one, every pixel."""
    stride = stride_of(*picture.shape[:2])
    return picture[::stride, ::stride]


def pictures_stats(pictures: Iterable[npt.NDArray[np.generic]]) -> FeatureStats | None:
    """Statistics per channel of (H, W, C) pictures; 8-bit ones in [0, 1], deeper ones as they are."""
    counts: npt.NDArray[np.int64] | None = None
    deep: list[npt.NDArray[np.generic]] = []
    number = 0
    few: list[npt.NDArray[np.uint8]] = []
    for picture in pictures:
        number += 1
        small = thinned(picture)
        if small.dtype != np.uint8:
            deep.append(small.reshape(-1, small.shape[-1]))
            continue
        few.append(
            np.moveaxis(small.astype(np.uint8, copy=False), 2, 0).reshape(small.shape[2], -1)
        )
        if len(few) == _COUNTED_AT_ONCE:
            counts = _counted(few, counts)
    counts = _counted(few, counts)
    if deep:
        stats = values_stats(np.concatenate(deep), quantiles=True)
        shaped: FeatureStats = {key: value.reshape(-1, 1, 1) for key, value in stats.items()}
        return {**shaped, "count": np.array([number], dtype=np.int64)}
    return None if counts is None else histogram_stats(counts, pictures=number, peak=255)


def picture_column_stats(column: pa.ChunkedArray) -> FeatureStats | None:
    """Statistics of a column of encoded pictures."""
    encoded = (column[at]["bytes"].as_py() for at in sampled_frames(len(column)))
    return pictures_stats(decode_picture(data) for data in encoded if data)


def run_measure_camera(work: Work, op: MeasureCamera) -> OpResult:
    """Compute a camera's statistics in some episodes."""
    root, _ = work.roots()
    stats: list[Stats] = []
    for at, episode in enumerate(work.outputs[EPISODE].to_pylist()):
        chosen = sampled_frames(work.inputs[ROWS][at].as_py())
        frames = camera_frames(
            work,
            root,
            op.camera,
            at,
            in_tables=op.from_tables,
            chosen=chosen,
            backend=op.backend,
        )
        measured = pictures_stats(_pictures(frames))
        if measured is None:
            raise StorageError(f"no picture of '{op.camera}' in episode {episode} decodes")
        stats.append({op.camera: measured})
    return OpResult(number=work.number, measured=len(stats), stats=tuple(blocks_of(stats)))


def _pictures(frames: Iterable[Any]) -> Iterator[npt.NDArray[np.generic]]:
    """Pictures, thinned where that saves converting them."""
    thinner: Thinner | None = None
    for frame in frames:
        if isinstance(frame, np.ndarray):
            yield frame
            continue
        thinner = thinner or Thinner()
        yield thinner.picture(frame, stride_of(frame.height, frame.width))


def _counted(
    pictures: list[npt.NDArray[np.uint8]], before: npt.NDArray[np.int64] | None
) -> npt.NDArray[np.int64] | None:
    """(channels, 256) how often each value occurs, in these (channels, pixels) and before; takes them out."""
    if not pictures:
        return before
    channels = np.concatenate(pictures, axis=1)
    pictures.clear()
    found = np.stack([np.bincount(channel, minlength=256) for channel in channels])
    return found if before is None else before + found
