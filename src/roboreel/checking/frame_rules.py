"""Rules about frames and images, applied to a decoded sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roboreel.checking.check_jobs import CheckJob, in_order
from roboreel.checking.frame_samples import Sample, sampled
from roboreel.checking.known_bugs import overflowed
from roboreel.checking.stored_matrices import StoredFeature, StoredMatrices
from roboreel.checking.video_samples import FileFrames, SeenEpisode, VideoSamples
from roboreel.dataset.dataset import Dataset
from roboreel.errors import Problem, StorageError, VideoError
from roboreel.executors.jobs import JobFailure, usable_s
from roboreel.executors.make_executor import Executor
from roboreel.format.feature import Feature
from roboreel.format.images import encoded_image
from roboreel.format.inventory import Inventory
from roboreel.format.model import DATA_PATH, EPISODE, video_path
from roboreel.format.parse import Problems
from roboreel.probes.table_requests import rows_by_path
from roboreel.progress.reporter import begin_phase
from roboreel.progress.work_done import advance
from roboreel.stats.pixel_counts import histogram_stats
from roboreel.stats.sample_tolerance import of_other_frames
from roboreel.stats.sampling import SamplingProfile
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.video.still_images import decode_image
from roboreel.types import Int64

_DARK = 20.0
"""Level of 255 that noise in a black frame does not exceed."""
_TELLING = 4
_IMAGE_ROWS = 32
_IMAGES = "observation.images."


@dataclass(frozen=True, slots=True, kw_only=True)
class _FramesJob(CheckJob):
    """A file to decode frames or images of."""

    file: FileFrames = field(repr=False)


class _Found(NamedTuple):
    """What the frames of a file showed."""

    samples: list[tuple[int, Sample]]
    """(row of `Model.episodes`, its frames)."""
    problems: list[Problem]


def check_frames(
    dataset: Dataset,
    inventory: Inventory,
    stored: StoredMatrices,
    problems: Problems,
    executor: Executor,
) -> int:
    """Decode and check a sample of each episode and camera; return the number of frames."""
    number = 0
    for name, feature in dataset.features.items():
        if feature.is_depth or not feature.is_camera:
            continue
        if feature.is_video and name not in inventory.cameras:
            continue
        files = (
            _videos(dataset, inventory, name)
            if feature.is_video
            else _tables(dataset, inventory, name)
        )
        jobs = [_job(inventory, at, file, feature) for at, file in enumerate(files)]
        look = partial(_look_at_video if feature.is_video else _look_at_images, dataset.root)
        kind = "frames" if feature.is_video else "images"
        phase = begin_phase(
            f"decoding {kind} of {name.removeprefix(_IMAGES)}",
            total=sum(job.units for job in jobs),
            unit="frames",
        )
        for job, found in in_order(executor, jobs, look, phase, root=dataset.root):
            if isinstance(found, JobFailure):
                problems.error("video.decodes", found.message, path=job.file.path, column=name)
                continue
            for problem in found.problems:
                problems.put(problem)
            for row, sample in found.samples:
                number += sample.number
                _judge(dataset, name, row, sample, stored.episodes.get(name), problems)
    return number


def _job(inventory: Inventory, number: int, file: FileFrames, feature: Feature) -> _FramesJob:
    whole = feature.is_video and file.shared
    frames = sum(one.rows if whole else len(sampled(one.rows)) for one in file.episodes)
    return _FramesJob(
        number=number,
        described=f"decoding '{file.path}'",
        timeout_s=usable_s(inventory.files[file.path].size_bytes, frames),
        units=frames,
        frames=True,
        file=file,
    )


def _videos(dataset: Dataset, inventory: Inventory, name: str) -> Iterator[FileFrames]:
    starts = inventory.cameras[name].start
    for path, members in rows_by_path(dataset.episodes[video_path(name)]).items():
        episodes = _sound(dataset, inventory, members, starts)
        if path is not None and episodes:
            yield FileFrames(name, path, episodes, shared=len(members) > 1)


def _tables(dataset: Dataset, inventory: Inventory, name: str) -> Iterator[FileFrames]:
    for path, members in rows_by_path(dataset.episodes[DATA_PATH]).items():
        episodes = _sound(dataset, inventory, members, inventory.row_start)
        if path is None or path not in inventory.schemas or not episodes:
            continue
        if name in inventory.schemas[path].names:
            yield FileFrames(name, path, episodes, shared=len(members) > 1)


def _sound(
    dataset: Dataset, inventory: Inventory, members: Sequence[int], starts: Int64
) -> tuple[SeenEpisode, ...]:
    """The episodes of a file that are not broken."""
    numbers = dataset.episodes[EPISODE]
    return tuple(
        SeenEpisode(row, numbers[row].as_py(), int(starts[row]), int(inventory.rows[row]))
        for row in members
        if row not in inventory.broken
    )


def _look_at_video(root: Root, job: _FramesJob) -> _Found:
    problems = Problems()
    video = VideoSamples(root, job.file, problems)
    samples = list(video.played() if job.file.shared else video.sought())
    return _Found(samples, problems.found)


def _look_at_images(root: Root, job: _FramesJob) -> _Found:
    file, problems = job.file, Problems()
    owner = {one.start + frame: one for one in file.episodes for frame in sampled(one.rows)}
    samples = {one.row: Sample() for one in file.episodes}
    location = {"path": file.path, "column": file.camera}
    try:
        for at, data in _encoded(root, file, owner.keys()):
            message = _take(data, samples[owner[at].row])
            advance(frames=1)
            if message:
                episode = owner[at].number
                problems.error("video.decodes", message, episode=episode, **location)
    except StorageError as error:
        problems.error("table.readable", str(error), **location)
    return _Found(list(samples.items()), problems.found)


def _take(data: bytes, sample: Sample) -> str | None:
    """Decode an image into a sample; return why it cannot be decoded, or None."""
    if not data:
        return "an image is missing, or the table has only its file name"
    try:
        sample.add(decode_image(data))
    except VideoError as error:
        return str(error)
    return None


def _encoded(root: Root, file: FileFrames, wanted: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    due = set(wanted)
    begin = 0
    with TableFile(root, file.path) as table:
        for chunk in table.batches([file.camera], rows=_IMAGE_ROWS):
            for at in sorted(due & set(range(begin, begin + len(chunk)))):
                yield at, encoded_image(chunk[file.camera][at - begin])[0] or b""
            begin += len(chunk)


def _judge(
    dataset: Dataset,
    name: str,
    row: int,
    sample: Sample,
    stored: StoredFeature | None,
    problems: Problems,
) -> None:
    episode = dataset.episodes[EPISODE][row].as_py()
    if sample.number and sample.brightest < _DARK:
        message = f"all {sample.number} sampled frames are black"
        problems.add("video.black", message, episode=episode, column=name)
    elif sample.number >= _TELLING and sample.longest * 2 >= sample.number:
        message = f"{sample.longest} of {sample.number} sampled frames in a row are identical"
        problems.add("video.frozen", message, episode=episode, column=name)
    if stored is None or not stored.have[row] or sample.histogram is None:
        return
    if not overflowed(stored)[row]:  # check_camera_std reports it
        _compare(name, row, episode, sample.histogram, sample.number, stored, problems)


def _compare(
    name: str,
    row: int,
    episode: int,
    histogram: npt.NDArray[np.int64],
    number: int,
    stored: StoredFeature,
    problems: Problems,
) -> None:
    """Report only what no choice of sample explains: stored statistics used another sample."""
    seen = histogram_stats(histogram, SamplingProfile(quantiles=()), images=number)
    if not {"mean", "std"} <= stored.values.keys():
        return
    mean, std = stored.values["mean"][row], stored.values["std"][row]
    true_mean, true_std = seen["mean"].reshape(-1), seen["std"].reshape(-1)
    if mean.shape != true_mean.shape:
        return
    off = of_other_frames(mean, std, true_mean, true_std)
    if off.any():
        at = int(off.argmax())
        message = (
            f"the stored statistics do not match the frames: channel {at} has mean {mean[at]:.3g} and std"
            f" {std[at]:.3g}, a sample of the frames {true_mean[at]:.3g} and {true_std[at]:.3g}"
        )
        amount = float((np.abs(mean - true_mean) + np.abs(std - true_std))[off].max())
        problems.error("stats.agree", message, episode=episode, column=name, amount=amount)
