"""A view's slices of several datasets as one dataset with a row per slice: the input of the compiler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeVar

import numpy as np
import pyarrow as pa

from roboreel.edit.episode_slices import END
from roboreel.edit.resampling import result_lengths, steps_of
from roboreel.edit.view import View
from roboreel.edit.view_data import Source
from roboreel.edit.write_options import WriteOptions
from roboreel.errors import PlanError, Problem
from roboreel.format.extras import alike
from roboreel.format.feature import Feature
from roboreel.format.inventory import CameraFacts, Inventory, StreamFacts
from roboreel.format.model import EPISODE, LENGTH, Model
from roboreel.format.parse import Problems
from roboreel.format.version import FormatVersion
from roboreel.plan.carried import lost_declarations, merged_info, with_provenance
from roboreel.plan.merge_names import adapted, by_own_names, of_dataset, slice_table
from roboreel.plan.merge_tasks import MergedTasks, merged_tasks
from roboreel.plan.plan import PlanSource, source_prefix
from roboreel.types import Bools, Int64

_NO_STREAM = -1
PART = -1
"""The declared length of an episode that is not used whole, each row once."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MergedSources:
    """One model and one inventory for all slices of a view; arrays are aligned with `model.episodes`."""

    view: View = field(repr=False)
    model: Model = field(repr=False)
    """The first source's documents, with a row per slice. `episode_index` is the number in its source."""
    inventory: Inventory = field(repr=False)
    rows: Int64 = field(repr=False)
    """Rows of `model.episodes` to write, in order."""
    source: Int64 = field(repr=False)
    """(slices,) number of the dataset."""
    row_range: Int64 = field(repr=False)
    """(slices,) input rows that a slice spans; differs from `inventory.rows` if the frame rate changes."""
    declared: Int64 = field(repr=False)
    """(slices,) frames of the episode by its documents; `PART` if the slice is not the whole episode."""
    first_supplied: Int64 = field(repr=False)
    """(slices,) first row of the slice's values in `supplied`."""
    supplied: pa.Table | None = field(repr=False)
    """Values of columns that no file has."""
    tasks: MergedTasks = field(repr=False)
    sources: tuple[PlanSource, ...]
    own_columns: frozenset[int]
    """Sources whose table schemas are unchanged."""
    steps: Sequence[Fraction]
    """(sources,) input frames per frame of the result."""
    pooled_std: Sequence[Mapping[str, Sequence[float]]]
    """(sources,) `Inventory.pooled_std` of each, by camera."""
    lost: Sequence[str]
    """A line for each part of the sources' documents that is not carried over."""

    @property
    def is_resampled(self) -> bool:
        """True if the frame rate of a dataset changes."""
        return any(step != 1 for step in self.steps)

    @property
    def options(self) -> WriteOptions:
        """As what to write it."""
        return self.view.options

    @property
    def version(self) -> FormatVersion:
        """The version to write."""
        return self.view.version

    def keep(self, rows: Int64) -> MergedSources:
        """The same with only some of the episodes to write."""
        return replace(self, rows=rows)


def merge_sources(
    view: View, inventories: Sequence[Inventory], problems: Problems
) -> MergedSources:
    """The slices of a view as one dataset.

    Args:
        view: the view.
        inventories: per source, the facts about its files, aligned with the view's slices of it.
        problems: collects warnings and errors.

    Raises:
        PlanError: values were supplied for rows that the files don't have, or episode tables have columns of
            types that no single type can hold.
    """
    positions = [np.flatnonzero(view.slices.source == n) for n in range(len(view.sources))]
    # inventories come one dataset after another; `order` puts their rows in the order of the view
    order = np.argsort(np.concatenate(positions), kind="stable")
    tasks = merged_tasks(view, inventories, problems)
    named = [by_own_names(view, number, inventory) for number, inventory in enumerate(inventories)]
    own = dict.fromkeys(n for source in view.sources for n in source.model.extra_columns)
    tables = alike([slice_table(view, n, at) for n, at in enumerate(positions)], own)
    row_range = np.concatenate([inventory.rows for inventory in inventories])[order]
    inventory = _joined(named, positions, order, tasks)
    steps = steps_of(view)
    own_rate = np.array([step == 1 for step in steps], dtype=np.bool_)[view.slices.source]
    if not own_rate.all():
        rows = result_lengths(view, row_range)
        inventory = _resampled(inventory, rows, own_rate)
    declared = [
        source.model.episodes[LENGTH].to_numpy()[view.slices.row[at]]
        for source, at in zip(view.sources, positions, strict=True)
    ]
    supplied, first = _supplied(view, inventories, positions)
    lost: list[str] = []
    return MergedSources(
        view=view,
        model=_model(view, _concatenated(tables).take(pa.array(order)), lost),
        inventory=inventory,
        rows=np.arange(len(view.slices), dtype=np.int64),
        source=view.slices.source,
        row_range=row_range,
        declared=np.where(_whole(view) & own_rate, np.concatenate(declared)[order], PART),
        first_supplied=np.concatenate(first)[order],
        supplied=supplied,
        tasks=tasks,
        sources=(
            *(_plan_source(source) for source in view.sources),
            *(PlanSource(url=folder, is_dataset=False) for folder in view.folders),
        ),
        own_columns=frozenset(
            number
            for number, (source, inventory) in enumerate(
                zip(view.sources, inventories, strict=True)
            )
            if all(adapted(schema, source) is schema for schema in inventory.schemas.values())
        ),
        steps=steps,
        pooled_std=[own.pooled_std for own in named],
        lost=lost,
    )


def _resampled(inventory: Inventory, rows: Int64, own_rate: Bools) -> Inventory:
    """The inventory with other numbers of rows; stored statistics only describe slices at their own rate."""

    def known(stored: Mapping[str, Bools]) -> dict[str, Bools]:
        return {name: at & own_rate for name, at in stored.items()}

    return replace(
        inventory,
        rows=rows,
        with_stats=known(inventory.with_stats),
        impossible_std=known(inventory.impossible_std),
        overcounted=known(inventory.overcounted),
        first_index=np.full_like(rows, -1),
    )


def _whole(view: View) -> Bools:
    """(slices,) True where a slice has every row of its episode once, so that stored statistics apply."""
    slices = view.slices
    return np.asarray((slices.start == 0) & (slices.stop == END))


def _concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """The tables of slices as one; numbers of different widths are widened."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise PlanError(f"the tables of episodes have different columns: {error}") from error


def _plan_source(source: Source) -> PlanSource:
    return PlanSource(
        url=source.dataset.url,
        follow_links=source.dataset.follow_links,
        renamed=source.renamed,
        removed=tuple(sorted(source.removed)),
        filled=tuple(sorted(source.filled)),
        supplied=tuple(source.supplied),
    )


def _model(view: View, episodes: pa.Table, lost: list[str]) -> Model:
    """The first source's documents with the features, extra columns, files and problems of all sources."""
    features: dict[str, Feature] = {}
    # reversed: of a feature that several datasets declare, the first declaration stays
    for source in reversed(view.sources):
        features |= source.model.info.features
    ordered = dict.fromkeys(n for source in view.sources for n in source.model.info.features)
    first = view.sources[0].model
    merged, lost_keys = merged_info(view)
    lost += [*lost_keys, *lost_declarations(view)]
    info = replace(merged, features={name: features[name] for name in ordered})
    extra: dict[str, None] = dict.fromkeys(
        name for source in view.sources for name in source.model.extra_columns
    )
    episodes, provenance = with_provenance(view, episodes)
    extra |= dict.fromkeys(provenance)
    prefixes = [source_prefix(n, view.roots) for n in range(len(view.sources))]
    files: dict[str, str] = {}
    others: list[str] = []
    hidden: list[str] = []
    for prefix, source in zip(prefixes, view.sources, strict=True):
        for name in source.model.extra_files:
            if files.setdefault(name, prefix + name) != prefix + name:
                lost.append(
                    f"'{name}' of '{source.dataset.url}': only the one of the first dataset is kept"
                )
        others += [prefix + name for name in source.model.other_files]
        hidden += [prefix + name for name in source.model.hidden_files]
    return replace(
        first,
        info=info,
        episodes=episodes,
        extra_columns=tuple(extra),
        extra_files=tuple(files.values()),
        other_files=tuple(others),
        hidden_files=tuple(hidden),
        problems=_problems_of_sources(view),
    )


def _problems_of_sources(view: View) -> tuple[Problem, ...]:
    """Problems of all sources, without those of episodes and columns that the view does not have."""
    kept: list[Problem] = []
    for number, source in enumerate(view.sources):
        rows = view.slices.row[view.slices.source == number]
        used = set(source.model.episodes[EPISODE].to_numpy()[rows].tolist())
        kept += [
            of_dataset(problem, view, number)
            for problem in source.model.problems
            if problem.column not in source.removed
            if problem.episode is None or problem.episode in used
        ]
    return tuple(kept)


def _joined(
    parts: Sequence[Inventory], positions: Sequence[Int64], order: Int64, tasks: MergedTasks
) -> Inventory:
    """One inventory of all slices, in their order."""
    if len(parts) == 1 and np.array_equal(order, np.arange(len(order))):
        return replace(parts[0], tasks=tasks.strings, tasks_of_episodes=tasks.of_slices)

    def merged(mappings: Iterable[Mapping[str, _T]]) -> dict[str, _T]:
        found: dict[str, _T] = {}
        for mapping in mappings:
            found.update(mapping)
        return found

    streams, numbers = _streams(parts)
    broken = {
        int(at[own]): problems
        for part, at in zip(parts, positions, strict=True)
        for own, problems in part.broken.items()
    }
    lengths = [len(part.rows) for part in parts]
    cameras = dict.fromkeys(name for part in parts for name in part.cameras)
    rows_tasks = [indexes for part in parts for indexes in part.tasks_of_rows]

    def by_episode(found: Sequence[Mapping[str, Bools]]) -> dict[str, Bools]:
        none = [np.zeros(length, dtype=np.bool_) for length in lengths]
        names = dict.fromkeys(name for mapping in found for name in mapping)
        pairs = list(zip(found, none, strict=True))
        return {n: np.concatenate([own.get(n, no) for own, no in pairs])[order] for n in names}

    return replace(
        parts[0],
        files=merged(part.files for part in parts),
        schemas=merged(part.schemas for part in parts),
        relaid=frozenset().union(*(part.relaid for part in parts)),
        rows=np.concatenate([part.rows for part in parts])[order],
        row_start=np.concatenate([part.row_start for part in parts])[order],
        timestamp_error_s=np.concatenate([part.timestamp_error_s for part in parts])[order],
        cameras={name: _camera(parts, name, numbers, order) for name in cameras},
        streams=tuple(streams),
        shapes=merged(part.shapes for part in reversed(parts)),
        tasks=tasks.strings,
        tasks_of_episodes=tasks.of_slices,
        tasks_of_rows=[rows_tasks[at] for at in order.tolist()],
        first_index=np.concatenate([part.first_index for part in parts])[order],
        table_rows=merged(part.table_rows for part in parts),
        tidy_videos=merged(part.tidy_videos for part in parts),
        with_stats=by_episode([part.with_stats for part in parts]),
        overcounted=by_episode([part.overcounted for part in parts]),
        impossible_std=by_episode([part.impossible_std for part in parts]),
        stats_dims=_fewest_dims(part.stats_dims for part in parts),
        broken=dict(sorted(broken.items())),
        problems=tuple(problem for part in parts for problem in part.problems),
    )


def _fewest_dims(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts:
        for name, dims in part.items():
            found[name] = min(dims, found.get(name, dims))
    return found


def _streams(parts: Sequence[Inventory]) -> tuple[list[StreamFacts], list[Int64]]:
    """All kinds of streams, and per inventory the new number of each of its streams."""
    streams: list[StreamFacts] = []
    entries: dict[object, int] = {}
    numbers: list[Int64] = []
    for at, part in enumerate(parts):
        own = []
        for stream in part.streams:
            key = (at, stream.entry) if stream.apart else (stream.identity, stream.sets)
            entry = entries.setdefault(key, len(entries))
            own.append(len(streams))
            streams.append(replace(stream, entry=entry))
        numbers.append(np.array([*own, _NO_STREAM], dtype=np.int64))
    return streams, numbers


def _camera(
    parts: Sequence[Inventory], name: str, numbers: Sequence[Int64], order: Int64
) -> CameraFacts:
    columns: dict[str, list[Int64]] = {}
    for part, new in zip(parts, numbers, strict=True):
        facts = part.cameras.get(name)
        for column in ("start", "packets", "lead", "size_bytes", "keyframes", "stream"):
            if facts is None:
                fill = _NO_STREAM if column == "stream" else 0
                found = np.full(len(part.rows), fill, dtype=np.int64)
            else:
                found = getattr(facts, column)
                found = new[found] if column == "stream" else found
            columns.setdefault(column, []).append(found)
    joined = {column: np.concatenate(found)[order] for column, found in columns.items()}
    return CameraFacts(**joined)


def _supplied(
    view: View, inventories: Sequence[Inventory], positions: Sequence[Int64]
) -> tuple[pa.Table | None, list[Int64]]:
    """The columns that no file has, and per source the first row of each slice in them."""
    firsts: list[Int64] = []
    tables: list[pa.Table] = []
    before = 0
    for source, inventory, at in zip(view.sources, inventories, positions, strict=True):
        lengths = source.model.episodes[LENGTH].to_numpy()
        begin = np.cumsum(lengths) - lengths
        row = view.slices.row[at]
        firsts.append(before + begin[row] + view.slices.start[at])
        if source.supplied:
            _require_rows(source, inventory, row, view.slices.start[at])
        tables.append(pa.table(dict(source.supplied)) if source.supplied else None)
        before += int(lengths.sum()) if source.supplied else 0
    known = [table for table in tables if table is not None]
    return (pa.concat_tables(known, promote_options="default") if known else None), firsts


def _require_rows(source: Source, inventory: Inventory, row: Int64, start: Int64) -> None:
    """Raise `PlanError` if the user supplied values by lengths in documents that the files contradict."""
    declared = source.model.episodes[LENGTH].to_numpy()[row]
    numbers = source.model.episodes[EPISODE].to_numpy()[row]
    problems = [
        Problem(
            rule="episode.length",
            severity="error",
            message=f"the documents give {declared[at]} frames, but its table has {inventory.rows[at]} rows",
            episode=int(numbers[at]),
        )
        for at in np.flatnonzero(start + inventory.rows > declared).tolist()
    ]
    if problems:
        raise PlanError("the values of the new feature cannot be assigned to episodes", problems)
