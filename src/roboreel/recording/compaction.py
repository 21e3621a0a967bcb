"""Join the small files of a recording: an ordinary conversion in place, of the same version."""

from __future__ import annotations

import logging
import os
from typing import Literal, TypeAlias, get_args

import numpy as np

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.edit.write_options import require_choice
from roboreel.errors import RoboreelError, UsageError
from roboreel.format.model import DATA_PATH, INFO, video_path
from roboreel.ops.write import convert
from roboreel.storage import disk
from roboreel.storage.recording_lock import RECORDING

Compact: TypeAlias = Literal["auto", "always", "never"]
_LOG = logging.getLogger(__name__)
_FEWEST_FILES = 2
_SHARE, _MOST_APART = 0.25, 256
"""With `auto`: episodes in files of their own, as a share of the joined ones and in number, that are worth a
copy of all. So each episode is copied a few times at most, however many sessions add to a dataset."""
_ROOM = 1.1
"""Bytes that must be free, as a multiple of the dataset's size."""


def require_compact(compact: str) -> None:
    """Raise `UsageError` unless it is one of `Compact`."""
    require_choice("compact", compact, get_args(Compact))


def compact_recording(path: str, compact: Compact) -> None:
    """Join the files of a recording where that is wanted and possible.

    The result replaces the recording when it is complete and checked; until then the recording is as it was.

    Raises:
        RoboreelError: with `always`: it is not possible.
    """
    if compact == "never" or not os.path.isfile(os.path.join(path, INFO)):
        return
    try:
        dataset = open_dataset(path)
        reason = _reason_against(dataset)
        if reason is None and compact == "auto":
            reason = _too_early(dataset)
        if reason is None:
            convert(dataset, to=dataset.version, in_place=True, discard_original=True)
        elif compact == "always":
            raise UsageError(f"'{path}': {reason}")
        else:
            _LOG.info("'%s': files are not joined: %s", path, reason)
    except (RoboreelError, OSError) as error:
        if compact == "always":
            raise
        _LOG.warning("'%s': files are not joined, the recording is unchanged: %s", path, error)


def _reason_against(dataset: Dataset) -> str | None:
    if dataset.version.one_file_per_episode:
        return f"{dataset.version} has one file per episode"
    columns = [DATA_PATH, *(video_path(camera) for camera in dataset.cameras)]
    if max(len(dataset.episodes[column].unique()) for column in columns) < _FEWEST_FILES:
        return "there is only one file of each kind"
    if any(name.startswith(f"{RECORDING}/") for name in dataset.files):
        return f"takes are kept in '{RECORDING}': move them away first"
    size, free = dataset.size_bytes(), disk.free_bytes(dataset.url)
    if free < size * _ROOM:
        return f"it takes {size / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free"
    return None


def _too_early(dataset: Dataset) -> str | None:
    """The reason where too few episodes have come since files were joined."""
    _, counts = np.unique(dataset.episodes[DATA_PATH].to_numpy(), return_counts=True)
    apart = int((counts == 1).sum())
    joined = dataset.total_episodes - apart
    if apart >= min(joined * _SHARE, _MOST_APART):
        return None
    return f"{apart} of {dataset.total_episodes} episodes have separate files, which is few"
