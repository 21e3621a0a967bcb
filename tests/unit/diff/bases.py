"""Datasets that the tests of `diff` change, and what they ask of a report."""

from __future__ import annotations

from pathlib import Path

import roboreel
from roboreel.testing import Camera, Version, make_dataset

TOP, SIDE, STILL = "observation.images.top", "observation.images.side", "observation.images.still"
EPISODES = (6, 4, 5)


def base(path: Path, version: Version = "v2.1") -> Path:
    """Three episodes of two video cameras and one in the table, all kinds of columns."""
    cameras = {TOP: Camera(height=32), SIDE: Camera(height=32, gop=4, b_frames=2)}
    return make_dataset(
        path,
        version=version,
        episodes=EPISODES,
        cameras=cameras,
        features="rich",
        tasks_per_episode=2,
    )


def places(report: roboreel.DiffReport) -> list[tuple[str, int | None, int | None, str | None]]:
    """(kind, episode, row, column) of each difference."""
    return [(d.kind, d.episode, d.row, d.column) for d in report.differences]


def noted(report: roboreel.DiffReport) -> set[str]:
    """Kinds of the notes."""
    return {note.kind for note in report.notes}
