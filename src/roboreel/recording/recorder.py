"""Record a dataset frame by frame; each saved episode is complete on the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from roboreel.errors import UsageError
from roboreel.format.encoding import Encoding
from roboreel.format.feature import INDEX_DTYPES, Feature
from roboreel.format.version import FormatVersion
from roboreel.recording.frame_checks import FrameChecker
from roboreel.recording.inline_cameras import InlineCamera
from roboreel.recording.row_columns import RowColumn, row_column
from roboreel.types import JsonObject
from roboreel.writing.append import EpisodeWriter, create_dataset, open_writer
from roboreel.writing.episode_input import EpisodeInput, FramesToEncode
from roboreel.writing.recording_folder import RecordingFolder

if TYPE_CHECKING:
    from typing_extensions import Self


class Recorder:
    """Records episodes into one dataset. Use `create` or `resume`."""

    def __init__(self, folder: RecordingFolder, writer: EpisodeWriter, encoding: Encoding) -> None:
        """Use `create` or `resume`."""
        self._folder, self._writer, self._encoding = folder, writer, encoding
        features = writer.features
        own = {name: f for name, f in features.items() if name not in INDEX_DTYPES}
        self._checker = FrameChecker(features)
        self._columns: dict[str, RowColumn] = {
            name: row_column(f) for name, f in own.items() if not f.is_camera
        }
        self._images: dict[str, list[Any]] = {
            name: [] for name, f in own.items() if f.dtype == "image"
        }
        self._cameras = {name: InlineCamera() for name, f in own.items() if f.is_video}
        self._tasks: list[str] = []

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        fps: float,
        features: Mapping[str, JsonObject],
        robot_type: str | None = None,
        version: str | FormatVersion = FormatVersion.V30,
        encoding: Encoding | None = None,
    ) -> Self:
        """A recorder of a new dataset in a new or empty folder."""
        folder = RecordingFolder(path)
        try:
            writer = create_dataset(
                path, fps=fps, features=features, version=version, robot_type=robot_type
            )
            return cls(folder, writer, encoding or Encoding())
        except BaseException:
            folder.release()
            raise

    @classmethod
    def resume(cls, path: str | os.PathLike[str], *, encoding: Encoding | None = None) -> Self:
        """A recorder that goes on with an existing dataset."""
        if not Path(path).is_dir():
            raise UsageError(f"'{os.fspath(path)}': there is no dataset to go on with")
        folder = RecordingFolder(path)
        try:
            return cls(folder, open_writer(path), encoding or Encoding())
        except BaseException:
            folder.release()
            raise

    @property
    def features(self) -> Mapping[str, Feature]:
        """Declared features by name."""
        return self._writer.features

    @property
    def episodes(self) -> int:
        """Saved episodes of the dataset."""
        return self._writer.episodes

    @property
    def frames(self) -> int:
        """Frames of the episode in progress."""
        return len(self._tasks)

    def add_frame(self, frame: Mapping[str, Any], *, task: str | None = None) -> None:
        """Add a frame to the episode in progress."""
        checked = self._checker.checked(frame, number=self.frames, task=task, own={})
        if not self._tasks:
            self._begin()
        for name, value in checked.values.items():
            if name in self._cameras:
                self._cameras[name].add(value)
            elif name in self._images:
                self._images[name].append(value.copy())
            else:
                self._columns[name].add(value)
        self._tasks.append(checked.task)

    def _begin(self) -> None:
        self._folder.begin()
        for name, camera in self._cameras.items():
            camera.begin(self._folder.video(name))

    def save_episode(self, *, success: bool | None = None) -> int:
        """Write the episode in progress and commit it; returns its number."""
        if not self._tasks:
            raise UsageError("there is no frame to save: add_frame comes first")
        videos = {name: camera.finish() for name, camera in self._cameras.items()}
        episode = EpisodeInput(
            rows=self.frames,
            columns={name: column.column() for name, column in self._columns.items()},
            videos={
                name: FramesToEncode(frames=video.images, encoding=self._encoding)
                for name, video in videos.items()
            },
            images=dict(self._images),
            task=self._tasks,
        )
        number = self._writer.append(episode)
        self._clear()
        return number

    def discard_episode(self) -> None:
        """Forget the episode in progress."""
        for camera in self._cameras.values():
            camera.discard()
        self._clear()

    def _clear(self) -> None:
        for column in self._columns.values():
            column.clear()
        self._images = {name: [] for name in self._images}
        self._tasks = []

    def finalize(self, compact: Literal["auto", "never"] = "auto") -> None:
        """End the recording."""
        for camera in self._cameras.values():
            camera.close()
        self._folder.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finalize()
