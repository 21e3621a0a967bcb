"""Survey the video files: probe them, and combine their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from roboreel.format.inventory import CameraFacts, StreamFacts
from roboreel.format.model import EPISODE, frame_start, video_path
from roboreel.probes.probe_request import ProbeRequest, bounds_of, findings_of, flat
from roboreel.probes.probe_videos import APART, FIRST, NO_KIND, TOGETHER, VideoContext, probe_videos
from roboreel.probes.probing import Probing
from roboreel.probes.table_requests import rows_by_path
from roboreel.storage.video.packets import SampleEntry
from roboreel.survey.findings import Findings
from roboreel.survey.survey_tables import TablesFound
from roboreel.types import Int64

_FILE_US, _EPISODE_US, _FRAMES_PER_US = 120, 40, 10
_MATRIX_BYTES = 36
_COUNTED = ("packets", "lead", "size_bytes", "keyframes")
"""Columns of answers that become columns of `CameraFacts`."""


class Streams:
    """The stream kinds found so far, numbered in order."""

    def __init__(self) -> None:
        self.facts: list[StreamFacts] = []
        self.tidy: dict[str, int] = {}
        """Number of packets by file, for files that are as roboreel would write them."""
        self._numbers: dict[tuple[object, ...], int] = {}
        self._entries: dict[tuple[object, ...], int] = {}

    def number(
        self, entry: SampleEntry, other_tracks: tuple[str, ...], path: str, kind: int, sets: str
    ) -> int:
        """Return the number of a stream kind; a new kind is added.

        Args:
            entry: sample entry.
            other_tracks: handler types of the file's other tracks.
            path: the file.
            kind: `TOGETHER`, `APART` or `FIRST`; see `kind_of`.
            sets: equal for streams whose packets may follow each other.
        """
        entry_key = (entry, sets, None if kind == TOGETHER else path)
        key = (*entry_key, kind, other_tracks)
        if key not in self._numbers:
            self._numbers[key] = len(self.facts)
            facts = StreamFacts(
                entry=self._entries.setdefault(entry_key, len(self.facts)),
                codec=entry.fourcc,
                width=entry.width,
                height=entry.height,
                audio="soun" in other_tracks,
                apart=kind in (APART, FIRST),
                first=kind == FIRST,
                sets=sets,
                other_tracks=other_tracks,
                identity=entry.matrix + entry.needs,
            )
            self.facts.append(facts)
        return self._numbers[key]


def survey_camera(
    findings: Findings, camera: str, tables: TablesFound, streams: Streams, probing: Probing
) -> CameraFacts:
    """Survey all files of one camera.

    Args:
        findings: collects files, broken episodes and problems.
        camera: name of the camera.
        tables: survey of the tables.
        streams: collects stream kinds.
        probing: runs the probes.
    """
    declared = findings.dataset.episodes[frame_start(camera)]
    start = declared.fill_null(0).to_numpy().astype(np.int64)
    groups = _readable(findings, camera)
    # an error below breaks only episodes of the same file, so broken episodes are left out of the requests
    sound = groups
    if findings.broken:
        sound = {p: [r for r in rows if r not in findings.broken] for p, rows in groups.items()}
    request = _requests(sound, start, tables, findings)
    answers = probing.answers(f"videos {camera}", probe_videos, request)
    for position, failure, found_here in findings_of(answers):
        path = request.paths[position]
        if failure is not None:
            findings.add_broken(groups[path], "video.readable", failure, path=path, column=camera)
        for finding in found_here:
            findings.add_finding(sound[path], finding, path=path, column=camera)
    tidy = zip(sound, answers["tidy_packets"].to_pylist(), strict=True)
    streams.tidy.update((path, packets) for path, packets in tidy if packets > 0)
    return _facts(sound, start, answers, streams)


def _readable(findings: Findings, camera: str) -> dict[str, list[int]]:
    """Rows of the episodes table by file that can be probed; episodes of other files become broken."""
    dataset, breaks = findings.dataset, partial(findings.add_broken, column=camera)
    alone = dataset.version.one_file_per_episode
    readable: dict[str, list[int]] = {}
    for path, members in rows_by_path(dataset.episodes[video_path(camera)]).items():
        if path is None:
            what = "video file"
            findings.add_missing(members, "video.missing", what, path=path, column=camera)
        elif path in findings.files:
            breaks(members, "video.shared", "another camera uses the same file", path=path)
        elif alone and len(members) > 1:
            message = f"{len(members)} episodes share this file, but each needs its own"
            breaks(members, "video.shared", message, path=path)
        else:
            readable[path] = members
    for path, error in findings.add_files(list(readable)).items():
        breaks(readable.pop(path), "video.readable", str(error), path=path)
    return readable


def _requests(
    groups: Mapping[str, Sequence[int]], start: Int64, tables: TablesFound, findings: Findings
) -> ProbeRequest:
    dataset = findings.dataset
    members = np.array([row for rows in groups.values() for row in rows], dtype=np.int64)
    counts = np.array([len(rows) for rows in groups.values()], dtype=np.int64)
    bounds = bounds_of(counts.tolist())
    numbers = dataset.episodes[EPISODE].to_numpy()[members]
    rows = tables.rows[members]
    frames_before = bounds_of(rows.tolist())
    frames_of_files = frames_before[bounds[1:]] - frames_before[bounds[:-1]]
    gaps = tables.gaps[members].astype(np.int64)
    return ProbeRequest(
        context=VideoContext(
            one_file_per_episode=dataset.version.one_file_per_episode, fps=dataset.fps
        ),
        paths=list(groups),
        files=[findings.files[path] for path in groups],
        bounds=bounds,
        episodes=np.stack([numbers, start[members], rows, gaps], axis=1),
        cost_us=_FILE_US + _EPISODE_US * counts + frames_of_files // _FRAMES_PER_US,
    )


def _facts(
    groups: Mapping[str, Sequence[int]], start: Int64, answers: pa.Table, streams: Streams
) -> CameraFacts:
    order = [row for rows in groups.values() for row in rows]
    found = {name: np.zeros(len(start), dtype=np.int64) for name in _COUNTED}
    found["start"] = start
    for name, values in found.items():
        values[order] = flat(answers, name)
    return CameraFacts(**found, stream=_streams(groups, len(start), answers, streams))


def _streams(
    groups: Mapping[str, Sequence[int]], episodes: int, answers: pa.Table, streams: Streams
) -> Int64:
    """(episodes,) number of each episode's stream kind; -1 if it has no packets."""
    column = answers["entry"].combine_chunks()
    strings = column.dictionary.to_pylist()
    entries = [_entry_of(t) for t in strings]
    tracks = [tuple(listed) for listed in answers["other_tracks"].to_pylist()]
    kinds, sets = iter(flat(answers, "apart").tolist()), iter(flat(answers, "sets").tolist())
    stream = [-1] * episodes
    known: dict[tuple[object, ...], int] = {}  # an entry is slow to hash
    for (path, rows), code, others in zip(
        groups.items(), column.indices.to_pylist(), tracks, strict=True
    ):
        for row in rows:
            kind, own = next(kinds), next(sets)
            if kind != NO_KIND:
                key = (code, others, None if kind == TOGETHER else path, kind, own)
                if key not in known:
                    known[key] = streams.number(entries[code], others, path or "", kind, own)
                stream[row] = known[key]
    return np.array(stream, dtype=np.int64)


def _entry_of(answer: bytes) -> SampleEntry:
    matrix, needs = answer[:_MATRIX_BYTES], answer[_MATRIX_BYTES:]
    return SampleEntry(data=needs, matrix=matrix, needs=needs)
