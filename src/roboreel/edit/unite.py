"""A view's pieces of several datasets as one dataset with one row per piece: what the compiler takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeVar

import numpy as np
import pyarrow as pa

from roboreel.edit.carried import united_info, with_provenance
from roboreel.edit.features import refuse_twins
from roboreel.edit.frames import taken_count
from roboreel.edit.plan import PlanSource, source_prefix
from roboreel.edit.unite_tasks import UnitedTasks, united_tasks
from roboreel.edit.view import Clips, Source, Target, View
from roboreel.errors import PlanError, Problem
from roboreel.format.feature import Feature
from roboreel.format.inventory import CameraFacts, Int64, Inventory, StreamFacts
from roboreel.format.model import DATA_PATH, EPISODE, LENGTH, Model, video_path
from roboreel.format.parse import Problems

_NO_STREAM = -1
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class United:
    """One model and one inventory for all pieces of a view; arrays are aligned with `model.episodes`."""

    view: View = field(repr=False)
    model: Model = field(repr=False)
    """The documents of the first source, with a row for each piece. `episode_index` is its source's own."""
    inventory: Inventory = field(repr=False)
    rows: Int64 = field(repr=False)
    """Rows of `model.episodes` that are to be written, in order."""
    source: Int64 = field(repr=False)
    """(pieces,) number of the dataset."""
    stretch: Int64 = field(repr=False)
    """(pieces,) rows of the input that a piece spans: other than it has where the frame rate changes."""
    declared: Int64 = field(repr=False)
    """(pieces,) frames of the whole episode by its documents."""
    first_supplied: Int64 = field(repr=False)
    """(pieces,) where the values of its stretch begin in `supplied`."""
    supplied: pa.Table | None = field(repr=False)
    tasks: UnitedTasks = field(repr=False)
    sources: tuple[PlanSource, ...]
    own_columns: frozenset[int]
    """Sources whose tables have the columns that they had, by the same names."""
    step: Fraction
    """Frames of the input from one of the result to the next."""
    lost: Sequence[str]
    """What of the sources' documents is not carried over."""

    @property
    def target(self) -> Target:
        """What to write."""
        return self.view.target

    def keep(self, rows: Int64) -> United:
        """With some of these episodes."""
        return replace(self, rows=rows)


def unite(view: View, inventories: Sequence[Inventory], problems: Problems) -> United:
    """The pieces of a view as one dataset.

    Args:
        view: the view.
        inventories: what the files of each of its sources hold, by the view's pieces of it.
        problems: grows.

    Raises:
        PlanError: values were supplied for other rows than the files hold.
    """
    positions = [np.flatnonzero(view.pieces.source == n) for n in range(len(view.sources))]
    place = np.argsort(np.concatenate(positions), kind="stable")
    step = Fraction(1) if view.fps is None else view.model.info.fps / view.fps
    tasks = united_tasks(view, inventories, problems)
    named = [_named(view, number, inventory) for number, inventory in enumerate(inventories)]
    tables = [_table(view, number, at) for number, at in enumerate(positions)]
    stretch = np.concatenate([inventory.rows for inventory in inventories])[place]
    inventory = _joined(named, positions, place, tasks)
    if step != 1:
        rows = np.array([taken_count(n, step) for n in stretch.tolist()], dtype=np.int64)
        inventory = replace(inventory, rows=rows, with_stats={}, first_index=np.full_like(rows, -1))
    declared = [
        source.model.episodes[LENGTH].to_numpy()[view.pieces.row[at]]
        for source, at in zip(view.sources, positions, strict=True)
    ]
    supplied, first = _supplied(view, inventories, positions)
    lost: list[str] = []
    return United(
        view=view,
        model=_model(view, _concatenated(tables).take(pa.array(place)), lost),
        inventory=inventory,
        rows=np.arange(len(view.pieces), dtype=np.int64),
        source=view.pieces.source,
        stretch=stretch,
        declared=np.concatenate(declared)[place],
        first_supplied=np.concatenate(first)[place],
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
            if all(_schema(schema, source) is schema for schema in inventory.schemas.values())
        ),
        step=step,
        lost=lost,
    )


def _concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """The tables of pieces as one; numbers of different widths are widened.

    Raises:
        PlanError: a column of the owner's has types that no one type can hold.
    """
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise PlanError(f"the tables of episodes do not fit together: {error}") from error


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
    """The first source's documents with what all of them have in common."""
    features: dict[str, Feature] = {}
    for source in reversed(view.sources):
        features |= source.model.info.features
    ordered = dict.fromkeys(n for source in view.sources for n in source.model.info.features)
    first = view.sources[0].model
    united, unlike = united_info(view)
    lost += unlike
    info = replace(united, features={name: features[name] for name in ordered})
    extra: dict[str, None] = dict.fromkeys(
        name for source in view.sources for name in source.model.extra_columns
    )
    episodes, made = with_provenance(view, episodes)
    extra |= dict.fromkeys(made)
    prefixes = [source_prefix(n, view.roots) for n in range(len(view.sources))]
    files: dict[str, str] = {}
    others: list[str] = []
    for prefix, source in zip(prefixes, view.sources, strict=True):
        for name in source.model.extra_files:
            if files.setdefault(name, prefix + name) != prefix + name:
                lost.append(f"'{name}' of '{source.dataset.url}': the first one is kept")
        others += [prefix + name for name in source.model.other_files]
    return replace(
        first,
        info=info,
        episodes=episodes,
        extra_columns=tuple(extra),
        extra_files=tuple(files.values()),
        other_files=tuple(others),
        problems=_of_sources(view, [source.model.problems for source in view.sources]),
    )


def _of_sources(view: View, found: Sequence[Sequence[Problem]]) -> tuple[Problem, ...]:
    """Problems of all sources, but for those of episodes that are not taken."""
    kept: list[Problem] = []
    for number, (source, problems) in enumerate(zip(view.sources, found, strict=True)):
        here = view.pieces.row[view.pieces.source == number]
        prefix = source_prefix(number, view.roots)
        problems = [p for p in problems if p.column not in source.removed]
        if len(here) == len(source.model.episodes) and not prefix:
            kept += problems
            continue
        taken = set(source.model.episodes[EPISODE].to_numpy()[here].tolist())
        kept += [
            replace(problem, path=prefix + problem.path) if problem.path else problem
            for problem in problems
            if problem.episode is None or problem.episode in taken
        ]
    return tuple(kept)


def _table(view: View, number: int, at: Int64) -> pa.Table:
    """The episodes table of one source's pieces, its paths named for several roots."""
    source, prefix = view.sources[number], source_prefix(number, view.roots)
    table = source.model.episodes.take(pa.array(view.pieces.row[at]))
    if not prefix:
        return table
    own = [camera for camera in source.model.info.cameras if camera not in source.clips]
    for camera, clips in source.clips.items():
        files = [clips.names[row] for row in view.pieces.row[at].tolist()]
        named = [None if file is None else _clip_prefix(view, clips) + file for file in files]
        table = table.append_column(video_path(camera), pa.array(named, pa.string()))
    for name in (DATA_PATH, *(video_path(camera) for camera in own)):
        paths = [path if path is None else prefix + path for path in table[name].to_pylist()]
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(paths, pa.string()))
    return table


def _named(view: View, number: int, inventory: Inventory) -> Inventory:
    """An inventory by the features' names in the view, and paths named for several roots."""
    source, prefix = view.sources[number], source_prefix(number, view.roots)

    def by_path(found: Mapping[str, _T]) -> dict[str, _T]:
        return {prefix + path: item for path, item in found.items()}

    def by_name(found: Mapping[str, _T]) -> dict[str, _T]:
        kept = {name: item for name, item in found.items() if name not in source.removed}
        return {source.renamed.get(name, name): item for name, item in kept.items()}

    features = source.model.info.features
    removed_cameras = set(inventory.cameras) & set(source.removed)
    schemas: dict[int, pa.Schema] = {}
    for schema in inventory.schemas.values():
        if id(schema) not in schemas:
            schemas[id(schema)] = _schema(schema, source)
    files, tidy = by_path(inventory.files), by_path(inventory.tidy_videos)
    cameras = {n: f for n, f in by_name(inventory.cameras).items() if n not in removed_cameras}
    for camera, found in inventory.clips.items():
        folder = _clip_prefix(view, source.clips[camera])
        files |= {folder + path: facts for path, facts in found.files.items()}
        tidy |= {folder + path: packets for path, packets in found.tidy_videos.items()}
        cameras[camera] = found.camera
    return replace(
        inventory,
        files=files,
        schemas={prefix + p: schemas[id(schema)] for p, schema in inventory.schemas.items()},
        cameras=cameras,
        shapes=by_name(inventory.shapes),
        with_stats={
            name: known
            for name, known in by_name(inventory.with_stats).items()
            if name in features and name not in source.filled
        },
        table_rows=by_path(inventory.table_rows),
        tidy_videos=tidy,
    )


def _clip_prefix(view: View, clips: Clips) -> str:
    number = len(view.sources) + view.folders.index(clips.folder)
    return source_prefix(number, view.roots)


def _schema(schema: pa.Schema, source: Source) -> pa.Schema:
    """A table's columns by their names in the view, with those that are supplied."""
    touched = {*source.renamed, *source.removed}
    if not source.supplied and not source.filled and touched.isdisjoint(schema.names):
        return schema
    fields = [
        item.with_name(source.renamed.get(item.name, item.name))
        for item in schema
        if item.name not in source.removed
    ]
    fields = [item for item in fields if item.name not in source.filled]
    fields += [pa.field(name, type_) for name, type_ in source.filled.items()]
    fields += [pa.field(name, column.type) for name, column in source.supplied.items()]
    refuse_twins([item.name for item in fields])
    return pa.schema(fields, schema.metadata)


def _joined(
    parts: Sequence[Inventory], positions: Sequence[Int64], place: Int64, tasks: UnitedTasks
) -> Inventory:
    """One inventory of all pieces, in their order."""
    if len(parts) == 1 and np.array_equal(place, np.arange(len(place))):
        return replace(parts[0], tasks=tasks.texts, tasks_of_episodes=tasks.of_pieces)

    def united(mappings: Iterable[Mapping[str, _T]]) -> dict[str, _T]:
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
    stats = dict.fromkeys(name for part in parts for name in part.with_stats)
    cameras = dict.fromkeys(name for part in parts for name in part.cameras)
    rows_tasks = [indexes for part in parts for indexes in part.tasks_of_rows]
    none = [np.zeros(length, dtype=np.bool_) for length in lengths]
    return replace(
        parts[0],
        files=united(part.files for part in parts),
        schemas=united(part.schemas for part in parts),
        rows=np.concatenate([part.rows for part in parts])[place],
        row_start=np.concatenate([part.row_start for part in parts])[place],
        timestamp_error_s=np.concatenate([part.timestamp_error_s for part in parts])[place],
        cameras={name: _camera(parts, name, numbers, place) for name in cameras},
        streams=tuple(streams),
        shapes=united(part.shapes for part in reversed(parts)),
        tasks=tasks.texts,
        tasks_of_episodes=tasks.of_pieces,
        tasks_of_rows=[rows_tasks[at] for at in place.tolist()],
        first_index=np.concatenate([part.first_index for part in parts])[place],
        table_rows=united(part.table_rows for part in parts),
        tidy_videos=united(part.tidy_videos for part in parts),
        with_stats={
            name: np.concatenate(
                [part.with_stats.get(name, no) for part, no in zip(parts, none, strict=True)]
            )[place]
            for name in stats
        },
        broken=dict(sorted(broken.items())),
        problems=tuple(problem for part in parts for problem in part.problems),
    )


def _streams(parts: Sequence[Inventory]) -> tuple[list[StreamFacts], list[Int64]]:
    """All kinds of streams, and the new number of each by its own inventory's."""
    streams: list[StreamFacts] = []
    entries: dict[object, int] = {}
    numbers: list[Int64] = []
    for at, part in enumerate(parts):
        own = []
        for stream in part.streams:
            key = (at, stream.entry) if stream.apart else stream.identity
            entry = entries.setdefault(key, len(entries))
            own.append(len(streams))
            streams.append(replace(stream, entry=entry))
        numbers.append(np.array([*own, _NO_STREAM], dtype=np.int64))
    return streams, numbers


def _camera(
    parts: Sequence[Inventory], name: str, numbers: Sequence[Int64], place: Int64
) -> CameraFacts:
    columns: dict[str, list[Int64]] = {}
    for part, new in zip(parts, numbers, strict=True):
        facts = part.cameras.get(name)
        for column in ("start", "packets", "lead", "size_bytes", "stream"):
            if facts is None:
                fill = _NO_STREAM if column == "stream" else 0
                found = np.full(len(part.rows), fill, dtype=np.int64)
            else:
                found = getattr(facts, column)
                found = new[found] if column == "stream" else found
            columns.setdefault(column, []).append(found)
    joined = {column: np.concatenate(found)[place] for column, found in columns.items()}
    return CameraFacts(**joined)


def _supplied(
    view: View, inventories: Sequence[Inventory], positions: Sequence[Int64]
) -> tuple[pa.Table | None, list[Int64]]:
    """The columns that no file has, and where the values of each piece begin in them."""
    firsts: list[Int64] = []
    tables: list[pa.Table] = []
    before = 0
    for source, inventory, at in zip(view.sources, inventories, positions, strict=True):
        lengths = source.model.episodes[LENGTH].to_numpy()
        begin = np.cumsum(lengths) - lengths
        row = view.pieces.row[at]
        firsts.append(before + begin[row] + view.pieces.start[at])
        if source.supplied:
            _require_rows(source, inventory, row, view.pieces.start[at])
        tables.append(pa.table(dict(source.supplied)) if source.supplied else None)
        before += int(lengths.sum()) if source.supplied else 0
    known = [table for table in tables if table is not None]
    return (pa.concat_tables(known, promote_options="default") if known else None), firsts


def _require_rows(source: Source, inventory: Inventory, row: Int64, start: Int64) -> None:
    """Refuse values that were counted by documents which their files contradict."""
    declared = source.model.episodes[LENGTH].to_numpy()[row]
    numbers = source.model.episodes[EPISODE].to_numpy()[row]
    problems = [
        Problem(
            rule="episode.length",
            severity="error",
            message=f"{declared[at]} frames by its documents, {inventory.rows[at]} rows in its table",
            episode=int(numbers[at]),
        )
        for at in np.flatnonzero(start + inventory.rows > declared).tolist()
    ]
    if problems:
        raise PlanError("values of a new feature cannot be told apart by episode", problems)
