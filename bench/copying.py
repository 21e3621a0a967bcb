"""What roboreel is measured against: ffmpeg copying the packets of the same videos, and cp."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from fabrication import CHUNK_SIZE, Fabricated

FFMPEG = ("ffmpeg", "-nostdin", "-v", "error", "-y")
CP = ("cp", "-r", *(("--reflink=never",) if sys.platform == "linux" else ()))
"""A copy that shares its blocks with the original would move no bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinedFile:
    """One video of the v3.0 dataset, and the episodes in it."""

    camera: str
    path: Path
    episodes: range


def joined_files(v30: Path, dataset: Fabricated) -> list[JoinedFile]:
    """Counts the frames of each v3.0 video against the episodes' lengths, in order."""
    joined = []
    for camera in dataset.shape.cameras:
        first = 0
        for path in sorted((v30 / "videos" / camera).rglob("*.mp4")):
            stop = episodes_until(dataset.lengths, first=first, frames=count_packets(path))
            joined.append(JoinedFile(camera=camera, path=path, episodes=range(first, stop)))
            first = stop
    return joined


def episodes_until(lengths: list[int], *, first: int, frames: int) -> int:
    stop = first
    while frames > 0:
        frames -= lengths[stop]
        stop += 1
    if frames < 0:
        raise ValueError(f"the file that begins with episode {first} does not end with an episode")
    return stop


def count_packets(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))


def episode_video(root: Path, camera: str, episode: int) -> Path:
    chunk = f"chunk-{episode // CHUNK_SIZE:03d}"
    return root / "videos" / chunk / camera / f"episode_{episode:06d}.mp4"


def join_commands(
    dataset: Fabricated, joined: list[JoinedFile], out: Path
) -> Iterator[tuple[str, ...]]:
    """One ffmpeg per target file, over the concat demuxer; no faststart, which writes twice."""
    for number, file in enumerate(joined):
        target = out / "videos" / f"{number}.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        script = out / f"{number}.txt"
        videos = [episode_video(dataset.root, file.camera, episode) for episode in file.episodes]
        script.write_text("".join(f"file '{video}'\n" for video in videos), encoding="utf-8")
        source = ("-f", "concat", "-safe", "0", "-i", str(script))
        yield (*FFMPEG, *source, "-c", "copy", str(target))


def split_commands(
    dataset: Fabricated, joined: list[JoinedFile], out: Path
) -> Iterator[tuple[str, ...]]:
    """One ffmpeg per source file: the segment muxer cuts at the episodes' first frames."""
    for number, file in enumerate(joined):
        folder = out / "videos" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        starts, frame = [], 0
        for episode in file.episodes[:-1]:
            frame += dataset.lengths[episode]
            starts.append(str(frame))
        cuts = ("-segment_frames", ",".join(starts)) if starts else ("-segment_time", "1000000")
        segment = ("-f", "segment", "-segment_format", "mp4", *cuts, "-reset_timestamps", "1")
        yield (*FFMPEG, "-i", str(file.path), "-c", "copy", *segment, f"{folder}/%06d.mp4")


def copy_tables(root: Path, out: Path) -> tuple[str, ...]:
    return (*CP, str(root / "data"), str(root / "meta"), str(out))


def copy_all(root: Path, out: Path) -> tuple[str, ...]:
    return (*CP, str(root), str(out))


def check_split(dataset: Fabricated, joined: list[JoinedFile], out: Path) -> None:
    """Raises ValueError where ffmpeg cut elsewhere than told: then it did not do the same work."""
    for number, file in enumerate(joined):
        parts = sorted((out / "videos" / str(number)).glob("*.mp4"))
        expected = [dataset.lengths[episode] for episode in file.episodes]
        if (found := [count_packets(part) for part in parts]) != expected:
            raise ValueError(f"ffmpeg cut {file.path.name} into {found}, not {expected}")
