"""Changes to datasets on disk, for tests of what is odd or broken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.oracle import json_lines

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def edit_json(path: Path, change: Callable[[Any], object]) -> None:
    """Let `change` edit a JSON document."""
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


def edit_info(root: Path, **values: Any) -> None:
    """Set keys of `info.json`; None removes nothing, it is written."""
    edit_json(root / "meta/info.json", lambda info: info.update(values))


def edit_lines(path: Path, change: Callable[[list[Any]], Iterable[Any]]) -> None:
    """Let `change` make new objects of those in a JSON-lines document."""
    lines = change(json_lines(path))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def edit_table(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Let `change` make a new table of a parquet file's."""
    pq.write_table(change(pq.ParquetFile(path).read()), path)


def set_column(path: Path, name: str, values: Any) -> None:
    """Set or add a column of a parquet file."""

    def change(table: pa.Table) -> pa.Table:
        if name in table.column_names:
            return table.set_column(table.column_names.index(name), name, values)
        return table.append_column(name, values)

    edit_table(path, change)


def drop_columns(path: Path, *names: str) -> None:
    """Remove columns of a parquet file."""
    edit_table(path, lambda table: table.drop_columns([*names]))


def episode_table(root: Path, episode: int) -> Path:
    """The table file of an episode of a v2.x dataset."""
    return root / f"data/chunk-000/episode_{episode:06d}.parquet"


def episode_video(root: Path, camera: str, episode: int) -> Path:
    """The video file of an episode of a v2.x dataset."""
    return root / f"videos/chunk-000/{camera}/episode_{episode:06d}.mp4"


def copied(source: Path, target: Path) -> Path:
    """A copy of a dataset that may be changed."""
    return shutil.copytree(source, target)


def add_track(path: Path, kind: str) -> None:
    """Give a video file a second track: `audio` or `subtitle`."""
    aside = path.with_suffix(".aside.mp4")
    with av.open(str(path)) as old, av.open(str(aside), "w") as new:
        video = old.streams.video[0]
        copy = new.add_stream_from_template(video)
        if kind == "audio":
            sound = new.add_stream("aac", rate=8000)
            silence = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            silence.sample_rate = 8000
            for packet in [*sound.encode(silence), *sound.encode(None)]:
                new.mux(packet)
        for packet in old.demux(video):
            if packet.size:
                packet.stream = copy
                new.mux(packet)
    aside.replace(path)
