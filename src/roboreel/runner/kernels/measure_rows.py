"""Compute statistics of the rows of episodes while they are written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from roboreel.errors import StorageError, VideoError
from roboreel.format.values import column_values
from roboreel.plan.plan import TableProgram
from roboreel.runner.kernels.measure_cameras import column_pixels
from roboreel.runner.kernels.table_inputs import Members
from roboreel.runner.row_sketches import Sketches
from roboreel.stats.block import StatsBlock, blocks_of, each, joined
from roboreel.stats.feature_stats import Stats
from roboreel.stats.numeric import episode_stats, episodes_stats
from roboreel.stats.pixel_counts import CameraCounts
from roboreel.types import Int64


def measured_stats(
    table: pa.Table,
    members: Members,
    program: TableProgram,
    *,
    pixels: CameraCounts,
    sketches: Sketches,
) -> list[StatsBlock]:
    """Compute missing statistics; for episodes that are a part of the source's, compute all of them.

    Args:
        table: the rows of some episodes, one after another.
        members: the episodes.
        program: lists the columns to measure.
        pixels: receives the pixel counts of image columns.
        sketches: receive the values of some columns too; set to None if values are missing.
    """
    parts: list[tuple[int, StatsBlock]] = []
    alike: list[StatsBlock] | None = None
    for names, wanted in ((program.measured, members.whole), (program.measurable, ~members.whole)):
        if wanted.all():
            alike = _stats(table.select(names), members.rows, program, pixels, sketches)
        elif wanted.any():
            rows = table.select(names).filter(pa.array(np.repeat(wanted, members.rows)))
            found = _stats(rows, members.rows[wanted], program, pixels, sketches)
            parts += _spread(found, np.flatnonzero(wanted))
    if alike is not None:
        return alike
    whole = joined(parts, len(members))
    return [whole] if whole is not None else blocks_of(each(parts, len(members)))


def _spread(blocks: Sequence[StatsBlock], rows: Int64) -> list[tuple[int, StatsBlock]]:
    """Split blocks where the episode numbers have gaps; each part with its first episode number."""
    found = []
    start = 0
    for block in blocks:
        own = rows[start : start + block.episodes]
        start += block.episodes
        ends = [*(np.flatnonzero(np.diff(own) != 1) + 1).tolist(), len(own)]
        first = 0
        for end in ends:
            found.append((int(own[first]), block.take(slice(first, end))))
            first = end
    return found


def _stats(
    table: pa.Table,
    rows: Int64,
    program: TableProgram,
    pixels: CameraCounts,
    sketches: Sketches,
) -> list[StatsBlock]:
    """Statistics of all columns of a table whose episodes have `rows` rows each."""
    names = [name for name in table.column_names if name not in program.images]
    values = {name: column_values(table[name]) for name in names}
    whole = {name: found for name, found in values.items() if found is not None}
    for name in values.keys() & sketches.keys():
        known, found = sketches[name], whole.get(name)
        if known is None or found is None or found[0].size % known.width:
            sketches[name] = None
    numbers = episodes_stats(
        whole, rows, program.profile, per_last_axis=program.per_last_axis, sketches=sketches
    )
    others = table.select([name for name in table.column_names if name not in whole])
    if not others.num_columns:
        return [numbers]
    parts = [(0, numbers)]
    start = 0
    for block in blocks_of(_one_by_one(others, rows, program, pixels)):
        parts.append((start, block))
        start += block.episodes
    together = joined(parts, len(rows))
    return [together] if together is not None else blocks_of(each(parts, len(rows)))


def _one_by_one(
    table: pa.Table, rows: Int64, program: TableProgram, pixels: CameraCounts
) -> list[Stats]:
    """Statistics of images, and of columns that have missing values in some episodes."""
    found = []
    stop = 0
    for count in rows.tolist():
        start, stop = stop, stop + count
        found.append(_of_episode(table.slice(start, count), program, pixels))
    return found


def _of_episode(table: pa.Table, program: TableProgram, pixels: CameraCounts) -> Stats:
    numbers = [name for name in table.column_names if name not in program.images]
    values = {name: column_values(table[name]) for name in numbers}
    usable = {name: found for name, found in values.items() if found is not None}
    stats = episode_stats(usable, program.profile, per_last_axis=program.per_last_axis)
    for name in [name for name in table.column_names if name in program.images]:
        try:
            own = column_pixels(table[name], program.profile, depth=name in program.depths)
        except VideoError as error:
            raise StorageError(f"column '{name}': {error}") from error
        measured = own.stats()
        if measured is not None:
            stats[name] = measured
            if program.profile.exact_quantiles:
                pixels.add(name, own.counted)
    return stats
