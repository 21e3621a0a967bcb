"""Survey episode slices: an inventory aligned with slices instead of episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from roboreel.dataset.dataset import Dataset
from roboreel.edit.episode_slices import END
from roboreel.errors import PlanError, Problem, StorageError
from roboreel.format.feature import TASK_INDEX
from roboreel.format.inventory import CameraFacts, Inventory, StreamFacts
from roboreel.format.model import DATA_PATH, EPISODE, video_path
from roboreel.probes.table_columns import IndexColumn, distinct
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.video.access import AccessPoints, Joining
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import run_of_frames
from roboreel.types import Bools, Int64


def survey_slices(
    dataset: Dataset, inventory: Inventory, row: Int64, start: Int64, stop: Int64
) -> Inventory:
    """Align an inventory with episode slices; reads files for slices that are only part of an episode.

    Args:
        dataset: the dataset.
        inventory: its survey.
        row: (n,) row of each slice's episode in the episodes table.
        start: (n,) first frame of the slice.
        stop: (n,) frame after the last one, -1 for the episode's end.

    Raises:
        PlanError: a slice ends after its episode.
    """
    ends = np.where(stop == END, inventory.rows[row], stop)
    broken = {at: inventory.broken[r] for at, r in enumerate(row.tolist()) if r in inventory.broken}
    _require_inside(dataset, inventory, row, ends, broken)
    is_partial = (start != 0) | (ends != inventory.rows[row])
    for at in broken:
        is_partial[at] = False
    streams = list(inventory.streams)
    indexes, strings = _tasks(dataset, inventory, row, start, ends, is_partial)
    cameras = {
        name: _camera_slices(dataset, name, facts, row, start, ends, is_partial, streams)
        for name, facts in inventory.cameras.items()
    }
    return replace(
        inventory,
        rows=ends - start,
        row_start=inventory.row_start[row] + start,
        timestamp_error_s=inventory.timestamp_error_s[row],
        cameras=cameras,
        streams=tuple(streams),
        tasks_of_episodes=strings,
        tasks_of_rows=indexes,
        first_index=np.where(is_partial, -1, inventory.first_index[row]),
        with_stats={name: known[row] & ~is_partial for name, known in inventory.with_stats.items()},
        impossible_std={
            n: wrong[row] & ~is_partial for n, wrong in inventory.impossible_std.items()
        },
        overcounted={name: many[row] & ~is_partial for name, many in inventory.overcounted.items()},
        broken=broken,
    )


def _require_inside(
    dataset: Dataset,
    inventory: Inventory,
    row: Int64,
    ends: Int64,
    broken: Mapping[int, tuple[Problem, ...]],
) -> None:
    numbers = dataset.episodes[EPISODE].to_numpy()
    problems = [
        Problem(
            rule="episode.length",
            severity="error",
            message=f"its table has {inventory.rows[row[at]]} rows, but frames up to {ends[at]} are needed",
            episode=int(numbers[row[at]]),
        )
        for at in np.flatnonzero(ends > inventory.rows[row]).tolist()
        if at not in broken
    ]
    if problems:
        raise PlanError("episodes are shorter than the frames to keep", problems)


def _tasks(
    dataset: Dataset, inventory: Inventory, row: Int64, start: Int64, ends: Int64, is_partial: Bools
) -> tuple[list[Sequence[int]], list[Sequence[str]]]:
    """(task indexes, task texts) of each slice, without the tasks of rows that are cut off."""
    indexes = [inventory.tasks_of_rows[r] for r in row.tolist()]
    strings = [inventory.tasks_of_episodes[r] for r in row.tolist()]
    paths = dataset.episodes[DATA_PATH].to_pylist()
    for at in np.flatnonzero(is_partial).tolist():
        if len(indexes[at]) < 2:
            continue
        before = inventory.row_start[row[at]]
        with TableFile(dataset.root, paths[row[at]], "columns") as file:
            column = IndexColumn(file.read([TASK_INDEX])[TASK_INDEX])
        left = distinct(column.whole_numbers(int(before + start[at]), int(before + ends[at])))
        gone = {inventory.tasks[index] for index in indexes[at] if index not in left}
        indexes[at], strings[at] = left, [text for text in strings[at] if text not in gone]
    return indexes, strings


def _camera_slices(
    dataset: Dataset,
    camera: str,
    facts: CameraFacts,
    row: Int64,
    start: Int64,
    ends: Int64,
    is_partial: Bools,
    streams: list[StreamFacts],
) -> CameraFacts:
    """One camera's facts, aligned with the slices."""
    values = {
        name: getattr(facts, name)[row].copy()
        for name in ("start", "packets", "lead", "size_bytes", "keyframes", "stream")
    }
    values["start"] += start
    paths = dataset.episodes[video_path(camera)].to_pylist()
    by_path: dict[str, list[int]] = {}
    for at in np.flatnonzero(is_partial).tolist():
        by_path.setdefault(paths[row[at]], []).append(at)
    for path, members in by_path.items():
        table = read_packet_table(dataset.root, path)
        with dataset.root.input(path) as file:
            points = AccessPoints(file, table)
            for at in members:
                first = int(values["start"][at])
                try:
                    run = run_of_frames(
                        table, first, first + int(ends[at] - start[at]), resets=points.resets
                    )
                except ValueError as error:
                    raise StorageError(f"'{path}': {error}") from error
                values["packets"][at], values["lead"][at] = run.packets, run.lead
                values["size_bytes"][at] = int(table.size[run.positions].sum())
                values["keyframes"][at] = int(table.keyframe[run.positions].sum())
                joining = points.joining(run)
                values["stream"][at] = _stream_number(streams, int(values["stream"][at]), joining)
    return CameraFacts(**values)


def _stream_number(streams: list[StreamFacts], number: int, joining: Joining) -> int:
    """Number of the stream kind like `number`, but with this `joining`; added to `streams` if new."""
    known = streams[number]
    wanted = replace(
        known,
        apart=known.apart or joining.apart or joining.first,
        first=joining.first,
        sets=joining.sets,
    )
    if wanted == known:
        return number
    entry = len(streams)
    for at, other in enumerate(streams):
        if replace(other, entry=known.entry) == wanted:
            return at
        same = (other.identity, other.sets, other.apart)
        if same == (wanted.identity, wanted.sets, False):
            entry = other.entry
    streams.append(replace(wanted, entry=entry))
    return len(streams) - 1
