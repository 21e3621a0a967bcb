"""Where rows land: which episodes share a table file, and which files are copied as they are."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np

from roboreel.format import v2, v30
from roboreel.format.feature import INDEX_DTYPES
from roboreel.format.inventory import Inventory
from roboreel.format.layout import numbered
from roboreel.format.model import DATA_PATH, EPISODE
from roboreel.plan.grouping import parts_by, row_ranges_of
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.pack import batches, pack
from roboreel.plan.plan import CopyTables, EpisodeRange, Op, TableProgram, WriteTables
from roboreel.types import Bools, Int64


@dataclass(frozen=True, slots=True)
class RowsPlan:
    """The table files of the result; arrays are aligned with its episodes."""

    paths: list[str]
    start: Int64
    """(episodes,) first row of the episode in its new file."""
    ops: list[Op]


def compile_rows(view: MergedSources, inventory: Inventory, program: TableProgram) -> RowsPlan:
    """Where the rows of each episode land, and the ops that bring them there."""
    if view.version.one_file_per_episode:
        return _file_per_episode(view, inventory, program)
    return _shared_files(view, inventory, program)


def _shared_files(view: MergedSources, inventory: Inventory, program: TableProgram) -> RowsPlan:
    info, frames = view.model.info, inventory.rows[view.rows]
    limit = view.options.data_file_mb or info.data_file_mb or v30.DEFAULT_DATA_FILE_MB
    sources = view.model.episodes[DATA_PATH].take(view.rows).to_pylist()
    groups = pack(
        table_bytes(view, inventory),
        limit_mb=limit,
        row_range=row_ranges_of(view, sources),
        join=view.view.join,
    )
    stays = _stay(view, inventory, program)
    start = np.zeros(len(view.rows), dtype=np.int64)
    before = np.cumsum(frames) - frames
    paths: list[str] = []
    ops: list[Op] = []
    for number, group in enumerate(groups):
        paths += [numbered(v30.DATA_TEMPLATE, number, info.chunks_size)] * len(group)
        here = slice(group.start, group.stop)
        start[here] = before[here] - before[group.start]
        if _is_whole_file(view, inventory, sources, stays, group):
            ops.append(_copies(group, files=1))
            continue
        reason = f"rows of {len(group)} episodes joined; index columns written anew"
        ops.append(WriteTables(episodes=group, files=1, reason=reason))
    return RowsPlan(paths, start, ops)


def _file_per_episode(view: MergedSources, inventory: Inventory, program: TableProgram) -> RowsPlan:
    rows, info = view.rows, view.model.info
    paths = v2.paths_of_episodes(v2.DATA_TEMPLATE, range(len(rows)), info.chunks_size)
    sources = view.model.episodes[DATA_PATH].take(rows).to_pylist()
    stays = _stay(view, inventory, program)
    whole = [
        _is_whole_file(view, inventory, sources, stays, EpisodeRange(start=at, stop=at + 1))
        for at in range(len(rows))
    ]
    ops: list[Op] = []
    for batch in batches(sources, one_file_each=info.version.one_file_per_episode):
        for part, copied in parts_by(whole, batch):
            if copied:
                ops.append(_copies(part, files=len(part)))
                continue
            reason = f"rows of {len(part)} episodes, a file each; index columns written anew"
            ops.append(WriteTables(episodes=part, files=len(part), reason=reason))
    return RowsPlan(paths, np.zeros(len(rows), dtype=np.int64), ops)


def _copies(episodes: EpisodeRange, *, files: int) -> CopyTables:
    reason = f"rows of {len(episodes)} episodes: nothing changes, copied byte for byte"
    return CopyTables(episodes=episodes, files=files, reason=reason)


def _stay(view: MergedSources, inventory: Inventory, program: TableProgram) -> Bools:
    """(episodes,) True where an episode's rows are already what they are to be."""
    rows = view.rows
    frames = inventory.rows[rows]
    numbers = view.model.episodes[EPISODE].to_numpy()[rows]
    own = np.array([n in view.own_columns for n in range(len(view.sources))], dtype=np.bool_)
    stays = numbers == np.arange(len(rows))
    stays &= inventory.first_index[rows] == np.cumsum(frames) - frames
    stays &= _same_tasks(view, inventory) & own[view.source[rows]]
    stays &= _of_schema(view, inventory, program)
    if not _passes_through(program, view.view.recomputed):
        stays[:] = False
    return np.asarray(stays)


def _same_tasks(view: MergedSources, inventory: Inventory) -> Bools:
    """(episodes,) True where the task indexes of an episode's rows stay."""
    rows = view.rows.tolist()
    used = zip(
        view.tasks.map_of_slice[view.rows].tolist(),
        (tuple(inventory.tasks_of_rows[row]) for row in rows),
        strict=True,
    )
    same: dict[tuple[int, tuple[int, ...]], bool] = {}
    found = []
    for key in used:
        if key not in same:
            changes = view.tasks.maps[key[0]]
            same[key] = all(changes.get(index, index) == index for index in key[1])
        found.append(same[key])
    return np.array(found, dtype=np.bool_)


def _of_schema(view: MergedSources, inventory: Inventory, program: TableProgram) -> Bools:
    """(episodes,) True where an episode's table has the columns of the result, in order and layout.

    A conversion also writes metadata that all readers know; an edit leaves files as their writer made them.
    """
    wanted, strict = program.schema, view.options.regroup
    same: dict[int, bool] = {}
    for schema in inventory.schemas.values():
        if id(schema) not in same:
            same[id(schema)] = schema.equals(wanted, check_metadata=strict)
    paths = view.model.episodes[DATA_PATH].to_pylist()
    schemas = [inventory.schemas.get(paths[row]) for row in view.rows.tolist()]
    alike = np.array([same.get(id(schema), False) for schema in schemas], dtype=np.bool_)
    return alike & np.array(
        [paths[row] not in inventory.relaid for row in view.rows.tolist()], dtype=np.bool_
    )


def _passes_through(program: TableProgram, recomputed: Container[str]) -> bool:
    """True where rows need not be handled: no column is made, or lacks statistics that tables are read for.

    What is measured because that was asked for is read beside the copy, as index columns are.
    """
    made = program.source_timestamp or program.decoded or program.masks or program.filled
    measured = [n for n in program.measured if n not in INDEX_DTYPES and n not in recomputed]
    return program.step == 1 and not made and not measured


def _is_whole_file(
    view: MergedSources,
    inventory: Inventory,
    sources: list[str],
    stays: Bools,
    group: EpisodeRange,
) -> bool:
    """True where a file of the result would hold just the rows of one file of the input, unchanged."""
    members = view.rows[group.start : group.stop]
    path = sources[group.start]
    rows = inventory.rows[members]
    in_order = np.array_equal(inventory.row_start[members], np.cumsum(rows) - rows)
    return (
        bool(stays[group.start : group.stop].all())
        and in_order
        and set(sources[group.start : group.stop]) == {path}
        and inventory.table_rows.get(path) == int(rows.sum())
    )


def table_bytes(view: MergedSources, inventory: Inventory) -> Int64:
    """(episodes,) compressed bytes of each episode's rows: its share of the file's."""
    paths = view.model.episodes[DATA_PATH].combine_chunks().take(view.rows).dictionary_encode()
    names = paths.dictionary.to_pylist()
    file = paths.indices.to_numpy()
    rows = inventory.rows[view.rows]
    size = np.array([inventory.files[name].size_bytes for name in names], dtype=np.int64)
    held = np.array([inventory.table_rows.get(name) or 0 for name in names], dtype=np.int64)
    return np.asarray(size[file] * rows // np.maximum(np.maximum(held[file], rows), 1))
