"""Datasets whose videos are recordings of one's own making."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from roboreel.storage.local import LocalRoot
from roboreel.storage.video.mux import PacketSlice, write_packets
from roboreel.storage.video.packets import PacketRun
from roboreel.testing import Camera, make_dataset
from tests.oracle import Reading
from tests.unit.clips import FPS, index_of

TOP = "observation.images.top"
ROWS = 24
FILE = f"videos/{TOP}/chunk-000/file-000.mp4"


def recorded(root: Path, external_videos: Sequence[Path]) -> Path:
    """A v2.1 dataset with an episode for each clip of `ROWS` frames."""
    cameras = {TOP: Camera(height=32)}
    make_dataset(root, version="v2.1", episodes=(ROWS,) * len(external_videos), cameras=cameras)
    for number, clip in enumerate(external_videos):
        path = root / f"videos/chunk-000/{TOP}/episode_{number:06d}.mp4"
        path.write_bytes(clip.read_bytes())
    return root


def joined(root: Path, external_videos: Sequence[Path]) -> Path:
    """A v3.0 dataset with an episode for each clip of `ROWS` frames, whatever they are, in one file."""
    cameras = {TOP: Camera(height=32)}
    make_dataset(root, version="v3.0", episodes=(ROWS,) * len(external_videos), cameras=cameras)
    join(root / FILE, external_videos)
    return root


def join(target: Path, external_videos: Sequence[Path]) -> Path:
    """All packets of the clips in one file, as they come."""
    slices = []
    for clip in external_videos:
        table = index_of(clip)
        every = np.arange(table.packets, dtype=np.int64)
        run = PacketRun(positions=every, display=table.frame_of_packet, lead=0)
        slices.append(PacketSlice(LocalRoot(clip.parent), clip.name, table, run))
    write_packets(LocalRoot(target.parent), target.name, slices, fps=FPS)
    return target


def digests(reading: Reading) -> list[list[str]]:
    """The pictures of each episode, from files that are played from begin to end."""
    return [reading.digests(episode, TOP) for episode in reading.episodes]


def files_of(reading: Reading) -> list[int]:
    """How many episodes each video file of the dataset holds, in order."""
    paths = [episode.external_videos[TOP].path for episode in reading.episodes]
    return [paths.count(path) for path in dict.fromkeys(paths)]
