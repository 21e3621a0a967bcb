"""Where each episode's rows and frames are, resolved file by file when they are first needed.

A survey answers the same for all files at once. Both use the rules in `probes/`: files take precedence
over documents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from roboreel.dataset.file_names import holds
from roboreel.dataset.missing_files import missing_file
from roboreel.errors import DatasetError, Problem, StorageError
from roboreel.format.inventory import FileFacts
from roboreel.format.model import DATA_PATH, EPISODE, LENGTH, Model, frame_start, video_path
from roboreel.probes.probe_request import Finding, findings_of, flat
from roboreel.probes.probe_tables import probe_tables
from roboreel.probes.probe_videos import DeclaredFrames, first_frames, frame_mismatch
from roboreel.probes.table_requests import rows_by_path, table_requests
from roboreel.storage.memory.process_lock import ProcessLock
from roboreel.storage.remote.ranged_root import RangedRoot
from roboreel.storage.root import Root
from roboreel.storage.video.packets import PacketTable
from roboreel.types import Int64


class RowRange(NamedTuple):
    """The rows `[start, stop)` of a table file."""

    path: str
    start: int
    stop: int
    gaps: bool
    """True where frame_index or timestamps show that rows before the last one were removed."""


class FrameRange(NamedTuple):
    """The frames `[start, start + rows)` of a video file."""

    path: str
    start: int
    rows: int


class Positions:
    """Positions of the episodes of one dataset. Threads may share it: a file is resolved once.

    Episodes are named by their row in `Dataset.episodes`.
    """

    def __init__(self, root: Root, model: Model, files: tuple[str, ...]) -> None:
        """Resolve nothing yet.

        Args:
            root: the dataset's root.
            model: its documents.
            files: names of its files, sorted.
        """
        self._root, self._model, self._files = root, model, files
        self._rows: dict[int, RowRange | Problem] = {}
        self._frames: dict[tuple[str, int], FrameRange | Problem] = {}
        self._members: dict[str, dict[str | None, list[int]]] = {}
        self._warnings: dict[Problem, None] = {}
        self._lock = ProcessLock()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Where files contradict the documents, as far as they were resolved: the files are used."""
        return tuple(self._warnings)

    def rows(self, row: int) -> RowRange:
        """The rows of an episode.

        Raises:
            StorageError: its table file is missing, or cannot be read.
            DatasetError: the file does not tell which rows are the episode's.
        """
        if row not in self._rows:
            with self._lock:
                if row not in self._rows:
                    self._resolve_table(row)
        return _found(self._rows[row])

    def frames(self, camera: str, row: int, table_of: Callable[[str], PacketTable]) -> FrameRange:
        """The frames of an episode in the video of a camera.

        Args:
            camera: the camera, by its name in the dataset.
            row: the episode.
            table_of: gives the packets of a video file by its path.

        Raises:
            StorageError: the video file is missing, or cannot be read.
            DatasetError: row *k* is not known to belong to frame *k*.
        """
        key = camera, row
        if key not in self._frames:
            path = self._model.episodes[video_path(camera)][row].as_py()
            if not holds(self._files, path):
                raise self._missing(row, camera)
            members = self._members_of(video_path(camera), path)
            self.prepare(members)
            ranges = [self._known_rows(member) for member in members]
            table = table_of(path)
            with self._lock:
                self._resolve_video(camera, path, members, ranges, table)
        return _found(self._frames[key])

    def prepare(self, rows: Sequence[int]) -> None:
        """Read the tables of some episodes together where each of them would cost a request.

        Raises:
            StorageError, HubError: a table cannot be read.
        """
        root = self._root
        unknown = [row for row in rows if row not in self._rows]
        if not isinstance(root, RangedRoot) or not unknown:
            return
        paths = self._model.episodes[DATA_PATH].take(pa.array(unknown)).unique().to_pylist()
        root.preload([path for path in paths if holds(self._files, path)])

    def _known_rows(self, row: int) -> RowRange:
        """The rows of an episode; by the documents if its table is missing, as in a partial copy."""
        path = self._model.episodes[DATA_PATH][row].as_py()
        if holds(self._files, path):
            return self.rows(row)
        return RowRange("", 0, int(self._model.episodes[LENGTH][row].as_py()), gaps=False)

    def _members_of(self, column: str, path: str) -> list[int]:
        """Rows of the episodes that the documents place in a file, in order."""
        if column not in self._members:
            self._members[column] = rows_by_path(self._model.episodes[column])
        return self._members[column][path]

    def _resolve_table(self, row: int) -> None:
        path = self._model.episodes[DATA_PATH][row].as_py()
        if not holds(self._files, path):
            raise self._missing(row)
        members = self._members_of(DATA_PATH, path)
        stat = self._root.stat(path)
        files = {path: FileFacts(size_bytes=stat.size_bytes, stamp=stat.stamp)}
        answer = probe_tables(self._root, table_requests(self._model, {path: members}, files))
        for _, failure, findings in findings_of(answer):
            if failure is not None:
                raise StorageError(failure)
            for finding in findings:
                self._note(finding, members, path, None)
        starts, counts = flat(answer, "row_start").tolist(), flat(answer, "rows").tolist()
        gaps = flat(answer, "gaps").tolist()
        for member, start, count, gap in zip(members, starts, counts, gaps, strict=True):
            self._rows.setdefault(member, RowRange(path, start, start + count, bool(gap)))

    def _resolve_video(
        self,
        camera: str,
        path: str,
        members: list[int],
        ranges: list[RowRange],
        table: PacketTable,
    ) -> None:
        info = self._model.info
        lengths = np.array([found.stop - found.start for found in ranges], dtype=np.int64)
        declared = self._declared_start(camera)[members]
        single = info.version.one_file_per_episode or not table.frames
        first = declared if single else first_frames(table, declared, lengths, info.fps)
        order = np.lexsort((np.arange(len(first)), first))
        ends = np.append(first[order][1:], table.frames)
        overlaps = False
        for at, end in zip(order.tolist(), ends.tolist(), strict=True):
            number = int(self._numbers[members[at]])
            start, rows = int(first[at]), int(lengths[at])
            if start != declared[at]:
                message = (
                    f"its video starts at frame {start} according to the packets, but at"
                    f" {declared[at]} according to the documents"
                )
                action = "the position from the packets is used"
                self._note(Finding(at, "video.segment", message, action), members, path, camera)
            episode = DeclaredFrames(number, start, rows, int(ranges[at].gaps))
            mismatch = frame_mismatch(table, episode, start, end, info.fps)
            overlaps, before = not single and start + rows > end and end < table.frames, overlaps
            if overlaps or before:  # it is not known whose the shared frames are
                message = "its frames overlap another episode in the same file"
                mismatch = Finding(at, "video.overlap", message)
            found: FrameRange | Problem = FrameRange(path, start, rows)
            if (
                mismatch is not None and mismatch.rule != "video.short"
            ):  # tells by frame what is missing
                found = self._problem(mismatch, number, path, camera)
            self._frames[camera, members[at]] = found

    def _note(self, finding: Finding, members: list[int], path: str, camera: str | None) -> None:
        """Keep a finding: as a warning where it is handled, else for the episodes that it breaks."""
        chosen = members if finding.member is None else [members[finding.member]]
        for member in chosen:
            problem = self._problem(finding, int(self._numbers[member]), path, camera)
            if finding.action is None:
                self._rows[member] = problem
            else:
                self._warnings[problem] = None

    def _problem(self, finding: Finding, number: int, path: str, camera: str | None) -> Problem:
        return Problem(
            rule=finding.rule,
            severity="error" if finding.action is None else "warning",
            message=finding.message,
            path=path,
            episode=number,
            column=finding.column or camera,
            action=finding.action,
        )

    def _missing(self, row: int, camera: str = "") -> StorageError:
        return missing_file(self._root, self._model, row, camera)

    @cached_property
    def _numbers(self) -> Int64:
        return np.asarray(self._model.episodes[EPISODE].to_numpy(), dtype=np.int64)

    def _declared_start(self, camera: str) -> Int64:
        column = self._model.episodes[frame_start(camera)].fill_null(0)
        return np.asarray(column.to_numpy(), dtype=np.int64)


def declared_lengths(model: Model) -> Int64:
    """(episodes,) rows of each episode, by the documents."""
    return np.asarray(model.episodes[LENGTH].to_numpy(), dtype=np.int64)


_T = TypeVar("_T")


def _found(result: _T | Problem) -> _T:
    if isinstance(result, Problem):
        raise DatasetError("the episode cannot be read", [result])
    return result
