"""Survey a dataset: read footers, index columns and packet indexes, but no other rows and no frames."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.errors import DatasetError
from roboreel.executors.worker_options import WorkerChoice, worker_options
from roboreel.format import v2, v30
from roboreel.format.inventory import Inventory
from roboreel.format.model import INFO, LENGTH
from roboreel.probes.cache import cache_of
from roboreel.probes.probing import Probing
from roboreel.storage.stamped import refuse_changed_files
from roboreel.survey.findings import Findings
from roboreel.survey.survey_stats import statistics_files, survey_stats
from roboreel.survey.survey_tables import survey_tables
from roboreel.survey.survey_tasks import survey_tasks
from roboreel.survey.survey_videos import Streams, survey_camera
from roboreel.types import Int64

_DOCUMENTS = (INFO, v2.EPISODES, v2.TASK_LIST, v30.TASK_TABLE)
"""Documents, besides statistics, that must stay unchanged while a plan made from them is used."""


def survey(
    dataset: Dataset, *, workers: WorkerChoice = 1, without: Collection[str] = frozenset()
) -> Inventory:
    """Survey a dataset; nothing is written, and a file that cannot be read breaks its episodes.

    The answers of unchanged files come from the user's cache folder (`probes/cache.py`).

    Args:
        dataset: the dataset.
        workers: processes, or a cluster, to use if there is enough to read.
        without: cameras to skip; they are missing in the inventory and break no episode.

    Raises:
        DatasetError: no declared camera has a file.
        StorageError: a document has changed since the dataset was opened.
        RunError: a worker process died.
    """
    _require_videos(dataset, without)
    cache = cache_of(dataset.root, files=len(dataset.files))
    with Probing(dataset.root, workers=worker_options(workers), cache=cache) as probing:
        inventory = _inventory(Findings(dataset), probing, without)
        probing.save()
    return inventory


def _inventory(findings: Findings, probing: Probing, without: Collection[str]) -> Inventory:
    dataset = findings.dataset
    for name in (*_DOCUMENTS, *statistics_files(dataset), *dataset.model.extra_files):
        if dataset.root.exists(name):
            findings.add_file(name)
    known = {name: found for name, found in dataset.documents.items() if name in findings.files}
    refuse_changed_files(
        dataset.root, known, reason="has changed since the dataset was opened: open it again"
    )
    tables = survey_tables(findings, probing)
    streams = Streams()
    missing = dataset.missing_cameras
    cameras = {
        camera: survey_camera(findings, camera, tables, streams, probing)
        for camera in dataset.cameras
        if camera not in missing and camera not in without
    }
    tasks = survey_tasks(tables, findings)
    _resolve_lengths(tables.rows, findings)
    columns = {name for schema in _distinct_schemas(tables.schemas) for name in schema.names}
    stats = survey_stats(findings, tables.rows, columns, probing)
    return Inventory(
        files=findings.files,
        schemas=tables.schemas,
        relaid=frozenset(tables.layouts),
        rows=tables.rows,
        row_start=tables.row_start,
        timestamp_error_s=tables.timestamp_error_s,
        cameras=cameras,
        streams=tuple(streams.facts),
        shapes=tables.shapes,
        tasks=tasks.tasks,
        tasks_of_episodes=tasks.of_episodes,
        tasks_of_rows=tables.task_indexes,
        first_index=tables.first_index,
        table_rows=tables.file_rows,
        tidy_videos=streams.tidy,
        with_stats=stats.with_stats,
        stats_dims=stats.stats_dims,
        impossible_std=stats.impossible_std,
        overcounted=stats.overcounted,
        pooled_std=stats.pooled_std,
        broken={row: tuple(found) for row, found in sorted(findings.broken.items())},
        problems=tuple(findings.problems.found),
    )


def _distinct_schemas(schemas: Mapping[str, pa.Schema]) -> Iterable[pa.Schema]:
    """The distinct schemas; many tables share one."""
    return {id(schema): schema for schema in schemas.values()}.values()


def _require_videos(dataset: Dataset, without: Collection[str]) -> None:
    errors = [p for p in dataset.problems if p.rule == "video.missing" and p.severity == "error"]
    missing = [problem for problem in errors if problem.column not in without]
    if missing:
        links = [p for p in dataset.problems if p.rule == "file.link"]
        raise DatasetError("the videos are missing", [*links, *missing])


def _resolve_lengths(rows: Int64, findings: Findings) -> None:
    """Warn if a table's number of rows differs from the documents; the table takes precedence."""
    declared = findings.dataset.episodes[LENGTH].to_numpy()
    for row in np.flatnonzero(rows != declared).tolist():
        if row not in findings.broken:
            message = f"its declared length is {declared[row]}, but its table has {rows[row]} rows"
            off = abs(int(rows[row]) - int(declared[row]))
            findings.add_warning(
                row, "episode.length", message, action="the number of rows is used", amount=off
            )
