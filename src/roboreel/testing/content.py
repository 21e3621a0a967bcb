"""The content of a test dataset, independent of the format version."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from roboreel.testing.made_features import Columns, MadeFeature, draw_columns
from roboreel.testing.made_stats import PixelCounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from roboreel.testing.cameras import Camera
    from roboreel.testing.numbered_frames import Frame

TASKS = (
    "pick up the red cube",
    "fold the towel",
    "öffne die Schublade",
    "把杯子放到盘子上",
    'press the "start" button',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One episode's rows, and statistics of its camera frames."""

    index: int
    start: int
    """Index of its first frame in the whole dataset."""
    frames: int
    tasks: tuple[str, ...]
    """In order of their first use."""
    columns: Columns
    pixels: dict[str, PixelCounts]
    """By camera; counted while the frames are written."""

    @property
    def stop(self) -> int:
        """Index in the dataset of the frame after its last one."""
        return self.start + self.frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A dataset that is not written yet."""

    fps: int | float
    robot_type: str
    chunks_size: int
    tasks: tuple[str, ...]
    """By task index, the order of first use."""
    features: tuple[MadeFeature, ...]
    cameras: Mapping[str, Camera]
    """In the order of their numbers in the frames."""
    episodes: tuple[Episode, ...]

    @property
    def exact_fps(self) -> Fraction:
        """Frames per second as written in info.json: 29.97 is 2997/100."""
        return Fraction(str(self.fps))

    @property
    def frames(self) -> int:
        """Frames of all episodes."""
        return sum(episode.frames for episode in self.episodes)

    @property
    def videos(self) -> dict[str, Camera]:
        """The cameras stored as video."""
        return {name: each for name, each in self.cameras.items() if each.storage == "video"}

    @property
    def stills(self) -> dict[str, Camera]:
        """The cameras stored as images in the table."""
        return {name: each for name, each in self.cameras.items() if each.storage == "image"}

    def draw_frames(self, name: str, episode: Episode) -> Iterator[Frame]:
        """Yield an episode's frames of one camera, and count their pixels."""
        number = list(self.cameras).index(name)
        drawn = self.cameras[name].draw_frames(
            episode=episode.index, frames=episode.frames, number=number
        )
        return episode.pixels[name].watch(drawn)


def make_episodes(
    lengths: Sequence[int], *, tasks_per_episode: int, cameras: Sequence[str], fps: float, seed: int
) -> tuple[Episode, ...]:
    """Return the episodes with their rows.

    Episode e uses tasks e, e + 1, ... in turn, each for an equal part of its frames.
    """
    episodes = []
    start = 0
    for index, frames in enumerate(lengths):
        # never more parts than frames, so that no task is skipped and first use is in index order
        part = np.arange(frames) * min(tasks_per_episode, frames) // frames
        used = (index + part) % len(TASKS)
        columns = draw_columns(
            episode=index, start=start, task_of_frame=used.tolist(), fps=fps, seed=seed
        )
        tasks = tuple(TASKS[task] for task in dict.fromkeys(used.tolist()))
        pixels = {name: PixelCounts() for name in cameras}
        episodes.append(
            Episode(
                index=index, start=start, frames=frames, tasks=tasks, columns=columns, pixels=pixels
            )
        )
        start += frames
    return tuple(episodes)


def tasks_in_use(episodes: Sequence[Episode]) -> tuple[str, ...]:
    """Return the tasks in the order of their first use."""
    return tuple(dict.fromkeys(task for episode in episodes for task in episode.tasks))
