"""Rules about frames and images, applied to a decoded sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from roboreel.checking.frame_samples import Sample, sampled
from roboreel.checking.known_bugs import overflowed
from roboreel.checking.stored_matrices import StoredFeature, StoredMatrices
from roboreel.checking.video_samples import VideoSamples
from roboreel.dataset.dataset import Dataset
from roboreel.errors import StorageError, VideoError
from roboreel.format.images import encoded_image
from roboreel.format.inventory import Inventory
from roboreel.format.model import DATA_PATH, EPISODE, video_path
from roboreel.format.parse import Problems
from roboreel.probes.table_requests import rows_by_path
from roboreel.progress.reporter import begin_phase
from roboreel.stats.pixel_counts import histogram_stats
from roboreel.stats.sampling import SamplingProfile
from roboreel.storage.tables import TableFile
from roboreel.storage.video.still_images import decode_image

_DARK = 20.0
"""Level of 255 that noise in a black frame does not exceed."""
_TELLING = 4
_MEAN_OFF, _STD_OFF, _STD_LEAST = 0.1, 2.0, 0.02
"""Tolerances between stored statistics and those of a small sample of frames."""
_IMAGE_ROWS = 32
_IMAGES = "observation.images."


def check_frames(
    dataset: Dataset, inventory: Inventory, stored: StoredMatrices, problems: Problems
) -> int:
    """Decode and check a sample of each episode and camera; return the number of frames."""
    number = 0
    for name, feature in dataset.features.items():
        if feature.is_depth or not feature.is_camera:
            continue
        found = _videos if feature.is_video else _images
        if feature.is_video and name not in inventory.cameras:
            continue
        for row, sample in found(dataset, inventory, name, problems):
            number += sample.number
            _judge(dataset, name, row, sample, stored.episodes.get(name), problems)
    return number


def _videos(
    dataset: Dataset, inventory: Inventory, name: str, problems: Problems
) -> Iterator[tuple[int, Sample]]:
    wanted = [
        (path, [row for row in members if row not in inventory.broken], len(members) > 1)
        for path, members in rows_by_path(dataset.episodes[video_path(name)]).items()
        if path is not None
    ]
    frames = sum(
        int(inventory.rows[row]) if shared else len(sampled(int(inventory.rows[row])))
        for _, sound, shared in wanted
        for row in sound
    )
    phase = begin_phase(
        f"decoding frames of {name.removeprefix(_IMAGES)}", total=frames, unit="frames"
    )
    for path, sound, shared in wanted:
        if sound:
            video = VideoSamples(dataset, inventory, name, path, problems, phase)
            yield from video.played(sound) if shared else video.sought(sound)


def _images(
    dataset: Dataset, inventory: Inventory, name: str, problems: Problems
) -> Iterator[tuple[int, Sample]]:
    numbers = dataset.episodes[EPISODE].to_pylist()
    phase = begin_phase(
        f"decoding images of {name.removeprefix(_IMAGES)}", total=len(numbers), unit="episodes"
    )
    for path, members in rows_by_path(dataset.episodes[DATA_PATH]).items():
        sound = [row for row in members if row not in inventory.broken]
        if path is None or path not in inventory.schemas or not sound:
            continue
        if name not in inventory.schemas[path].names:
            continue
        owner = {
            int(inventory.row_start[row]) + frame: row
            for row in sound
            for frame in sampled(int(inventory.rows[row]))
        }
        samples = {row: Sample() for row in sound}
        try:
            for at, data in _encoded(dataset, path, name, owner.keys()):
                message = _take(data, samples[owner[at]])
                if message:
                    episode = numbers[owner[at]]
                    problems.error(
                        "video.decodes", message, path=path, episode=episode, column=name
                    )
        except StorageError as error:
            problems.error("table.readable", str(error), path=path, column=name)
        yield from samples.items()
        phase.add(len(members), frames=sum(sample.number for sample in samples.values()))


def _take(data: bytes, sample: Sample) -> str | None:
    """Decode an image into a sample; return why it cannot be decoded, or None."""
    if not data:
        return "an image is missing, or the table has only its file name"
    try:
        sample.add(decode_image(data))
    except VideoError as error:
        return str(error)
    return None


def _encoded(
    dataset: Dataset, path: str, name: str, wanted: Iterable[int]
) -> Iterator[tuple[int, bytes]]:
    due = set(wanted)
    begin = 0
    with TableFile(dataset.root, path) as file:
        for chunk in file.batches([name], rows=_IMAGE_ROWS):
            for at in sorted(due & set(range(begin, begin + len(chunk)))):
                yield at, encoded_image(chunk[name][at - begin])[0] or b""
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
    larger, smaller = np.maximum(std, true_std), np.minimum(std, true_std)
    off = (np.abs(mean - true_mean) > _MEAN_OFF) | (
        (larger > _STD_OFF * smaller) & (larger > _STD_LEAST)
    )
    if off.any():
        at = int(off.argmax())
        message = (
            f"the stored statistics do not match the frames: channel {at} has mean {mean[at]:.3g} and std"
            f" {std[at]:.3g}, a sample of the frames {true_mean[at]:.3g} and {true_std[at]:.3g}"
        )
        amount = float((np.abs(mean - true_mean) + np.abs(std - true_std))[off].max())
        problems.error("stats.agree", message, episode=episode, column=name, amount=amount)
