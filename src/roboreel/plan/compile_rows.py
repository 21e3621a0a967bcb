"""The table files of a result: which episodes share a file, and which files are copied as they are."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np

from roboreel.format import v2, v30
from roboreel.format.feature import INDEX_DTYPES
from roboreel.format.inventory import Inventory
from roboreel.format.layout import numbered
from roboreel.format.model import DATA_PATH, EPISODE
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.pack import batches, pack, parts_by, row_ranges_of
from roboreel.plan.plan import UNCHANGED, CopyTables, EpisodeRange, Op, TableProgram, WriteTables
from roboreel.types import Bools, Int64


@dataclass(frozen=True, slots=True)
class RowsPlan:
    """The table files of a result; arrays are aligned with its episodes."""

    paths: list[str]
    start: Int64
    """(episodes,) first row of the episode in its new file."""
    ops: list[Op]


def compile_rows(merged: MergedSources, inventory: Inventory, program: TableProgram) -> RowsPlan:
    """The file and first row of each episode in the result, and the ops that write the files."""
    if merged.version.one_file_per_episode:
        return _file_per_episode(merged, inventory, program)
    return _shared_files(merged, inventory, program)


def _shared_files(merged: MergedSources, inventory: Inventory, program: TableProgram) -> RowsPlan:
    info, frames = merged.model.info, inventory.rows[merged.rows]
    limit = merged.options.data_file_mb or info.data_file_mb or v30.DEFAULT_DATA_FILE_MB
    sources = merged.model.episodes[DATA_PATH].take(merged.rows).to_pylist()
    groups = pack(
        table_bytes(merged, inventory),
        limit_mb=limit,
        row_range=row_ranges_of(merged, sources),
        join=merged.view.join,
    )
    unchanged = _unchanged(merged, inventory, program)
    start = np.zeros(len(merged.rows), dtype=np.int64)
    before = np.cumsum(frames) - frames
    paths: list[str] = []
    ops: list[Op] = []
    for number, group in enumerate(groups):
        paths += [numbered(v30.DATA_TEMPLATE, number, info.chunks_size)] * len(group)
        here = slice(group.start, group.stop)
        start[here] = before[here] - before[group.start]
        if _is_whole_file(merged, inventory, sources, unchanged, group):
            ops.append(_copies(group, files=1))
            continue
        reason = "rows joined, index columns recomputed"
        ops.append(WriteTables(episodes=group, files=1, reason=reason))
    return RowsPlan(paths, start, ops)


def _file_per_episode(
    merged: MergedSources, inventory: Inventory, program: TableProgram
) -> RowsPlan:
    rows, info = merged.rows, merged.model.info
    paths = v2.paths_of_episodes(v2.DATA_TEMPLATE, range(len(rows)), info.chunks_size)
    sources = merged.model.episodes[DATA_PATH].take(rows).to_pylist()
    unchanged = _unchanged(merged, inventory, program)
    whole = [
        _is_whole_file(merged, inventory, sources, unchanged, EpisodeRange(start=at, stop=at + 1))
        for at in range(len(rows))
    ]
    ops: list[Op] = []
    for batch in batches(sources, one_file_each=info.version.one_file_per_episode):
        for part, copied in parts_by(whole, batch):
            if copied:
                ops.append(_copies(part, files=len(part)))
                continue
            reason = "one file per episode, index columns recomputed"
            ops.append(WriteTables(episodes=part, files=len(part), reason=reason))
    return RowsPlan(paths, np.zeros(len(rows), dtype=np.int64), ops)


def _copies(episodes: EpisodeRange, *, files: int) -> CopyTables:
    return CopyTables(episodes=episodes, files=files, reason=UNCHANGED)


def _unchanged(merged: MergedSources, inventory: Inventory, program: TableProgram) -> Bools:
    """(episodes,) True where an episode's rows are already as the result needs them."""
    rows = merged.rows
    frames = inventory.rows[rows]
    numbers = merged.model.episodes[EPISODE].to_numpy()[rows]
    own = np.array([n in merged.own_columns for n in range(len(merged.sources))], dtype=np.bool_)
    unchanged = numbers == np.arange(len(rows))
    unchanged &= inventory.first_index[rows] == np.cumsum(frames) - frames
    unchanged &= _same_tasks(merged, inventory) & own[merged.source[rows]]
    unchanged &= _has_schema(merged, inventory, program)
    if not _copies_rows(program, merged.view.recomputed):
        unchanged[:] = False
    return np.asarray(unchanged)


def _same_tasks(merged: MergedSources, inventory: Inventory) -> Bools:
    """(episodes,) True where the task indexes of an episode's rows don't change."""
    rows = merged.rows.tolist()
    used = zip(
        merged.tasks.map_of_slice[merged.rows].tolist(),
        (tuple(inventory.tasks_of_rows[row]) for row in rows),
        strict=True,
    )
    same: dict[tuple[int, tuple[int, ...]], bool] = {}
    found = []
    for key in used:
        if key not in same:
            changes = merged.tasks.maps[key[0]]
            same[key] = all(changes.get(index, index) == index for index in key[1])
        found.append(same[key])
    return np.array(found, dtype=np.bool_)


def _has_schema(merged: MergedSources, inventory: Inventory, program: TableProgram) -> Bools:
    """(episodes,) True where an episode's table has the columns of the result, in order and layout.

    A conversion also requires the metadata that all readers know; an edit keeps the metadata of files.
    """
    wanted, strict = program.schema, merged.options.regroup
    same: dict[int, bool] = {}
    for schema in inventory.schemas.values():
        # most files share one schema object (`survey/survey_tables.py`): it is compared once
        if id(schema) not in same:
            same[id(schema)] = schema.equals(wanted, check_metadata=strict)
    paths = merged.model.episodes[DATA_PATH].take(merged.rows).to_pylist()
    return np.array(
        [
            path not in inventory.relaid and same.get(id(inventory.schemas.get(path)), False)
            for path in paths
        ],
        dtype=np.bool_,
    )


def _copies_rows(program: TableProgram, recomputed: Container[str]) -> bool:
    """True if no column is added, and none has to be measured for lack of statistics.

    Columns whose statistics the user wants recomputed are read beside the copy, as index columns are.
    """
    added = program.source_timestamp or program.decoded or program.masks or program.filled
    measured = [n for n in program.measured if n not in INDEX_DTYPES and n not in recomputed]
    return all(step == 1 for step in program.steps) and not added and not measured


def _is_whole_file(
    merged: MergedSources,
    inventory: Inventory,
    sources: list[str],
    unchanged: Bools,
    group: EpisodeRange,
) -> bool:
    """True if a file of the result holds exactly the rows of one input file, unchanged."""
    members = merged.rows[group.start : group.stop]
    path = sources[group.start]
    rows = inventory.rows[members]
    in_order = np.array_equal(inventory.row_start[members], np.cumsum(rows) - rows)
    return (
        bool(unchanged[group.start : group.stop].all())
        and in_order
        and set(sources[group.start : group.stop]) == {path}
        and inventory.table_rows.get(path) == int(rows.sum())
    )


def table_bytes(merged: MergedSources, inventory: Inventory) -> Int64:
    """(episodes,) compressed bytes of each episode's rows: its share of the file's size."""
    paths = merged.model.episodes[DATA_PATH].combine_chunks().take(merged.rows).dictionary_encode()
    names = paths.dictionary.to_pylist()
    file = paths.indices.to_numpy()
    rows = inventory.rows[merged.rows]
    size = np.array([inventory.files[name].size_bytes for name in names], dtype=np.int64)
    total = np.array([inventory.table_rows.get(name) or 0 for name in names], dtype=np.int64)
    return np.asarray(size[file] * rows // np.maximum(np.maximum(total[file], rows), 1))
