"""Makes a v2.1 dataset of very many small episodes: tables of their own, videos as hard links to a few."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from roboreel.testing import Camera, make_dataset

CAMERAS = ("observation.images.top", "observation.images.wrist")
CLIP_LENGTHS = (200, 237, 264, 301)
"""Frames of the episodes that are made; the others repeat them in turn."""


def make_many(root: Path, *, episodes: int) -> Path:
    """Writes a dataset of that many episodes, one table and two mp4 each.

    Tables are written one by one with their own numbers; an mp4 is one more name of one of eight.
    """
    seeds = make_dataset(
        root,
        version="v2.1",
        episodes=CLIP_LENGTHS,
        cameras={name: Camera() for name in CAMERAS},
    )
    paths = _Paths(seeds)
    tables = [pq.read_table(paths.table(n)) for n in range(len(CLIP_LENGTHS))]
    for episode in range(len(CLIP_LENGTHS), episodes):
        kind = episode % len(CLIP_LENGTHS)
        paths.table(episode).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(_numbered(tables[kind], episode), paths.table(episode))
        for camera in CAMERAS:
            place = paths.video(episode, camera)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(paths.video(kind, camera), place)
    _repeat_lines(root / "meta/episodes.jsonl", episodes)
    _repeat_lines(root / "meta/episodes_stats.jsonl", episodes)
    _retotal(root / "meta/info.json", episodes)
    return root


class _Paths:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._info = json.loads((root / "meta/info.json").read_text(encoding="utf-8"))

    def table(self, episode: int) -> Path:
        return self._filled("data_path", episode, "")

    def video(self, episode: int, camera: str) -> Path:
        return self._filled("video_path", episode, camera)

    def _filled(self, template: str, episode: int, camera: str) -> Path:
        return self._root / str(self._info[template]).format(
            episode_chunk=episode // self._info["chunks_size"],
            episode_index=episode,
            video_key=camera,
        )


def _numbered(table: pa.Table, episode: int) -> pa.Table:
    at = table.column_names.index("episode_index")
    column = pa.array([episode] * len(table), table.schema.field(at).type)
    return table.set_column(at, table.schema.field(at), column)


def _repeat_lines(path: Path, episodes: int) -> None:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = ({**lines[n % len(lines)], "episode_index": n} for n in range(episodes))
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def _retotal(path: Path, episodes: int) -> None:
    info: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    frames = sum(CLIP_LENGTHS[n % len(CLIP_LENGTHS)] for n in range(episodes))
    info["total_episodes"], info["total_frames"] = episodes, frames
    info["total_videos"] = episodes * len(CAMERAS)
    info["total_chunks"] = -(-episodes // info["chunks_size"])
    info["splits"] = {"train": f"0:{episodes}"}
    path.write_text(json.dumps(info, indent=4), encoding="utf-8")
