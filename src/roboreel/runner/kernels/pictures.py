"""Camera statistics on the reference's sample of pictures.

The sample is lerobot's (`compute_stats.py`): `k = max(min(100, n), min(int(n ** 0.75), 10000))` frames at
`round(linspace(0, n - 1, k))`; pictures of 300 pixels and more are thinned by a stride of `int(side / 150)`
on both axes. Moments and quantiles are exact over the sample (256-bin histograms).
"""

from __future__ import annotations

from collections.abc import Iterable
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
from roboreel.storage.video.decode import decode_picture, picture_of

_LARGE, _WANTED = 300, 150


def sampled_frames(frames: int) -> list[int]:
    """Numbers of the frames of an episode that the reference samples, ascending, each once."""
    count = max(min(100, frames), min(int(frames**0.75), 10_000))
    return sorted(set(np.round(np.linspace(0, frames - 1, count)).astype(int).tolist()))


def thinned(picture: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """(H, W, C) every n-th pixel of a large picture, both ways."""
    height, width = picture.shape[:2]
    if max(height, width) < _LARGE:
        return picture
    stride = int(width / _WANTED) if width > height else int(height / _WANTED)
    return picture[::stride, ::stride]


def pictures_stats(pictures: Iterable[npt.NDArray[np.generic]]) -> FeatureStats | None:
    """Statistics per channel of (H, W, C) pictures; 8-bit ones in [0, 1], deeper ones as they are."""
    counts: npt.NDArray[np.int64] | None = None
    deep: list[npt.NDArray[np.generic]] = []
    number = 0
    for picture in pictures:
        number += 1
        small = thinned(picture)
        if small.dtype != np.uint8:
            deep.append(small.reshape(-1, small.shape[-1]))
            continue
        found = _histogram(small)
        counts = found if counts is None else counts + found
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
        measured = pictures_stats(map(_picture, frames))
        if measured is None:
            raise StorageError(f"no picture of '{op.camera}' in episode {episode} decodes")
        stats.append({op.camera: measured})
    return OpResult(number=work.number, measured=len(stats), stats=tuple(blocks_of(stats)))


def _picture(frame: Any) -> npt.NDArray[np.generic]:
    return frame if isinstance(frame, np.ndarray) else picture_of(frame)


def _histogram(picture: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    channels = picture.astype(np.uint8, copy=False).reshape(-1, picture.shape[-1]).T
    return np.stack([np.bincount(channel, minlength=256) for channel in channels])
