"""Survey a dataset's files: footers, index columns and packet indexes, no rows and no pictures."""

from __future__ import annotations

import numpy as np

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.survey_tables import survey_tables
from roboreel.dataset.survey_videos import Streams, survey_camera
from roboreel.errors import DatasetError, Problem
from roboreel.format.inventory import Bools, FileFacts, Int64, Inventory
from roboreel.format.model import EPISODE, LENGTH, video_path
from roboreel.format.parse import Problems


def survey(dataset: Dataset) -> Inventory:
    """What the dataset's files hold. Reading only; a file that cannot be read breaks its episodes.

    Raises:
        DatasetError: no declared camera has any file.
    """
    _require_videos(dataset)
    problems = Problems()
    broken: dict[int, list[Problem]] = {}
    files: dict[str, FileFacts] = {}
    tables = survey_tables(dataset, files, broken, problems)
    streams: Streams = {}
    present = [camera for camera in dataset.cameras if _has_files(dataset, camera)]
    cameras = {
        camera: survey_camera(dataset, camera, tables.rows, streams, files, broken, problems)
        for camera in present
    }
    _settle_lengths(dataset, tables.rows, broken, problems)
    return Inventory(
        files=files,
        schemas=tables.schemas,
        rows=tables.rows,
        row_start=tables.row_start,
        timestamp_error_s=tables.timestamp_error_s,
        cameras=cameras,
        streams=tuple(facts for _, facts in streams.values()),
        shapes=tables.shapes,
        with_stats=_with_stats(dataset),
        broken={row: tuple(found) for row, found in sorted(broken.items())},
        problems=tuple(problems.found),
    )


def _require_videos(dataset: Dataset) -> None:
    missing = [p for p in dataset.problems if p.rule == "video.missing" and p.severity == "error"]
    if missing:
        raise DatasetError("the videos are not here", missing)


def _has_files(dataset: Dataset, camera: str) -> bool:
    missing = {p.column for p in dataset.problems if p.rule == "video.missing"}
    return camera not in missing and len(dataset.episodes) > 0 and bool(video_path(camera))


def _settle_lengths(
    dataset: Dataset, rows: Int64, broken: dict[int, list[Problem]], problems: Problems
) -> None:
    """Where the documents give another length than the table, and nothing is broken, the table wins."""
    declared = dataset.episodes[LENGTH].to_numpy()
    numbers = dataset.episodes[EPISODE].to_numpy()
    for row in np.flatnonzero(rows != declared).tolist():
        if row not in broken:
            message = f"its length is {declared[row]} in the documents, but its table has {rows[row]} rows"
            action = "the table wins"
            problems.add("episode.length", message, episode=int(numbers[row]), action=action)


def _with_stats(dataset: Dataset) -> dict[str, Bools]:
    row_of_episode = {n: row for row, n in enumerate(dataset.episodes[EPISODE].to_pylist())}
    found: dict[str, Bools] = {}
    for episode, stats in dataset.episode_stats():
        row = row_of_episode.get(episode)
        if row is None:
            continue
        for name, parts in stats.items():
            if {"min", "max", "mean", "std", "count"} <= parts.keys():
                flags = found.setdefault(name, np.zeros(len(row_of_episode), dtype=np.bool_))
                flags[row] = True
    return found
