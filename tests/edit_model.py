"""A dataset in memory, and what each edit is to do to it: the other half of `tests/property/test_edits.py`.

Nothing of roboreel is imported here. An episode keeps its rows as Arrow columns (every bit counts), the text
of each row's task, and what was decoded of each camera; an edit makes new lists of these.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tests.judge import cell_bits, row_stats
from tests.oracle import INDEX_COLUMNS, Episode, Frame, Reading, json_lines

EXTRA = "operator"
"""A column of the episodes that the format does not know."""
EXACT = 1e-6
Stats = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Take:
    """An episode of the model."""

    rows: pa.Table
    """Without the index columns, which belong to the place of an episode and not to it."""
    row_tasks: tuple[str | None, ...]
    frames: Mapping[str, tuple[Frame, ...]]
    """By video camera."""
    extra: object
    listed: tuple[str, ...]
    """The tasks that it is said to have: those of its rows, until a view cuts some of these off."""
    unheld: tuple[str, ...] = ()
    """Those of them that no row ever had."""
    camera_stats: Mapping[str, Any] = field(default_factory=dict)
    """Stored statistics of its cameras, as long as it is whole."""
    loose: bool = False
    """True where its frames may start or end inside a GOP of their file."""

    def __len__(self) -> int:
        return len(self.row_tasks)

    @property
    def tasks(self) -> list[str]:
        """What it has to list: the tasks of its rows, and what no row had before either."""
        held = {*self.row_tasks, *self.unheld}
        return _each_once([*(text for text in self.listed if text in held), *self.row_tasks])

    def between(self, start: int, stop: int) -> Take:
        """Frames `[start, stop)` of it."""
        if (start, stop) == (0, len(self)):
            return self
        return replace(
            self,
            rows=self.rows.slice(start, stop - start),
            row_tasks=self.row_tasks[start:stop],
            frames={name: frames[start:stop] for name, frames in self.frames.items()},
            camera_stats={},
            loose=True,
        )

    def retold(self, text_of: Callable[[str | None], str | None]) -> Take:
        """With other texts of tasks."""
        listed = _each_once([text_of(text) for text in self.listed])
        row_tasks = tuple(text_of(text) for text in self.row_tasks)
        unheld = tuple(text_of(text) or text for text in self.unheld)
        return replace(self, row_tasks=row_tasks, listed=tuple(listed), unheld=unheld)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """The model of a dataset; immutable, each edit makes another."""

    version: str
    takes: tuple[Take, ...]
    features: Mapping[str, Mapping[str, Any]]
    """Entries of info.json in order, without those of the index columns."""
    kept_info: Mapping[str, Any]
    """Entries of info.json that an edit has no business with."""

    def __len__(self) -> int:
        return len(self.takes)

    @property
    def lengths(self) -> list[int]:
        return [len(take) for take in self.takes]

    @property
    def videos(self) -> list[str]:
        return [name for name, spec in self.features.items() if spec["dtype"] == "video"]

    @property
    def listed(self) -> list[str]:
        """Every task that an episode is said to have."""
        return _each_once([text for take in self.takes for text in take.listed])

    @property
    def tasks(self) -> list[str]:
        """Every task that the list is to have."""
        return _each_once([text for take in self.takes for text in take.tasks])

    def keep(self, places: Iterable[int]) -> Dataset:
        """The episodes at these places, in this order."""
        return replace(self, takes=tuple(self.takes[place] for place in places))

    def delete(self, places: Iterable[int]) -> Dataset:
        gone = set(places)
        return self.keep(place for place in range(len(self)) if place not in gone)

    def trim(self, frames: Mapping[int, tuple[int, int]]) -> Dataset:
        takes = [
            take.between(*frames.get(place, (0, len(take))))
            for place, take in enumerate(self.takes)
        ]
        return replace(self, takes=tuple(takes))

    def rename(self, names: Mapping[str, str]) -> Dataset:
        def of(mapping: Mapping[str, Any]) -> dict[str, Any]:
            return {names.get(name, name): value for name, value in mapping.items()}

        takes = [
            replace(
                take,
                rows=take.rows.rename_columns([names.get(n, n) for n in take.rows.column_names]),
                frames=of(take.frames),
                camera_stats=of(take.camera_stats),
            )
            for take in self.takes
        ]
        return replace(self, takes=tuple(takes), features=of(self.features))

    def remove(self, gone: Sequence[str]) -> Dataset:
        def of(mapping: Mapping[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in mapping.items() if name not in gone}

        takes = [
            replace(
                take,
                rows=take.rows.select([n for n in take.rows.column_names if n not in gone]),
                frames=of(take.frames),
                camera_stats=of(take.camera_stats),
            )
            for take in self.takes
        ]
        return replace(self, takes=tuple(takes), features=of(self.features))

    def add(self, name: str, values: npt.NDArray[Any]) -> Dataset:
        """With a column of numbers: (rows,) or (rows, n), a value for each row, episodes in order."""
        takes, start = [], 0
        for take in self.takes:
            part = values[start : start + len(take)]
            cells = pa.array(part.reshape(-1))
            if part.ndim == 2:
                cells = pa.FixedSizeListArray.from_arrays(cells, part.shape[1])
            takes.append(replace(take, rows=take.rows.append_column(name, cells)))
            start += len(take)
        spec = {"dtype": values.dtype.name, "shape": list(values.shape[1:]) or [1], "names": None}
        return replace(self, takes=tuple(takes), features={**self.features, name: spec})

    def set_tasks(
        self,
        every: str | None = None,
        replacing: Mapping[str, str] | None = None,
        episodes: Mapping[int, str] | None = None,
    ) -> Dataset:
        takes = []
        for place, take in enumerate(self.takes):
            if place in (episodes or {}):
                own = (episodes or {})[place]
                take = take.retold(lambda _, own=own: own)  # type: ignore[misc]
            elif set(take.listed) & set(replacing or {}):
                take = take.retold(lambda text: (replacing or {}).get(text or "", text))
            elif every is not None:
                take = take.retold(lambda _: every)
            takes.append(take)
        return replace(self, takes=tuple(takes))

    def joined(self, other: Dataset) -> Dataset:
        """The episodes of two datasets with the same features; where they are alike, the first counts."""
        return replace(self, takes=(*self.takes, *other.takes))

    def written_as(self, version: str) -> Dataset:
        return replace(self, version=version)

    def seen_again(self, reading: Reading) -> Dataset:
        """With what its file says where that is not the model's to say: pictures that were encoded anew,
        statistics of cameras."""
        written = model_of(reading)
        takes = [
            replace(
                take,
                frames=own.frames,
                camera_stats=own.camera_stats,
                listed=tuple(take.tasks),
            )
            for take, own in zip(self.takes, written.takes, strict=True)
        ]
        return replace(self, takes=tuple(takes))


def model_of(
    reading: Reading, *, loose: bool = False, episodes: Sequence[int] | None = None
) -> Dataset:
    """The model of a dataset on disk, or of some of its episodes."""
    chosen = range(len(reading.episodes)) if episodes is None else episodes
    features = {n: s for n, s in reading.info["features"].items() if n not in INDEX_COLUMNS}
    stats = _stats_of(reading)
    cameras = [n for n, spec in features.items() if spec["dtype"] in ("video", "image")]
    takes = [
        Take(
            rows=_user_rows(episode.rows),
            row_tasks=tuple(episode.row_tasks(reading.tasks)),
            frames={name: tuple(reading.frames(episode, name)) for name in reading.cameras},
            extra=episode.entry.get(EXTRA),
            listed=tuple(episode.tasks),
            unheld=tuple(set(episode.tasks) - set(episode.row_tasks(reading.tasks))),
            camera_stats={name: own[name] for name in cameras if name in own},
            loose=loose,
        )
        for episode, own in ((reading.episodes[n], stats[n]) for n in chosen)
    ]
    kept = {key: reading.info.get(key) for key in ("fps", "robot_type", "chunks_size", "custom")}
    return Dataset(version=reading.version, takes=tuple(takes), features=features, kept_info=kept)


def mismatch(
    model: Dataset,
    reading: Reading,
    *,
    reencoded: Iterable[tuple[int, str]] = (),
    statistics: bool = True,
) -> list[str]:
    """Everything in which what was written is not what the model says; nothing where it is.

    Args:
        model: what is expected.
        reading: what was written.
        reencoded: (episode, camera) whose pictures are compared by their numbers.
        statistics: False where those of the source are not exact.
    """
    if len(model) != len(reading.episodes):
        return [f"{len(reading.episodes)} episodes, expected {len(model)}"]
    numbers_only = set(reencoded)
    found = list(_documents_unlike(model, reading))
    stats = _stats_of(reading)
    for place, (take, episode) in enumerate(zip(model.takes, reading.episodes, strict=True)):
        told = [*_rows_unlike(take, episode, reading)]
        told += _stats_unlike(take, stats[place], episode, reading) if statistics else ()
        for name in model.videos:
            told += _frames_unlike(take, episode, reading, name, (place, name) in numbers_only)
        found += [f"episode {place}: {fault}" for fault in told]
    return [*found, *(_dataset_stats_unlike(stats, reading) if statistics else ())]


def beyond_copies(faults: Iterable[str], out: Path, copied: Container[str]) -> list[str]:
    """Faults but for those of the metadata of tables that are copies, by the digests of the sources'."""
    return [
        fault
        for fault in faults
        if not (fault.partition(": ")[2].startswith("'List'"))
        or digest(out / fault.partition(": ")[0]) not in copied
    ]


def digest(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.blake2b(path.read_bytes()).hexdigest()


def _each_once(strings: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(text for text in strings if text is not None))


def _user_rows(rows: pa.Table) -> pa.Table:
    return rows.select([name for name in rows.column_names if name not in INDEX_COLUMNS])


def _documents_unlike(model: Dataset, reading: Reading) -> Iterator[str]:
    info = reading.info
    if reading.version != model.version:
        yield f"version {reading.version}, expected {model.version}"
    features = {n: s for n, s in info["features"].items() if n not in INDEX_COLUMNS}
    for name in sorted(set(features) ^ set(model.features)):
        yield f"feature '{name}' is in one of model and info.json only"
    for name in set(features) & set(model.features):
        mine, own = model.features[name], features[name]
        if (mine["dtype"], list(mine["shape"])) != (own["dtype"], list(own["shape"])):
            yield f"feature '{name}' is {own}, expected {mine}"
    for key, value in model.kept_info.items():
        if info.get(key) != value:
            yield f"info.json: '{key}' is {info.get(key)!r}, expected {value!r}"
    if info["splits"] != {"train": f"0:{len(model)}"}:
        yield f"info.json: splits are {info['splits']}"
    if sorted(reading.tasks.values()) != sorted(model.tasks):
        yield f"the task list is {reading.tasks}, expected {model.tasks}"


def _rows_unlike(take: Take, episode: Episode, reading: Reading) -> Iterator[str]:
    rows = _user_rows(episode.rows)
    if len(rows) != len(take):
        yield f"{len(rows)} rows, expected {len(take)}"
        return
    if tuple(episode.row_tasks(reading.tasks)) != take.row_tasks:
        yield f"tasks of rows are {episode.row_tasks(reading.tasks)}, expected {take.row_tasks}"
    if episode.tasks != take.tasks:
        yield f"lists the tasks {episode.tasks}, expected {take.tasks}"
    if episode.entry.get(EXTRA) != take.extra:
        yield f"its {EXTRA} is {episode.entry.get(EXTRA)!r}, expected {take.extra!r}"
    if set(rows.column_names) != set(take.rows.column_names):
        yield f"columns {sorted(rows.column_names)}, expected {sorted(take.rows.column_names)}"
    for name in sorted(set(rows.column_names) & set(take.rows.column_names)):
        if cell_bits(rows[name]) != cell_bits(take.rows[name]):
            yield f"values of '{name}' differ"


def _frames_unlike(
    take: Take, episode: Episode, reading: Reading, name: str, numbers_only: bool
) -> Iterator[str]:
    mine, own = take.frames[name], reading.frames(episode, name)
    if [frame.numbers for frame in mine] != [frame.numbers for frame in own]:
        yield f"'{name}' shows {[f.numbers for f in own]}, expected {[f.numbers for f in mine]}"
    elif not numbers_only and [f.digest for f in mine] != [f.digest for f in own]:
        yield f"pictures of '{name}' are not those that were copied"
    if not reading.version.startswith("v3"):
        held = packets_of(reading.root / episode.external_videos[name].path)
        if held != len(take):
            yield f"the file of '{name}' holds {held} packets for {len(take)} frames"


def packets_of(path: Path) -> int:
    """Packets of a video file, edit list or not."""
    with av.open(str(path), options={"ignore_editlist": "1"}) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))


def _stats_of(reading: Reading) -> list[Stats]:
    """Stored statistics by episode; nothing in v2.0."""
    if reading.version == "v2.1":
        lines = json_lines(reading.root / "meta/episodes_stats.jsonl")
        return [line["stats"] for line in lines]
    if reading.version == "v3.0":
        return [row_stats(episode.entry) for episode in reading.episodes]
    return [{} for _ in reading.episodes]


def _stats_unlike(take: Take, stored: Stats, episode: Episode, reading: Reading) -> Iterator[str]:
    if reading.version == "v2.0":
        return
    for name, spec in reading.info["features"].items():
        if spec["dtype"] in ("video", "image"):
            known = take.camera_stats.get(name)
            if known is not None and not _same_camera(known, stored.get(name, {})):
                yield f"statistics of '{name}' are not those that it had"
        elif spec["dtype"] != "string":
            yield from _numbers_unlike(name, stored.get(name, {}), episode.rows[name])


def _dataset_stats_unlike(stats: Sequence[Stats], reading: Reading) -> Iterator[str]:
    if reading.version == "v2.1":
        return
    stored: Stats = json.loads((reading.root / "meta/stats.json").read_text("utf-8"))
    together = pa.concat_tables([episode.rows for episode in reading.episodes])
    for name, spec in reading.info["features"].items():
        if spec["dtype"] in ("video", "image"):
            parts = [own[name] for own in stats if name in own]
            yield from _merged_unlike(name, stored.get(name, {}), parts)
        elif spec["dtype"] != "string":
            whole = {k: v for k, v in stored.get(name, {}).items() if not k.startswith("q")}
            for fault in _numbers_unlike(name, whole, together[name]):
                yield f"of the dataset: {fault}"


def _numbers_unlike(name: str, stored: Mapping[str, Any], column: pa.ChunkedArray) -> Iterator[str]:
    """Statistics that are not those of a fresh computation, in float64, by numpy."""
    values = np.array(column.to_pylist(), dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim > 2 and np.ndim(stored.get("min", 0)) < values.ndim - 1:
        values = values.reshape(-1, values.shape[-1])
    scale = np.maximum(1.0, np.abs(values).max(axis=0))
    fresh = {key: getattr(values, key)(axis=0) for key in ("min", "max", "mean", "std")}
    for key, quantile in (("q01", 0.01), ("q10", 0.1), ("q50", 0.5), ("q90", 0.9), ("q99", 0.99)):
        if key in stored:
            fresh[key] = np.quantile(values, quantile, axis=0)
    for key, expected in fresh.items():
        own = np.asarray(stored.get(key, np.nan), dtype=np.float64)
        if not np.all(np.abs(own - expected) <= EXACT * scale):
            yield f"{key} of '{name}' is {own.tolist()}, computed {expected.tolist()}"
    if "count" in stored and list(stored["count"]) != [len(column)]:
        yield f"count of '{name}' is {stored['count']}, expected {len(column)}"


def _merged_unlike(
    name: str, stored: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """A camera's statistics of the whole that are not those of its episodes together."""
    if not parts:
        return
    count = np.array([part["count"][0] for part in parts], dtype=np.float64).reshape(-1, 1, 1, 1)
    each = {key: np.array([part[key] for part in parts]) for key in ("min", "max", "mean", "std")}
    mean = (each["mean"] * count).sum(0) / count.sum()
    spread = ((each["std"] ** 2 + (each["mean"] - mean) ** 2) * count).sum(0) / count.sum()
    merged = {"min": each["min"].min(0), "max": each["max"].max(0), "mean": mean}
    merged |= {"std": np.sqrt(spread), "count": count.sum().reshape(1)}
    for key, expected in merged.items():
        if not np.allclose(stored.get(key, np.nan), expected, rtol=0, atol=EXACT):
            yield f"{key} of camera '{name}' is {stored.get(key)}, merged {expected.tolist()}"


def _same_camera(known: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    return all(
        np.allclose(known[key], stored.get(key, np.nan), rtol=0, atol=EXACT)
        for key in ("min", "max", "mean", "std", "count")
    )
