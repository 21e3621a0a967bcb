"""Compute statistics of numeric columns for many episodes of table files at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from roboreel.errors import StorageError
from roboreel.format.values import column_values
from roboreel.stats.feature_stats import quantile_name
from roboreel.stats.numeric import described
from roboreel.stats.portion import Portion
from roboreel.stats.quantiles import Quantiles
from roboreel.stats.sorted_values import Ordered
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.tables.tables_forward import Forward
from roboreel.types import Floats, Int64

_READ_ROWS, _READ_BYTES = 1 << 17, 8 << 20
"""Rows to read at once; an episode is never split."""

Values: TypeAlias = dict[str, Floats]
"""(episodes, components) by statistic."""


def rank_name(quantile: str) -> str:
    """What the number at a quantile's rank ⌈q·n⌉ is called, beside the interpolated one."""
    return f"{quantile} by rank"


def cut_names(shares: Sequence[float]) -> list[str]:
    """The names of the quantiles, then of the values at their ranks."""
    names = [quantile_name(share) for share in shares]
    return [*names, *map(rank_name, names)]


@dataclass(frozen=True, slots=True)
class WantedStats:
    """Which columns, in which form their statistics are stored, bytes that may be kept of each, quantiles."""

    shapes: Mapping[str, tuple[int, ...]]
    budgets: Mapping[str, int]
    shares: tuple[float, ...]
    """The quantiles, from 0 to 1."""


@dataclass(slots=True)
class Measured:
    """What some portions hold."""

    parts: list[tuple[str, Int64, Int64, Values]] = field(default_factory=list)
    """Column, episodes, their rows, and their statistics; an episode that lacks values is in none."""
    quantiles: dict[str, Quantiles] = field(default_factory=dict)
    """By column, of all of these episodes together."""
    failed: list[tuple[Portion, str]] = field(default_factory=list)
    """What could not be read completely, and why."""


def measured(root: Root, every: Sequence[Portion], wanted: WantedStats) -> Measured:
    """Statistics of the columns in the episodes of some portions, each episode's and of all."""
    found = Measured()
    for name, shape in wanted.shapes.items():
        found.quantiles[name] = Quantiles(prod(shape), budget_bytes=wanted.budgets[name])
    for portion in every:
        try:
            for table, episodes, lengths in _tables(root, portion, [*wanted.shapes]):
                for name in table.column_names:
                    _add(found, name, table[name], episodes, lengths, wanted.shares)
        except StorageError as error:
            found.failed.append((portion, str(error)))
    for quantiles in found.quantiles.values():
        quantiles.count()
    return found


def _tables(
    root: Root, portion: Portion, names: Sequence[str]
) -> Iterator[tuple[pa.Table, Int64, Int64]]:
    """The rows of episodes that follow one another, the episodes, and how many rows each has."""
    start, stop = portion.start, portion.stop
    with TableFile(root, portion.path) as file:
        own = [name for name in names if name in file.footer.schema.names]
        most = min(_READ_ROWS, _READ_BYTES // file.row_bytes(own))
        first, forward = 0, Forward(file, own)
        while own and first < len(start):
            follows = np.append(start[first + 1 :] == stop[first:-1], False)
            fits = np.append(stop[first + 1 :] - start[first] <= most, False)
            last = first + 1 + int((follows & fits).argmin())
            table = forward.rows(int(start[first]), int(stop[last - 1]))
            part = portion.take(slice(first, last))
            yield table, part.episodes, part.lengths
            first = last


def _add(
    found: Measured,
    name: str,
    column: pa.ChunkedArray,
    episodes: Int64,
    lengths: Int64,
    shares: Sequence[float],
) -> None:
    """Add the rows of episodes: all at once if they have one shape, else one by one."""
    quantiles = found.quantiles[name]
    values = column_values(column)
    if values is None or values[0].size % quantiles.width:
        if len(episodes) > 1:
            starts = np.cumsum(lengths) - lengths
            for at, (start, rows) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
                part = slice(at, at + 1)
                own = column.slice(start, rows)
                _add(found, name, own, episodes[part], lengths[part], shares)
        return
    wide = values.reshape(-1, quantiles.width)
    each_row = len(wide) // len(values)
    stats = described(wide, lengths * each_row, shares, quantiles, _with_ranks)
    found.parts.append((name, episodes, lengths, stats))


def _with_ranks(order: Ordered, shares: Sequence[float]) -> dict[str, Floats]:
    """The quantiles, and the numbers at their ranks."""
    cuts = np.concatenate([order.interpolated(shares), order.ranked(shares)])
    return dict(zip(cut_names(shares), cuts, strict=True))
