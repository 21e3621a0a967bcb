"""Decode frames of a video by their time, as readers of the format request them."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from roboreel.errors import FrameTimeError, UsageError, VideoError
from roboreel.storage.fs import open_root
from roboreel.storage.names import local_path
from roboreel.storage.root import Root
from roboreel.storage.video.backends import backend_frames, require_backend
from roboreel.storage.video.indexed_video import IndexedVideo, indexed_video


def decode_video_frames(
    path: str | os.PathLike[str],
    timestamps: Sequence[float] | npt.NDArray[np.floating],
    tolerance_s: float,
    backend: str | None = None,
) -> npt.NDArray[np.generic]:
    """The frames of a video that are nearest to some times.

    Only the packets that these frames depend on are read and decoded, each once. Frames are identified by
    their packets: times are those of the file's index, counted from the first shown frame's.

    Args:
        path: an MP4 file, or the URL of one.
        timestamps: (n,) seconds, in any order; the same may come more than once.
        tolerance_s: the largest distance between a frame and its timestamp, in seconds.
        backend: `pyav` (the default), `torchcodec` or `decord`, which are extras of that name. Frames of
            different backends differ by at most 2 levels of 255 on average.

    Returns:
        (n, 3, H, W) uint8 RGB in the order of the timestamps; (n, 1, H, W) in the stored bit depth where the
        video is grey. `torch.from_numpy(frames) / 255` equals the result of lerobot's function of this name.

    Raises:
        UsageError: an argument is invalid.
        FrameTimeError: no frame is near enough to a timestamp.
        VideoError: a frame does not decode.
        StorageError: the file cannot be read.
        MissingDependencyError: the backend's package is not installed.

    Example:
        >>> import roboreel, roboreel.testing, tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> source = roboreel.testing.make_dataset(folder / "a", version="v2.1", episodes=(5,))
        >>> video = next(source.rglob("*.mp4"))
        >>> roboreel.decode_video_frames(video, [0.0, 0.1], tolerance_s=1e-4).shape
        (2, 3, 128, 160)
    """
    chosen = require_backend(backend or "pyav")
    seconds = np.asarray(timestamps, dtype=np.float64)
    if seconds.ndim != 1 or not np.isfinite(seconds).all():
        raise UsageError("timestamps must be a list of finite seconds")
    if not 0 <= tolerance_s < float("inf"):
        raise UsageError(f"tolerance_s is {tolerance_s}, expected 0 or a positive number")
    video = indexed_video(*located_file(path))
    numbers = _nearest(video, seconds, tolerance_s)
    wanted, positions = np.unique(numbers, return_inverse=True)
    frames = backend_frames(video, wanted.tolist(), backend=chosen)
    found: npt.NDArray[np.generic] | None = None
    for at, frame in enumerate(frames):
        if found is None:
            height, width, channels = frame.shape
            found = np.empty((len(wanted), channels, height, width), dtype=frame.dtype)
        found[at] = np.moveaxis(frame, 2, 0)
    if found is None:
        entry = video.table.entry
        return np.empty((0, 3, entry.height, entry.width), dtype=np.uint8)
    return found if len(wanted) == len(numbers) and _ascends(positions) else found[positions]


def _ascends(positions: npt.NDArray[np.intp]) -> bool:
    return bool((np.diff(positions) > 0).all())


def located_file(path: str | os.PathLike[str]) -> tuple[Root, str]:
    """The folder of a file and its name there, for a path or the URL of one."""
    text = os.fspath(path)
    folder, slash, name = text.rpartition("/")
    if "://" not in text:
        text = local_path(text)
        folder, name = os.path.split(text)
        slash = os.sep
    if not name:
        raise UsageError(f"'{text}' does not name a file")
    return open_root(folder or (slash if text.startswith(slash) else ".")), name


def _nearest(
    video: IndexedVideo, seconds: npt.NDArray[np.float64], tolerance_s: float
) -> npt.NDArray[np.int64]:
    """(n,) the number of the nearest frame for each time."""
    times, name = video.table.frame_seconds, video.name
    if not len(times):
        raise VideoError(f"'{name}': no frames")
    after = np.searchsorted(times, seconds).clip(1, max(1, len(times) - 1))
    after = np.minimum(after, len(times) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(times[before] - seconds) <= np.abs(times[after] - seconds)
    numbers: npt.NDArray[np.int64] = np.where(nearer, before, after).astype(np.int64)
    gaps = np.abs(times[numbers] - seconds)
    if len(gaps) and gaps.max() > tolerance_s:
        worst = int(gaps.argmax())
        raise FrameTimeError(
            f"'{name}': no frame within {tolerance_s:g} s of timestamp {seconds[worst]:.6f} s: the nearest,"
            f" frame {numbers[worst]}, is at {times[numbers[worst]]:.6f} s"
        )
    return numbers
