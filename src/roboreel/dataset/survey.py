"""Survey a dataset's files: footers, index columns and packet indexes, no rows and no pictures."""

from __future__ import annotations

import numpy as np

from roboreel.dataset.cache import cache_of
from roboreel.dataset.dataset import Dataset, episode_files
from roboreel.dataset.findings import Findings
from roboreel.dataset.probing import Probing
from roboreel.dataset.survey_tables import survey_tables
from roboreel.dataset.survey_tasks import survey_tasks
from roboreel.dataset.survey_videos import Streams, survey_camera
from roboreel.errors import DatasetError
from roboreel.format import v2
from roboreel.format.inventory import Bools, Int64, Inventory
from roboreel.format.model import LENGTH
from roboreel.format.stats import usable_stats


def survey(dataset: Dataset, *, workers: int = 1) -> Inventory:
    """What the dataset's files hold. Reading only; a file that cannot be read breaks its episodes.

    What unchanged files said before is taken from the user's cache folder (`cache.py`).

    Args:
        dataset: the dataset.
        workers: processes to use where there is enough to read.

    Raises:
        DatasetError: no declared camera has any file.
        RunError: a worker process died.
    """
    _require_videos(dataset)
    cache = cache_of(dataset.root, files=len(dataset.files))
    with Probing(dataset.root, workers=workers, cache=cache) as probing:
        inventory = _inventory(Findings(dataset), probing)
        probing.save()
    return inventory


def _inventory(findings: Findings, probing: Probing) -> Inventory:
    dataset = findings.dataset
    for name in (*statistics_files(dataset), *dataset.model.extra_files):
        if dataset.root.exists(name):
            findings.add_file(name)
    tables = survey_tables(findings, probing)
    streams = Streams()
    missing = {p.column for p in dataset.problems if p.rule == "video.missing"}
    cameras = {
        camera: survey_camera(findings, camera, tables, streams, probing)
        for camera in dataset.cameras
        if camera not in missing
    }
    tasks = survey_tasks(tables, findings)
    _settle_lengths(tables.rows, findings)
    return Inventory(
        files=findings.files,
        schemas=tables.schemas,
        rows=tables.rows,
        row_start=tables.row_start,
        timestamp_error_s=tables.timestamp_error_s,
        cameras=cameras,
        streams=tuple(streams.facts),
        shapes=tables.shapes,
        tasks=tasks.tasks,
        tasks_of_episodes=tasks.of_episodes,
        with_stats=_with_stats(findings, tables.rows),
        broken={row: tuple(found) for row, found in sorted(findings.broken.items())},
        problems=tuple(findings.problems.found),
    )


def statistics_files(dataset: Dataset) -> list[str]:
    """The documents that hold the dataset's statistics, as far as they are there."""
    names = [v2.EPISODE_STATS, v2.GLOBAL_STATS, *episode_files(dataset.files)]
    return [name for name in names if name in dataset.files]


def _require_videos(dataset: Dataset) -> None:
    missing = [p for p in dataset.problems if p.rule == "video.missing" and p.severity == "error"]
    if missing:
        raise DatasetError("the videos are not here", missing)


def _settle_lengths(rows: Int64, findings: Findings) -> None:
    """Where the documents give another length than the table, and nothing is broken, the table wins."""
    declared = findings.dataset.episodes[LENGTH].to_numpy()
    for row in np.flatnonzero(rows != declared).tolist():
        if row not in findings.broken:
            message = (
                f"its length is {declared[row]} in the documents, its table has {rows[row]} rows"
            )
            findings.notes(row, "episode.length", message, action="the table wins")


def _with_stats(findings: Findings, rows: Int64) -> dict[str, Bools]:
    """By feature, the episodes whose stored statistics can pass through."""
    dataset = findings.dataset
    row_of_episode = {number: row for row, number in enumerate(findings.numbers)}
    declared = dataset.episodes[LENGTH].to_numpy()
    found: dict[str, Bools] = {}
    unusable: dict[str, int] = {}
    for episode, stats in dataset.episode_stats():
        row = row_of_episode.get(episode)
        if row is None:
            continue
        for name, parts in stats.items():
            feature = dataset.features.get(name)
            camera = feature is not None and feature.is_camera
            whole = rows[row] == declared[row]
            if whole and usable_stats(parts, rows=None if camera else int(rows[row])):
                found.setdefault(name, np.zeros(len(rows), dtype=np.bool_))[row] = True
            else:
                unusable[name] = unusable.get(name, 0) + 1
    for name, count in unusable.items():
        message = f"the statistics of {count} episodes are not usable, or of another length"
        depth = name in dataset.features and dataset.features[name].is_depth
        action = "left out" if depth else "computed anew"
        findings.problems.add("stats.usable", message, column=name, action=action)
    return found
