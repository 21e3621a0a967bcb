"""Rules about video files: compare their packets with rows and documents."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from roboreel.checking.check_jobs import CheckJob, in_groups, in_order
from roboreel.dataset.dataset import Dataset
from roboreel.errors import RunError, StorageError, counted
from roboreel.executors.jobs import JobFailure, usable_s
from roboreel.executors.make_executor import Executor
from roboreel.format.declared import compare_video
from roboreel.format.feature import Feature
from roboreel.format.inventory import CameraFacts, Inventory
from roboreel.format.model import EPISODE, video_path
from roboreel.format.parse import Problems
from roboreel.probes.table_requests import rows_by_path
from roboreel.progress.reporter import begin_phase
from roboreel.storage.root import Root
from roboreel.storage.video.index import read_packet_table

_FPS_TOLERANCE = 1e-3
_HALF_A_FRAME = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFile:
    """A video file that episodes name."""

    path: str
    camera: str
    episodes: tuple[int, ...]
    """Rows of `Model.episodes`."""
    frames: int
    packets: int
    late_frame: int
    """Number of the frame whose time is furthest from the expected time."""
    late_by: float
    """How late that frame is, in frames."""
    hidden: int
    """Frames that no episode shows."""
    hidden_bytes: int
    """Bytes of their packets."""


class _Wanted(NamedTuple):
    """A video file to read the index of."""

    camera: str
    path: str
    episodes: tuple[int, ...]
    """Rows of `Model.episodes`."""
    start: tuple[int, ...]
    rows: tuple[int, ...]
    """First frame and number of frames of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _IndexesJob(CheckJob):
    """Video files to read the indexes of."""

    fps: float
    wanted: tuple[_Wanted, ...] = field(repr=False)


def read_videos(dataset: Dataset, inventory: Inventory, executor: Executor) -> list[VideoFile]:
    """The packet indexes of all files that the survey could read.

    Raises:
        RunError: a worker died, or did not finish.
    """
    jobs = list(_jobs(dataset, inventory))
    phase = begin_phase("reading video indexes", total=sum(job.units for job in jobs), unit="files")
    found: list[VideoFile] = []
    for _, videos in in_order(
        executor, jobs, partial(_videos, dataset.root), phase, root=dataset.root
    ):
        if isinstance(videos, JobFailure):
            raise RunError(videos.message)
        found += videos
    return found


def _jobs(dataset: Dataset, inventory: Inventory) -> Iterator[_IndexesJob]:
    wanted = [
        _Wanted(
            camera,
            path,
            tuple(members),
            tuple(inventory.cameras[camera].start[members].tolist()),
            tuple(inventory.rows[members].tolist()),
        )
        for camera in inventory.cameras
        for path, members in rows_by_path(dataset.episodes[video_path(camera)]).items()
        if path is not None and path in inventory.files
    ]
    for number, group in enumerate(in_groups(wanted, lambda one: sum(one.rows))):
        yield _IndexesJob(
            number=number,
            described=f"reading the indexes of {counted(len(group), 'video')} from '{group[0].path}' on",
            timeout_s=usable_s(sum(inventory.files[one.path].size_bytes for one in group)),
            units=len(group),
            frames=False,
            fps=float(dataset.fps),
            wanted=tuple(group),
        )


def _videos(root: Root, job: _IndexesJob) -> list[VideoFile]:
    found = []
    for one in job.wanted:
        with contextlib.suppress(StorageError):  # the survey reports it
            found.append(_video(root, job.fps, one))
    return found


def _video(root: Root, fps: float, one: _Wanted) -> VideoFile:
    table = read_packet_table(root, one.path)
    off = table.frame_seconds * fps - np.arange(table.frames)
    at = int(np.abs(off).argmax()) if len(off) else 0
    hidden = np.ones(table.frames, dtype=np.bool_)
    for start, rows in zip(one.start, one.rows, strict=True):
        hidden[max(start, 0) : start + rows] = False
    sizes = table.size[table.packets_of_frames(0, table.frames)]
    return VideoFile(
        path=one.path,
        camera=one.camera,
        episodes=one.episodes,
        frames=table.frames,
        packets=table.packets,
        late_frame=at,
        late_by=float(off[at]) if len(off) else 0.0,
        hidden=int(hidden.sum()),
        hidden_bytes=int(sizes[hidden].sum()),
    )


def check_videos(
    dataset: Dataset, inventory: Inventory, files: Sequence[VideoFile], problems: Problems
) -> None:
    """Check every rule about videos that needs no decoding."""
    for name, facts in inventory.cameras.items():
        _check_declared(dataset, dataset.features[name], facts, inventory, problems)
    for file in files:
        _check_times(dataset, file, problems)
        if not dataset.version.one_file_per_episode:
            _check_hidden(file, problems)


def _check_declared(
    dataset: Dataset,
    feature: Feature,
    facts: CameraFacts,
    inventory: Inventory,
    problems: Problems,
) -> None:
    streams = [inventory.streams[kind] for kind in sorted(set(facts.stream.tolist()) - {-1})]
    if streams:
        compare_video(feature, streams, problems)
    if any(stream.audio for stream in streams):
        message = "the videos have sound, which the format does not support"
        problems.add("video.audio", message, column=feature.name, severity="note")
    said, fps = feature.video_facts.get("video.fps"), float(dataset.fps)
    if isinstance(said, (int, float)) and abs(said - fps) > _FPS_TOLERANCE * fps:
        message = f"its declared video.fps is {said:g}, but the dataset's fps is {fps:g}"
        problems.add("video.fps", message, column=feature.name)


def _check_times(dataset: Dataset, file: VideoFile, problems: Problems) -> None:
    if abs(file.late_by) <= _HALF_A_FRAME:
        return
    fps = float(dataset.fps)
    shown, due = (file.late_frame + file.late_by) / fps, file.late_frame / fps
    message = f"frame {file.late_frame} is shown at {shown:.4g} s, expected at {due:.4g} s"
    alone = len(file.episodes) == 1
    episode = dataset.episodes[EPISODE][file.episodes[0]].as_py() if alone else None
    location = {"path": file.path, "episode": episode, "column": file.camera}
    problems.error("video.times", message, amount=abs(file.late_by), **location)


def _check_hidden(file: VideoFile, problems: Problems) -> None:
    if file.hidden:
        message = (
            f"no episode uses {counted(file.hidden, 'frame')} of this video"
            f" ({file.hidden_bytes:,} bytes)"
        )
        problems.add(
            "video.hidden",
            message,
            path=file.path,
            column=file.camera,
            severity="note",
            amount=file.hidden,
        )
