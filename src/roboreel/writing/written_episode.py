"""Write the table and the videos of one episode under partial names, and measure them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from roboreel.errors import RunError, UsageError
from roboreel.format import v2, v30
from roboreel.format.feature import Feature
from roboreel.format.layout import numbered
from roboreel.format.values import column_values
from roboreel.stats.block import StatsBlock, block_of
from roboreel.stats.camera_pixels import CameraPixels
from roboreel.stats.feature_stats import CAMERA_AXES, Stats, shape_of
from roboreel.stats.numeric import episode_stats
from roboreel.storage.local import LocalRoot
from roboreel.storage.tables.tables_write import write_batches
from roboreel.writing.commit_documents import NewEpisode
from roboreel.writing.dataset_state import DATA, DatasetState
from roboreel.writing.episode_input import EpisodeInput
from roboreel.writing.partial_files import PartialFiles
from roboreel.writing.written_columns import EpisodePosition, episode_rows_of
from roboreel.writing.written_videos import VideoTask, measure_video, video_facts, write_video

_CODEC = "video.codec"


def write_episode(
    root: LocalRoot,
    state: DatasetState,
    given: EpisodeInput,
    fields: pa.Table,
    files: PartialFiles,
) -> tuple[NewEpisode, dict[str, Feature]]:
    """Write an episode's videos and its table; returns it, and the features with what its videos are like.

    Args:
        root: the dataset.
        state: what it has so far.
        given: the episode.
        fields: one row with its further entries in the list of episodes.
        files: remembers the names that the files are to get.

    Raises:
        UsageError: the episode does not fit the dataset.
        StorageError: a file cannot be read or written.
    """
    cameras = write_cameras(root, state, given, files, lambda name: _next_path(state, name))
    used = list(dict.fromkeys(given.row_tasks))
    new = [text for text in used if text not in state.tasks]
    first = max(state.tasks.values(), default=-1) + 1
    tasks = state.tasks | {text: first + at for at, text in enumerate(new)}
    table = table_of(state, given, tasks, cameras.pixels)
    data = _next_path(state, "")
    write_rows(root, files.partial(data), table, given, state.schema)
    episode = NewEpisode(
        rows=given.rows,
        tasks=used,
        new_tasks=new,
        data=data,
        videos=cameras.videos,
        stats=stats_of(state, given, table, cameras.pixels),
        fields=fields,
    )
    return episode, cameras.features


@dataclass(frozen=True, slots=True)
class WrittenCameras:
    """What is known of an episode's cameras once its videos are written."""

    features: dict[str, Feature]
    """All features, with what the videos are like."""
    pixels: dict[str, CameraPixels]
    """What statistics need of each camera; of those in tables still empty."""
    videos: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By camera: the file, and the episode's first frame in it."""


def write_cameras(
    root: LocalRoot,
    state: DatasetState,
    given: EpisodeInput,
    files: PartialFiles,
    path_of: Callable[[str], str],
) -> WrittenCameras:
    """Write an episode's videos under partial names, and measure them.

    Args:
        root: where to write.
        state: the dataset.
        given: the episode.
        files: remembers the names that the files are to get.
        path_of: gives the name of a camera's file.

    Raises:
        UsageError: there are not as many frames as rows, or they are not what a camera declares.
        VideoError: a file is no readable video, or an encoder fails.
    """
    features = dict(state.info.features)
    done = WrittenCameras(
        features,
        {
            feature.name: CameraPixels(state.profile, feature.is_video, feature.is_depth)
            for feature in features.values()
            if feature.is_camera
        },
    )
    for name in state.info.cameras:
        path = path_of(name)
        features[name], start = _write_camera(
            root, state, given, path, files, name, done.pixels[name]
        )
        done.videos[name] = path, start
    return done


def _next_path(state: DatasetState, camera: str) -> str:
    """The path of the next episode's video, or of its table where no camera is named."""
    size = state.info.chunks_size
    if state.one_file_per_episode:
        template = v2.VIDEO_TEMPLATE if camera else v2.DATA_TEMPLATE
        return v2.paths_of_episodes(template, [state.totals.episodes], size, camera)[0]
    template = v30.VIDEO_TEMPLATE if camera else v30.DATA_TEMPLATE
    return numbered(template, state.files[camera or DATA], size, camera=camera)


def _write_camera(
    root: LocalRoot,
    state: DatasetState,
    given: EpisodeInput,
    path: str,
    files: PartialFiles,
    name: str,
    pixels: CameraPixels,
) -> tuple[Feature, int]:
    """Write a camera's video; returns its feature, and the episode's first frame in the file."""
    feature, own = state.info.features[name], given.videos[name]
    task = VideoTask(
        episode=state.totals.episodes,
        feature=feature,
        rows=given.rows,
        fps=state.info.fps,
        alone=state.one_file_per_episode,
    )
    video = write_video(task, own, root, path, files, pixels)
    if name not in given.stats and name not in given.unmeasured and not pixels.images:
        measure_video(task, video, pixels)
    if (
        _CODEC not in feature.video_facts
    ):  # what a caller declares, such as a depth camera's scale, stays
        facts = video_facts(task, own, video)
        feature = replace(feature, spec={**feature.spec, "info": facts})
    return feature, video.start


def table_of(
    state: DatasetState,
    given: EpisodeInput,
    tasks: Mapping[str, int],
    pixels: Mapping[str, CameraPixels],
) -> pa.Table:
    """The table of an episode, with the dataset's schema.

    Args:
        state: the dataset so far.
        given: the episode.
        tasks: task index by text.
        pixels: takes in the sample of each image camera.

    Raises:
        UsageError: a column or an image is not what its feature declares.
    """
    position = EpisodePosition(
        state.totals.episodes,
        state.totals.frames,
        np.array([tasks[text] for text in given.row_tasks], dtype=np.int64),
    )
    return episode_rows_of(given, state.info, state.schema, position, pixels)


def write_rows(
    root: LocalRoot, name: str, table: pa.Table, given: EpisodeInput, schema: pa.Schema
) -> None:
    """Write an episode's table; `schema` is its own, with the metadata of the file."""
    plain = [*given.images]
    rows = write_batches(root, name, [(table, [given.rows])], schema=schema, plain_columns=plain)
    if rows != given.rows:
        raise RunError(f"'{name}': {rows} rows written, expected {given.rows}")


def stats_of(
    state: DatasetState, given: EpisodeInput, table: pa.Table, pixels: Mapping[str, CameraPixels]
) -> StatsBlock:
    """The statistics of one episode, one row, features in their order; those that are given are taken."""
    features = state.info.features
    numeric = [n for n, f in features.items() if f.is_numeric and n not in given.stats]
    values = {name: column_values(table[name]) for name in numeric}
    stats: Stats = episode_stats(
        {name: found for name, found in values.items() if found is not None},
        state.profile,
        per_last_axis=state.per_last_axis,
    )
    stats |= {name: _given_stats(state, given, name) for name in given.stats}
    for name, counted in pixels.items():
        measured = None if name in given.stats else counted.stats()
        if measured is not None:
            stats[name] = measured
    return block_of({name: stats[name] for name in features if name in stats})


def _given_stats(state: DatasetState, given: EpisodeInput, name: str) -> dict[str, np.ndarray]:
    feature, own = state.info.features.get(name), given.stats[name]
    counted, dims = shape_of(own)
    camera = feature is not None and feature.is_camera
    whole = counted > 0 and (dims == CAMERA_AXES if camera else counted == given.rows)
    if feature is None or not whole:
        raise UsageError(
            f"episode {state.totals.episodes}: the given statistics of '{name}' must be min, max, mean,"
            f" std and count of {given.rows} rows, all of one shape"
        )
    return own
