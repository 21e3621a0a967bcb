"""Cameras that are encoded in this process when the episode is saved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roboreel.recording.image_arrays import Array


class InlineCamera:
    """Keeps the frames of an episode until it ends."""

    def __init__(self) -> None:
        self.frames: list[Array] = []
        self.path = Path()

    def begin(self, path: Path) -> None:
        self.path, self.frames = path, []

    def add(self, frame: Array) -> None:
        self.frames.append(frame.copy())

    def finish(self) -> Any:
        frames, self.frames = self.frames, []
        return InlineVideo(self.path, frames)

    def discard(self) -> None:
        self.frames = []

    def close(self) -> None:
        self.frames = []


@dataclass
class InlineVideo:
    """The frames of one episode."""

    path: Path
    images: list[Array]

    @property
    def frames(self) -> int:
        return len(self.images)
