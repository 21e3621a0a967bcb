"""Wanted frames, and how they are divided among threads so that every GOP is decoded once. Opens no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from roboreel.reading.frame_arrays import FrameArray
from roboreel.reading.source_rows import SourceRows
from roboreel.storage.video.indexed_video import IndexedVideo
from roboreel.types import Int64

_ONE_BOUND = np.array([0, 1], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class WantedFrames:
    """Frames of one camera of one dataset, and where they go."""

    camera: str
    """Its name in the view."""
    source: SourceRows
    episodes: Int64
    """(n,) episodes, by their rows in the dataset's table of episodes."""
    frames: Int64
    """(n,) frames in these."""
    into: FrameArray
    rows: Int64
    """(n,) the row of the array that each goes to."""

    def described(self, row: int) -> str:
        """Camera, episode and frame that go to a row of the array, for messages."""
        at = int(np.flatnonzero(self.rows == row)[0])
        episode = self.source.described(int(self.episodes[at]))
        return f"camera '{self.camera}', {episode}, frame {int(self.frames[at])}"


@dataclass(frozen=True, slots=True, eq=False)
class DecodeJob:
    """Frames of one video file that one thread decodes."""

    video: IndexedVideo
    want: WantedFrames
    numbers: Int64
    """(n,) frame numbers in the file, ascending, each once."""
    bounds: Int64
    """(n + 1,) frame i goes to `rows[bounds[i]:bounds[i + 1]]`."""
    rows: Int64
    """Rows of the camera's array."""

    def targets(self) -> list[list[int]]:
        """(n,) the rows that each frame goes to."""
        rows, bounds = self.rows.tolist(), self.bounds.tolist()
        return [rows[a:b] for a, b in pairwise(bounds)]

    def part(self, start: int, stop: int) -> DecodeJob:
        """The job of some of its frames."""
        bounds = self.bounds[start : stop + 1]
        return replace(
            self,
            numbers=self.numbers[start:stop],
            bounds=bounds - bounds[0],
            rows=self.rows[bounds[0] : bounds[-1]],
        )


def decode_job(video: IndexedVideo, want: WantedFrames, numbers: Int64, rows: Int64) -> DecodeJob:
    """The job that decodes frames of a file, each once.

    Args:
        video: the file.
        want: what they are wanted for.
        numbers: (m,) frame numbers in the file, in any order, also repeated.
        rows: (m,) the row of the camera's array that each goes to.
    """
    if len(numbers) == 1:
        return DecodeJob(video, want, numbers, _ONE_BOUND, rows)
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    begins = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    bounds = np.concatenate([[0], begins, [len(numbers)]])
    return DecodeJob(video, want, ordered[bounds[:-1]], bounds, rows[order])


def balanced(jobs: Sequence[DecodeJob], threads: int) -> list[DecodeJob]:
    """The jobs in parts for some threads, the largest first; a GOP stays in one part.

    Args:
        jobs: one for each file.
        threads: how many decode at the same time.
    """
    if threads == 1 or all(len(job.numbers) == 1 for job in jobs):
        return list(jobs)
    frames = sum(len(job.numbers) for job in jobs)
    # more parts than threads, so that one that ends early finds another
    most = max(1, -(-frames // (2 * threads)))
    parts = [part for job in jobs for part in _parts(job, most)]
    return sorted(parts, key=lambda part: len(part.numbers), reverse=True)


def _parts(job: DecodeJob, most: int) -> list[DecodeJob]:
    """A job in parts of about so many frames, cut where a GOP ends."""
    if len(job.numbers) <= most:
        return [job]
    table = job.video.table
    packets = table.display_order[table.hidden_before + job.numbers]
    gop = np.searchsorted(table.keys, packets, side="right")
    cuts = [0]
    for start in (np.flatnonzero(np.diff(gop)) + 1).tolist():
        if start - cuts[-1] >= most:
            cuts.append(start)
    cuts.append(len(gop))
    return [job.part(a, b) for a, b in pairwise(cuts)]
