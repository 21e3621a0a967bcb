"""One source's slices and inventory with the names that its files and features have in a view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import pyarrow as pa

from roboreel.edit.features import refuse_twins
from roboreel.edit.view import View
from roboreel.edit.view_data import ExternalVideos, Source
from roboreel.errors import Problem
from roboreel.format.inventory import Inventory
from roboreel.format.model import DATA_PATH, video_path
from roboreel.plan.plan import source_prefix
from roboreel.types import Int64

_T = TypeVar("_T")


def slice_table(view: View, number: int, at: Int64) -> pa.Table:
    """The episodes table of one source's slices; paths have a prefix if the view has several roots."""
    source, prefix = view.sources[number], source_prefix(number, view.roots)
    table = source.model.episodes.take(pa.array(view.slices.row[at]))
    if not prefix:
        return table
    own = [camera for camera in source.model.info.cameras if camera not in source.external_videos]
    for camera, external_videos in source.external_videos.items():
        files = [external_videos.names[row] for row in view.slices.row[at].tolist()]
        named = [
            None if file is None else _external_prefix(view, external_videos) + file
            for file in files
        ]
        table = table.append_column(video_path(camera), pa.array(named, pa.string()))
    for name in (DATA_PATH, *(video_path(camera) for camera in own)):
        paths = [path if path is None else prefix + path for path in table[name].to_pylist()]
        position = table.column_names.index(name)
        table = table.set_column(position, name, pa.array(paths, pa.string()))
    return table


def by_own_names(view: View, number: int, inventory: Inventory) -> Inventory:
    """The inventory with the view's feature names; paths have a prefix if the view has several roots."""
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
            schemas[id(schema)] = adapted(schema, source)
    files, tidy = by_path(inventory.files), by_path(inventory.tidy_videos)
    cameras = {n: f for n, f in by_name(inventory.cameras).items() if n not in removed_cameras}
    for camera, found in inventory.external_videos.items():
        folder = _external_prefix(view, source.external_videos[camera])
        files |= {folder + path: facts for path, facts in found.files.items()}
        tidy |= {folder + path: packets for path, packets in found.tidy_videos.items()}
        cameras[camera] = found.camera
    return replace(
        inventory,
        files=files,
        schemas={prefix + p: schemas[id(schema)] for p, schema in inventory.schemas.items()},
        relaid=frozenset(prefix + path for path in inventory.relaid),
        cameras=cameras,
        shapes=by_name(inventory.shapes),
        with_stats={
            name: known
            for name, known in by_name(inventory.with_stats).items()
            if name in features and name not in source.filled
        },
        stats_dims={
            name: dims
            for name, dims in by_name(inventory.stats_dims).items()
            if name not in source.filled
        },
        impossible_std=by_name(inventory.impossible_std),
        overcounted=by_name(inventory.overcounted),
        pooled_std=by_name(inventory.pooled_std),
        table_rows=by_path(inventory.table_rows),
        tidy_videos=tidy,
        problems=tuple(of_dataset(problem, view, number) for problem in inventory.problems),
    )


def of_dataset(problem: Problem, view: View, number: int) -> Problem:
    """The problem of a dataset of a view; it names the dataset if the view has several."""
    return (
        replace(problem, dataset=view.sources[number].dataset.url)
        if len(view.sources) > 1
        else problem
    )


def _external_prefix(view: View, external_videos: ExternalVideos) -> str:
    number = len(view.sources) + view.folders.index(external_videos.folder)
    return source_prefix(number, view.roots)


def adapted(schema: pa.Schema, source: Source) -> pa.Schema:
    """A table's schema with the column names of the view, and with filled and supplied columns."""
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
    # a supplied column that is shorter than elsewhere has the type that it is filled up to
    supplied = {name: c for name, c in source.supplied.items() if name not in source.filled}
    fields += [pa.field(name, column.type) for name, column in supplied.items()]
    refuse_twins([item.name for item in fields])
    return pa.schema(fields, schema.metadata)
