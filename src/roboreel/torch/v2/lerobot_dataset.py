"""`LeRobotDataset` with the interface of lerobot 0.3.3, over datasets of every version."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch

from roboreel.dataset.dataset import Dataset
from roboreel.edit.view import View
from roboreel.format.model import EPISODE, LENGTH
from roboreel.torch.compat.old_names import refusing_old_arguments
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata as CurrentMetadata
from roboreel.torch.dataset_reader import DatasetReader, Transform
from roboreel.torch.dataset_writer import DatasetWriter
from roboreel.torch.lerobot_dataset import LeRobotDataset as CurrentDataset
from roboreel.torch.recording.recording_options import RecordingOptions
from roboreel.torch.v2.dataset_metadata import LeRobotDatasetMetadata
from roboreel.torch.v2.episode_data_index import get_episode_data_index
from roboreel.types import Int64


class ListedOrderReader(DatasetReader):
    """Items of some episodes, in the order in which these are listed."""

    def _rows_of(self, dataset: Dataset) -> Int64:
        super()._rows_of(dataset)  # refuses unknown episodes
        lengths = dataset.episodes[LENGTH].to_numpy()
        numbers = dataset.episodes[EPISODE].to_numpy().tolist()
        first = dict(zip(numbers, (np.cumsum(lengths) - lengths).tolist(), strict=True))
        length = dict(zip(numbers, lengths.tolist(), strict=True))
        return np.concatenate(
            [np.arange(first[n], first[n] + length[n], dtype=np.int64) for n in self.episodes or ()]
        )


class LeRobotDataset(CurrentDataset):
    """Items of a dataset as tensors, with `episode_data_index` and the metadata of 0.3.3."""

    meta: LeRobotDatasetMetadata
    _reader_class: ClassVar[type[DatasetReader]] = ListedOrderReader
    _metadata_class: ClassVar[type[CurrentMetadata]] = LeRobotDatasetMetadata
    _known_index: tuple[int, dict[str, torch.Tensor]] | None = None

    @refusing_old_arguments
    def __init__(
        self,
        repo_id: str | Dataset | View,
        root: str | os.PathLike[str] | Dataset | View | None = None,
        episodes: list[int] | None = None,
        image_transforms: Transform | None = None,
        delta_timestamps: Mapping[str, Sequence[float]] | None = None,
        tolerance_s: float = 1e-4,
        revision: str | None = None,
        force_cache_sync: bool = False,
        download_videos: bool = True,
        video_backend: str | None = None,
        batch_encoding_size: int = 1,
    ) -> None:
        """Open a dataset, after downloading what is not here: see the current class.

        Args:
            repo_id: `user/name`.
            root: the folder.
            episodes: read only these, in this order.
            image_transforms: a function applied to the frames of cameras with colours.
            delta_timestamps: windows by feature, in seconds from the item.
            tolerance_s: how far from a multiple of 1/fps an offset may be, in seconds.
            revision: branch, tag or commit on the Hub.
            force_cache_sync: True asks the Hub even where the files are here.
            download_videos: False leaves out videos that are not here.
            video_backend: `pyav` (default) or `torchcodec`.
            batch_encoding_size: accepted; see `create`.
        """
        super().__init__(
            repo_id,
            root,
            episodes,
            image_transforms=image_transforms,
            delta_timestamps=delta_timestamps,
            tolerance_s=tolerance_s,
            revision=revision,
            force_cache_sync=force_cache_sync,
            download_videos=download_videos,
            video_backend=video_backend,
        )
        self._batch_encoding_size = batch_encoding_size

    @property
    def episode_data_index(self) -> dict[str, torch.Tensor]:
        """(chosen episodes,) int64 `from` and `to`: each episode's first row, and the row after its last."""
        saved = self.meta.total_episodes
        if self._known_index is None or self._known_index[0] != saved:
            self._known_index = saved, get_episode_data_index(self.meta.episodes, self.episodes)
        return self._known_index[1]

    def _require_writer(self, method: str) -> DatasetWriter:
        """The writer; a dataset that was opened for reading starts to record, as in 0.3.3."""
        if self.writer is None:
            self._record(RecordingOptions(batch_encoding_size=self._batch_encoding_size))
        return super()._require_writer(method)

    def encode_episode_videos(self, episode_index: int) -> None:
        """Do nothing: the videos of saved episodes are there."""

    def batch_encode_videos(self, start_episode: int = 0, end_episode: int | None = None) -> None:
        """Do nothing: the videos of saved episodes are there."""
