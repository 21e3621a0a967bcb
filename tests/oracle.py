"""Reads a dataset of any version with pyarrow and PyAV alone, to judge what roboreel writes.

Nothing of roboreel is imported here: what both sides get wrong in the same way would go unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

INDEX_COLUMNS = ("timestamp", "frame_index", "episode_index", "index", "task_index")
_DATA = {
    "v2": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "v3": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
}
_VIDEO = {
    "v2": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    "v3": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}
Numbers = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame of a video file."""

    seconds: Fraction
    """Where it stands in its file, from the file's first shown time."""
    digest: str
    """Of the decoded planes."""
    numbers: Numbers | None
    """(frame, episode, camera) as its blocks say, where the picture has room for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Where an episode's frames of one camera lie, as the documents say."""

    path: str
    start: int
    start_s: float
    stop_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One episode as a reader of the format finds it."""

    number: int
    length: int
    tasks: list[str]
    data_path: str
    rows: pa.Table
    external_videos: Mapping[str, Clip]
    entry: Mapping[str, Any]
    """Its line or row in the documents."""

    def row_tasks(self, tasks: Mapping[int, str]) -> list[str | None]:
        if "task_index" not in self.rows.column_names:
            return []
        return [tasks.get(index) for index in self.rows["task_index"].to_pylist()]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A whole dataset."""

    root: Path
    info: Mapping[str, Any]
    tasks: Mapping[int, str]
    episodes: Sequence[Episode]
    cameras: tuple[str, ...]
    """Video features of which there are files."""
    _decoded: dict[str, list[Frame]] = field(default_factory=dict, repr=False)

    @property
    def version(self) -> str:
        return str(self.info["codebase_version"])

    @property
    def fps(self) -> Fraction:
        return Fraction(str(self.info["fps"]))

    def video(self, path: str) -> list[Frame]:
        """The shown frames of a file; decoded once."""
        if path not in self._decoded:
            self._decoded[path] = decode(self.root / path)
        return self._decoded[path]

    def frames(self, episode: Episode, camera: str) -> list[Frame]:
        clip = episode.external_videos[camera]
        return self.video(clip.path)[clip.start : clip.start + episode.length]

    def digests(self, episode: Episode, camera: str) -> list[str]:
        return [frame.digest for frame in self.frames(episode, camera)]

    def numbers(self, episode: Episode, camera: str) -> list[Numbers | None]:
        return [frame.numbers for frame in self.frames(episode, camera)]


def read(root: Path) -> Reading:
    """Read all rows; pictures are decoded when asked for."""
    info = json.loads((root / "meta/info.json").read_text("utf-8"))
    family = str(info["codebase_version"])[:2]
    declared = [name for name, spec in info["features"].items() if spec["dtype"] == "video"]
    episodes = list(
        _episodes_v3(root, info, declared) if family == "v3" else _episodes_v2(root, info, declared)
    )
    tasks = _tasks_v3(root) if family == "v3" else _tasks_v2(root)
    cameras = tuple(
        n for n in declared if any((root / e.external_videos[n].path).is_file() for e in episodes)
    )
    return Reading(root=root, info=info, tasks=tasks, episodes=episodes, cameras=cameras)


def _episodes_v2(root: Path, info: Mapping[str, Any], cameras: list[str]) -> Iterator[Episode]:
    size = info.get("chunks_size", 1000)
    for entry in json_lines(root / "meta/episodes.jsonl"):
        number = entry["episode_index"]
        place = {"episode_chunk": number // size, "episode_index": number}
        data = _found(root, info.get("data_path"), _DATA["v2"], place)
        external_videos = {
            name: Clip(
                path=_found(
                    root, info.get("video_path"), _VIDEO["v2"], place | {"video_key": name}
                ),
                start=0,
                start_s=0.0,
                stop_s=None,
            )
            for name in cameras
        }
        rows = pq.ParquetFile(root / data).read()
        yield Episode(
            number=number,
            length=entry["length"],
            tasks=entry["tasks"],
            data_path=data,
            rows=rows,
            external_videos=external_videos,
            entry=entry,
        )


def _episodes_v3(root: Path, info: Mapping[str, Any], cameras: list[str]) -> Iterator[Episode]:
    fps = Fraction(str(info["fps"]))
    tables: dict[str, pa.Table] = {}
    for entry in episode_rows(root):
        place = {"chunk_index": entry["data/chunk_index"], "file_index": entry["data/file_index"]}
        data = info["data_path"].format(**place)
        if data not in tables:
            tables = {data: pq.ParquetFile(root / data).read()}
        of_episode = np.flatnonzero(
            tables[data]["episode_index"].to_numpy() == entry["episode_index"]
        )
        rows = tables[data].slice(int(of_episode[0]), len(of_episode))
        external_videos = {name: _clip_v3(info, entry, name, fps) for name in cameras}
        yield Episode(
            number=entry["episode_index"],
            length=entry["length"],
            tasks=entry.get("tasks") or [],
            data_path=data,
            rows=rows,
            external_videos=external_videos,
            entry=entry,
        )


def _clip_v3(info: Mapping[str, Any], entry: Mapping[str, Any], name: str, fps: Fraction) -> Clip:
    at = f"videos/{name}/"
    path = (info["video_path"] or _VIDEO["v3"]).format(
        video_key=name,
        chunk_index=entry[f"{at}chunk_index"],
        file_index=entry[f"{at}file_index"],
    )
    start_s = entry[f"{at}from_timestamp"]
    return Clip(
        path=path,
        start=round(Fraction(start_s) * fps),
        start_s=start_s,
        stop_s=entry[f"{at}to_timestamp"],
    )


def episode_rows(root: Path) -> list[dict[str, Any]]:
    """The rows of a v3.0 episodes table, ascending by episode; adds `_file`, where each stands."""
    rows = [
        {**row, "_file": path.relative_to(root).as_posix()}
        for path in sorted((root / "meta/episodes").rglob("*.parquet"))
        for row in pq.ParquetFile(path).read().to_pylist()
    ]
    return sorted(rows, key=lambda row: int(row["episode_index"]))


def _found(root: Path, template: str | None, usual: str, place: Mapping[str, Any]) -> str:
    """The path by the template; by the format's usual one where that leads nowhere."""
    path = (template or usual).format(**place)
    return path if (root / path).is_file() else usual.format(**place)


def _tasks_v2(root: Path) -> dict[int, str]:
    return {t["task_index"]: t["task"] for t in json_lines(root / "meta/tasks.jsonl")}


def _tasks_v3(root: Path) -> dict[int, str]:
    table = pq.ParquetFile(root / "meta/tasks.parquet").read()
    text = next(n for n in ("task", "__index_level_0__") if n in table.column_names)
    return dict(zip(table["task_index"].to_pylist(), table[text].to_pylist(), strict=True))


def json_lines(path: Path) -> list[Any]:
    lines = path.read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def decode(path: Path) -> list[Frame]:
    """Every frame that a player shows, in order."""
    with av.open(str(path), "r") as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        shown = sorted(
            ((frame.pts or 0, _described(frame)) for frame in container.decode(stream)),
            key=lambda pair: pair[0],
        )
        base = stream.time_base or Fraction(1)
        zero = stream.start_time or 0
    return [
        Frame(seconds=(pts - zero) * base, digest=digest, numbers=numbers)
        for pts, (digest, numbers) in shown
    ]


def _described(frame: av.VideoFrame) -> tuple[str, Numbers | None]:
    digest = hashlib.blake2b(digest_size=16)
    pixel_bytes = (max(part.bits for part in frame.format.components) + 7) // 8
    for plane in frame.planes:
        rows = _bytes_of(plane).reshape(-1, plane.line_size)
        used = plane.width * pixel_bytes
        digest.update(np.ascontiguousarray(rows[: plane.height, :used]).tobytes())
    luma = frame.planes[0]
    if frame.format.name not in ("yuv420p", "yuv444p", "yuvj420p"):
        return digest.hexdigest(), None
    rows = _bytes_of(luma).reshape(-1, luma.line_size)[: luma.height, : luma.width]
    return digest.hexdigest(), block_numbers(rows)


def _bytes_of(plane: Any) -> npt.NDArray[np.uint8]:
    return np.frombuffer(plane, np.uint8)  # a buffer, which PyAV's stubs do not say


def block_numbers(gray: npt.NDArray[np.generic]) -> Numbers | None:
    """(frame, episode, camera) from two rows of ten 16-pixel blocks; None where there is no room."""
    if gray.shape[0] < 32 or gray.shape[1] < 160:
        return None
    bits = [
        [
            int(gray[16 * row + 4 : 16 * row + 12, 16 * col + 4 : 16 * col + 12].mean() > 128)
            for col in range(10)
        ]
        for row in range(2)
    ]
    return _binary(bits[0]), _binary(bits[1][:8]), _binary(bits[1][8:])


def _binary(bits: Sequence[int]) -> int:
    return int("".join(map(str, bits)), 2)


def tree_digest(root: Path) -> dict[str, str]:
    """Digest of every file, by its name."""
    return {
        path.relative_to(root).as_posix(): hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
