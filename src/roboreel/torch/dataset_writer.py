"""`DatasetWriter`: the reference's interface for recording, over roboreel's recorder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roboreel.errors import RunError, UsageError
from roboreel.format.readable import LANGUAGE
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata
from roboreel.torch.errors import ArgumentError, ReadOnlyError, RecordingError
from roboreel.torch.recording.episode_buffer import Buffer, ShownEpisode, frames_of, new_buffer
from roboreel.torch.recording.frame_validation import validate_episode_buffer, validate_frame
from roboreel.torch.recording.recording_options import RecordingOptions

if TYPE_CHECKING:
    from roboreel.recording.recorder import Recorder


class DatasetWriter:
    """Records episodes of one dataset. Frames go to the recorder at once; a saved episode is on the disk."""

    image_writer: None = None
    """No image is written to a file of its own, so there is nothing to start."""
    _streaming_encoder: None = None
    _episodes_since_last_encoding = 0

    def __init__(
        self,
        meta: LeRobotDatasetMetadata,
        root: str | os.PathLike[str],
        options: RecordingOptions,
        *,
        tolerance_s: float = 1e-4,
    ) -> None:
        """Go on with a dataset that `meta` describes.

        Args:
            meta: its metadata, which follows what is saved.
            root: its folder.
            options: how to record.
            tolerance_s: how far a frame's timestamp may be from a multiple of 1/fps, in seconds.

        Raises:
            UsageError: another recorder has the dataset, or it cannot be appended to.
        """
        self._meta, self._root = meta, Path(root)
        self._recorder = _recorder(meta, root, options)
        if self._recorder.episodes != meta.total_episodes:
            meta.take_saved()  # the recorder has finished the save of one that was killed
        self._tolerance_s, self._finalized, self._changes = tolerance_s, False, meta.changes
        features = meta.features
        self._language = [name for name, one in features.items() if one["dtype"] == LANGUAGE]
        self._checked = {n: one for n, one in features.items() if n not in self._language}
        self._shown = ShownEpisode(features, self._recorder.episodes)
        self._buffer: Buffer = self._shown.buffer

    @property
    def episode_buffer(self) -> Buffer:
        """The episode in progress: `size`, `task`, and a list per feature; None for frames of cameras."""
        return self._buffer

    @episode_buffer.setter
    def episode_buffer(self, value: Buffer | None) -> None:
        """Discard the episode in progress and start another one: empty, or ready to be saved."""
        self._discard()
        if value is not None and value.get("size"):
            self._buffer = value

    def _create_episode_buffer(self, episode_index: int | None = None) -> Buffer:
        number = self._meta.total_episodes if episode_index is None else episode_index
        return new_buffer(self._meta.features, number)

    def add_frame(
        self, frame: Mapping[str, Any], task: str | None = None, timestamp: float | None = None
    ) -> None:
        """Add a frame to the episode in progress; see `LeRobotDataset.add_frame`."""
        self._require_open("add_frame")
        values = {name: _as_numpy(value) for name, value in frame.items()}
        if task is not None:
            values["task"] = task
        language = {name: values.pop(name, []) for name in self._language}
        validate_frame(values, self._checked)
        self._require_time(timestamp)
        values |= language
        with _also_builtin():
            self._recorder.add_frame(values)
        text = values.pop("task")
        self._shown.add(values, text, self._meta.fps)

    def _require_time(self, timestamp: float | None) -> None:
        expected = self._shown.buffer["size"] / self._meta.fps
        if timestamp is not None and abs(timestamp - expected) > self._tolerance_s:
            raise ArgumentError(
                f"the timestamp of the frame is {timestamp:g} s, expected {expected:g} s at"
                f" {self._meta.fps:g} fps: leave timestamp out. To store clock times, declare a separate"
                " feature"
            )

    def save_episode(
        self, episode_data: Mapping[str, Any] | None = None, parallel_encoding: bool = True
    ) -> None:
        """Save the episode in progress, or a given one; see `LeRobotDataset.save_episode`."""
        self._require_open("save_episode")
        self._follow_documents()
        given = self._buffer if episode_data is None else episode_data
        validate_episode_buffer(given, self._recorder.episodes, self._meta.features)
        if given is self._shown.buffer:
            self._shown.require_unchanged()
        else:
            self._record(given)
        try:
            with _also_builtin():
                self._recorder.save_episode()
        finally:
            if not self._recorder.frames:
                self._begin()
        self._meta.take_saved()

    def _follow_documents(self) -> None:
        """Go on from what methods of `meta` wrote, such as `update_chunk_settings`."""
        if self._changes != self._meta.changes:
            self._recorder.read_again()
            self._changes = self._meta.changes

    def _record(self, episode: Mapping[str, Any]) -> None:
        """Give the recorder an episode that was put together elsewhere, whole or not at all."""
        if self._recorder.frames:
            raise ArgumentError(
                f"there are recorded frames that are not saved yet ({self._recorder.frames}): call"
                " save_episode() or clear_episode_buffer() before you pass episode_data"
            )
        try:
            for frame in frames_of(episode, self._meta.features):
                self.add_frame(frame)
        except BaseException:
            self._discard()
            raise

    def _begin(self) -> None:
        self._shown = ShownEpisode(self._meta.features, self._recorder.episodes)
        self._buffer = self._shown.buffer

    def _discard(self) -> None:
        self._recorder.discard_episode()
        self._begin()

    def clear_episode_buffer(self, delete_images: bool = True) -> None:
        """Discard the episode in progress; see `LeRobotDataset.clear_episode_buffer`."""
        self._require_open("clear_episode_buffer")
        self._discard()

    def start_image_writer(self, num_processes: int = 0, num_threads: int = 4) -> None:
        """Accepted: the recorder has a process per camera already.

        Raises:
            ArgumentError: there would be no worker.
        """
        if num_processes <= 0 and num_threads <= 0:
            raise ArgumentError(
                "the image writer needs at least one thread or process, got 0 of both"
            )

    def stop_image_writer(self) -> None:
        """Do nothing: no image writer runs."""

    def _wait_image_writer(self) -> None:
        """Do nothing: no image waits to be written."""

    def _batch_save_episode_video(self, start_episode: int, end_episode: int | None = None) -> None:
        """Do nothing: the videos of saved episodes are there."""

    def flush_pending_videos(self) -> None:
        """Do nothing: the videos of saved episodes are there."""

    def cancel_pending_videos(self) -> None:
        """Discard the episode in progress."""
        if not self._finalized:
            self._discard()

    def cleanup_interrupted_episode(self, episode_index: int) -> None:
        """Do nothing: a discarded episode leaves no images."""

    def close_writer(self) -> None:
        """Do nothing: no file of a saved episode is open."""

    def finalize(self) -> None:
        """End the recording, and join small files where there is room. The second call does nothing.

        Frames that were not saved are kept aside, with a warning.
        """
        if self._finalized:
            return
        self._finalized = True
        self._recorder.finalize()
        self._begin()
        if self._meta.total_episodes:
            self._meta.take_saved()

    def _require_open(self, method: str) -> None:
        if self._finalized:
            raise ReadOnlyError(
                f"Cannot call '{method}()' after finalize(): reopen the dataset with"
                " LeRobotDataset.resume() to continue recording"
            )


def _recorder(
    meta: LeRobotDatasetMetadata, root: str | os.PathLike[str], options: RecordingOptions
) -> Recorder:
    from roboreel.recording.recorder import Recorder  # large: whoever only reads does not need it

    options.require_same_scale(meta.features)
    return Recorder.resume(
        root,
        encoding=options.encodings(meta.video_keys, meta.depth_keys),
        threads=options.encoder_threads,
        buffer_frames=options.encoder_queue_maxsize,
    )


def _as_numpy(value: Any) -> Any:
    """A tensor as an array; other values as they are."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


@contextlib.contextmanager
def _also_builtin() -> Iterator[None]:
    """Let errors be the builtin classes too that the reference raises."""
    try:
        yield
    except UsageError as error:
        if isinstance(error, ValueError):
            raise
        raise ArgumentError(str(error)) from error
    except RunError as error:
        raise RecordingError(str(error)) from error
