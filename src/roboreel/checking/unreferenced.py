"""Count what no episode references: frames, rows and files of discarded takes."""

from __future__ import annotations

from dataclasses import dataclass

from roboreel.checking.check import surveyed_anyway
from roboreel.checking.video_rules import read_videos
from roboreel.dataset.dataset import Dataset
from roboreel.executors.make_executor import SerialExecutor
from roboreel.format.parse import Problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreferenced:
    """What no episode references."""

    frames: int = 0
    """Frames in video files that hold frames of episodes, too."""
    files: int = 0
    """Table and video files."""
    size_bytes: int = 0
    """Bytes of both."""

    def __bool__(self) -> bool:
        return bool(self.frames or self.files)

    def __str__(self) -> str:
        return f"{self.frames:,} frames and {self.files:,} files, {self.size_bytes:,} bytes"


def unreferenced(dataset: Dataset) -> Unreferenced:
    """Count the frames and files that no episode references; reads packet indexes.

    Raises:
        StorageError: a file cannot be read.
    """
    inventory = surveyed_anyway(dataset, Problems())
    videos = [] if inventory is None else read_videos(dataset, inventory, SerialExecutor())
    if dataset.version.one_file_per_episode:
        videos = []  # what is after the last row of an episode is no take of its own
    files = [n for n in dataset.model.other_files if n.startswith(("data/", "videos/"))]
    return Unreferenced(
        frames=sum(video.hidden for video in videos),
        files=len(files),
        size_bytes=sum(video.hidden_bytes for video in videos)
        + sum(dataset.root.stat(name).size_bytes for name in files),
    )
