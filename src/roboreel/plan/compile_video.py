"""The video files of a result: which packets go into which file, and which episodes cannot be copied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from roboreel.edit.view import View
from roboreel.errors import PlanError, Problem
from roboreel.format import v2, v30
from roboreel.format.encoding import encoder_settings
from roboreel.format.inventory import CameraFacts, Inventory, StreamFacts
from roboreel.format.layout import numbered
from roboreel.format.model import EPISODE, video_path
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.near_source import near_encodings
from roboreel.plan.pack import batches, pack, parts_by, row_ranges_of, runs
from roboreel.plan.plan import (
    PACKETS_COPIED,
    UNCHANGED,
    CopyVideos,
    EncodeVideo,
    EpisodeRange,
    Op,
    RemuxVideo,
)
from roboreel.types import Bools, Int64

_INSIDE = (
    "it starts or ends between keyframes of its video file, or needs parameter sets from earlier"
    " in the file"
)
DEPTH_ENCODER = {
    "codec": "libx265",
    "g": "1",  # as `gop_of` says: frames that refer to others are not exact
    "x265-params": "log-level=none:info=0:open-gop=0:frame-threads=2:lossless=1",
}
"""Settings for depth in hevc: lossless."""
ADVICE = 'vcodec="h264"'
"""What to pass if a codec has no encoder here."""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """The files of one camera of a result; arrays are aligned with its episodes."""

    paths: list[str]
    start: Int64
    """(episodes,) first frame of the episode in its new file."""
    packets: Int64
    """(episodes,) packets copied for the episode that are not copied for an earlier one."""
    joined: Bools
    """(episodes,) True where the episode's frames directly follow those of the previous episode."""
    ops: list[Op]


def refuse_audio(merged: MergedSources, inventory: Inventory) -> None:
    """Raise `PlanError` if videos carry sound, and the user did not ask to drop it."""
    if merged.options.drop_audio:
        return
    numbers = merged.model.episodes[EPISODE].to_pylist()
    problems = []
    for camera, facts in inventory.cameras.items():
        for row in merged.rows.tolist():
            if inventory.streams[int(facts.stream[row])].audio:
                path = merged.model.episodes[video_path(camera)][row].as_py()
                problems.append(
                    _problem(
                        "video.audio", "the video has an audio track", numbers[row], camera, path
                    )
                )
                break
    if problems:
        summary = "the videos have sound, which LeRobot datasets cannot hold: pass drop_audio=True to drop it"
        raise PlanError(summary, problems)


def refuse_cuts(merged: MergedSources, inventory: Inventory, copied: Iterable[str]) -> None:
    """Raise `PlanError` if episodes of copied cameras need a re-encode that is not allowed or impossible."""
    if not merged.version.one_file_per_episode:
        return
    problems, lacks_encoder = [], False
    for camera in copied:
        facts = inventory.cameras[camera]
        inside = merged.rows[cut_inside(merged, inventory, camera)]
        depth = merged.model.info.features[camera].is_depth
        known = near_encodings(merged, inventory, camera) if len(inside) else {}
        for row in inside.tolist():
            codec = inventory.streams[int(facts.stream[row])].codec
            message = _INSIDE
            if depth and merged.options.allow_reencode:
                message += ", and depth is not re-encoded"
            elif not depth and codec not in known:
                lacks_encoder = True
                message += f", and '{codec}' has no encoder here"
            elif merged.options.allow_reencode:
                continue
            episode = merged.model.episodes[EPISODE][row].as_py()
            path = merged.model.episodes[video_path(camera)][row].as_py()
            problems.append(_problem("video.gop", message, episode, camera, path))
    if problems:
        options = [] if merged.options.allow_reencode else ["allow_reencode=True"]
        options += [ADVICE] if lacks_encoder else []
        advice = f": pass {' and '.join(options)} to re-encode them" if options else ""
        raise PlanError(
            f"{merged.version} has one file per episode, and these episodes cannot be cut out of"
            f" their files without re-encoding{advice}",
            problems,
        )


def refuse_unused(view: View, ops: Sequence[Op]) -> None:
    """Raise `PlanError` if encoder settings are given, and no video is encoded."""
    given = view.options.reencoding.given
    if (
        given
        and not view.options.allow_reencode
        and not any(isinstance(op, EncodeVideo) for op in ops)
    ):
        options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in given.items())
        raise PlanError(
            f"{options} would have no effect: all videos are copied. To encode cameras, use"
            f" `roboreel encode SRC {options}`"
        )


def cut_inside(merged: MergedSources, inventory: Inventory, camera: str) -> Bools:
    """(episodes,) True where an episode starts or ends inside a GOP of its file."""
    facts = inventory.cameras[camera]
    return np.asarray(facts.packets[merged.rows] != inventory.rows[merged.rows], dtype=np.bool_)


def compile_camera(merged: MergedSources, inventory: Inventory, camera: str) -> CameraPlan:
    """The files of a camera whose packets are copied, and the ops that write them."""
    facts = inventory.cameras[camera]
    if merged.version.one_file_per_episode:
        return _file_per_episode(merged, inventory, camera, facts)
    return _shared_files(merged, inventory, camera, facts)


def _shared_files(
    merged: MergedSources, inventory: Inventory, camera: str, facts: CameraFacts
) -> CameraPlan:
    rows = merged.rows
    info = merged.model.info
    limit = merged.options.video_file_mb or info.video_file_mb or v30.DEFAULT_VIDEO_FILE_MB
    frames = inventory.rows[rows]
    sources = merged.model.episodes[video_path(camera)].take(rows).to_pylist()
    follows = _follows_previous(sources, facts.start[rows], frames)
    kind = _stream_kinds(inventory, facts, rows, follows)
    files = pack(
        facts.size_bytes[rows],
        limit_mb=limit,
        kind=kind,
        row_range=row_ranges_of(merged, sources),
        join=merged.view.join,
    )
    joined = follows.copy()
    joined[[members.start for members in files]] = False
    packets, lead = _packets(facts, rows, frames, joined)
    before = np.cumsum(packets) - packets
    start = np.zeros(len(rows), dtype=np.int64)
    paths: list[str] = []
    ops: list[Op] = []
    for number, members in enumerate(files):
        path = numbered(v30.VIDEO_TEMPLATE, number, info.chunks_size, camera=camera)
        paths += [path] * len(members)
        here = slice(members.start, members.stop)
        start[here] = before[here] - before[members.start] + lead[here]
        first = facts.start[rows[members.start]] - lead[members.start]
        total = inventory.tidy_videos.get(sources[members.start] or "")
        # all packets of a file that is exactly as we would write it, and nothing else: copied as a file
        if first == 0 and bool(joined[here][1:].all()) and total == int(packets[here].sum()):
            ops.append(_copies(camera, members, files=1))
            continue
        reason = _reason(int((packets[here] - frames[here]).sum()))
        ops.append(RemuxVideo(camera=camera, episodes=members, files=1, reason=reason))
    return CameraPlan(paths, start, packets, joined, ops)


def _copies(camera: str, episodes: EpisodeRange, *, files: int) -> CopyVideos:
    return CopyVideos(camera=camera, episodes=episodes, files=files, reason=UNCHANGED)


def _follows_previous(sources: Sequence[str | None], start: Int64, frames: Int64) -> Bools:
    """(episodes,) True where an episode's frames directly follow the previous episode's in one file."""
    follows = [
        at > 0 and sources[at] == sources[at - 1] and start[at] == start[at - 1] + frames[at - 1]
        for at in range(len(sources))
    ]
    return np.array(follows, dtype=np.bool_)


def _packets(facts: CameraFacts, rows: Int64, frames: Int64, joined: Bools) -> tuple[Int64, Int64]:
    """(episodes,) packets copied for each episode, and how many of them are shown before it.

    A run of joined episodes begins with the frames that its first one depends on, and ends with those that
    its last one depends on.
    """
    lead = np.where(joined, 0, facts.lead[rows])
    tail = facts.packets[rows] - facts.lead[rows] - frames
    ends = ~np.append(joined[1:], False)
    return lead + frames + np.where(ends, tail, 0), lead


def _reason(hidden: int) -> str:
    if not hidden:
        return PACKETS_COPIED
    kept = "1 frame" if hidden == 1 else f"{hidden:,} frames"
    return f"{PACKETS_COPIED}, with {kept} that no episode shows but other frames need for decoding"


def _stream_kinds(inventory: Inventory, facts: CameraFacts, rows: Int64, follows: Bools) -> Int64:
    """(episodes,) equal numbers for episodes whose packets may follow each other in a file.

    Streams that differ only in their other tracks are one kind. If packets can only be at the beginning of a
    file, each run of episodes is its own kind; if they must be, each episode is. A run in which parameter
    sets change stays together, as in its input file, and nothing else follows it.
    """
    streams = [inventory.streams[stream] for stream in facts.stream[rows].tolist()]
    run = np.cumsum(~follows).tolist()
    changing = _runs_with_changing_sets(streams, run)
    seen: dict[tuple[int, int, int], int] = {}
    keys = []
    for at, (stream, number) in enumerate(zip(streams, run, strict=True)):
        if stream.first:
            keys.append((stream.entry, number, at))
        elif number in changing:
            keys.append((-1, number, -1))
        else:
            keys.append((stream.entry, number if stream.apart else -1, -1))
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


def _runs_with_changing_sets(streams: Sequence[StreamFacts], run: Sequence[int]) -> set[int]:
    sets: dict[int, str] = {}
    found = set()
    for stream, number in zip(streams, run, strict=True):
        if sets.setdefault(number, stream.sets) != stream.sets:
            found.add(number)
    return found


def _file_per_episode(
    merged: MergedSources, inventory: Inventory, camera: str, facts: CameraFacts
) -> CameraPlan:
    rows = merged.rows
    size = merged.model.info.chunks_size
    paths = v2.paths_of_episodes(v2.VIDEO_TEMPLATE, range(len(rows)), size, camera)
    inside = cut_inside(merged, inventory, camera)
    sources = merged.model.episodes[video_path(camera)].take(rows).to_pylist()
    one_each = merged.model.info.version.one_file_per_episode
    tidy = np.array([inventory.tidy_videos.get(path or "", -1) for path in sources], dtype=np.int64)
    whole = ((facts.start[rows] == 0) & (tidy == inventory.rows[rows])).tolist()
    ops: list[Op] = []
    for batch in batches(sources, one_file_each=one_each):
        flags = (~inside[batch.start : batch.stop]).tolist()
        for part in runs(flags, longest=len(flags)):
            for members, copied in parts_by(whole, _shifted(part, batch.start)):
                files = len(members)
                if copied:
                    ops.append(_copies(camera, members, files=files))
                    continue
                ops.append(
                    RemuxVideo(camera=camera, episodes=members, files=files, reason=PACKETS_COPIED)
                )
    ops += _encodes(merged, inventory, camera, np.flatnonzero(inside).tolist())
    start, joined = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.bool_)
    return CameraPlan(paths, start, facts.packets[rows], joined, ops)


def _shifted(part: EpisodeRange, by: int) -> EpisodeRange:
    return EpisodeRange(start=part.start + by, stop=part.stop + by)


def _encodes(
    merged: MergedSources, inventory: Inventory, camera: str, episodes: Sequence[int]
) -> list[Op]:
    ops: list[Op] = []
    stream = inventory.cameras[camera].stream[merged.rows]
    encodings = near_encodings(merged, inventory, camera) if episodes else {}
    for episode in episodes:
        codec = inventory.streams[int(stream[episode])].codec
        encoder = encoder_settings(encodings[codec])
        settings = " ".join(f"{key}={value}" for key, value in encoder.items())
        reason = f"re-encoded, because a cut is between keyframes ({settings})"
        members = EpisodeRange(start=episode, stop=episode + 1)
        ops.append(EncodeVideo(camera=camera, episodes=members, encoder=encoder, reason=reason))
    return ops


def _problem(rule: str, message: str, episode: int, camera: str, path: str | None) -> Problem:
    return Problem(
        rule=rule, severity="error", message=message, path=path, episode=episode, column=camera
    )
