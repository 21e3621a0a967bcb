"""What becomes of the videos: which packets go where, and what cannot be copied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from roboreel.edit.pack import batches, pack, runs
from roboreel.edit.plan import EncodeVideo, EpisodeRange, Op, RemuxVideo
from roboreel.edit.view import View
from roboreel.errors import PlanError, Problem
from roboreel.format import v2, v30
from roboreel.format.inventory import Bools, CameraFacts, Int64, Inventory
from roboreel.format.layout import numbered
from roboreel.format.model import EPISODE, video_path

ENCODERS = {
    "avc1": {"codec": "libx264", "pix_fmt": "yuv420p", "g": "2", "crf": "18", "preset": "medium"},
    "avc3": {"codec": "libx264", "pix_fmt": "yuv420p", "g": "2", "crf": "18", "preset": "medium"},
    "hvc1": {"codec": "libx265", "pix_fmt": "yuv420p", "g": "2", "crf": "18", "preset": "medium"},
    "hev1": {"codec": "libx265", "pix_fmt": "yuv420p", "g": "2", "crf": "18", "preset": "medium"},
    "av01": {"codec": "libsvtav1", "pix_fmt": "yuv420p", "g": "2", "crf": "20", "preset": "8"},
}
"""Settings by sample entry for episodes that must be re-encoded: the codec they have, near lossless."""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """One camera of the result; arrays are aligned with the result's episodes."""

    paths: list[str]
    start: Int64
    """(episodes,) first frame of the episode in its new file."""
    packets: Int64
    """(episodes,) packets copied for the episode and not for one before it."""
    joined: Bools
    """(episodes,) True where the episode's frames go on, in one run, from those of the one before."""
    ops: list[Op]


def refuse_audio(view: View, inventory: Inventory) -> None:
    """Raise `PlanError` where videos carry sound and that is not to be dropped."""
    if view.target.drop_audio:
        return
    numbers = view.model.episodes[EPISODE].to_pylist()
    problems = []
    for camera, facts in inventory.cameras.items():
        for row in view.rows.tolist():
            if inventory.streams[int(facts.stream[row])].audio:
                path = view.model.episodes[video_path(camera)][row].as_py()
                problems.append(
                    _problem("video.audio", "has an audio track", numbers[row], camera, path)
                )
                break
    if problems:
        summary = "videos carry sound, which LeRobot datasets have no place for: pass --drop-audio"
        raise PlanError(summary, problems)


def compile_camera(view: View, inventory: Inventory, camera: str) -> CameraPlan:
    """Where a camera's frames land, and the ops that bring them there.

    Raises:
        PlanError: episodes start inside a GOP, the target has a file per episode, and re-encoding is
            not allowed.
    """
    facts = inventory.cameras[camera]
    if view.target.version.one_file_per_episode:
        return _file_per_episode(view, inventory, camera, facts)
    return _shared_files(view, inventory, camera, facts)


def _shared_files(view: View, inventory: Inventory, camera: str, facts: CameraFacts) -> CameraPlan:
    rows = view.rows
    info = view.model.info
    limit = view.target.video_file_mb or info.video_file_mb or v30.DEFAULT_VIDEO_FILE_MB
    kind = _stream_kinds(inventory, facts)[rows]
    files = pack(facts.size_bytes[rows], limit_mb=limit, kind=kind)
    frames = inventory.rows[rows]
    joined = _joined(view, facts, frames, camera, files)
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
        reason = _reason(members, int((packets[here] - frames[here]).sum()))
        ops.append(RemuxVideo(camera=camera, episodes=members, files=1, reason=reason))
    return CameraPlan(paths, start, packets, joined, ops)


def _joined(
    view: View, facts: CameraFacts, frames: Int64, camera: str, files: Sequence[EpisodeRange]
) -> Bools:
    """(episodes,) True where an episode goes on in the same input from the one before, and may stay so."""
    source = view.model.episodes[video_path(camera)].take(view.rows).to_pylist()
    start = facts.start[view.rows]
    goes_on = [
        at > 0 and source[at] == source[at - 1] and start[at] == start[at - 1] + frames[at - 1]
        for at in range(len(source))
    ]
    joined = np.array(goes_on, dtype=np.bool_)
    joined[[members.start for members in files]] = False
    return joined


def _packets(facts: CameraFacts, rows: Int64, frames: Int64, joined: Bools) -> tuple[Int64, Int64]:
    """(episodes,) packets copied for each episode, and those of them shown before it.

    A run of joined episodes begins with the first one's lead and ends with what the last one hangs on.
    """
    lead = np.where(joined, 0, facts.lead[rows])
    tail = facts.packets[rows] - facts.lead[rows] - frames
    ends = ~np.append(joined[1:], False)
    return lead + frames + np.where(ends, tail, 0), lead


def _reason(members: EpisodeRange, hidden: int) -> str:
    reason = f"packets of {len(members)} episodes copied into one file"
    if hidden:
        reason += f"; {hidden} frames that others hang on are kept, shown by no episode"
    return reason


def _stream_kinds(inventory: Inventory, facts: CameraFacts) -> Int64:
    """Kinds of streams, those that differ only in their other tracks made one."""
    seen: dict[object, int] = {}
    same = [seen.setdefault(stream.entry, len(seen)) for stream in inventory.streams]
    return np.array([*same, -1], dtype=np.int64)[facts.stream]


def _file_per_episode(
    view: View, inventory: Inventory, camera: str, facts: CameraFacts
) -> CameraPlan:
    rows = view.rows
    size = view.model.info.chunks_size
    paths = [v2.path_of_episode(v2.VIDEO_TEMPLATE, n, size, camera) for n in range(len(rows))]
    inside = facts.packets[rows] != inventory.rows[rows]
    if inside.any() and not view.target.reencode:
        raise PlanError(
            f"{view.target.version} has a file per episode, and these episodes cannot be cut from"
            " theirs without re-encoding: pass --allow-reencode to re-encode them",
            _inside_gop(view, camera, np.flatnonzero(inside).tolist()),
        )
    sources = view.model.episodes[video_path(camera)].take(rows).to_pylist()
    one_each = view.model.info.version.one_file_per_episode
    ops: list[Op] = []
    for batch in batches(sources, one_file_each=one_each):
        flags = (~inside[batch.start : batch.stop]).tolist()
        for part in runs(flags, longest=len(flags)):
            members = _shifted(part, batch.start)
            reason = f"packets of {len(members)} episodes copied, a file each"
            files = len(members)
            ops.append(RemuxVideo(camera=camera, episodes=members, files=files, reason=reason))
    ops += _encodes(inventory, camera, facts, rows, np.flatnonzero(inside).tolist())
    start, apart = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.bool_)
    return CameraPlan(paths, start, facts.packets[rows], apart, ops)


def _shifted(part: EpisodeRange, by: int) -> EpisodeRange:
    return EpisodeRange(start=part.start + by, stop=part.stop + by)


def _encodes(
    inventory: Inventory, camera: str, facts: CameraFacts, rows: Int64, episodes: Iterable[int]
) -> list[Op]:
    ops: list[Op] = []
    for episode in episodes:
        codec = inventory.streams[int(facts.stream[rows[episode]])].codec
        if codec not in ENCODERS:
            problem = _problem("video.codec", f"no encoder for '{codec}'", episode, camera, None)
            raise PlanError("an episode cannot be re-encoded", [problem])
        encoder = ENCODERS[codec]
        settings = " ".join(f"{key}={value}" for key, value in encoder.items())
        reason = f"starts or ends inside a GOP: decoded and encoded again ({settings})"
        members = EpisodeRange(start=episode, stop=episode + 1)
        ops.append(EncodeVideo(camera=camera, episodes=members, encoder=encoder, reason=reason))
    return ops


def _inside_gop(view: View, camera: str, episodes: Iterable[int]) -> list[Problem]:
    numbers = view.model.episodes[EPISODE].to_pylist()
    paths = view.model.episodes[video_path(camera)].to_pylist()
    message = "starts or ends inside a GOP of its video file"
    rows = [int(view.rows[episode]) for episode in episodes]
    return [_problem("video.gop", message, numbers[row], camera, paths[row]) for row in rows]


def _problem(rule: str, message: str, episode: int, camera: str, path: str | None) -> Problem:
    return Problem(
        rule=rule, severity="error", message=message, path=path, episode=episode, column=camera
    )
