"""Judges a written dataset by itself, and against the one it was made from. See `oracle`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.oracle import INDEX_COLUMNS, Episode, Reading, episode_rows, json_lines

_NUMERIC = re.compile(r"u?int(8|16|32|64)|float(16|32|64)|bool")
_BASE = {"min", "max", "mean", "std"}
_QUANTILES = {"q01", "q10", "q50", "q90", "q99"}
_TOTALS = ("total_episodes", "total_frames", "total_tasks", "total_videos", "total_chunks")


def faults(
    reading: Reading,
    *,
    extra_files: Iterable[str] = (),
    timestamp_error_s: float = 0.0,
    wrong_stats: Iterable[str] = (),
    copied: Iterable[str] = (),
) -> list[str]:
    """Everything in which a dataset is not what the format says; nothing for a sound one.

    Args:
        reading: the dataset.
        extra_files: files that are expected beside the format's own.
        timestamp_error_s: how far each may be from k / fps.
        wrong_stats: features whose statistics were wrong already in what was converted.
        copied: tables that were copied as they are: their metadata is their writer's.
    """
    return [
        *_info_faults(reading),
        *_file_faults(reading, set(extra_files)),
        *_row_faults(reading, timestamp_error_s),
        *_time_faults(reading),
        *_metadata_faults(reading, set(copied)),
        *_stats_faults(reading, set(wrong_stats)),
        *(_episodes_table_faults(reading) if reading.version == "v3.0" else ()),
    ]


def differences(
    source: Reading,
    result: Reading,
    *,
    episodes: Sequence[int] | None = None,
    added: Iterable[str] = (),
    reencoded: Iterable[tuple[int, str]] = (),
    unwrapped: Iterable[str] = (),
) -> list[str]:
    """How a result differs from what it was made from; nothing where all is kept.

    Args:
        source: the dataset that was converted.
        result: what was written.
        episodes: positions of the source's episodes that were kept; all by default.
        added: columns that only the result may have.
        reencoded: (position in the result, camera) whose pictures are compared by their numbers.
        unwrapped: columns of lists of one that the result has as plain values.
    """
    plain = set(unwrapped)
    kept = range(len(source.episodes)) if episodes is None else episodes
    if len(kept) != len(result.episodes):
        return [f"{len(kept)} episodes became {len(result.episodes)}"]
    found = []
    if source.cameras != result.cameras:
        found.append(f"cameras {source.cameras} became {result.cameras}")
    for at, was in enumerate(kept):
        pair = source.episodes[was], result.episodes[at]
        found += [
            f"episode {at}: {fault}" for fault in _episode(source, result, pair, set(added), plain)
        ]
        for camera in set(source.cameras) & set(result.cameras):
            blocks = (at, camera) in set(reencoded)
            if _pictures(source, pair[0], camera, blocks) != _pictures(
                result, pair[1], camera, blocks
            ):
                found.append(f"episode {at}: pictures of {camera} differ")
    return found


def _pictures(reading: Reading, episode: Episode, camera: str, blocks: bool) -> Sequence[object]:
    return reading.numbers(episode, camera) if blocks else reading.digests(episode, camera)


def _episode(
    source: Reading,
    result: Reading,
    pair: tuple[Episode, Episode],
    added: set[str],
    unwrapped: set[str],
) -> Iterator[str]:
    old, new = pair
    if len(old.rows) != len(new.rows):
        yield f"{len(old.rows)} rows became {len(new.rows)}"
        return
    if old.tasks != new.tasks:
        yield f"tasks {old.tasks} became {new.tasks}"
    strings = [old.row_tasks(source.tasks), new.row_tasks(result.tasks)]
    if strings[0] and strings[0] != strings[1]:
        yield "rows stand under other tasks"
    names = [set(rows.column_names) - set(INDEX_COLUMNS) for rows in (old.rows, new.rows)]
    if names[0] != names[1] - added:
        yield f"columns {sorted(names[0])} became {sorted(names[1])}"
    for name in sorted(names[0] & names[1]):
        was = pc.list_flatten(old.rows[name]) if name in unwrapped else old.rows[name]
        if cell_bits(was) != cell_bits(new.rows[name]):
            yield f"values of '{name}' differ"


def cell_bits(column: pa.ChunkedArray) -> object:
    """The cells of a column as something that is equal where every bit is, whatever the list type."""
    flat = column.combine_chunks()
    lengths: list[object] = []
    while pa.types.is_list(flat.type) or pa.types.is_fixed_size_list(flat.type):
        lengths.append(pc.list_value_length(flat).to_pylist())
        flat = pc.list_flatten(flat)
    if not (pa.types.is_floating(flat.type) or pa.types.is_integer(flat.type)) or flat.null_count:
        return lengths, flat.to_pylist()
    values = flat.to_numpy(zero_copy_only=False)
    return lengths, values.dtype.str, values.tobytes()


def _info_faults(reading: Reading) -> Iterator[str]:
    info, v3 = reading.info, reading.version == "v3.0"
    videos = len(reading.episodes) * len(reading.cameras)
    chunks = -(-len(reading.episodes) // info["chunks_size"])
    counted = {
        "total_episodes": len(reading.episodes),
        "total_frames": sum(len(episode.rows) for episode in reading.episodes),
        "total_tasks": len(reading.tasks),
        "total_videos": None if v3 else videos,
        "total_chunks": None if v3 else chunks,
    }
    for key in _TOTALS:
        if info.get(key) != counted[key]:
            yield f"info.json: {key} is {info.get(key)}, counted {counted[key]}"
    declared = [n for n, spec in info["features"].items() if spec["dtype"] == "video"]
    if list(reading.cameras) != declared:
        yield f"info.json: declares the cameras {declared}, there are {reading.cameras}"
    if (info["video_path"] is None) != (not declared):
        yield f"info.json: video_path is {info['video_path']}"
    for name in INDEX_COLUMNS:
        spec = info["features"].get(name, {})
        if list(spec.get("shape", [])) != [1] or "dtype" not in spec:
            yield f"info.json: feature '{name}' is {spec}"
    for name, span in info["splits"].items():
        start, stop = map(int, span.split(":"))
        if not 0 <= start <= stop <= len(reading.episodes):
            yield f"info.json: split {name} is {span}"
    strings = {text for episode in reading.episodes for text in episode.tasks}
    if strings - set(reading.tasks.values()):
        yield f"tasks of episodes that are not listed: {strings - set(reading.tasks.values())}"
    if v3 and list(reading.tasks) != list(range(len(reading.tasks))):
        yield f"tasks.parquet: rows are {list(reading.tasks)}, readers take them by position"


def _file_faults(reading: Reading, extra: set[str]) -> Iterator[str]:
    named = {episode.data_path for episode in reading.episodes}
    named |= {
        clip.path for episode in reading.episodes for clip in episode.external_videos.values()
    }
    own = {
        "v2.0": {"meta/tasks.jsonl", "meta/episodes.jsonl", "meta/stats.json"},
        "v2.1": {"meta/tasks.jsonl", "meta/episodes.jsonl", "meta/episodes_stats.jsonl"},
        "v3.0": {"meta/tasks.parquet", "meta/stats.json"},
    }[reading.version]
    if reading.version == "v3.0":
        own |= {row["_file"] for row in episode_rows(reading.root)}
    expected = named | own | extra | {"meta/info.json"}
    there = {
        path.relative_to(reading.root).as_posix()
        for path in reading.root.rglob("*")
        if path.is_file()
    }
    if expected != there:
        yield f"files: lacks {sorted(expected - there)}, has also {sorted(there - expected)}"
    empty = [p for p in reading.root.rglob("*") if p.is_dir() and not any(p.iterdir())]
    if empty:
        yield f"empty folders {empty}"


def _row_faults(reading: Reading, timestamp_error_s: float) -> Iterator[str]:
    features = reading.info["features"]
    columns = {name for name, spec in features.items() if spec["dtype"] != "video"}
    first = 0
    for at, episode in enumerate(reading.episodes):
        rows, count = episode.rows, len(episode.rows)
        if (episode.number, episode.length) != (at, count):
            yield f"episode {at}: numbered {episode.number}, {episode.length} long with {count} rows"
        if set(rows.column_names) != columns:
            yield f"episode {at}: columns {set(rows.column_names) ^ columns} are not as declared"
        wanted = {
            "index": np.arange(first, first + count),
            "episode_index": np.full(count, at),
            "frame_index": np.arange(count),
        }
        for name, values in wanted.items():
            if not rows[name].type.equals(pa.int64()) or rows[name].to_pylist() != values.tolist():
                yield f"episode {at}: {name} is not what it must be"
        if None in episode.row_tasks(reading.tasks):
            yield f"episode {at}: a task_index does not resolve"
        stamp = rows["timestamp"].to_numpy()
        exact = np.array([float(k / reading.fps) for k in range(count)]).astype(stamp.dtype)
        if not (np.abs(stamp - exact) <= timestamp_error_s).all():
            yield f"episode {at}: timestamp is not k / fps"
        if str(stamp.dtype) != features["timestamp"]["dtype"]:
            yield f"episode {at}: timestamp is {stamp.dtype}, not as declared"
        first += count


def _time_faults(reading: Reading) -> Iterator[str]:
    for path in sorted({c.path for e in reading.episodes for c in e.external_videos.values()}):
        for k, frame in enumerate(reading.video(path)):
            if frame.seconds != k / reading.fps:
                yield f"{path}: frame {k} stands at {frame.seconds}, not at {k / reading.fps}"
                break
    for at, episode in enumerate(reading.episodes):
        for camera, clip in episode.external_videos.items():
            if len(reading.frames(episode, camera)) != episode.length:
                yield f"episode {at}: {camera} has too few frames"
            exact = float(Fraction(clip.start) / reading.fps)
            if clip.start_s != exact:
                yield f"episode {at}: {camera} starts at {clip.start_s!r}, no frame is there"
            stop = float((clip.start + episode.length) / reading.fps)
            if clip.stop_s is not None and clip.stop_s != stop:
                yield f"episode {at}: {camera} stops at {clip.stop_s!r}, not at {stop!r}"


def _metadata_faults(reading: Reading, copied: set[str]) -> Iterator[str]:
    for path in sorted({episode.data_path for episode in reading.episodes} - copied):
        schema = pq.read_schema(reading.root / path)
        text = (schema.metadata or {}).get(b"huggingface")
        if text is None:
            yield f"{path}: no metadata for HF datasets"
            continue
        described = json.loads(text)["info"]["features"]
        if list(described) != schema.names:
            yield f"{path}: metadata describes {list(described)}"
        if b'"List"' in text:
            yield f"{path}: 'List', which datasets 3 cannot read"
        rows = sum(len(e.rows) for e in reading.episodes if e.data_path == path)
        if pq.read_metadata(reading.root / path).num_rows != rows:
            yield f"{path}: holds rows of no episode"


def _stats_faults(reading: Reading, wrong: set[str]) -> Iterator[str]:
    wanted = _features_with_stats(reading)
    found = _all_stats_faults(reading, wanted)
    yield from (fault for fault in found if not any(f"'{name}'" in fault for name in wrong))


def _all_stats_faults(reading: Reading, wanted: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if reading.version == "v2.1":
        lines = json_lines(reading.root / "meta/episodes_stats.jsonl")
        if [line["episode_index"] for line in lines] != list(range(len(reading.episodes))):
            yield "episodes_stats.jsonl: not one line per episode, in order"
            return
        for at, line in enumerate(lines):
            rows = reading.episodes[at].rows
            yield from _document_faults(f"stats of episode {at}", line["stats"], wanted, rows)
        return
    if reading.version == "v3.0":
        for at, episode in enumerate(reading.episodes):
            stats = row_stats(episode.entry)
            where = f"stats of episode {at}"
            yield from _document_faults(where, stats, wanted, episode.rows, quantiles=True)
    document = json.loads((reading.root / "meta/stats.json").read_text("utf-8"))
    names = set.intersection(*(set(e.rows.column_names) for e in reading.episodes))
    rows = pa.concat_tables([e.rows.select(sorted(names)) for e in reading.episodes])
    v3 = reading.version == "v3.0"
    yield from _document_faults("stats.json", document, wanted, rows, count=v3, quantiles=v3)


def row_stats(entry: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The statistics in a row of a v3.0 episodes table."""
    stats: dict[str, dict[str, Any]] = {}
    for name, value in entry.items():
        if name.startswith("stats/") and value is not None:
            feature, _, key = name.removeprefix("stats/").rpartition("/")
            stats.setdefault(feature, {})[key] = value
    return stats


def _features_with_stats(reading: Reading) -> dict[str, Mapping[str, Any]]:
    return {
        name: spec
        for name, spec in reading.info["features"].items()
        if spec["dtype"] in ("video", "image") or _NUMERIC.fullmatch(spec["dtype"])
    }


def _document_faults(
    where: str,
    stats: Mapping[str, Any],
    wanted: Mapping[str, Mapping[str, Any]],
    rows: pa.Table,
    *,
    count: bool = True,
    quantiles: bool = False,
) -> Iterator[str]:
    if set(stats) != set(wanted):
        yield f"{where}: of {sorted(stats)}, expected {sorted(wanted)}"
    for name in [name for name in wanted if name in stats]:
        camera = wanted[name]["dtype"] in ("video", "image")
        needed = _BASE | ({"count"} if count else set())
        needed |= _QUANTILES if quantiles and not camera else set()
        found = {key: np.asarray(value, dtype=np.float64) for key, value in stats[name].items()}
        if not needed <= set(found) or not set(found) <= needed | _QUANTILES:
            yield f"{where}: '{name}' has {sorted(found)}"
            continue
        shape = tuple(wanted[name]["shape"])
        shapes = {(3, 1, 1)} if camera else {shape, shape[-1:]}
        inconsistent = {key for key, v in found.items() if key != "count" and v.shape not in shapes}
        if inconsistent or (count and found["count"].shape != (1,)):
            yield f"{where}: '{name}' has other shapes than {shapes}: {inconsistent or 'count'}"
        elif not camera:
            yield from _value_faults(f"{where}: '{name}'", found, rows[name])
        elif found["min"].min() < 0 or found["max"].max() > 1:
            yield f"{where}: '{name}' lies outside [0, 1]"


def _value_faults(
    where: str, found: Mapping[str, npt.NDArray[np.float64]], column: pa.ChunkedArray
) -> Iterator[str]:
    values = np.array(column.to_pylist(), dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if found["min"].ndim < values.ndim - 1:
        values = values.reshape(-1, values.shape[-1])
    exact = {key: getattr(values, key)(axis=0) for key in _BASE}
    scale = max(1.0, float(np.abs(values).max()))
    for key, value in exact.items():
        if not np.allclose(found[key], value, rtol=1e-5, atol=1e-5 * scale, equal_nan=True):
            yield f"{where}: {key} is {found[key].tolist()}, by the rows {value.tolist()}"
    if "count" in found and found["count"][0] != len(column):
        yield f"{where}: count is {found['count']}, there are {len(column)} rows"
    marks = [found[key] for key in ("min", *sorted(_QUANTILES), "max") if key in found]
    if any((low > high + 1e-4 * scale).any() for low, high in pairwise(marks)):
        yield f"{where}: quantiles do not rise"


def _episodes_table_faults(reading: Reading) -> Iterator[str]:
    first = 0
    for at, row in enumerate(episode_rows(reading.root)):
        span = (row["dataset_from_index"], row["dataset_to_index"])
        if span != (first, first + row["length"]):
            yield f"episode {at}: dataset_from/to_index are {span}"
        first += row["length"]
        own = "meta/episodes/chunk-{:03d}/file-{:03d}.parquet".format(
            row["meta/episodes/chunk_index"], row["meta/episodes/file_index"]
        )
        if own != row["_file"]:
            yield f"episode {at}: says it is in {own}, is in {row['_file']}"
    yield from _position_faults(reading)


def _position_faults(reading: Reading) -> Iterator[str]:
    """`index` is the row's place over all files in the order in which readers sort them."""
    paths = sorted({episode.data_path for episode in reading.episodes})
    index = [
        i for path in paths for i in pq.ParquetFile(reading.root / path).read()["index"].to_pylist()
    ]
    if index != list(range(len(index))):
        yield "index is not the row's place over all files in order"


def sound(root: Path) -> Path:
    """`root`, where it is there and nothing was left beside it."""
    left = [path.name for path in root.parent.iterdir() if "partial" in path.name]
    assert root.is_dir()
    assert not left
    return root
