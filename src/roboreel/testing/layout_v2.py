"""Write v2.0 and v2.1: one table file and one video per episode, documents as JSON Lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow.parquet as pq

from roboreel.testing.made_documents import feature_document, write_json, write_json_lines
from roboreel.testing.made_stats import PixelCounts, Stats, as_json, pixel_stats, row_stats
from roboreel.testing.made_tables import image_cells, table_of, table_schema
from roboreel.testing.made_videos import write_video

if TYPE_CHECKING:
    from pathlib import Path

    from roboreel.testing.cameras import Camera
    from roboreel.testing.content import Content, Episode

DATA_PATH = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
VIDEO_PATH = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"


def write_v2(root: Path, content: Content, *, version: Literal["v2.0", "v2.1"]) -> None:
    """Write the dataset; documents last, because writing the frames counts their pixels."""
    for episode in content.episodes:
        _write_table(root, content, episode)
        for name, camera in content.videos.items():
            path = root / VIDEO_PATH.format(video_key=name, **_location(content, episode))
            path.parent.mkdir(parents=True, exist_ok=True)
            clip = content.draw_frames(name, episode)
            write_video(path, [clip], camera=camera, fps=content.exact_fps)
    _write_lists(root / "meta", content)
    if version == "v2.0":
        write_json(root / "meta/stats.json", as_json(_dataset_stats(content)))
    else:
        _write_episode_stats(root / "meta", content)
    write_json(root / "meta/info.json", _info(content, version))


def _location(content: Content, episode: Episode) -> dict[str, int]:
    chunk = episode.index // content.chunks_size
    return {"episode_chunk": chunk, "episode_index": episode.index}


def _write_table(root: Path, content: Content, episode: Episode) -> None:
    cells = {
        name: image_cells(content.draw_frames(name, episode), name="frame_{frame:06d}.png")
        for name in content.stills
    }
    schema = table_schema(content.features, vector_type="Sequence")
    path = root / DATA_PATH.format(**_location(content, episode))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table_of(schema, episode.columns, cells), path)


def _write_lists(meta: Path, content: Content) -> None:
    write_json_lines(
        meta / "tasks.jsonl",
        ({"task_index": index, "task": task} for index, task in enumerate(content.tasks)),
    )
    write_json_lines(
        meta / "episodes.jsonl",
        (
            {"episode_index": each.index, "tasks": list(each.tasks), "length": each.frames}
            for each in content.episodes
        ),
    )


def _write_episode_stats(meta: Path, content: Content) -> None:
    write_json_lines(
        meta / "episodes_stats.jsonl",
        (
            {"episode_index": each.index, "stats": as_json(_episode_stats(content, each))}
            for each in content.episodes
        ),
    )


def _episode_stats(content: Content, episode: Episode) -> dict[str, Stats]:
    return {
        feature.name: pixel_stats(episode.pixels[feature.name])
        if feature.is_camera
        else row_stats(episode.columns[feature.name])
        for feature in content.features
        if feature.has_stats
    }


def _dataset_stats(content: Content) -> dict[str, Stats]:
    """Return v2.0's statistics: over all episodes, without count."""
    stats = {}
    for feature in content.features:
        if feature.is_camera:
            pixels = (episode.pixels[feature.name] for episode in content.episodes)
            entry = pixel_stats(sum(pixels, PixelCounts()))
        elif feature.has_stats:
            rows = [episode.columns[feature.name] for episode in content.episodes]
            entry = row_stats(np.concatenate(rows))
        else:
            continue
        stats[feature.name] = {
            key: entry[key].astype(np.float64) for key in ("mean", "std", "min", "max")
        }
    return stats


def _info(content: Content, version: Literal["v2.0", "v2.1"]) -> dict[str, object]:
    count = len(content.episodes)
    return {
        "codebase_version": version,
        "robot_type": content.robot_type,
        "total_episodes": count,
        "total_frames": content.frames,
        "total_tasks": len(content.tasks),
        "total_videos": count * len(content.videos),
        "total_chunks": -(-count // content.chunks_size),
        "chunks_size": content.chunks_size,
        "fps": content.fps,
        "splits": {"train": f"0:{count}"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH if content.videos else None,
        "features": _features_v20(content) if version == "v2.0" else _features_v21(content),
    }


def _features_v20(content: Content) -> dict[str, object]:
    """Return features in the early form: motors in a dict, `video_info` instead of `info`."""
    features: dict[str, object] = {}
    for feature in content.features:
        document = feature_document(feature)
        if feature.dtype == "video":
            document["video_info"] = {
                "video.fps": float(content.fps),
                "video.codec": content.cameras[feature.name].codec,
                "video.pix_fmt": "yuv420p",
                "video.is_depth_map": False,
                "has_audio": False,
            }
        elif feature.names is not None and not feature.is_camera:
            document["names"] = {"motors": list(feature.names)}
        features[feature.name] = document
    return features


def _features_v21(content: Content) -> dict[str, object]:
    features: dict[str, object] = {}
    for feature in content.features:
        document = feature_document(feature)
        if feature.dtype == "video":
            document["info"] = _video_info(content.cameras[feature.name], content.fps)
        features[feature.name] = document
    return features


def _video_info(camera: Camera, fps: float) -> dict[str, object]:
    return {
        "video.height": camera.height,
        "video.width": camera.width,
        "video.codec": camera.codec,
        "video.pix_fmt": "yuv420p",
        "video.is_depth_map": False,
        "video.fps": int(fps),
        "video.channels": 3,
        "has_audio": False,
    }
