"""The recording half of lerobot's dataset class: start or continue a dataset, add frames, save episodes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from roboreel.torch.compat.old_names import (
    OF_DATASETS,
    TASK,
    AnsweringMissingNames,
    of_public_class,
    refusing_old_arguments,
)
from roboreel.torch.constants import CODEBASE_VERSION, DEPTH_MILLIMETER_UNIT
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata
from roboreel.torch.dataset_writer import DatasetWriter
from roboreel.torch.errors import ArgumentError, ReadOnlyError, WrongTypeError
from roboreel.torch.recording.episode_buffer import Buffer
from roboreel.torch.recording.recording_options import RecordingOptions
from roboreel.torch.sources.dataset_root import as_root
from roboreel.torch.sources.given_source import refuse_source
from roboreel.torch.video_utils import resolved_backend
from roboreel.types import JsonObject

if TYPE_CHECKING:
    from typing_extensions import Self

    from roboreel.torch.media.encoder_configs import DepthEncoderConfig, RGBEncoderConfig


@of_public_class("LeRobotDataset")
class RecordingCalls(AnsweringMissingNames):
    """The methods that record. A dataset that was opened for reading refuses them."""

    _instead = OF_DATASETS
    _metadata_class: ClassVar[type[LeRobotDatasetMetadata]] = LeRobotDatasetMetadata
    repo_id: str
    root: Any
    meta: LeRobotDatasetMetadata
    tolerance_s: float
    reader: Any
    """A `DatasetReader`; None as long as nothing was read of a dataset that records."""
    writer: DatasetWriter | None
    _batch_encoding_size: int
    _is_finalized: bool

    if TYPE_CHECKING:

        def _fetch(
            self, revision: str | None, videos: bool, sync: bool, token: str | bool | None
        ) -> None: ...

    @classmethod
    def create(
        cls,
        repo_id: str,
        fps: float,
        features: Mapping[str, JsonObject],
        root: str | os.PathLike[str] | None = None,
        robot_type: str | None = None,
        use_videos: bool = True,
        tolerance_s: float = 1e-4,
        image_writer_processes: int = 0,
        image_writer_threads: int = 0,
        video_backend: str | None = None,
        batch_encoding_size: int = 1,
        rgb_encoder: RGBEncoderConfig | None = None,
        depth_encoder: DepthEncoderConfig | None = None,
        metadata_buffer_size: int = 10,
        streaming_encoding: bool = False,
        encoder_queue_maxsize: int = 30,
        encoder_threads: int | None = None,
        video_files_size_in_mb: float | None = None,
        data_files_size_in_mb: float | None = None,
        *,
        vcodec: str | None = None,
    ) -> Self:
        """Begin a dataset, to be recorded into.

        Every saved episode is complete on the disk, with any of these options.

        Args:
            repo_id: `user/name`.
            fps: frames per second.
            features: `dtype`, `shape` and `names` by feature name; the index columns are added.
            root: the folder, which must not exist; by default `$HF_LEROBOT_HOME/{repo_id}`.
            robot_type: the robot.
            use_videos: False where no camera is stored as video.
            tolerance_s: how far a given timestamp may be from a multiple of 1/fps, in seconds.
            image_writer_processes: accepted; each camera has a process of its own.
            image_writer_threads: accepted, likewise.
            video_backend: `pyav` (default) or `torchcodec`, to read what was recorded.
            batch_encoding_size: accepted; every episode is encoded while it is recorded.
            rgb_encoder: settings for cameras with colours; None for AV1 with lerobot's defaults.
            depth_encoder: settings for depth cameras.
            metadata_buffer_size: accepted; nothing waits in a buffer.
            streaming_encoding: accepted, as `batch_encoding_size`.
            encoder_queue_maxsize: frames of a camera that wait in memory for its encoder. More of them wait
                on the disk, where the reference drops them.
            encoder_threads: threads of each encoder; None shares out the processors.
            video_files_size_in_mb: size up to which `finalize` joins video files, in MiB; 200 by default.
            data_files_size_in_mb: likewise of table files; 100 by default.
            vcodec: the codec for cameras with colours, as releases before `rgb_encoder` name it.

        Raises:
            FileExistsError: the folder exists.
            ValueError: an option has a wrong value, or a feature cannot be recorded.
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
        made = cls.__new__(cls)
        made.meta = cls._metadata_class.create(
            repo_id,
            fps,
            options.declared(features),
            robot_type,
            root,
            use_videos,
            metadata_buffer_size,
            data_files_size_in_mb=data_files_size_in_mb,
            video_files_size_in_mb=video_files_size_in_mb,
        )
        try:
            made._begin(tolerance_s, video_backend, made.meta.root, revision=None)
            made._record(options)
        except BaseException:
            made.meta._unmake_folder()
            raise
        made._start_image_writer(image_writer_processes, image_writer_threads)
        return made

    @classmethod
    def resume(
        cls,
        repo_id: str,
        root: str | os.PathLike[str] | None = None,
        tolerance_s: float = 1e-4,
        revision: str | None = None,
        force_cache_sync: bool = False,
        video_backend: str | None = None,
        batch_encoding_size: int = 1,
        rgb_encoder: RGBEncoderConfig | None = None,
        depth_encoder: DepthEncoderConfig | None = None,
        encoder_threads: int | None = None,
        image_writer_processes: int = 0,
        image_writer_threads: int = 0,
        streaming_encoding: bool = False,
        encoder_queue_maxsize: int = 30,
        *,
        token: str | bool | None = None,
        vcodec: str | None = None,
    ) -> Self:
        """Go on with a dataset, to record more episodes into it.

        Args:
            repo_id: `user/name`.
            root: the folder; it must be given. What it lacks is downloaded into it.
            tolerance_s: see `create`, as for all that is not listed here.
            revision: branch, tag or commit on the Hub.
            force_cache_sync: True asks the Hub even where the files are here.
            video_backend: see `create`.
            batch_encoding_size: see `create`.
            rgb_encoder: see `create`.
            depth_encoder: see `create`.
            encoder_threads: see `create`.
            image_writer_processes: see `create`.
            image_writer_threads: see `create`.
            streaming_encoding: see `create`.
            encoder_queue_maxsize: see `create`.
            token: the Hub's token; None takes the stored one.
            vcodec: see `create`.

        Raises:
            ValueError: there is no `root`, or an option has a wrong value.
            UsageError: another recorder has the dataset, or episodes cannot be appended to it.
        """
        if not root:
            raise ArgumentError(
                "resume() needs root, the folder to write to (create() without root makes"
                f" $HF_LEROBOT_HOME/{repo_id}): the downloaded snapshots of the Hub are shared with other"
                " programs and must not be changed"
            )
        options = RecordingOptions(
            rgb_encoder=rgb_encoder,
            depth_encoder=depth_encoder,
            vcodec=vcodec,
            encoder_threads=encoder_threads,
            batch_encoding_size=batch_encoding_size,
            streaming_encoding=streaming_encoding,
            encoder_queue_maxsize=encoder_queue_maxsize,
        )
        made = cls.__new__(cls)
        made.meta = cls._metadata_class(
            repo_id, root, revision, force_cache_sync=force_cache_sync, token=token
        )
        own = made.meta._requested_root
        made._begin(tolerance_s, video_backend, own, revision=revision or CODEBASE_VERSION)
        if made.meta.total_episodes:
            made._fetch(revision, True, force_cache_sync, token)
            made.reader = None
        made._record(options)
        made._start_image_writer(image_writer_processes, image_writer_threads)
        return made

    def _begin(
        self,
        tolerance_s: float,
        video_backend: str | None,
        root: Any,
        *,
        revision: str | None,
    ) -> None:
        """Set all attributes of a dataset that is to record."""
        self._set_up(
            repo_id=self.meta.repo_id,
            _requested_root=as_root(root),
            root=self.meta.root,
            revision=revision,
            delta_timestamps=None,
            tolerance_s=tolerance_s,
            episodes=None,
            reader=None,
            _image_transforms=None,
            _return_uint8=False,
            _depth_output_unit=DEPTH_MILLIMETER_UNIT,
            _video_backend=resolved_backend(video_backend),
            _reader_episodes=0,
            writer=None,
        )

    def _set_up(self, **attributes: Any) -> None:
        """Set attributes; `create`, `resume` and the constructor set the same ones."""
        vars(self).update(attributes)

    def _record(self, options: RecordingOptions) -> None:
        """Start the recorder."""
        refuse_source(self.meta._source, "recorded into")
        self.writer = DatasetWriter(self.meta, self.root, options, tolerance_s=self.tolerance_s)
        self._batch_encoding_size = options.batch_encoding_size
        self._set_up(_encoder_threads=options.encoder_threads)
        self._is_finalized = False

    def _start_image_writer(self, processes: int, threads: int) -> None:
        if processes or threads:
            self.start_image_writer(processes, threads)

    def _require_writer(self, method: str) -> DatasetWriter:
        if self.writer is None:
            raise ReadOnlyError(
                f"Cannot call '{method}()' on a read-only dataset: start a new one with"
                " LeRobotDataset.create(), or continue this one with LeRobotDataset.resume()"
            )
        return self.writer

    def add_frame(
        self, frame: Mapping[str, Any], task: str | None = None, timestamp: float | None = None
    ) -> None:
        """Add a frame to the episode in progress. The frame itself is not changed.

        Args:
            frame: a value by feature, and `task`: arrays or tensors of the declared dtype and shape, strings,
                images (H, W, C) or (C, H, W) as uint8 or as float in [0, 1], PIL images.
            task: the task, where the frame does not have it, as in lerobot 0.3.
            timestamp: accepted if it equals the time of the frame: number / fps, in seconds.

        Raises:
            ReadOnlyError: the dataset was opened for reading, or recording is over. It is a `RuntimeError`.
            ValueError: a value is missing, unknown, or not of the declared dtype or shape; nothing is added.
            RecordingError: a camera's process died, or hangs. It is a `RuntimeError`.
        """
        self._require_writer("add_frame").add_frame(frame, task, timestamp)

    @refusing_old_arguments
    def save_episode(
        self, episode_data: Mapping[str, Any] | None = None, parallel_encoding: bool = True
    ) -> None:
        """Save the episode in progress: when this returns, it is complete on the disk.

        Args:
            episode_data: save this episode instead: `size`, `task` and values by feature, in the form of
                `episode_buffer`. Cameras have arrays, PIL images or paths of image files.
            parallel_encoding: accepted; cameras are encoded in parallel while they are recorded.

        Raises:
            ReadOnlyError: the dataset was opened for reading, or recording is over. It is a `RuntimeError`.
            ValueError: there is no frame, or the episode does not fit the dataset.
            RecordingError: it cannot be saved, and is kept aside. The dataset is as it was before. It is a
                `RuntimeError`.
        """
        if isinstance(episode_data, str):
            raise WrongTypeError(f"episode_data is {episode_data!r}, expected an episode: {TASK}")
        self._require_writer("save_episode").save_episode(episode_data, parallel_encoding)

    def clear_episode_buffer(self, delete_images: bool = True) -> None:
        """Discard the episode in progress.

        Args:
            delete_images: accepted; there are no image files.

        Raises:
            ReadOnlyError: the dataset was opened for reading, or recording is over. It is a `RuntimeError`.
        """
        self._require_writer("clear_episode_buffer").clear_episode_buffer(delete_images)

    def create_episode_buffer(self, episode_index: int | None = None) -> Buffer:
        """An empty buffer, to be filled and passed to `save_episode`.

        Args:
            episode_index: its number; None for the next one, the only one that can be saved.
        """
        return self._require_writer("create_episode_buffer")._create_episode_buffer(episode_index)

    @property
    def episode_buffer(self) -> Buffer | None:
        """The episode in progress: `size`, `task` and a list by feature. None while a dataset is read."""
        return None if self.writer is None else self.writer.episode_buffer

    @episode_buffer.setter
    def episode_buffer(self, value: Buffer | None) -> None:
        self._require_writer("episode_buffer").episode_buffer = value

    def has_pending_frames(self) -> bool:
        """True where frames wait to be saved as an episode."""
        return bool(self.episode_buffer and self.episode_buffer["size"])

    def finalize(self) -> None:
        """End the recording, and join small files where there is room. The second call does nothing."""
        if self._is_finalized:
            return
        if self.writer is not None:
            self.writer.finalize()
            self._reader_episodes = -1  # files were joined: read them again
        self._is_finalized = True

    def start_image_writer(self, num_processes: int = 0, num_threads: int = 4) -> None:
        """Record into a dataset that was opened for reading, as in lerobot 0.4; else nothing is started.

        Raises:
            ValueError: both numbers are 0.
            UsageError: another recorder has the dataset, or episodes cannot be appended to it.
        """
        if self.writer is None:
            self._record(RecordingOptions())
        self._require_writer("start_image_writer").start_image_writer(num_processes, num_threads)

    def stop_image_writer(self) -> None:
        """Do nothing: no image writer runs."""

    def _wait_image_writer(self) -> None:
        """Do nothing: no image waits to be written."""

    def _batch_save_episode_video(self, start_episode: int, end_episode: int | None = None) -> None:
        """Do nothing: the videos of saved episodes are there."""

    @property
    def image_writer(self) -> None:
        """None: no image writer runs."""
        return None

    @property
    def episodes_since_last_encoding(self) -> int:
        """0: the videos of saved episodes are there."""
        return 0

    @property
    def latest_episode(self) -> Any:
        """The row of the episode saved last, each value in a list of one; None where none was."""
        saved = 0 if self.writer is None else self.meta.total_episodes
        return self.meta.episode_table.slice(saved - 1).to_pydict() if saved else None

    @property
    def batch_encoding_size(self) -> int:
        """What was passed; every episode is encoded while it is recorded."""
        return self._batch_encoding_size

    def _get_image_file_path(self, episode_index: int, image_key: str, frame_index: int) -> Path:
        """Where the reference would keep a frame of an episode in progress; nothing is there."""
        name = f"images/{image_key}/episode-{episode_index:06d}/frame-{frame_index:06d}.png"
        return Path(self.root) / name

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs to read; it does not record."""
        return {**vars(self), "writer": None}
