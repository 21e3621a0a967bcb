"""Read the numbers of all tables once, in chunks: memory grows with episodes, not with rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.errors import StorageError
from roboreel.format.feature import INDEX, INDEX_DTYPES, Feature, holds_numbers
from roboreel.format.inventory import Inventory
from roboreel.format.model import DATA_PATH, EPISODE
from roboreel.format.parse import Problems
from roboreel.format.values import column_values, lacks_values
from roboreel.probes.table_requests import rows_by_path
from roboreel.progress.reporter import Phase, begin_phase
from roboreel.stats.moments import Moments
from roboreel.stats.portion import Portion
from roboreel.storage.tables import TableFile
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


def scan_tables(dataset: Dataset, inventory: Inventory) -> TablesScan:
    """Read every numeric column of every table that the survey could read."""
    episodes = len(dataset.episodes)
    scan = TablesScan(
        scanned=np.zeros(episodes, dtype=np.bool_),
        index_begin=np.full(episodes, -1, dtype=np.int64),
        index_counts=np.ones(episodes, dtype=np.bool_),
    )
    numbers = dataset.episodes[EPISODE].to_pylist()
    portions = list(located_portions(dataset, inventory))
    rows = sum(int(portion.lengths.sum()) for portion in portions)
    phase = begin_phase("reading tables", total=rows, unit="rows")
    for portion in portions:
        try:
            _scan_file(dataset, inventory, portion, scan, phase)
        except StorageError as error:
            for row in sorted(portion.episodes.tolist()):
                location = {"path": portion.path, "episode": numbers[row]}
                scan.scanned[row] = False
                scan.problems.error("table.readable", str(error), **location)
    return scan


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
    dataset: Dataset, inventory: Inventory, portion: Portion, scan: TablesScan, phase: Phase
) -> None:
    features = _numeric(dataset, inventory.schemas[portion.path])
    scan.scanned[portion.episodes] = True
    begin = 0
    with TableFile(dataset.root, portion.path) as file:
        for batch in file.batches([feature.name for feature in features], rows=_CHUNK_ROWS):
            part = portion.within(begin, begin + len(batch))
            if len(part.episodes):
                for feature in features:
                    _add(feature, batch[feature.name], part, dataset, scan)
            begin += len(batch)
            phase.add(int(part.lengths.sum()), frames=int(part.lengths.sum()))


def _numeric(dataset: Dataset, schema: pa.Schema) -> list[Feature]:
    """Declared numeric features that a table has as numbers, and the index columns."""
    found = []
    for item in schema:
        feature = dataset.features.get(item.name)
        if feature is None and item.name in INDEX_DTYPES:
            dtype = INDEX_DTYPES[item.name]
            feature = Feature(name=item.name, dtype=dtype, shape=(1,), spec={})
        if feature is not None and feature.is_numeric and holds_numbers(item.type):
            found.append(feature)
    return found


def _add(
    feature: Feature,
    column: pa.ChunkedArray,
    part: Portion,
    dataset: Dataset,
    scan: TablesScan,
) -> None:
    width = math.prod(feature.shape)
    if feature.name not in scan.moments:
        scan.moments[feature.name] = Moments(len(dataset.episodes), width)
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
                _note_shape(feature, span, values is None, part.path, episode, dataset, scan)


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
    dataset: Dataset,
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
        episode=dataset.episodes[EPISODE][episode].as_py(),
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
