"""Probe video files: the stream, and the frames and packets of each episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from roboreel.errors import StorageError, counted
from roboreel.probes.probe_request import Finding, ProbeRequest, as_text, findings_text
from roboreel.storage.root import Root
from roboreel.storage.video.access import AccessPoints, Joining
from roboreel.storage.video.index import packet_table_of
from roboreel.storage.video.packets import PacketTable, run_of_frames
from roboreel.storage.video.reorder import contradicts_times
from roboreel.types import Int64

_RATE_TOLERANCE = 0.05
_INTEGERS = pa.list_(pa.int64())
NO_KIND, TOGETHER, APART, FIRST = -1, 0, 1, 2
"""How an episode's packets can be placed in an output file; see `kind_of`. `NO_KIND`: it has no packets."""


def kind_of(joining: Joining) -> int:
    """`APART` or `FIRST` as in `Joining`; `TOGETHER` if the packets may follow other episodes'."""
    return FIRST if joining.first else APART if joining.apart else TOGETHER


class VideoContext(NamedTuple):
    """Facts of the dataset that the answers of all video files depend on."""

    one_file_per_episode: bool
    fps: Fraction


class DeclaredFrames(NamedTuple):
    """Where the documents place an episode in a video file; a row of `ProbeRequest.episodes`."""

    number: int
    start: int
    rows: int
    gaps: int
    """1 if rows before the last one were removed, else 0."""


@dataclass(slots=True)
class _Answer:
    """The answer of one file; lists are aligned with its episodes."""

    start: list[int]
    packets: list[int]
    lead: list[int]
    size_bytes: list[int]
    keyframes: list[int]
    apart: list[int]
    sets: list[str]
    """Equal for episodes whose packets may follow each other; see `Joining.sets`."""
    error: str | None = None
    entry: bytes | None = None
    """The display matrix (36 bytes), then the part of the sample entry that decoders need."""
    other_tracks: tuple[str, ...] = ()
    tidy_packets: int = -1
    """Number of packets if the file is as roboreel would write it, else -1."""
    findings: list[Finding] = field(default_factory=list)


OUT_OF_ORDER = (
    "the video has B-frames, but its timestamps give the order of decoding instead of the order of display:"
    " re-encode the video, for instance with ffmpeg"
)


def probe_videos(root: Root, request: ProbeRequest) -> pa.Table:
    """One row per video file; see `_columns`."""
    context = VideoContext(*request.context)  # type: ignore[arg-type]
    answers = []
    for position, path in enumerate(request.paths):
        episodes = [DeclaredFrames(*numbers) for numbers in request.of_file(position).tolist()]
        answers.append(_answer(root, path, episodes, context))
    return _columns(answers)


def _columns(answers: Sequence[_Answer]) -> pa.Table:
    errors = [None if answer.error is None else as_text(answer.error) for answer in answers]
    entries = pa.array([answer.entry for answer in answers], pa.binary())
    tracks = pa.array([list(answer.other_tracks) for answer in answers], pa.list_(pa.string()))
    return pa.table(
        {
            "error": pa.array(errors, pa.string()),
            "findings": pa.array([findings_text(a.findings) for a in answers], pa.string()),
            "entry": entries.dictionary_encode(),
            "other_tracks": tracks,
            "tidy_packets": pa.array([answer.tidy_packets for answer in answers], pa.int64()),
            "start": pa.array([answer.start for answer in answers], _INTEGERS),
            "packets": pa.array([answer.packets for answer in answers], _INTEGERS),
            "lead": pa.array([answer.lead for answer in answers], _INTEGERS),
            "size_bytes": pa.array([answer.size_bytes for answer in answers], _INTEGERS),
            "keyframes": pa.array([answer.keyframes for answer in answers], _INTEGERS),
            "apart": pa.array([answer.apart for answer in answers], pa.list_(pa.int8())),
            "sets": pa.array([answer.sets for answer in answers], pa.list_(pa.string())),
        }
    )


def _answer(
    root: Root, path: str, episodes: Sequence[DeclaredFrames], context: VideoContext
) -> _Answer:
    answer = _Answer(
        start=[episode.start for episode in episodes],
        packets=[0] * len(episodes),
        lead=[0] * len(episodes),
        size_bytes=[0] * len(episodes),
        keyframes=[0] * len(episodes),
        apart=[NO_KIND] * len(episodes),
        sets=[""] * len(episodes),
    )
    try:
        with root.input(path) as file:
            table = packet_table_of(file, path)
            points = AccessPoints(file, table)
            _Probe(answer, episodes, context, table, points).run()
            if contradicts_times(file, table):
                action = "row k gets the k-th frame in the order of decoding"
                answer.findings.append(Finding(None, "video.order", OUT_OF_ORDER, action))
    except StorageError as error:
        answer.error = str(error)
        return answer
    answer.entry, answer.other_tracks = table.entry.matrix + table.entry.needs, table.other_tracks
    if not table.other_tracks and table.is_exact(context.fps):
        answer.tidy_packets = table.packets
    return answer


class _Probe:
    """Fills the answer of one file."""

    def __init__(
        self,
        answer: _Answer,
        episodes: Sequence[DeclaredFrames],
        context: VideoContext,
        table: PacketTable,
        points: AccessPoints,
    ) -> None:
        self._answer, self._episodes, self._context = answer, episodes, context
        self._table, self._points = table, points

    def run(self) -> None:
        """Locate the episodes' frames, then measure each episode."""
        if not self._context.one_file_per_episode and self._table.frames:
            self._locate()
        ends = self._ends()
        for member in range(len(self._episodes)):
            self._measure(member, ends[member])
        if not self._context.one_file_per_episode:
            self._find_seams()

    def _locate(self) -> None:
        """Find each episode's first frame; the file's packets take precedence over the documents."""
        start = self._answer.start
        lengths = np.array([episode.rows for episode in self._episodes], dtype=np.int64)
        declared = np.array(start, dtype=np.int64)
        resolved = first_frames(self._table, declared, lengths, self._context.fps)
        order = sorted(range(len(start)), key=lambda member: (start[member], member))
        for member in order:
            was, now = start[member], int(resolved[member])
            if was != now:
                message = (
                    f"its video starts at frame {now} according to the packets, but at {was}"
                    f" according to the documents"
                )
                off = abs(now - was)
                self._finding(
                    member,
                    "video.segment",
                    message,
                    "the position from the packets is used",
                    amount=off,
                )
                start[member] = now
        for before, member in pairwise(order):
            shared = start[before] + self._episodes[before].rows - start[member]
            if shared > 0:
                message = f"its frames overlap episode {self._episodes[before].number}"
                self._finding(member, "video.overlap", message, amount=shared)

    def _ends(self) -> dict[int, int]:
        """By episode: first frame of the next one, or the file's number of frames."""
        start = self._answer.start
        order = sorted(range(len(start)), key=start.__getitem__)
        following = [start[member] for member in order[1:]] + [self._table.frames]
        return dict(zip(order, following, strict=True)) if order else {}

    def _measure(self, member: int, end: int) -> None:
        table = self._table
        start, frames = self._answer.start[member], self._episodes[member].rows
        if mismatch := frame_mismatch(table, self._episodes[member], start, end, self._context.fps):
            self._finding(member, mismatch.rule, mismatch.message, amount=mismatch.amount)
            return
        surplus = end - start - frames
        if surplus and self._context.one_file_per_episode:
            message = f"the video has {counted(surplus, 'frame')} more than there are rows"
            action = "the frames after the last row are left out when the dataset is written"
            self._finding(member, "video.long", message, action, amount=surplus)
        self._find_packets(member, start, start + frames)

    def _find_packets(self, member: int, start: int, stop: int) -> None:
        answer, table, resets = self._answer, self._table, self._points.resets
        try:
            run = run_of_frames(table, start, stop, resets=resets)
        except ValueError as error:
            self._finding(member, "video.keyframe", str(error))
            return
        answer.packets[member], answer.lead[member] = run.packets, run.lead
        answer.size_bytes[member] = int(table.size[run.positions].sum())
        answer.keyframes[member] = int(table.keyframe[run.positions].sum())
        joining = self._points.joining(run)
        answer.apart[member] = kind_of(joining)
        answer.sets[member] = joining.sets

    def _find_seams(self) -> None:
        """Report episodes that decode differently after the previous one than from their own keyframe."""
        start, table, points = self._answer.start, self._table, self._points
        for member in range(len(start)):
            if self._answer.apart[member] == NO_KIND or start[member] <= 0:
                continue
            begin = int(table.packets_of_frames(start[member], start[member] + 1)[0])
            key = table.key_before(begin)
            if points.relies_on_earlier_sets(key):
                message = (
                    "its frames decode with parameter sets that an earlier episode brings inside the stream:"
                    " a reader that seeks decodes other frames than one that plays the file"
                )
                action = "its packets are kept together with the earlier ones"
                self._finding(member, "video.joined", message, action)
            if points.is_spoilt(key):
                message = (
                    "its frames do not decode after those of earlier episodes, which bring other parameter"
                    " sets inside the stream: a player shows damaged frames or none"
                )
                self._finding(
                    member,
                    "video.joined",
                    message,
                    "it gets its own file when the dataset is written",
                )
            if key == begin and points.drops_waiting(begin):
                message = (
                    "its first frame makes a decoder drop frames of the episode before it that it has not"
                    " shown yet (no_output_of_prior_pics)"
                )
                self._finding(
                    member,
                    "video.joined",
                    message,
                    "it gets its own file when the dataset is written",
                )

    def _finding(
        self,
        member: int,
        rule: str,
        message: str,
        action: str | None = None,
        *,
        amount: float = 0.0,
    ) -> None:
        self._answer.findings.append(Finding(member, rule, message, action, amount=amount))


def first_frames(table: PacketTable, declared: Int64, lengths: Int64, fps: Fraction) -> Int64:
    """(episodes,) the first frame of each episode in a file that several share.

    The file's packets take precedence over the documents.

    Args:
        table: the file's packets.
        declared: (episodes,) the first frame of each by the documents, in any order.
        lengths: (episodes,) rows of each.
        fps: frame rate of the dataset.
    """
    order = np.lexsort((np.arange(len(declared)), declared))
    first = np.empty(len(declared), dtype=np.int64)
    if int(lengths.sum()) == table.frames:  # every frame belongs to one episode
        first[order] = np.cumsum(lengths[order]) - lengths[order]
    else:
        first[order] = _nearest(declared[order], table, fps)
    return first


def frame_mismatch(
    table: PacketTable, episode: DeclaredFrames, start: int, end: int, fps: Fraction
) -> Finding | None:
    """Why row *k* of an episode is not known to belong to its frame *k*; None if it is.

    Args:
        table: the packets of the episode's file.
        episode: the episode.
        start: its first frame in the file.
        end: the first frame after it that belongs to another episode, or the file's number of frames.
        fps: frame rate of the dataset.
    """
    rate, rows = float(fps), episode.rows
    if table.frames != rows and abs(_rate(table) / rate - 1) > _RATE_TOLERANCE:
        what = f"the video runs at {_rate(table):.4g} fps, but the dataset at {rate:g}"
        message = f"{what}: {table.frames} frames for {rows} rows"
        return Finding(None, "video.rate", message, amount=abs(_rate(table) / rate - 1))
    if start + rows > table.frames:
        have = max(table.frames - start, 0)
        message = f"{have} frames for {rows} rows"
        return Finding(None, "video.short", message, amount=rows - have)
    surplus = end - start - rows
    if surplus and episode.gaps:
        where = "rows are missing in the middle: frame_index or timestamps have gaps"
        message = f"the video has {counted(surplus, 'frame')} more than there are rows, and {where}"
        return Finding(None, "video.long", message, amount=surplus)
    return None


def _nearest(declared: Int64, table: PacketTable, fps: Fraction) -> Int64:
    """Shown frames nearest in time to the declared ones; positions beyond the end are unchanged."""
    wanted = declared * fps.denominator / fps.numerator
    near = np.interp(wanted, table.frame_seconds, np.arange(table.frames))
    return np.where(declared < table.frames, np.rint(near).astype(np.int64), declared)


def _rate(table: PacketTable) -> float:
    seconds = table.frame_seconds
    span = float(seconds[-1] - seconds[0]) if len(seconds) > 1 else 0.0
    return (len(seconds) - 1) / span if span > 0 else float("nan")
