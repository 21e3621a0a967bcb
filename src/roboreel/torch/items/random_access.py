"""A warning where frames are read at random from videos with few keyframes, and what that costs."""

from __future__ import annotations

import logging

import numpy as np
import torch.utils.data

from roboreel.dataset.dataset import Dataset
from roboreel.format.model import LENGTH, video_path
from roboreel.storage.video.indexed_video import indexed_video
from roboreel.storage.video.packets import PacketTable
from roboreel.types import Int64

_LOG = logging.getLogger(__name__)
LONG_GOP = 30
"""Frames from keyframe to keyframe above which random access is expensive."""
_ENOUGH = 16
"""Items read at random before the warning, so that it can say how long they took."""


class RandomAccess:
    """Notices random access to long GOPs, and says so once. Threads may share it."""

    def __init__(self, dataset: Dataset, cameras: list[str]) -> None:
        """Watch some cameras that are stored as video."""
        self._dataset, self._cameras = dataset, cameras
        self._last, self._items, self._seconds = -2, 0, 0.0
        worker = torch.utils.data.get_worker_info()
        self._watching = bool(cameras) and (worker is None or worker.id == 0)

    def note(self, rows: Int64, seconds: float) -> None:
        """Look at a batch that was read.

        Args:
            rows: (B,) the dataset's rows.
            seconds: what reading them took.
        """
        if not self._watching:
            return
        jumps = np.count_nonzero(np.diff(np.sort(rows), prepend=self._last) > 1)
        self._last = int(rows[-1])
        if 2 * jumps <= len(rows):
            return
        self._items += len(rows)
        self._seconds += seconds
        if self._items >= _ENOUGH:
            self._watching = False
            self._warn_of_long_gops(int(rows[-1]))

    def _warn_of_long_gops(self, row: int) -> None:
        tables = {camera: self._packets(camera, row) for camera in self._cameras}
        longest = {name: longest_gop(table) for name, table in tables.items() if table is not None}
        slow = [name for name, frames in longest.items() if frames > LONG_GOP]
        if not slow:
            return
        worst = max(slow, key=lambda name: longest[name])
        table = tables[worst]
        assert table is not None
        _LOG.warning(
            "'%s' is read in random order, but camera '%s' has a keyframe only every %d frames: %.0f"
            " frames are decoded for each frame on average, and an item takes %.0f ms. Shuffle blocks of"
            " frames with roboreel.torch.BlockSampler, or re-encode the videos with"
            " `roboreel encode SRC --g 2 -o OUT`",
            self._dataset.name,
            worst,
            longest[worst],
            frames_decoded_for_one(table),
            1000 * self._seconds / self._items,
        )

    def _packets(self, camera: str, row: int) -> PacketTable | None:
        episodes = self._dataset.episodes
        ends = np.cumsum(episodes[LENGTH].to_numpy())
        path = episodes[video_path(camera)][int(np.searchsorted(ends, row, side="right"))].as_py()
        return None if path is None else indexed_video(self._dataset.root, path).table


def longest_gop(table: PacketTable) -> int:
    """The most frames from a keyframe to the next one, or to the end."""
    return int(np.diff(table.keys, append=table.packets).max(initial=0))


def frames_decoded_for_one(table: PacketTable) -> float:
    """How many frames are decoded for a random one, on average: those from the keyframe before it."""
    positions = np.arange(table.packets)
    before = table.keys[np.searchsorted(table.keys, positions, side="right") - 1]
    return float((positions - before + 1).mean()) if table.packets else 0.0
