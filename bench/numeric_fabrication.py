"""Makes v3.0 datasets of very many rows without cameras: smooth movements of seven joints."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from fabrication import Shape, info
from scale_fabrication import numbered, of_v3

import roboreel

JOINTS = 7
ARM = Shape(
    robot_type="franka",
    fps=30,
    bit_rate=None,
    cameras=(),
    vectors={"observation.state": JOINTS, "action": JOINTS},
    tasks=tuple(f"put the {colour} cube in the box" for colour in ("red", "green", "blue")),
    clip_lengths=(),
)
SHORTEST, LONGEST = 200, 2000
"""Rows of an episode."""
_FILE_ROWS = 1_000_000
"""A file is closed with the episode that brings it there."""
_INDEX = ("timestamp", "frame_index", "episode_index", "index", "task_index")
COLUMNS = (*ARM.vectors, *_INDEX)
"""All that is measured."""

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Numeric:
    root: Path
    rows: int
    episodes: int
    files: int
    size_bytes: int
    """Of the tables."""


def fabricate_numeric(root: Path, *, rows: int) -> Numeric:
    """A dataset of that many rows with right statistics; one that is there already is kept."""
    if not (root / "meta/info.json").is_file():
        bare = root.with_name(f"{root.name}-bare")
        for folder in (root, bare):
            shutil.rmtree(folder, ignore_errors=True)
        _write(bare, _lengths(rows))
        roboreel.write(
            roboreel.open(bare).recompute(cameras="none"), out=root, workers=os.cpu_count() or 1
        )
        shutil.rmtree(bare)
    tables = sorted((root / "data").rglob("*.parquet"))
    return Numeric(
        root=root,
        rows=sum(pq.read_metadata(path).num_rows for path in tables),
        episodes=roboreel.open(root).total_episodes,
        files=len(tables),
        size_bytes=sum(path.stat().st_size for path in tables),
    )


def _lengths(rows: int) -> Int64:
    """Rows of each episode; the last may be a short one."""
    random = np.random.default_rng(0)
    drawn = random.integers(SHORTEST, LONGEST + 1, 1 + rows // SHORTEST)
    lengths = drawn[: int(np.searchsorted(np.cumsum(drawn), rows)) + 1]
    lengths[-1] -= lengths.sum() - rows
    return lengths


def _write(root: Path, lengths: Int64) -> None:
    place_of: list[int] = []
    start = 0
    for number, members in enumerate(_files(lengths)):
        path = root / "data" / f"{numbered(number)}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(_table(members, lengths[members.start : members.stop], start), path)
        start += int(lengths[members.start : members.stop].sum())
        place_of += [number] * len(members)
    _write_documents(root, lengths, np.array(place_of))


def _files(lengths: Int64) -> Iterator[range]:
    first, rows = 0, 0
    for episode, length in enumerate(lengths.tolist()):
        rows += length
        if rows >= _FILE_ROWS or episode + 1 == len(lengths):
            yield range(first, episode + 1)
            first, rows = episode + 1, 0


def _table(members: range, lengths: Int64, start: int) -> pa.Table:
    """The rows of some episodes, the first of which has number `start`."""
    count = int(lengths.sum())
    episode = np.repeat(np.arange(members.start, members.stop), lengths)
    frame = np.arange(count) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    state, action = _movements(members, lengths, frame)
    columns = {
        name: pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), JOINTS)
        for name, values in zip(ARM.vectors, (state, action), strict=True)
    }
    columns["timestamp"] = pa.array((frame / ARM.fps).astype(np.float32))
    columns["frame_index"] = pa.array(frame)
    columns["episode_index"] = pa.array(episode)
    columns["index"] = pa.array(np.arange(start, start + count))
    columns["task_index"] = pa.array(episode % len(ARM.tasks))
    return pa.table(columns)


def _movements(members: range, lengths: Int64, frame: Int64) -> tuple[Float32, Float32]:
    """(n, joints) positions, and the commands that lead them by a tenth of a second."""
    random = np.random.default_rng(members.start)
    seconds = (frame / ARM.fps).astype(np.float32)
    state = np.empty((len(frame), JOINTS), dtype=np.float32)
    action = np.empty_like(state)
    for joint in range(JOINTS):
        rest, slow, fast, low, high, phase = (
            np.repeat(values.astype(np.float32), lengths)
            for values in random.uniform(0.05, 1.0, (6, len(lengths)))
        )
        for wide, prefetch in ((state, 0.0), (action, 0.1)):
            angle = (seconds + np.float32(prefetch)) * low + 6 * phase
            found = 3 * rest - joint / 2 + slow * np.sin(angle)
            found += np.float32(0.2) * fast * np.sin(angle * 5 * high)
            noise = random.standard_normal(len(frame), dtype=np.float32)
            wide[:, joint] = found + np.float32(1e-3) * noise
    return state, action


def _write_documents(root: Path, lengths: Int64, file: Int64) -> None:
    """Those of v3.0, without statistics."""
    numbers, stops = np.arange(len(lengths)), np.cumsum(lengths)
    tasks = [[ARM.tasks[number % len(ARM.tasks)]] for number in numbers.tolist()]
    zeros = np.zeros(len(lengths), dtype=np.int64)
    episodes = {
        "episode_index": numbers,
        "tasks": tasks,
        "length": lengths,
        "data/chunk_index": zeros,
        "data/file_index": file,
        "dataset_from_index": stops - lengths,
        "dataset_to_index": stops,
        "meta/episodes/chunk_index": zeros,
        "meta/episodes/file_index": zeros,
    }
    place = root / "meta/episodes" / f"{numbered(0)}.parquet"
    place.parent.mkdir(parents=True)
    pq.write_table(pa.table(episodes), place)
    known = pa.table({"task_index": list(range(len(ARM.tasks))), "task": list(ARM.tasks)})
    pq.write_table(known, root / "meta/tasks.parquet")
    (root / "meta/stats.json").write_text("{}", encoding="utf-8")
    document = of_v3(info(ARM, lengths.tolist()))
    (root / "meta/info.json").write_text(json.dumps(document), encoding="utf-8")
