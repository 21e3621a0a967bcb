"""All cameras of a recorder: they begin, take frames and finish together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from roboreel.errors import RoboreelError, RunError, UsageError
from roboreel.recording.camera_types import (
    CameraOptions,
    CameraTask,
    CameraWriter,
    RecordedVideo,
)
from roboreel.recording.camera_writer import open_cameras
from roboreel.recording.image_column import ImageColumn

_LOG = logging.getLogger(__name__)
_FROZEN_S = 1.0
"""A camera that gives the same image for so long is warned of."""


_NONE: frozenset[str] = frozenset()


class CameraSet:
    """The cameras stored as videos, and those stored as images in the table."""

    def __init__(
        self, tasks: Sequence[CameraTask], images: Sequence[CameraTask], options: CameraOptions
    ) -> None:
        """Start the cameras.

        Args:
            tasks: the cameras stored as videos.
            images: those stored as images.
            options: of all of them.
        """
        self.images = {
            one.name: ImageColumn(one.profile, depth=one.feature.is_depth, folder=options.folder)
            for one in images
        }
        self.videos: Mapping[str, CameraWriter] = open_cameras(tasks, options)
        fps = float(tasks[0].fps) if tasks else 0.0
        self._frozen = max(2, round(fps * _FROZEN_S))
        self._warned: set[str] = set()

    def begin(self, path: Callable[[str], Path], episode: int) -> None:
        """Begin an episode; `path` gives the file of each camera."""
        self._warned = set()
        for name, camera in self.videos.items():
            camera.begin(path(name), episode)

    def put(self, values: Mapping[str, Any]) -> None:
        """Check the frames of cameras stored as videos, and copy them; `send` takes all of them.

        Args:
            values: checked values; a camera that is not among them gets its last frame again.
        """
        for name, camera in self.videos.items():
            camera.put(values.get(name))

    def send(self, values: Mapping[str, Any]) -> None:
        """Take a frame of each camera: those that were put, and the images among the same values."""
        for camera in self.videos.values():
            camera.send()
        for name, column in self.images.items():
            image = values.get(name)
            if image is None:
                column.repeat()
            else:
                column.add(image)

    def warn_of_frozen(self, episode: int, frame: int) -> None:
        """Tell, once per episode, of cameras that have given the same image for a second."""
        for name, camera in self.videos.items():
            if name not in self._warned and camera.identical >= self._frozen:
                self._warned.add(name)
                _LOG.warning(
                    "episode %d, frame %d: camera '%s' has given the same image %d times in a row",
                    episode,
                    frame,
                    name,
                    camera.identical,
                )

    def finish(self, rows: int) -> dict[str, RecordedVideo]:
        """Finish the videos of an episode.

        Raises:
            RunError: a camera has another number of frames than the episode has rows.
            RunError, VideoError, StorageError: a camera cannot be finished.
        """
        for camera in self.videos.values():
            camera.request_finish()
        found = {name: camera.finish() for name, camera in self.videos.items()}
        for name, video in found.items():
            if video.frames != rows:
                raise RunError(f"camera '{name}' has {video.frames} frames for {rows} rows")
        for name, column in self.images.items():
            if column.frames != rows:
                raise RunError(f"camera '{name}' has {column.frames} images for {rows} rows")
        return found

    def finish_what_can_be(self) -> None:
        """Finish each video that can still be finished; the files of the others stay as they are."""
        for camera in self.videos.values():
            with suppress(RoboreelError):
                camera.request_finish()
        for camera in self.videos.values():
            with suppress(RoboreelError):
                camera.finish()

    def discard(self) -> None:
        """Give up the episode in progress."""
        for camera in self.videos.values():
            camera.discard()
        self.clear()

    def clear(self) -> None:
        """Forget the images of the episode."""
        for column in self.images.values():
            column.clear()

    def close(self) -> None:
        """End the cameras."""
        for camera in self.videos.values():
            camera.close()
        for column in self.images.values():
            column.close()


class Gaps:
    """How long cameras have been without a frame, in frames."""

    def __init__(self, most: int, cameras: Sequence[str]) -> None:
        """Let a camera be without a frame for at most so many in a row."""
        self._most, self.cameras = most, tuple(cameras)
        self._open = dict.fromkeys(self.cameras, 0)
        self.longest = 0

    def missing(self, frame: Mapping[str, Any]) -> frozenset[str]:
        """The cameras without a frame; none where gaps are refused."""
        if not self._most:
            return _NONE
        return frozenset(name for name in self.cameras if frame.get(name) is None)

    def require(self, missing: frozenset[str], *, number: int, episode: int) -> None:
        """Refuse a gap that cannot be filled.

        Raises:
            UsageError: an episode's first frame lacks a camera: there is nothing to repeat.
            RunError: a gap is too long: the episode cannot be saved.
        """
        if number == 0 and missing:
            raise UsageError(f"frame 0, '{min(missing)}': there is no frame yet to repeat")
        for name in sorted(missing):
            if self._open[name] == self._most:
                raise RunError(
                    f"episode {episode}, frame {number}: camera '{name}' has been without a frame for more"
                    f" than max_gap_s ({self._most} frames): save_episode refuses this episode"
                )

    def count(self, missing: frozenset[str]) -> None:
        """Count a frame that was taken."""
        if not self._most:
            return
        for name in self.cameras:
            self._open[name] = self._open[name] + 1 if name in missing else 0
        self.longest = max(self.longest, *self._open.values(), 0)

    def clear(self) -> None:
        """Begin another episode."""
        self._open = dict.fromkeys(self.cameras, 0)
        self.longest = 0
