"""Read the numbers of all tables once, in chunks: memory grows with episodes, not with rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.checking.check_jobs import CheckJob, in_groups, in_order
from roboreel.dataset.dataset import Dataset
from roboreel.errors import StorageError, counted
from roboreel.executors.jobs import JobFailure, usable_s
from roboreel.executors.make_executor import Executor
from roboreel.format.feature import INDEX, INDEX_DTYPES, Feature, holds_numbers
from roboreel.format.inventory import Inventory
from roboreel.format.model import DATA_PATH, EPISODE
from roboreel.format.parse import Problems
from roboreel.format.values import column_values, lacks_values
from roboreel.probes.table_requests import rows_by_path
from roboreel.progress.reporter import begin_phase
from roboreel.progress.work_done import advance
from roboreel.stats.moments import Moments
from roboreel.stats.portion import Portion
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import TableFile
from roboreel.types import Bools, Floats, Int64

_CHUNK_ROWS = 1 << 14


@dataclass(slots=True)
class TablesScan:
    """What the rows hold; arrays are aligned with `Model.episodes`."""

    moments: dict[str, Moments] = field(default_factory=dict)
    """By numeric feature that a table has, the index columns among them."""
    scanned: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """(episodes,) True where the rows could be read."""
    index_begin: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """(episodes,) the first value of the column `index`."""
    index_counts: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """(episodes,) True where that column rises by one from row to row."""
    problems: Problems = field(default_factory=Problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class _TablesJob(CheckJob):
    """Tables to scan. Their episodes are counted from 0."""

    tables: tuple[tuple[Portion, tuple[Feature, ...]], ...] = field(repr=False)
    episodes: Int64 = field(repr=False)
    """(episodes,) rows of `Model.episodes`."""
    numbers: tuple[int, ...] = field(repr=False)
    """Their numbers."""


def scan_tables(dataset: Dataset, inventory: Inventory, executor: Executor) -> TablesScan:
    """Read every numeric column of every table that the survey could read."""
    scan = _empty_scan(len(dataset.episodes))
    jobs = list(_jobs(dataset, inventory))
    phase = begin_phase("reading tables", total=sum(job.units for job in jobs), unit="rows")
    for job, found in in_order(
        executor, jobs, partial(_scan_files, dataset.root), phase, root=dataset.root
    ):
        if isinstance(found, JobFailure):
            paths = [portion.path for portion, _ in job.tables]
            scan.problems.error("table.readable", found.message, path=paths[0])
        else:
            _take_over(scan, job.episodes, found)
    return scan


def _empty_scan(episodes: int) -> TablesScan:
    return TablesScan(
        scanned=np.zeros(episodes, dtype=np.bool_),
        index_begin=np.full(episodes, -1, dtype=np.int64),
        index_counts=np.ones(episodes, dtype=np.bool_),
    )


def _jobs(dataset: Dataset, inventory: Inventory) -> Iterator[_TablesJob]:
    numbers = dataset.episodes[EPISODE].to_numpy()
    every = located_portions(dataset, inventory)
    groups = in_groups(every, lambda portion: int(portion.lengths.sum()))
    features = _FeaturesOfSchema(dataset)
    for number, group in enumerate(groups):
        episodes = np.concatenate([portion.episodes for portion in group])
        starts = np.cumsum([0, *(len(portion.episodes) for portion in group)])
        size_bytes = sum(inventory.files[portion.path].size_bytes for portion in group)
        yield _TablesJob(
            number=number,
            described=f"reading {counted(len(group), 'table')} from '{group[0].path}' on",
            timeout_s=usable_s(size_bytes),
            units=sum(int(portion.lengths.sum()) for portion in group),
            frames=True,
            tables=tuple(
                (
                    portion._replace(episodes=np.arange(start, start + len(portion.episodes))),
                    features.of(inventory.schemas[portion.path]),
                )
                for portion, start in zip(group, starts.tolist(), strict=False)
            ),
            episodes=episodes,
            numbers=tuple(numbers[episodes].tolist()),
        )


def _scan_files(root: Root, job: _TablesJob) -> TablesScan:
    """What the rows of a job hold; arrays are aligned with its episodes."""
    scan = _empty_scan(len(job.episodes))
    for portion, features in job.tables:
        try:
            _scan_file(root, portion, features, job.numbers, scan)
        except StorageError as error:
            for row in sorted(portion.episodes.tolist()):
                location = {"path": portion.path, "episode": job.numbers[row]}
                scan.scanned[row] = False
                scan.problems.error("table.readable", str(error), **location)
    return scan


def _take_over(scan: TablesScan, episodes: Int64, part: TablesScan) -> None:
    """Put what a job found into what all found."""
    for name, moments in part.moments.items():
        if name not in scan.moments:
            scan.moments[name] = Moments(len(scan.scanned), moments.width)
        scan.moments[name].put(episodes, moments)
    scan.scanned[episodes] = part.scanned
    scan.index_begin[episodes] = part.index_begin
    scan.index_counts[episodes] = part.index_counts
    for problem in part.problems.found:
        scan.problems.put(problem)


def located_portions(dataset: Dataset, inventory: Inventory) -> Iterator[Portion]:
    """The episodes of each file whose rows are known, even if their videos are broken."""
    for path, members in rows_by_path(dataset.episodes[DATA_PATH]).items():
        found = [inventory.broken.get(row, ()) for row in members]
        broken = [any(problem.rule.startswith("table.") for problem in own) for own in found]
        rows = np.array(members, dtype=np.int64)[~np.array(broken, dtype=np.bool_)]
        if path is not None and path in inventory.schemas and len(rows):
            rows = rows[np.argsort(inventory.row_start[rows], kind="stable")]
            start = inventory.row_start[rows]
            yield Portion(path, rows, start, start + inventory.rows[rows])


def _scan_file(
    root: Root,
    portion: Portion,
    features: Sequence[Feature],
    numbers: Sequence[int],
    scan: TablesScan,
) -> None:
    scan.scanned[portion.episodes] = True
    begin = 0
    with TableFile(root, portion.path) as file:
        for batch in file.batches([feature.name for feature in features], rows=_CHUNK_ROWS):
            part = portion.within(begin, begin + len(batch))
            if len(part.episodes):
                for feature in features:
                    _add(feature, batch[feature.name], part, numbers, scan)
            begin += len(batch)
            advance(frames=int(part.lengths.sum()))


class _FeaturesOfSchema:
    """The features to scan in tables of a schema, looked up once: many tables share one."""

    def __init__(self, dataset: Dataset) -> None:
        self._features = dataset.features
        self._known: dict[int, tuple[pa.Schema, tuple[Feature, ...]]] = {}

    def of(self, schema: pa.Schema) -> tuple[Feature, ...]:
        if id(schema) not in self._known:
            self._known[id(schema)] = (schema, tuple(_numeric(self._features, schema)))
        return self._known[id(schema)][1]


def _numeric(features: Mapping[str, Feature], schema: pa.Schema) -> Iterator[Feature]:
    """Declared numeric features that a table has as numbers, and the index columns."""
    for item in schema:
        feature = features.get(item.name)
        if feature is None and item.name in INDEX_DTYPES:
            dtype = INDEX_DTYPES[item.name]
            feature = Feature(name=item.name, dtype=dtype, shape=(1,), spec={})
        if feature is not None and feature.is_numeric and holds_numbers(item.type):
            yield feature


def _add(
    feature: Feature,
    column: pa.ChunkedArray,
    part: Portion,
    numbers: Sequence[int],
    scan: TablesScan,
) -> None:
    width = math.prod(feature.shape)
    if feature.name not in scan.moments:
        scan.moments[feature.name] = Moments(len(scan.scanned), width)
    moments = scan.moments[feature.name]
    values = column_values(column)
    if values is not None and _of_shape(values.shape[1:], feature.shape):
        wide = _wide(values, width)
        kept = np.concatenate([wide[start:stop] for start, stop in part.spans()])
        starts = np.cumsum(part.lengths) - part.lengths
        moments.add(part.episodes, starts, kept)
        if feature.name == INDEX:
            _count(kept[:, 0], starts, part, scan)
        return
    for episode, (start, stop) in zip(part.episodes.tolist(), part.spans(), strict=True):
        span = column.slice(start, stop - start)
        values = column_values(span)
        if values is not None and _of_shape(values.shape[1:], feature.shape):
            first = np.zeros(1, dtype=np.int64)
            moments.add(np.array([episode]), first, _wide(values, width))
        elif moments.whole[episode]:
            moments.whole[episode] = False
            moments.finite[episode] &= not lacks_values(span)
            if not lacks_values(span):
                _note_shape(feature, span, values is None, part.path, numbers[episode], scan)


def _wide(values: npt.NDArray[np.generic], width: int) -> Floats:
    with np.errstate(invalid="ignore"):  # signalling NaNs become quiet ones
        return values.reshape(-1, width).astype(np.float64)


def _of_shape(found: tuple[int, ...], declared: tuple[int, ...]) -> bool:
    return (found or (1,)) == (declared or (1,))


def _note_shape(
    feature: Feature,
    column: pa.ChunkedArray,
    ragged: bool,
    path: str,
    episode: int,
    scan: TablesScan,
) -> None:
    declared = "×".join(map(str, feature.shape))
    values = None if ragged else column_values(column)
    found = "lists of different lengths"
    if values is not None:
        found = "×".join(map(str, values.shape[1:])) or "plain values"
    scan.problems.error(
        "feature.shape",
        f"its declared shape is {declared}, but its values are {found}",
        path=path,
        episode=episode,
        column=feature.name,
    )


def _count(values: Floats, starts: Int64, part: Portion, scan: TablesScan) -> None:
    """Track where `index` starts and whether it keeps rising by one, also across chunks."""
    stops = np.append(starts[1:], len(values))
    for episode, start, stop in zip(
        part.episodes.tolist(), starts.tolist(), stops.tolist(), strict=True
    ):
        if scan.index_begin[episode] < 0:
            scan.index_begin[episode] = int(values[start]) if np.isfinite(values[start]) else -1
        seen = int(scan.moments[INDEX].count[episode]) - (stop - start)
        expected = scan.index_begin[episode] + seen + np.arange(stop - start)
        scan.index_counts[episode] &= bool((values[start:stop] == expected).all())
