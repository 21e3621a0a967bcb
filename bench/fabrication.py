"""Makes a v2.1 dataset of any size: a few encoded clips, repeated as episodes of three cameras."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

FPS = 30
WIDTH, HEIGHT = 640, 480
BIT_RATE = 2_300_000
"""Comes to about 12 kB a frame: in short clips the encoder overshoots."""
CAMERAS = ("observation.images.top", "observation.images.left", "observation.images.right")
VECTORS = ("observation.state", "action")
VECTOR_SIZE = 14
CLIP_LENGTHS = (200, 237, 264, 301)
"""Frames per clip; an odd one, so that no cut falls on a multiple of the GOP by luck."""
CHUNK_SIZE = 1000

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fabricated:
    root: Path
    lengths: list[int]
    """Frames of each episode."""
    size_bytes: int

    @property
    def frames(self) -> int:
        return sum(self.lengths)


def fabricate(root: Path, *, size_bytes: int) -> Fabricated:
    """Writes whole episodes until their files reach `size_bytes`."""
    clips = encode_clips(root.parent / f"{root.name}-clips")
    lengths: list[int] = []
    size = 0
    while size < size_bytes:
        size += add_episode(root, clips, episode=len(lengths), start=sum(lengths))
        lengths.append(CLIP_LENGTHS[len(lengths) % len(CLIP_LENGTHS)])
    write_documents(root, lengths)
    shutil.rmtree(root.parent / f"{root.name}-clips")
    return Fabricated(root=root, lengths=lengths, size_bytes=size)


def encode_clips(folder: Path) -> list[list[Path]]:
    """One h264 file per clip length and camera: GOP 2, as lerobot records."""
    folder.mkdir(parents=True)
    clips = []
    for length in CLIP_LENGTHS:
        paths = [folder / f"{length}-{number}.mp4" for number in range(len(CAMERAS))]
        for seed, path in enumerate(paths):
            encode(path, length=length, seed=seed)
        clips.append(paths)
    return clips


def encode(path: Path, *, length: int, seed: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(FPS), options={"g": "2", "preset": "superfast"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = BIT_RATE
        for picture in pictures(length, seed=seed):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def pictures(length: int, *, seed: int) -> Iterator[Pixels]:
    """A coarse random texture that drifts under fine noise: enough detail to fill the bit rate."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 200, (HEIGHT // 16, WIDTH // 16, 3), dtype=np.uint8)
    texture = coarse.repeat(16, axis=0).repeat(16, axis=1)
    noise = random.integers(0, 50, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    for frame in range(length):
        yield np.roll(texture, 3 * frame, axis=1) + np.roll(noise, 5 * frame, axis=0)


def add_episode(root: Path, clips: list[list[Path]], *, episode: int, start: int) -> int:
    """Writes the table and the three videos of one episode; returns their size in bytes."""
    chunk = f"chunk-{episode // CHUNK_SIZE:03d}"
    table_path = root / "data" / chunk / f"episode_{episode:06d}.parquet"
    table_path.parent.mkdir(parents=True, exist_ok=True)
    length = CLIP_LENGTHS[episode % len(clips)]
    pq.write_table(episode_table(episode=episode, start=start, length=length), table_path)
    size = table_path.stat().st_size
    for camera, clip in zip(CAMERAS, clips[episode % len(clips)], strict=True):
        video_path = root / "videos" / chunk / camera / f"episode_{episode:06d}.mp4"
        video_path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip, video_path)
        size += video_path.stat().st_size
    return size


def episode_table(*, episode: int, start: int, length: int) -> pa.Table:
    random = np.random.default_rng(episode)
    columns: dict[str, pa.Array] = {}
    for name in VECTORS:
        values = pa.array(random.standard_normal(length * VECTOR_SIZE, dtype=np.float32))
        columns[name] = pa.FixedSizeListArray.from_arrays(values, VECTOR_SIZE)
    frame = np.arange(length)
    columns["timestamp"] = pa.array((frame / FPS).astype(np.float32))
    columns["frame_index"] = pa.array(frame)
    columns["episode_index"] = pa.array(np.full(length, episode))
    columns["index"] = pa.array(frame + start)
    columns["task_index"] = pa.array(np.zeros(length, dtype=np.int64))
    return pa.table(columns)


def write_documents(root: Path, lengths: list[int]) -> None:
    meta = root / "meta"
    meta.mkdir()
    (meta / "info.json").write_text(json.dumps(info(lengths), indent=4), encoding="utf-8")
    write_lines(meta / "tasks.jsonl", [{"task_index": 0, "task": "put the cube in the box"}])
    episodes = [
        {"episode_index": episode, "tasks": ["put the cube in the box"], "length": length}
        for episode, length in enumerate(lengths)
    ]
    write_lines(meta / "episodes.jsonl", episodes)
    stats = [
        {"episode_index": episode, "stats": episode_stats(length)}
        for episode, length in enumerate(lengths)
    ]
    write_lines(meta / "episodes_stats.jsonl", stats)


def write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def info(lengths: list[int]) -> dict[str, object]:
    chunk = "chunk-{episode_chunk:03d}"
    return {
        "codebase_version": "v2.1",
        "robot_type": "aloha",
        "total_episodes": len(lengths),
        "total_frames": sum(lengths),
        "total_tasks": 1,
        "total_videos": len(lengths) * len(CAMERAS),
        "total_chunks": (len(lengths) - 1) // CHUNK_SIZE + 1,
        "chunks_size": CHUNK_SIZE,
        "fps": FPS,
        "splits": {"train": f"0:{len(lengths)}"},
        "data_path": f"data/{chunk}/episode_{{episode_index:06d}}.parquet",
        "video_path": f"videos/{chunk}/{{video_key}}/episode_{{episode_index:06d}}.mp4",
        "features": features(),
    }


def features() -> dict[str, object]:
    joints = [f"joint_{number}" for number in range(VECTOR_SIZE)]
    scalars = {"frame_index": "int64", "episode_index": "int64", "index": "int64"}
    scalars |= {"task_index": "int64"}
    return {
        **{n: {"dtype": "float32", "shape": [VECTOR_SIZE], "names": joints} for n in VECTORS},
        **{camera: camera_feature() for camera in CAMERAS},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        **{n: {"dtype": d, "shape": [1], "names": None} for n, d in scalars.items()},
    }


def camera_feature() -> dict[str, object]:
    return {
        "dtype": "video",
        "shape": [HEIGHT, WIDTH, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.height": HEIGHT,
            "video.width": WIDTH,
            "video.codec": "h264",
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "video.fps": FPS,
            "video.channels": 3,
            "has_audio": False,
        },
    }


def episode_stats(length: int) -> dict[str, object]:
    """Of the right form and size; the benchmark does not care for the values."""
    spread = {"min": -3.0, "max": 3.0, "mean": 0.0, "std": 1.0}
    stats: dict[str, object] = {}
    for name in VECTORS:
        stats[name] = {k: [v] * VECTOR_SIZE for k, v in spread.items()} | {"count": [length]}
    for name in CAMERAS:
        unit = {"min": 0.0, "max": 1.0, "mean": 0.5, "std": 0.2}
        stats[name] = {k: [[[v]]] * 3 for k, v in unit.items()} | {"count": [100]}
    for name in ("timestamp", "frame_index", "episode_index", "index", "task_index"):
        stats[name] = {k: [v] for k, v in spread.items()} | {"count": [length]}
    return stats
