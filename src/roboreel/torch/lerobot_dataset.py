"""`LeRobotDataset`: the dataset class that people import today, over datasets of every version."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch.utils.data

from roboreel.dataset.dataset import Dataset
from roboreel.edit.view import View
from roboreel.errors import RoboreelError, StorageError, UsageError
from roboreel.torch.batches.batch_buffers import Buffers
from roboreel.torch.batches.batch_source import Batch
from roboreel.torch.compat.argument_types import episode_list
from roboreel.torch.compat.lazy_names import loaded
from roboreel.torch.compat.old_names import refusing_old_arguments
from roboreel.torch.constants import CODEBASE_VERSION, DEPTH_MILLIMETER_UNIT, HF_LEROBOT_HUB_CACHE
from roboreel.torch.dataset_reader import DatasetReader, Transform, require_transform
from roboreel.torch.feature_utils import get_hf_features_from_features
from roboreel.torch.items.item_tensors import Item
from roboreel.torch.items.remote_files import lacking, without_videos
from roboreel.torch.items.table_rows import TableRows
from roboreel.torch.media.encoder_configs import DepthEncoderConfig, RGBEncoderConfig
from roboreel.torch.recording.recording_calls import RecordingCalls
from roboreel.torch.recording.recording_options import RecordingOptions
from roboreel.torch.sources.dataset_root import as_root
from roboreel.torch.sources.hub_calls import get_safe_version, snapshot_download
from roboreel.torch.sources.push_calls import PushCalls
from roboreel.torch.video_utils import resolved_backend
from roboreel.types import Json

Token = str | bool | None


class LeRobotDataset(RecordingCalls, PushCalls, torch.utils.data.Dataset[Item]):
    """Items of a dataset of any version as tensors, by number. Threads and workers may share it."""

    _reader_class: ClassVar[type[DatasetReader]] = DatasetReader

    @refusing_old_arguments
    def __init__(
        self,
        repo_id: str | Dataset | View,
        root: str | os.PathLike[str] | Dataset | View | None = None,
        episodes: list[int] | None = None,
        episode_filter: Callable[[dict[str, Json]], bool] | None = None,
        image_transforms: Transform | None = None,
        delta_timestamps: Mapping[str, Sequence[float]] | None = None,
        tolerance_s: float = 1e-4,
        revision: str | None = None,
        force_cache_sync: bool = False,
        download_videos: bool = True,
        video_backend: str | None = None,
        return_uint8: bool = False,
        depth_output_unit: str = DEPTH_MILLIMETER_UNIT,
        batch_encoding_size: int = 1,
        rgb_encoder: RGBEncoderConfig | None = None,
        depth_encoder: DepthEncoderConfig | None = None,
        encoder_threads: int | None = None,
        streaming_encoding: bool = False,
        encoder_queue_maxsize: int = 30,
        *,
        token: Token = None,
        vcodec: str | None = None,
        streaming: bool = False,
    ) -> None:
        """Open a dataset, after downloading what is not here.

        Args:
            repo_id: `user/name`. Also the path of a folder or view file, a view or an open dataset.
            root: the folder, a view file, a view or an open dataset; by default `$HF_LEROBOT_HOME/{repo_id}`
                where that is a dataset, else a snapshot below `$HF_LEROBOT_HOME/hub`.
            episodes: read only these; items come in the order of the dataset.
            episode_filter: read only episodes for which this function of an episode's row is true.
            image_transforms: a function applied to the frames of cameras with colours.
            delta_timestamps: windows by feature, in seconds from the item: `{"action": [0.0, 0.1]}`. All must
                be multiples of 1/fps.
            tolerance_s: how far from a multiple an offset may be, in seconds. Frames are found by number,
                whatever times a video gives.
            revision: branch, tag or commit on the Hub.
            force_cache_sync: True asks the Hub even where the files are here.
            download_videos: False leaves out videos that are not here.
            video_backend: `pyav` (default) or `torchcodec`.
            return_uint8: True for frames of videos as uint8; images in tables stay float32.
            depth_output_unit: `m` or `mm`.
            batch_encoding_size: deprecated, as `streaming_encoding` and `vcodec`: any other value than the
                default opens the dataset to record more episodes into it. Call `resume` instead.
            rgb_encoder: see `create`, as for all that follow.
            depth_encoder: see `create`.
            encoder_threads: see `create`.
            streaming_encoding: see `batch_encoding_size`.
            encoder_queue_maxsize: see `create`.
            vcodec: see `batch_encoding_size`.
            token: the Hub's token; None takes the stored one.
            streaming: True downloads only documents; rows and frames are read from the Hub when needed.

        Raises:
            ArgumentError: an offset is not a multiple of 1/fps, there is no such episode, backend or unit. It
                is a `ValueError`.
            UnknownNameError: there is no such feature. It is a `KeyError`.
            StorageError: files are not here and cannot be downloaded.
            DatasetError: the documents cannot be read safely.
        """
        options = RecordingOptions(
            rgb_encoder=rgb_encoder,
            depth_encoder=depth_encoder,
            vcodec=vcodec,
            encoder_threads=encoder_threads,
            batch_encoding_size=batch_encoding_size,
            streaming_encoding=streaming_encoding,
            encoder_queue_maxsize=encoder_queue_maxsize,
        )
        self.delta_timestamps, self.tolerance_s = delta_timestamps, tolerance_s
        self._return_uint8, self._depth_output_unit = return_uint8, depth_output_unit
        self._batch_encoding_size, self._encoder_threads = batch_encoding_size, encoder_threads
        self._is_finalized, self._reader_episodes, self.writer = True, 0, None
        self.meta = self._metadata_class(repo_id, root, revision, force_cache_sync, token=token)
        self.repo_id, self._requested_root = self.meta.repo_id, self.meta._requested_root
        self.root, self.revision = self.meta.root, self.meta.revision
        self.episodes = episode_list("episodes", episodes)
        if episode_filter is not None:
            self.episodes = self.meta.filter_episodes(episode_filter, self.episodes)
        if self.meta.depth_keys:
            self.meta.rescale_depth_stats(depth_output_unit)
        self._image_transforms, self._video_backend = (
            image_transforms,
            resolved_backend(video_backend),
        )
        self.reader = self._new_reader()
        if streaming:
            self.reader.load_or_stream(token)
        else:
            self._fetch(revision, download_videos, force_cache_sync, token)
            self.reader.load_and_activate()
        if streaming_encoding or batch_encoding_size != 1 or vcodec is not None:
            _deprecate()
            self._record(options)

    def _new_reader(self) -> DatasetReader:
        """A reader of what was saved so far."""
        self._reader_episodes = self.meta.total_episodes
        return self._reader_class(
            self.meta,
            self.root,
            self.episodes,
            self.tolerance_s,
            self._video_backend,
            self.delta_timestamps,
            self._image_transforms,
            self._return_uint8,
            self._depth_output_unit,
        )

    def _ensure_reader(self) -> DatasetReader:
        """The reader; a new one after more episodes were saved.

        Raises:
            UsageError: no episode is saved yet.
        """
        saved = self.meta.total_episodes
        if not saved:
            raise UsageError(f"'{self.root}' has no saved episode yet: save one before reading")
        if self.reader is None or (self.writer is not None and saved != self._reader_episodes):
            self.reader = self._new_reader()
        found: DatasetReader = self.reader
        return found

    def _fetch(self, revision: str | None, videos: bool, sync: bool, token: Token) -> None:
        """Download what is not here."""
        reader = self._ensure_reader()
        if self.meta._source is not None:
            return
        missing = reader.missing_files(videos=videos)
        if sync or missing:
            self._download(videos, token=token, missing=missing, revision=revision)
            reader.root = self.root
            self.meta.root = self.root
            self.meta.load_metadata()

    def _download(
        self,
        download_videos: bool = True,
        *,
        token: Token = None,
        missing: Sequence[str] = (),
        revision: str | None = None,
    ) -> None:
        """Download files of the dataset, and let `root` be where they are.

        Args:
            download_videos: False leaves out videos.
            token: the Hub's token.
            missing: these files only; none for all that the chosen episodes need.
            revision: the revision that was asked for; None takes the newest that can be read.
        """
        given = {} if token is None else {"token": token}
        own = self._requested_root
        where = {"cache_dir": HF_LEROBOT_HUB_CACHE} if own is None else {"local_dir": own}
        try:
            if revision is None:
                self.revision = get_safe_version(
                    self.repo_id, self.revision or CODEBASE_VERSION, **given
                )
            found = snapshot_download(
                self.repo_id,
                repo_type="dataset",
                revision=self.revision,
                allow_patterns=self._patterns(missing),
                ignore_patterns=None if download_videos else "videos/",
                **where,
                **given,
            )
        except (RoboreelError, OSError) as error:
            raise StorageError(
                f"'{self.root}'{lacking(missing)} cannot be downloaded from '{self.repo_id}': {error}"
                f"{without_videos(missing, self.meta.dataset)}"
            ) from error
        self.root = as_root(found) if own is None else own

    def _patterns(self, missing: Sequence[str]) -> list[str] | None:
        """Names of the files to download: None for all. What a folder of the user has is left as it is."""
        whole = self.episodes is None
        wanted = self.get_episodes_file_paths() if missing or not whole else ()
        if whole and len(missing) in (0, len(wanted)):
            return None
        return ["meta/", *(wanted if self._requested_root is None or not missing else missing)]

    @property
    def fps(self) -> int | float:
        """Frames per second."""
        return self.meta.fps

    @property
    def features(self) -> dict[str, dict[str, Json]]:
        """Declarations by feature name, as `info.json` has them."""
        return self.meta.features

    @property
    def num_frames(self) -> int:
        """Number of items."""
        return self.meta.total_frames if self.reader is None else self._ensure_reader().num_frames

    @property
    def num_episodes(self) -> int:
        """Number of chosen episodes."""
        if self.reader is None:
            return self.meta.total_episodes
        return self._ensure_reader().num_episodes

    @property
    def hf_dataset(self) -> TableRows:
        """The rows of the chosen episodes, without videos: see `TableRows`."""
        return self.load_hf_dataset()

    @property
    def hf_features(self) -> Any:
        """The `datasets.Features` of the rows; needs the package `datasets`."""
        return get_hf_features_from_features(self.features)

    @property
    def absolute_to_relative_idx(self) -> dict[int, int] | None:
        """Item by the dataset's row (`index`), where some episodes are chosen; None for all."""
        return self._ensure_reader().absolute_to_relative_idx

    @property
    def depth_output_unit(self) -> str:
        """Unit of depths: `m` or `mm`."""
        return self._depth_output_unit

    @property
    def delta_indices(self) -> dict[str, list[int]] | None:
        """The windows in frames from the item, by feature; None without `delta_timestamps`."""
        return self._ensure_reader().delta_indices

    @property
    def video_backend(self) -> str:
        """The library that decodes videos."""
        return self._video_backend

    @property
    def image_transforms(self) -> Transform | None:
        """The function that is applied to frames of cameras with colours."""
        return self._image_transforms

    @image_transforms.setter
    def image_transforms(self, value: Transform | None) -> None:
        self.set_image_transforms(value)

    def set_image_transforms(self, image_transforms: Transform | None) -> None:
        """Apply a function to frames from now on; None for none.

        Raises:
            WrongTypeError: it is not a function. It is a `TypeError`.
        """
        require_transform(image_transforms)
        self._image_transforms = image_transforms
        if self.reader is not None:
            self.reader.set_image_transforms(image_transforms)

    def clear_image_transforms(self) -> None:
        """Apply no function to frames from now on."""
        self.set_image_transforms(None)

    def load_hf_dataset(self) -> TableRows:
        """The rows of the chosen episodes, without videos."""
        reader = self._ensure_reader()
        if reader.hf_dataset is None:
            reader.load_and_activate()
        assert reader.hf_dataset is not None
        return reader.hf_dataset

    def create_hf_dataset(self) -> TableRows:
        """No rows, with the columns of the dataset."""
        return self.hf_dataset.select([])

    def get_episodes_file_paths(self) -> list[str]:
        """Names of the tables and videos of the chosen episodes, relative to the root."""
        return self._ensure_reader().get_episodes_file_paths()

    def select_columns(self, column_names: str | Sequence[str]) -> TableRows:
        """The rows with only these columns, without videos.

        Raises:
            UnknownNameError: there is no such column. It is a `KeyError`.
        """
        return self.hf_dataset.select_columns(column_names)

    def get_raw_item(self, idx: int) -> Item:
        """The row of an item: without videos, windows, transforms and task text."""
        row: Item = self.hf_dataset[idx]
        return row

    def __len__(self) -> int:
        return self.num_frames

    def __getitem__(self, idx: int | slice) -> Any:
        """An item, or a list of items for a slice.

        Returns:
            By feature: a number as a tensor without axes (shape `(1,)`) or with its shape, float32, int64 or
            bool; a string; a frame (C, H, W) float32 in [0, 1]; a window (T, …) and `{feature}_is_pad`
            (T,) bool, True beyond the ends of the episode; `task`, the text. `index` and `episode_index` are
            the dataset's, whichever episodes are chosen. Windows of one frame have no T axis for videos.

        Raises:
            OutOfRangeError: there is no such item. It is an `IndexError`.
            VideoError: a frame is missing or does not decode; names file, episode and frame.
        """
        if isinstance(idx, slice):
            return self._ensure_reader().get_items(range(*idx.indices(len(self))))
        return self._ensure_reader().get_item(idx)

    def __getitems__(self, indices: list[int]) -> list[Item]:
        """Items of a batch: each GOP is decoded once, and a `DataLoader` stacks them without a copy."""
        return self._ensure_reader().get_rows(indices)

    def read_batch(self, indices: Sequence[int], buffers: Buffers) -> Batch:
        """Items of a batch by feature (B, …), as collated: what `Loader` calls.

        Args:
            indices: (B,) items.
            buffers: where tensors of frames are made.

        Raises:
            OutOfRangeError: there is no such item. It is an `IndexError`.
        """
        return self._ensure_reader().read_batch(indices, buffers)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({{\n"
            f"    Repository ID: '{self.repo_id}',\n"
            f"    Number of selected episodes: '{self.num_episodes}',\n"
            f"    Number of selected samples: '{self.num_frames}',\n"
            f"    Features: '{list(self.features)}',\n"
            "})"
        )


def _deprecate() -> None:
    warnings.warn(
        "streaming_encoding, batch_encoding_size and vcodec are options for recording: to record, call"
        " LeRobotDataset.resume() instead",
        DeprecationWarning,
        stacklevel=3,
    )


_ELSEWHERE = {
    "LeRobotDatasetMetadata": "dataset_metadata",
    "MultiLeRobotDataset": "multi_dataset",
}
"""Classes that lerobot 0.3 and 0.4 have in their module of this name, by their module here."""


def __getattr__(name: str) -> object:
    return loaded("roboreel.torch", _ELSEWHERE, name)
