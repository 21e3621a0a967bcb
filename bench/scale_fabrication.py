"""Makes datasets of very many short episodes, in every version, in the time it takes to link their files.

The videos are hard links to a few clips. Every table of v2.x is a file of its own with its own episode
number: one is written, and the numbers in its bytes are replaced.
"""

import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import count
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fabrication import ALOHA, CHUNK_SIZE, encode, episode_table, info, write_lines

VERSIONS = ("v2.0", "v2.1", "v3.0")
LENGTH = 20
"""Frames of every episode."""
SHAPE = replace(ALOHA, clip_lengths=(LENGTH,))
CAMERAS = SHAPE.cameras
EPISODES_PER_FILE = 500
"""Of v3.0's tables and videos."""
TASK_COUNT = 50
EPISODES_PER_TABLE = 25_000
ROW_GROUP = 1000
"""Episodes in a row group of v3.0's table of episodes."""
_LINKS_PER_FILE = 60_000
"""Fewer than the 65,000 names that ext4 allows a file."""
_STATS_STRINGS = 500
_BASE = ("min", "max", "mean", "std")
_QUANTILES = ("q01", "q10", "q50", "q90", "q99")
_INDEX = ("timestamp", "frame_index", "episode_index", "index", "task_index")


def fabricate(root: Path, *, version: str, episodes: int) -> None:
    """A dataset of that version and size; one that is there already is kept."""
    if (root / "meta/info.json").is_file():
        return
    shutil.rmtree(root, ignore_errors=True)
    (root / "meta").mkdir(parents=True)
    external_videos = root.parent / f"{root.name}-clips"
    external_videos.mkdir()
    clip = external_videos / "clip.mp4"
    encode(clip, SHAPE, length=LENGTH, seed=0)
    if version == "v3.0":
        _write_v3(root, clip, episodes)
    else:
        _write_v2(root, clip, episodes, has_stats=version == "v2.1")
    shutil.rmtree(external_videos)
    (root / "meta/info.json").write_text(json.dumps(info_of(version, episodes)), encoding="utf-8")


def info_of(version: str, episodes: int) -> dict[str, object]:
    document = {**info(SHAPE, [LENGTH] * episodes), "codebase_version": version}
    document["total_tasks"] = min(TASK_COUNT, episodes)
    return of_v3(document) if version == "v3.0" else document


def of_v3(document: dict[str, object]) -> dict[str, object]:
    """`info.json` of v2.1 as v3.0 has it."""
    place = "chunk-{chunk_index:03d}/file-{file_index:03d}"
    found = {k: v for k, v in document.items() if k not in ("total_videos", "total_chunks")}
    found["codebase_version"] = "v3.0"
    found["data_path"] = f"data/{place}.parquet"
    found["video_path"] = f"videos/{{video_key}}/{place}.mp4"
    return found


def _write_v2(root: Path, clip: Path, episodes: int, *, has_stats: bool) -> None:
    tables, link = _patched_tables(), _linker(clip)
    for episode in range(episodes):
        chunk = f"chunk-{episode // CHUNK_SIZE:03d}"
        if episode % CHUNK_SIZE == 0:
            (root / "data" / chunk).mkdir(parents=True)
            for camera in CAMERAS:
                (root / "videos" / chunk / camera).mkdir(parents=True)
        name = f"episode_{episode:06d}"
        (root / "data" / chunk / f"{name}.parquet").write_bytes(tables(episode))
        for camera in CAMERAS:
            link(root / "videos" / chunk / camera / f"{name}.mp4")
    write_v2_documents(root, episodes, has_stats=has_stats)


def write_v2_documents(root: Path, episodes: int, *, has_stats: bool) -> None:
    """The documents of v2.x but for `info.json`."""
    tasks = tasks_of(episodes)
    lines = [{"task_index": index, "task": text} for index, text in enumerate(tasks)]
    write_lines(root / "meta/tasks.jsonl", list(lines))
    with open(root / "meta/episodes.jsonl", "w", encoding="utf-8") as file:
        for number in range(episodes):
            text = json.dumps([tasks[number % len(tasks)]])
            line = f'{{"episode_index": {number}, "tasks": {text}, "length": {LENGTH}}}\n'
            file.write(line)
    if has_stats:
        strings = [json.dumps(stats_of(seed)) for seed in range(_STATS_STRINGS)]
        with open(root / "meta/episodes_stats.jsonl", "w", encoding="utf-8") as file:
            for number in range(episodes):
                file.write(f'{{"episode_index": {number}, "stats": {strings[number % 500]}}}\n')
    else:
        whole = {
            n: {k: v for k, v in parts.items() if k != "count"} for n, parts in stats_of(0).items()
        }
        (root / "meta/stats.json").write_text(json.dumps(whole), encoding="utf-8")


def tasks_of(episodes: int) -> list[str]:
    return [f"put cube {number} in the box" for number in range(min(TASK_COUNT, episodes))]


def _patched_tables() -> Callable[[int], bytes]:
    """Gives the bytes of an episode's table: plainly encoded, so that numbers stand where they stood."""
    mark = 1 << 40
    table = episode_table(SHAPE, episode=mark, start=mark * 2)
    output = pa.BufferOutputStream()
    pq.write_table(table, output, compression="none", use_dictionary=False, write_statistics=False)
    plain: bytes = output.getvalue().to_pybytes()
    old_episode = struct.pack("<q", mark) * LENGTH
    old_index = struct.pack(f"<{LENGTH}q", *range(mark * 2, mark * 2 + LENGTH))
    old_task = struct.pack("<q", 0) * LENGTH
    assert plain.count(old_episode) == plain.count(old_index) == plain.count(old_task) == 1

    def of(episode: int) -> bytes:
        start = episode * LENGTH
        new_index = struct.pack(f"<{LENGTH}q", *range(start, start + LENGTH))
        new_task = struct.pack("<q", episode % TASK_COUNT) * LENGTH
        data = plain.replace(old_task, new_task).replace(old_index, new_index)
        return data.replace(old_episode, struct.pack("<q", episode) * LENGTH)

    return of


def _linker(clip: Path) -> Callable[[Path], None]:
    """Gives a file another name; every so many names a new copy, as a file cannot have them all."""
    numbers = count()
    current = clip

    def link(place: Path) -> None:
        nonlocal current
        number = next(numbers)
        if number % _LINKS_PER_FILE == 0:
            current = clip.with_name(f"{number}-{clip.name}")
            shutil.copyfile(clip, current)
        os.link(current, place)

    return link


def _write_v3(root: Path, clip: Path, episodes: int) -> None:
    long = clip.with_name("long.mp4")
    short = clip.with_name("short.mp4")
    last = episodes % EPISODES_PER_FILE
    _repeated(clip, long, times=min(EPISODES_PER_FILE, episodes))
    _repeated(clip, short, times=last or 1)
    link, link_short = _linker(long), _linker(short)
    for number, first in enumerate(range(0, episodes, EPISODES_PER_FILE)):
        members = range(first, min(first + EPISODES_PER_FILE, episodes))
        name = numbered(number)
        place = root / "data" / f"{name}.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        tables = [
            episode_table(SHAPE, episode=episode, start=episode * LENGTH) for episode in members
        ]
        table = pa.concat_tables(tables)
        tasks = pa.array(np.repeat(np.array(members) % TASK_COUNT, LENGTH))
        pq.write_table(
            table.set_column(table.schema.get_field_index("task_index"), "task_index", tasks), place
        )
        for camera in CAMERAS:
            video = root / "videos" / camera / f"{name}.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            whole = len(members) == min(EPISODES_PER_FILE, episodes)
            (link if whole else link_short)(video)
    for number, first in enumerate(range(0, episodes, EPISODES_PER_TABLE)):
        count_ = min(EPISODES_PER_TABLE, episodes - first)
        place = root / "meta/episodes" / f"{numbered(number)}.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        table = episodes_table(first, count_, number, tasks_of(episodes))
        pq.write_table(table, place, row_group_size=ROW_GROUP)
    tasks_ = tasks_of(episodes)
    pq.write_table(
        pa.table({"task_index": list(range(len(tasks_))), "task": tasks_}),
        root / "meta/tasks.parquet",
    )
    (root / "meta/stats.json").write_text(json.dumps(stats_of(0)), encoding="utf-8")


def numbered(number: int) -> str:
    """Where the file of that number lies, without what comes before and after."""
    chunk, file = divmod(number, CHUNK_SIZE)
    return f"chunk-{chunk:03d}/file-{file:03d}"


def _repeated(clip: Path, target: Path, *, times: int) -> None:
    """The clip's packets, over and over, as one video."""
    with av.open(str(clip)) as source, av.open(str(target), "w") as container:
        (stream,) = source.streams.video
        packets = [packet for packet in source.demux(stream) if packet.dts is not None]
        step = int(Fraction(1, SHAPE.fps) / packets[0].time_base)
        stamps = [(packet.pts or 0, packet.dts or 0) for packet in packets]
        out = container.add_stream_from_template(stream)
        for turn in range(times):
            for packet, (pts, dts) in zip(packets, stamps, strict=True):
                packet.pts, packet.dts = pts + turn * LENGTH * step, dts + turn * LENGTH * step
                packet.stream = out
                container.mux_one(packet)
                packet.stream = out


def episodes_table(first: int, episodes: int, number: int, tasks: list[str]) -> pa.Table:
    numbers = np.arange(first, first + episodes)
    chunk, file = np.divmod(numbers // EPISODES_PER_FILE, CHUNK_SIZE)
    within = numbers % EPISODES_PER_FILE * LENGTH
    columns: dict[str, object] = {
        "episode_index": numbers,
        "tasks": [[tasks[n % len(tasks)]] for n in numbers.tolist()],
        "length": np.full(episodes, LENGTH),
        "data/chunk_index": chunk,
        "data/file_index": file,
        "dataset_from_index": numbers * LENGTH,
        "dataset_to_index": (numbers + 1) * LENGTH,
    }
    for camera in CAMERAS:
        columns |= {
            f"videos/{camera}/chunk_index": chunk,
            f"videos/{camera}/file_index": file,
            f"videos/{camera}/from_timestamp": within / SHAPE.fps,
            f"videos/{camera}/to_timestamp": (within + LENGTH) / SHAPE.fps,
        }
    columns |= dict(_stats_columns(first, episodes))
    columns |= {
        "meta/episodes/chunk_index": np.zeros(episodes, dtype=np.int64),
        "meta/episodes/file_index": np.full(episodes, number),
    }
    return pa.table(columns)


def _stats_columns(seed: int, episodes: int) -> Iterator[tuple[str, pa.Array]]:
    random = np.random.default_rng(seed)
    for name, width in _widths().items():
        count_ = 100 if name in CAMERAS else LENGTH
        for key in (*_BASE, *_QUANTILES):
            column = _lists(pa.array(random.random(episodes * width)), width)
            if name in CAMERAS:
                ones = _lists(pa.array(random.random(episodes * width)), 1)
                column = _lists(_lists(ones, 1), width)
            yield f"stats/{name}/{key}", column
        yield f"stats/{name}/count", _lists(pa.array(np.full(episodes, count_)), 1)


def _lists(values: pa.Array, width: int) -> pa.Array:
    offsets = np.arange(0, len(values) + 1, width, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def _widths() -> dict[str, int]:
    return dict(SHAPE.vectors) | dict.fromkeys(CAMERAS, 3) | dict.fromkeys(_INDEX, 1)


def stats_of(seed: int) -> dict[str, dict[str, object]]:
    """An episode's statistics of v2.1: of the right form, with numbers as long as real ones."""
    random = np.random.default_rng(seed)
    stats: dict[str, dict[str, object]] = {}
    for name, width in _widths().items():
        shape = (width, 1, 1) if name in CAMERAS else (width,)
        stats[name] = {key: random.random(shape).tolist() for key in _BASE}
        stats[name]["count"] = [100 if name in CAMERAS else LENGTH]
    return stats
