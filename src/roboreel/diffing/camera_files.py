"""Locate an episode's frames in one camera's files, from the packets, and compare that with the documents."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import IO

import numpy as np

from roboreel.diffing.side import Side
from roboreel.errors import StorageError
from roboreel.format.model import frame_start
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import PacketTable
from roboreel.types import Int64

_OPEN = 3
"""Files kept open per camera and side."""


@dataclass(frozen=True, slots=True)
class EpisodeFrames:
    """Frames `[start, start + count)` of a file: one episode."""

    path: str
    file: IO[bytes]
    table: PacketTable
    points: AccessPoints
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class _OpenVideo:
    file: IO[bytes]
    table: PacketTable
    points: AccessPoints
    starts: dict[int, int]


class CameraFiles:
    """The files of one camera of one side; request episodes in order."""

    def __init__(self, side: Side, camera: str) -> None:
        self.side, self.camera = side, camera
        self._paths = side.video_paths(camera)
        declared = side.dataset.episodes[frame_start(side.own_name(camera))]
        self._declared: Int64 = declared.fill_null(0).to_numpy().astype(np.int64)
        self._members: dict[str, list[int]] = {}
        for episode, path in enumerate(self._paths):
            if path is not None:
                self._members.setdefault(path, []).append(episode)
        self._open: OrderedDict[str, _OpenVideo] = OrderedDict()

    def path(self, pair: int) -> str | None:
        """Path of the file with a pair's episode; None where there is none."""
        return self._paths[self.side.positions[pair]]

    def frames(self, pair: int) -> EpisodeFrames:
        """Locate the frames of a pair's episode; record in `Side.misplaced` if the documents disagree.

        Raises:
            StorageError: the file is missing or unreadable, or has too few frames.
        """
        episode, path = self.side.positions[pair], self.path(pair)
        if path is None:
            raise StorageError("its video file is missing")
        video = self._opened(path)
        count, table = int(self.side.rows[episode]), video.table
        start = video.starts[episode]
        if start + count > table.frames:
            have = max(table.frames - start, 0)
            raise StorageError(f"'{path}': {have} frames for {count} rows")
        self._note_misplaced(pair, table, start, count)
        return EpisodeFrames(path, video.file, table, video.points, start, count)

    def surplus(self, pair: int) -> int:
        """Number of frames after the last row's, in a file that holds only this episode; else 0."""
        path = self.path(pair)
        if path is None or not self.side.dataset.version.one_file_per_episode:
            return 0
        return self._opened(path).table.frames - int(self.side.rows[self.side.positions[pair]])

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].file.close()

    def _opened(self, path: str) -> _OpenVideo:
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        root = self.side.dataset.root
        if self.side.dataset.version.one_file_per_episode and len(self._members[path]) > 1:
            raise StorageError(f"'{path}' is shared by {len(self._members[path])} episodes")
        table = read_packet_table(root, path)
        file = root.input(path)
        video = _OpenVideo(file, table, AccessPoints(file, table), self._starts(path, table))
        self._open[path] = video
        if len(self._open) > _OPEN:
            self._open.popitem(last=False)[1].file.close()
        return video

    def _starts(self, path: str, table: PacketTable) -> dict[int, int]:
        """First frame of each episode of a file: back to back if that fills it exactly, else by time."""
        order = sorted(self._members[path], key=lambda e: (int(self._declared[e]), e))
        lengths = [int(self.side.rows[episode]) for episode in order]
        if sum(lengths) == table.frames:
            starts = np.cumsum([0, *lengths[:-1]]).tolist()
        elif self.side.dataset.version.one_file_per_episode:
            starts = [0] * len(order)
        else:
            starts = [self._frame_at(int(self._declared[episode]), table) for episode in order]
        return dict(zip(order, starts, strict=True))

    def _frame_at(self, declared: int, table: PacketTable) -> int:
        """Index of the shown frame nearest in time to a declared one."""
        if declared >= table.frames:
            return declared
        wanted = declared / float(self.side.dataset.fps)
        near = np.interp(wanted, table.frame_seconds, np.arange(table.frames))
        return int(np.rint(near))

    def _note_misplaced(self, pair: int, table: PacketTable, start: int, count: int) -> None:
        declared = int(self._declared[self.side.positions[pair]])
        fps = float(self.side.dataset.fps)
        if declared != start:
            self.side.misplaced[pair, self.camera] = (
                f"its video starts at frame {declared} according to the documents, but at {start}"
                f" according to the packets"
            )
            return
        late = table.frame_seconds[start : start + count] * fps - np.arange(start, start + count)
        if (np.abs(late) > 0.5).any():
            at = int((np.abs(late) > 0.5).argmax())
            self.side.misplaced[pair, self.camera] = (
                f"a reader by time finds another frame for frame {at}: it stands {late[at]:+.2f}"
                " frames from its place"
            )
