"""Write v3.0 as lerobot 0.6 does: many episodes per file, documents as Parquet."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from roboreel.testing.layout_v3_meta import dataset_stats, episodes_table, tasks_table
from roboreel.testing.made_documents import feature_document, write_json
from roboreel.testing.made_tables import image_cells, table_of, table_schema
from roboreel.testing.made_videos import CRF, PRESET, write_video

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from roboreel.testing.cameras import Camera
    from roboreel.testing.content import Content, Episode
    from roboreel.testing.numbered_frames import Frame

DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-000/file-000.parquet"


def write_v3(
    root: Path, content: Content, *, data_per_file: int | None, video_per_file: int | None
) -> None:
    """Write the dataset; None puts all episodes into one file."""
    for location, episodes in _files(content, data_per_file):
        _write_table(_made(root / DATA_PATH.format(**location)), content, episodes)
    for name in content.videos:
        for location, episodes in _files(content, video_per_file):
            path = _made(root / VIDEO_PATH.format(video_key=name, **location))
            _write_video(path, content, name, episodes)
    pq.write_table(tasks_table(content.tasks), _made(root / "meta/tasks.parquet"))
    table = episodes_table(
        content,
        data=_locations(content, data_per_file),
        video=_locations(content, video_per_file),
    )
    pq.write_table(table, _made(root / EPISODES_PATH))
    write_json(root / "meta/stats.json", dataset_stats(content))
    write_json(root / "meta/info.json", _info(content))


def _files(
    content: Content, per_file: int | None
) -> Iterator[tuple[dict[str, int], Sequence[Episode]]]:
    """Yield (chunk and file index, its episodes) of each file."""
    size = per_file or len(content.episodes)
    for number, first in enumerate(range(0, len(content.episodes), size)):
        chunk, file = divmod(number, content.chunks_size)
        location = {"chunk_index": chunk, "file_index": file}
        yield location, content.episodes[first : first + size]


def _locations(content: Content, per_file: int | None) -> list[tuple[int, int, Episode]]:
    """Return (chunk index, file index, first episode of that file) of each episode."""
    return [
        (location["chunk_index"], location["file_index"], episodes[0])
        for location, episodes in _files(content, per_file)
        for _ in episodes
    ]


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write_table(path: Path, content: Content, episodes: Sequence[Episode]) -> None:
    schema = table_schema(content.features, vector_type="List")
    with pq.ParquetWriter(path, schema) as writer:
        for episode in episodes:
            cells = {
                name: image_cells(content.draw_frames(name, episode), name="frame-{frame:06d}.png")
                for name in content.stills
            }
            writer.write_table(table_of(schema, episode.columns, cells))


def _write_video(path: Path, content: Content, name: str, episodes: Sequence[Episode]) -> None:
    camera = content.cameras[name]
    videos: list[Iterator[Frame]] = [content.draw_frames(name, episode) for episode in episodes]
    if camera.join == "encoded":
        videos = [chain.from_iterable(videos)]
    write_video(path, videos, camera=camera, fps=content.exact_fps)


def _info(content: Content) -> dict[str, object]:
    count = len(content.episodes)
    return {
        "codebase_version": "v3.0",
        "fps": content.fps,
        "features": _features(content),
        "total_episodes": count,
        "total_frames": content.frames,
        "total_tasks": len(content.tasks),
        "chunks_size": content.chunks_size,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH if content.videos else None,
        "robot_type": content.robot_type,
        "splits": {"train": f"0:{count}"},
    }


def _features(content: Content) -> dict[str, object]:
    features: dict[str, object] = {}
    for feature in content.features:
        document = feature_document(feature)
        if feature.dtype == "video":
            document["info"] = _video_info(content.cameras[feature.name], content.fps)
        features[feature.name] = document
    return features


def _video_info(camera: Camera, fps: float) -> dict[str, object]:
    preset = PRESET[camera.codec]
    return {
        "video.height": camera.height,
        "video.width": camera.width,
        "video.codec": camera.codec,
        "video.pix_fmt": "yuv420p",
        "video.fps": int(fps),
        "video.channels": 3,
        "has_audio": False,
        "video.g": camera.gop,
        "video.crf": CRF,
        "video.preset": int(preset) if preset.isdecimal() else preset,
        "video.fast_decode": 0,
        "video.video_backend": "pyav",
        "video.extra_options": {},
        "is_depth_map": False,
    }
