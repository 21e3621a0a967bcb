"""Changes to a dataset on disk, each of which breaks a rule."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.dataset.commit_journal import (
    JOURNAL,
    CommitJournal,
    PendingFile,
    digest_of_info,
)
from roboreel.storage.local import LocalRoot
from roboreel.testing import Camera
from tests.mutate import (
    edit_info,
    edit_json,
    edit_lines,
    edit_table,
    episode_table,
    episode_video,
    set_column,
)
from tests.unit.clips import (
    h264,
    make_box,
    rebuilt,
    without_display_times,
    write_clip,
    write_in_band,
)
from tests.unit.recordings import FILE, join

TOP, WRIST, STILL = "observation.images.top", "observation.images.wrist", "observation.images.still"
CAMERAS = {TOP: Camera(height=32), WRIST: Camera(height=32)}
LENGTHS = (12, 11, 15)
EPISODES_FILE = "meta/episodes/chunk-000/file-000.parquet"
DATA_FILE = "data/chunk-000/file-000.parquet"

Change = Callable[[Path], object]


def info(**values: Any) -> Change:
    return lambda root: edit_info(root, **values)


def feature(name: str, **values: Any) -> Change:
    """Set keys of a feature's declaration."""
    return lambda root: edit_json(
        root / "meta/info.json", lambda document: document["features"][name].update(values)
    )


def without_feature(name: str) -> Change:
    return lambda root: edit_json(
        root / "meta/info.json", lambda document: document["features"].pop(name)
    )


def video_fact(name: str, value: Any) -> Change:
    def change(document: Any) -> None:
        document["features"][TOP]["info"][name] = value

    return lambda root: edit_json(root / "meta/info.json", change)


def lines(document: str, change: Callable[[list[Any]], object]) -> Change:
    """Change the objects of a JSON-lines document in place."""

    def changed(entries: list[Any]) -> list[Any]:
        change(entries)
        return entries

    return lambda root: edit_lines(root / "meta" / document, changed)


def removed(name: str) -> Change:
    return lambda root: (root / name).unlink()


def written(name: str, data: bytes) -> Change:
    return lambda root: (root / name).write_bytes(data)


def copy(source: str, target: str) -> Change:
    return lambda root: shutil.copy(root / source, root / target)


def swapped(a: Path, b: Path) -> None:
    a.rename(a.with_suffix(".aside"))
    b.rename(a)
    a.with_suffix(".aside").rename(b)


def each(*changes: Change) -> Change:
    def change(root: Path) -> None:
        for one in changes:
            one(root)

    return change


def rows(episode: int, change: Callable[[pa.Table], pa.Table]) -> Change:
    """Change the table of an episode of a v2.x dataset."""
    return lambda root: edit_table(episode_table(root, episode), change)


def column(episode: int, name: str, change: Callable[[Any], Any]) -> Change:
    """Change a column of an episode, as an array of float64 or int64 rows of a v2.x dataset."""

    def changed(table: pa.Table) -> pa.Table:
        values = np.array(table[name].to_pylist())
        made = pa.array(change(values).tolist(), table[name].type)
        return table.set_column(table.column_names.index(name), name, made)

    return rows(episode, changed)


def in_each(change: Callable[[int], Change]) -> Change:
    return each(*(change(episode) for episode in range(len(LENGTHS))))


def table(name: str, change: Callable[[pa.Table], pa.Table]) -> Change:
    return lambda root: edit_table(root / name, change)


def cells(name: str, column: str, change: Callable[[list[Any]], object]) -> Change:
    """Change the values of a column of a parquet file in place."""

    def changed(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        change(values)
        made = pa.array(values, table[column].type)
        return table.set_column(table.column_names.index(column), column, made)

    return lambda root: edit_table(root / name, changed)


def constant(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.broadcast_to(values[:1], values.shape)


def still_component(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    values[:, 2] = 0.25
    return values


def with_nan(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    values[3, 1] = np.nan
    return values


def with_null(table: pa.Table) -> pa.Table:
    values = table["next.reward"].to_pylist()
    values[4] = None
    made = pa.array(values, table["next.reward"].type)
    return table.set_column(table.column_names.index("next.reward"), "next.reward", made)


def cast(name: str, type_: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        return table.set_column(at, name, table[name].cast(type_))

    return change


def as_lists(table: pa.Table) -> pa.Table:
    lists = pa.array(
        [[value] for value in table["next.reward"].to_pylist()], pa.list_(pa.float32())
    )
    return table.set_column(table.column_names.index("next.reward"), "next.reward", lists)


def as_category(table: pa.Table) -> pa.Table:
    """Texts as pandas writes a category."""
    at = table.column_names.index("observation.note")
    return table.set_column(at, "observation.note", table["observation.note"].dictionary_encode())


def with_bytes(table: pa.Table) -> pa.Table:
    """With a column of pickled values."""
    return table.append_column("pickled", pa.array([b"\x80\x04N."] * len(table)))


def with_plain_images(table: pa.Table) -> pa.Table:
    at = table.column_names.index("observation.images.still")
    return table.set_column(at, table.column_names[at], pc.struct_field(table.columns[at], "bytes"))


def reversed_rows(table: pa.Table) -> pa.Table:
    return table.take(pa.array(np.arange(len(table))[::-1]))


def stats(change: Callable[[dict[str, Any]], object], episode: int = 1) -> Change:
    """Change the statistics of an episode of a v2.1 dataset in place."""
    return lines("episodes_stats.jsonl", lambda entries: change(entries[episode]["stats"]))


def feature_stats(name: str, **values: Any) -> Change:
    return stats(lambda of_all: of_all[name].update(values))


def shifted(name: str, statistic: str, by: float) -> Change:
    def change(of_all: dict[str, Any]) -> None:
        values = of_all[name][statistic]
        of_all[name][statistic] = [value + by for value in values]

    return stats(change)


def large_and_close(root: Path) -> None:
    """Give an episode states near 1000, and the std that float32 sums of squares leave of them."""
    values = (1000 + np.random.default_rng(0).normal(0, 1e-3, (11, 6))).astype(np.float32)
    made = pa.array(values.tolist(), pa.list_(pa.float32(), 6))
    set_column(episode_table(root, 1), "observation.state", made)
    square = np.mean(values**2, axis=0, dtype=np.float32)
    mean = np.mean(values, axis=0, dtype=np.float32)
    std = np.sqrt(np.maximum(square - mean**2, 0))
    wide = values.astype(np.float64)
    assert not np.allclose(std, wide.std(axis=0), rtol=0.1)
    stats(
        lambda of_all: of_all["observation.state"].update(
            min=wide.min(axis=0).tolist(),
            max=wide.max(axis=0).tolist(),
            mean=wide.mean(axis=0).tolist(),
            std=std.tolist(),
        )
    )(root)


def film(path: Path, frames: int, level: Callable[[int], int]) -> None:
    """Write a video of grey pictures, each of one level."""
    with av.open(str(path), "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=30, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 160, 32, "yuv420p"
        for number in range(frames):
            grey = np.full((32, 160, 3), level(number), dtype=np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        file.mux(stream.encode(None))


def filmed(episode: int, level: Callable[[int], int]) -> Change:
    return lambda root: film(episode_video(root, TOP, episode), LENGTHS[episode], level)


def late_keyframes(root: Path) -> None:
    """Say in a video's index that its first keyframe is the fifth packet."""
    path = episode_video(root, TOP, 0)

    def change(kind: bytes, payload: bytes) -> bytes:
        if kind == b"stss":
            entries = (len(payload) - 8) // 4
            payload = payload[:8] + (5).to_bytes(4, "big") * entries
        return make_box(kind, payload)

    path.write_bytes(rebuilt(path.read_bytes(), change))


def spoiled_packets(root: Path) -> None:
    """Overwrite the pictures of a video, but not its index."""
    path = episode_video(root, TOP, 0)

    def change(kind: bytes, payload: bytes) -> bytes:
        return make_box(kind, b"\xff" * len(payload) if kind == b"mdat" else payload)

    path.write_bytes(rebuilt(path.read_bytes(), change))


def unordered(root: Path) -> None:
    """Put a stream with B-frames into a video, without saying when its frames are shown."""
    path = write_clip(episode_video(root, TOP, 0), LENGTHS[0], h264(12, 2))
    path.write_bytes(without_display_times(path.read_bytes()))


def unlike_recordings(root: Path) -> None:
    """Join recordings of which the second brings parameter sets inside the stream that the third lacks."""
    own, other = h264(12, 2), h264(12, 2, cabac=0)
    external_videos = [root.parent / f"{number}.mp4" for number in range(3)]
    for number in (0, 2):
        write_clip(external_videos[number], LENGTHS[number], own, scene=number)
    write_in_band(external_videos[1], LENGTHS[1], other, entry=own, scene=1)
    join(root / FILE, external_videos)


def fewer_rows(root: Path) -> None:
    """Take the last two rows of a v3.0 dataset out of its table and its documents."""
    edit_table(root / DATA_FILE, lambda table: table.slice(0, len(table) - 2))
    cells(EPISODES_FILE, "length", lambda values: values.__setitem__(-1, values[-1] - 2))(root)
    last = f"videos/{TOP}/to_timestamp"
    cells(EPISODES_FILE, last, lambda values: values.__setitem__(-1, values[-1] - 2 / 30))(root)


def without_last_entry(root: Path) -> None:
    edit_table(root / EPISODES_FILE, lambda table: table.slice(0, len(table) - 1))


def unfinished_save(root: Path) -> None:
    """Leave what a recorder leaves that was killed while it saved."""
    waiting = PendingFile("meta/.waiting", "meta/extra.json", is_new=True)
    (root / waiting.source).write_text("{}")
    journal = CommitJournal(
        episode=3,
        tasks=2,
        info_before=digest_of_info(LocalRoot(root)),
        files=(waiting,),
        lines=(),
        last=(),
        info=PendingFile("meta/.info", "meta/info.json", is_new=False),
    )
    (root / JOURNAL).write_bytes(journal.to_json())


def overlapping(root: Path) -> None:
    fewer_rows(root)
    begin = f"videos/{TOP}/from_timestamp"
    cells(EPISODES_FILE, begin, lambda values: values.__setitem__(2, values[1]))(root)


def late_segment(root: Path) -> None:
    for end in ("from", "to"):
        name = f"videos/{TOP}/{end}_timestamp"
        cells(EPISODES_FILE, name, lambda values: values.__setitem__(1, values[1] + 5 / 30))(root)


def moved_tasks(table: pa.Table) -> pa.Table:
    at = table.column_names.index("task_index")
    return table.set_column(at, "task_index", pc.add(table["task_index"], 5))


def other_number(root: Path) -> None:
    """Give the last episode the number 5, in documents and file names."""
    for name in ("episodes.jsonl", "episodes_stats.jsonl"):
        lines(name, lambda entries: entries[2].update(episode_index=5))(root)
    episode_table(root, 2).rename(episode_table(root, 5))
    for camera in CAMERAS:
        episode_video(root, camera, 2).rename(episode_video(root, camera, 5))


def flat_std(of_all: dict[str, Any]) -> None:
    of_all[TOP]["std"] = [[[0.0]]] * 3


def linked_out(root: Path) -> None:
    """A file that travels along, but is a link to a place beside the dataset."""
    outside = root.with_name("outside.md")
    outside.write_text("secret", "utf-8")
    (root / "README.md").symlink_to(outside)


def badly_named(root: Path) -> None:
    with open(os.fsencode(root) + b"/\xff.md", "wb"):
        pass


def twin_keys(root: Path) -> None:
    path = root / "meta" / "info.json"
    text = path.read_text("utf-8")
    path.write_text(text.replace("{", '{"fps": 10, ', 1), "utf-8")
