"""Survey the video files: packet indexes, and where each episode's frames lie in them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from roboreel.dataset.findings import Findings
from roboreel.dataset.survey_tables import TablesFound, rows_by_path
from roboreel.errors import StorageError
from roboreel.format.inventory import CameraFacts, Int64, StreamFacts
from roboreel.format.model import frame_start, video_path
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import PacketTable, SampleEntry, run_of_frames

Streams = dict[tuple[SampleEntry, tuple[str, ...], str | None], tuple[int, StreamFacts]]
_RATE_TOLERANCE = 0.05


def survey_camera(
    findings: Findings, camera: str, tables: TablesFound, streams: Streams
) -> CameraFacts:
    """Survey every file of one camera.

    Args:
        findings: grows.
        camera: name of the camera.
        tables: what the tables hold.
        streams: kinds of streams found so far; grows.
    """
    return _CameraSurvey(findings, camera, tables, streams).facts()


class _CameraSurvey:
    def __init__(
        self, findings: Findings, camera: str, tables: TablesFound, streams: Streams
    ) -> None:
        self._findings, self._camera, self._streams = findings, camera, streams
        self._dataset, self._rows, self._gaps = findings.dataset, tables.rows, tables.gaps
        declared = self._dataset.episodes[frame_start(camera)]
        self._start = declared.fill_null(0).to_numpy().astype(np.int64)
        count = len(self._rows)
        self._packets, self._lead, self._bytes = (np.zeros(count, dtype=np.int64) for _ in range(3))
        self._stream = np.full(count, -1, dtype=np.int64)

    def facts(self) -> CameraFacts:
        """Survey, and give the facts of all episodes."""
        alone = self._dataset.version.one_file_per_episode
        for path, members in rows_by_path(self._dataset.episodes[video_path(self._camera)]).items():
            if path is None:
                self._break(members, "video.missing", "its video file is not there", None)
            elif path in self._findings.files:
                self._break(members, "video.shared", "the file of another camera too", path)
            elif alone and len(members) > 1:
                message = f"the file of {len(members)} episodes, where each has its own"
                self._break(members, "video.shared", message, path)
            else:
                self._survey_file(path, members)
        return CameraFacts(
            start=self._start,
            packets=self._packets,
            lead=self._lead,
            size_bytes=self._bytes,
            stream=self._stream,
        )

    def _survey_file(self, path: str, members: Sequence[int]) -> None:
        try:
            self._findings.add_file(path)
            table = read_packet_table(self._dataset.root, path)
        except StorageError as error:
            self._break(members, "video.readable", str(error), path)
            return
        sound = [row for row in members if row not in self._findings.broken]
        self._locate(path, sound, table)
        with self._dataset.root.input(path) as file:
            points = AccessPoints(file, table)
            ends = self._ends(sound, table)
            for row in sound:
                self._measure(row, path, table, points, ends[row])

    def _kind(self, table: PacketTable, apart: str | None) -> int:
        """The number of the stream's kind; `apart` names a file that cannot follow another's packets."""
        key = (table.entry, table.other_tracks, apart)
        if key not in self._streams:
            entries = [(entry, file) for entry, _, file in self._streams] + [(table.entry, apart)]
            facts = StreamFacts(
                entry=entries.index((table.entry, apart)),
                codec=table.entry.fourcc,
                width=table.entry.width,
                height=table.entry.height,
                audio="soun" in table.other_tracks,
                apart=apart is not None,
                other_tracks=table.other_tracks,
            )
            self._streams[key] = (len(self._streams), facts)
        return self._streams[key][0]

    def _locate(self, path: str, members: Sequence[int], table: PacketTable) -> None:
        """Settle where the episodes' frames begin; the file's packets win over its documents."""
        if self._dataset.version.one_file_per_episode or table.frames == 0:
            return
        order = sorted(members, key=lambda row: (int(self._start[row]), row))
        lengths = self._rows[order]
        declared = self._start[order]
        if int(lengths.sum()) == table.frames:
            resolved = np.cumsum(lengths) - lengths  # every frame belongs to one episode
        else:
            resolved = _nearest(declared, table, self._dataset.fps)
        for row, was, now in zip(order, declared.tolist(), resolved.tolist(), strict=True):
            if was != now:
                message = f"its frames begin at {now} by the packets, at {was} by the documents"
                self._note(row, "video.segment", message, path, "the file wins")
                self._start[row] = now
        for before, row in pairwise(order):
            if self._start[row] < self._start[before] + self._rows[before]:
                message = f"its frames overlap those of episode {self._findings.numbers[before]}"
                self._break([row], "video.overlap", message, path)

    def _ends(self, rows: Sequence[int], table: PacketTable) -> dict[int, int]:
        """By episode, where the next one's frames begin, or the file ends."""
        order = sorted(rows, key=lambda row: int(self._start[row]))
        following = [int(self._start[row]) for row in order[1:]] + [table.frames]
        return dict(zip(order, following, strict=True)) if order else {}

    def _measure(
        self, row: int, path: str, table: PacketTable, points: AccessPoints, end: int
    ) -> None:
        start, frames = int(self._start[row]), int(self._rows[row])
        rate = _rate(table)
        if table.frames != frames and abs(rate / float(self._dataset.fps) - 1) > _RATE_TOLERANCE:
            what = f"the video runs at {rate:.4g} fps, the dataset at {float(self._dataset.fps):g}"
            self._break(
                [row], "video.rate", f"{what}: {table.frames} frames for {frames} rows", path
            )
            return
        if start + frames > table.frames:
            have = max(table.frames - start, 0)
            self._break([row], "video.short", f"{have} frames for {frames} rows", path)
            return
        surplus = end - start - frames
        message = f"{surplus} frames more than rows"
        if surplus and self._gaps[row]:
            where = "rows are missing before the last one: frame_index or timestamps have gaps"
            self._break([row], "video.long", f"{message}, and {where}", path)
            return
        if surplus and self._dataset.version.one_file_per_episode:
            self._note(row, "video.long", message, path, "frames after the last row are left out")
        try:
            run = run_of_frames(table, start, start + frames, resets=points.resets)
        except ValueError as error:
            self._break([row], "video.keyframe", str(error), path)
            return
        self._packets[row], self._lead[row] = run.packets, run.lead
        self._bytes[row] = int(table.size[run.positions].sum())
        first = int(run.positions[0])
        self._stream[row] = self._kind(table, None if points.resets(first) else path)

    def _note(self, row: int, rule: str, message: str, path: str, action: str) -> None:
        self._findings.notes(row, rule, message, path=path, column=self._camera, action=action)

    def _break(self, rows: Sequence[int], rule: str, message: str, path: str | None) -> None:
        self._findings.breaks(rows, rule, message, path=path, column=self._camera)


def _nearest(declared: Int64, table: PacketTable, fps: Fraction) -> Int64:
    """The shown frames nearest in time to the declared ones; those beyond the end stay as they are."""
    wanted = declared * fps.denominator / fps.numerator
    near = np.interp(wanted, table.frame_seconds, np.arange(table.frames))
    return np.where(declared < table.frames, np.rint(near).astype(np.int64), declared)


def _rate(table: PacketTable) -> float:
    seconds = table.frame_seconds
    span = float(seconds[-1] - seconds[0]) if len(seconds) > 1 else 0.0
    return (len(seconds) - 1) / span if span > 0 else float("nan")
