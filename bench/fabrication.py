"""Makes v2.1 datasets of any size: a few encoded clips for each camera, repeated as episodes."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

WIDTH, HEIGHT = 640, 480
CELL = 16
"""Pixels of the texture that belong together, in both directions."""
CHUNK_SIZE = 1000
CRF = 30
ENCODERS = {
    "h264": ("libx264", {"preset": "superfast"}),
    "av1": ("libsvtav1", {"preset": "12"}),
}
COLOURS = ("red", "green", "blue", "yellow", "white")

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What the episodes look like."""

    robot_type: str
    fps: int
    bit_rate: int | None
    """Of each camera, as told to the encoder: in short clips it overshoots. None: by `CRF`."""
    cameras: tuple[str, ...]
    vectors: Mapping[str, int]
    """Length by name of the float32 columns."""
    tasks: tuple[str, ...]
    """Episodes take turns at them."""
    clip_lengths: tuple[int, ...]
    """Frames per clip; an odd one, so that no cut falls on a multiple of the GOP by luck."""
    codec: Literal["h264", "av1"] = "h264"
    gop: int = 2
    """Frames from one keyframe to the next, as told to the encoder."""
    noise: int = 50
    """Amplitude of the fine noise, below 56: more of it makes larger packets."""
    texture: Literal["blocks", "smooth"] = "blocks"
    """Of one colour each, or blended into each other: makes smaller packets, as of a real scene."""


ALOHA = Shape(
    robot_type="aloha",
    fps=30,
    bit_rate=2_300_000,
    cameras=("observation.images.top", "observation.images.left", "observation.images.right"),
    vectors={"observation.state": 14, "action": 14},
    tasks=("put the cube in the box",),
    clip_lengths=(200, 237, 264, 301),
)
"""Comes to about 12 kB a frame."""

UR5 = Shape(
    robot_type="ur5",
    fps=5,
    bit_rate=480_000,
    cameras=("observation.images.base", "observation.images.wrist"),
    vectors={"observation.state": 8, "action": 7},
    tasks=tuple(f"put the {colour} cube in the box" for colour in COLOURS),
    clip_lengths=(74, 97, 109, 154),
)
"""40 episodes come to 4,340 frames and about 127 MB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fabricated:
    root: Path
    shape: Shape
    lengths: list[int]
    """Frames of each episode."""
    size_bytes: int

    @property
    def frames(self) -> int:
        return sum(self.lengths)

    def described(self) -> dict[str, int]:
        return {
            "size_bytes": self.size_bytes,
            "episodes": len(self.lengths),
            "frames": self.frames,
            "cameras": len(self.shape.cameras),
        }


def fabricate(
    root: Path, *, shape: Shape = ALOHA, size_bytes: int = 0, episodes: int = 1
) -> Fabricated:
    """Writes whole episodes until there are `episodes` of them and they reach `size_bytes`."""
    external_videos = encode_clips(root.parent / f"{root.name}-clips", shape)
    lengths: list[int] = []
    size = 0
    while size < size_bytes or len(lengths) < episodes:
        size += add_episode(root, shape, external_videos, episode=len(lengths), start=sum(lengths))
        lengths.append(shape.clip_lengths[len(lengths) % len(external_videos)])
    write_documents(root, shape, lengths)
    shutil.rmtree(root.parent / f"{root.name}-clips")
    return Fabricated(root=root, shape=shape, lengths=lengths, size_bytes=size)


def encode_clips(folder: Path, shape: Shape) -> list[list[Path]]:
    """One file per clip length and camera."""
    folder.mkdir(parents=True)
    external_videos = []
    for length in shape.clip_lengths:
        paths = [folder / f"{length}-{number}.mp4" for number in range(len(shape.cameras))]
        for seed, path in enumerate(paths):
            encode(path, shape, length=length, seed=seed)
        external_videos.append(paths)
    return external_videos


def encode(path: Path, shape: Shape, *, length: int, seed: int) -> None:
    with av.open(str(path), "w") as container:
        encoder, options = ENCODERS[shape.codec]
        options = options | {"g": str(shape.gop)}
        if shape.bit_rate is None:
            options = options | {"crf": str(CRF)}
        stream: Any = container.add_stream(encoder, rate=Fraction(shape.fps), options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if shape.bit_rate is not None:
            stream.bit_rate = shape.bit_rate
        for picture in drawn_like(shape, length, seed=seed):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def drawn_like(shape: Shape, length: int, *, seed: int) -> Iterator[Pixels]:
    return pictures(length, seed=seed, noise=shape.noise, texture=shape.texture)


def pictures(
    length: int, *, seed: int, noise: int = 50, texture: str = "blocks"
) -> Iterator[Pixels]:
    """A coarse random texture that drifts under fine noise: enough detail to fill the bit rate."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 200, (HEIGHT // CELL, WIDTH // CELL, 3), dtype=np.uint8)
    drawn = blended(coarse) if texture == "smooth" else coarse.repeat(CELL, 0).repeat(CELL, 1)
    fine = random.integers(0, noise, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    for frame in range(length):
        yield np.roll(drawn, 3 * frame, axis=1) + np.roll(fine, 5 * frame, axis=0)


def blended(coarse: Pixels) -> Pixels:
    """Enlarged `CELL` times, linear in between; the last cell goes over into the first."""
    after = (np.arange(CELL) / CELL)[:, None]
    values = coarse.astype(np.float64)
    for axis in (0, 1):
        moved = np.moveaxis(values, axis, 0)[:, None]
        weight = after.reshape(1, CELL, 1, 1)
        between = moved * (1 - weight) + np.roll(moved, -1, axis=0) * weight
        values = np.moveaxis(between.reshape(-1, *moved.shape[2:]), 0, axis)
    return values.astype(np.uint8)


def add_episode(
    root: Path, shape: Shape, external_videos: list[list[Path]], *, episode: int, start: int
) -> int:
    """Writes the table and the videos of one episode; returns their size in bytes."""
    chunk = f"chunk-{episode // CHUNK_SIZE:03d}"
    table_path = root / "data" / chunk / f"episode_{episode:06d}.parquet"
    table_path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(episode_table(shape, episode=episode, start=start), table_path)
    size = table_path.stat().st_size
    for camera, clip in zip(
        shape.cameras, external_videos[episode % len(external_videos)], strict=True
    ):
        video_path = root / "videos" / chunk / camera / f"episode_{episode:06d}.mp4"
        video_path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip, video_path)
        size += video_path.stat().st_size
    return size


def episode_table(shape: Shape, *, episode: int, start: int) -> pa.Table:
    random = np.random.default_rng(episode)
    length = shape.clip_lengths[episode % len(shape.clip_lengths)]
    columns: dict[str, pa.Array] = {}
    for name, size in shape.vectors.items():
        values = pa.array(random.standard_normal(length * size, dtype=np.float32))
        columns[name] = pa.FixedSizeListArray.from_arrays(values, size)
    frame = np.arange(length)
    columns["timestamp"] = pa.array((frame / shape.fps).astype(np.float32))
    columns["frame_index"] = pa.array(frame)
    columns["episode_index"] = pa.array(np.full(length, episode))
    columns["index"] = pa.array(frame + start)
    columns["task_index"] = pa.array(np.full(length, episode % len(shape.tasks)))
    return pa.table(columns)


def write_documents(root: Path, shape: Shape, lengths: list[int]) -> None:
    meta = root / "meta"
    meta.mkdir()
    (meta / "info.json").write_text(json.dumps(info(shape, lengths), indent=4), encoding="utf-8")
    tasks = [{"task_index": number, "task": task} for number, task in enumerate(shape.tasks)]
    write_lines(meta / "tasks.jsonl", tasks)
    episodes = [
        {"episode_index": e, "tasks": [shape.tasks[e % len(shape.tasks)]], "length": length}
        for e, length in enumerate(lengths)
    ]
    write_lines(meta / "episodes.jsonl", episodes)
    stats = [
        {"episode_index": episode, "stats": episode_stats(shape, length)}
        for episode, length in enumerate(lengths)
    ]
    write_lines(meta / "episodes_stats.jsonl", stats)


def write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def info(shape: Shape, lengths: list[int]) -> dict[str, object]:
    chunk = "chunk-{episode_chunk:03d}"
    return {
        "codebase_version": "v2.1",
        "robot_type": shape.robot_type,
        "total_episodes": len(lengths),
        "total_frames": sum(lengths),
        "total_tasks": len(shape.tasks),
        "total_videos": len(lengths) * len(shape.cameras),
        "total_chunks": (len(lengths) - 1) // CHUNK_SIZE + 1,
        "chunks_size": CHUNK_SIZE,
        "fps": shape.fps,
        "splits": {"train": f"0:{len(lengths)}"},
        "data_path": f"data/{chunk}/episode_{{episode_index:06d}}.parquet",
        "video_path": f"videos/{chunk}/{{video_key}}/episode_{{episode_index:06d}}.mp4",
        "features": features(shape),
    }


def features(shape: Shape) -> dict[str, object]:
    scalars = {"frame_index": "int64", "episode_index": "int64", "index": "int64"}
    scalars |= {"task_index": "int64"}
    return {
        **{name: vector_feature(size) for name, size in shape.vectors.items()},
        **{camera: camera_feature(shape) for camera in shape.cameras},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        **{n: {"dtype": d, "shape": [1], "names": None} for n, d in scalars.items()},
    }


def vector_feature(size: int) -> dict[str, object]:
    names = [f"joint_{number}" for number in range(size)]
    return {"dtype": "float32", "shape": [size], "names": names}


def camera_feature(shape: Shape) -> dict[str, object]:
    return {
        "dtype": "video",
        "shape": [HEIGHT, WIDTH, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.height": HEIGHT,
            "video.width": WIDTH,
            "video.codec": shape.codec,
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "video.fps": shape.fps,
            "video.channels": 3,
            "has_audio": False,
            "video.g": shape.gop,
            "video.crf": CRF,
            "video.preset": 12 if shape.codec == "av1" else "superfast",
        },
    }


def episode_stats(shape: Shape, length: int) -> dict[str, object]:
    """Of the right form and size; the benchmark does not care for the values."""
    spread = {"min": -3.0, "max": 3.0, "mean": 0.0, "std": 1.0}
    stats: dict[str, object] = {}
    for name, size in shape.vectors.items():
        stats[name] = {k: [v] * size for k, v in spread.items()} | {"count": [length]}
    for name in shape.cameras:
        unit = {"min": 0.0, "max": 1.0, "mean": 0.5, "std": 0.2}
        stats[name] = {k: [[[v]]] * 3 for k, v in unit.items()} | {"count": [100]}
    for name in ("timestamp", "frame_index", "episode_index", "index", "task_index"):
        stats[name] = {k: [v] for k, v in spread.items()} | {"count": [length]}
    return stats
