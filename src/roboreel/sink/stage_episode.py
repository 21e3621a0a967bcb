"""Write one episode into the staging folder: its videos and tables, then the name that makes it whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from roboreel.errors import RoboreelError, UsageError
from roboreel.format.encoding import Encoding
from roboreel.format.feature import EPISODE_INDEX, INDEX, TASK_INDEX
from roboreel.format.version import FormatVersion
from roboreel.sink.episode_key import EpisodeKey
from roboreel.sink.frame_source import ChosenVideo, Stretch, chosen_video, kept
from roboreel.sink.given_episode import GivenEpisode, columns_of, episode_input
from roboreel.sink.staged_record import StagedRecord, task_number
from roboreel.sink.staging_area import Attempt, release
from roboreel.sink.stretches import stretches
from roboreel.stats.feature_stats import stats_to_json
from roboreel.storage.local import LocalRoot
from roboreel.types import JsonObject
from roboreel.writing.dataset_state import DatasetState, new_info, new_state
from roboreel.writing.episode_input import EpisodeInput
from roboreel.writing.partial_files import PartialFiles
from roboreel.writing.written_columns import require_names
from roboreel.writing.written_episode import stats_of, table_of, write_cameras, write_rows

_COUNTING = (EPISODE_INDEX, INDEX)


class Declared(Protocol):
    """What a sink declares of its dataset."""

    @property
    def fps(self) -> float: ...
    @property
    def features(self) -> Mapping[str, JsonObject]: ...
    @property
    def robot_type(self) -> str | None: ...
    @property
    def gaps(self) -> str: ...
    @property
    def encoding(self) -> Encoding: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedEpisode:
    """An episode in the staging folder."""

    key: EpisodeKey
    part: int
    """0; with `gaps="split"` the number of its stretch."""
    attempt: int
    rows: int
    start: int
    """Its first row in what was given."""
    table: str
    """Path of its table."""
    videos: Mapping[str, str]
    """Path of each camera's video."""


def stage(
    root: LocalRoot, sink: Declared, given: GivenEpisode, attempt: Attempt
) -> tuple[StagedEpisode, ...]:
    """Write an attempt at an episode, and make it whole.

    Args:
        root: the staging folder.
        sink: what all its episodes have in common.
        given: the episode.
        attempt: its number, which is claimed.

    Raises:
        UsageError: the episode does not fit.
        StorageError: a file cannot be read or written.
    """
    files = PartialFiles(root)
    try:
        with _explained(given.key):
            staged, names = _written(root, sink, given, attempt, files)
        files.sync()
        files.publish(names)
    finally:
        files.discard()
    release(root, given.key, attempt.number)
    return staged


def _written(
    root: LocalRoot, sink: Declared, given: GivenEpisode, attempt: Attempt, files: PartialFiles
) -> tuple[tuple[StagedEpisode, ...], list[str]]:
    """Write all parts under partial names; returns them, and their names in the order of the commit."""
    state = staged_state(sink)
    _require_json(given)
    frames, split = given.frame_numbers(), sink.gaps == "split"
    parts = stretches(frames, given.rows(), stride=given.stride, split=split)
    if len(parts) > 1 and given.stats:
        raise UsageError("statistics of the whole episode are given, but it is split at gaps")
    columns = columns_of(given.columns, state.info.features)
    videos = {
        name: kept(source, lambda data: _put(root, files, data))
        for name, source in given.videos.items()
    }
    given = replace(given, videos=videos, images={n: list(i) for n, i in given.images.items()})
    tables = [attempt.part_table(part) for part in range(len(parts))]
    staged, names = [], list[str]()
    for part, stretch in enumerate(parts):
        chosen = {
            name: chosen_video(source, stretch, sink.encoding, sink.fps)
            for name, source in videos.items()
        }
        episode = episode_input(given, columns, chosen, stretch)
        record = _write_part(
            root, sink, state, given, attempt, part, tables, episode, chosen, files
        )
        own = [video.name for video in record.videos.values()]
        names += own
        staged.append(_staged(root, record, attempt, stretch, tables[part]))
    return tuple(staged), [*names, *reversed(tables)]


def _write_part(
    root: LocalRoot,
    sink: Declared,
    state: DatasetState,
    given: GivenEpisode,
    attempt: Attempt,
    part: int,
    tables: list[str],
    episode: EpisodeInput,
    chosen: Mapping[str, ChosenVideo],
    files: PartialFiles,
) -> StagedRecord:
    require_names(episode, state.info.features, 0)
    cameras = write_cameras(root, state, episode, files, lambda name: attempt.video(name, part))
    texts = list(dict.fromkeys(episode.row_tasks))
    tasks = {text: task_number(text) for text in texts}
    table = table_of(state, episode, tasks, cameras.pixels)
    stats = stats_of(state, episode, table, cameras.pixels)
    record = StagedRecord(
        source=given.key.source,
        segment=given.key.segment,
        part=part,
        parts=tables,
        rows=episode.rows,
        fps=sink.fps,
        robot_type=sink.robot_type,
        features={name: dict(one.spec) for name, one in cameras.features.items()},
        tasks=texts,
        videos={
            name: chosen[name].staged(path, start) for name, (path, start) in cameras.videos.items()
        },
        fields=dict(given.fields),
        provenance=dict(given.provenance),
        stats={name: one for name, one in stats_to_json(stats.of(0)).items() if name != TASK_INDEX},
    )
    schema = state.schema.with_metadata(record.metadata())
    write_rows(root, files.partial(tables[part]), table, episode, schema)
    return record


def staged_state(sink: Declared) -> DatasetState:
    """The state that an episode is written for: v3.0, without episodes.

    It lacks the columns that count episodes and rows, which only `finalize` knows.

    Raises:
        DatasetError: a feature is not declared as the format has it.
    """
    info = new_info(
        fps=sink.fps,
        features=sink.features,
        version=FormatVersion.V30,
        robot_type=sink.robot_type,
    )
    known = {name: one for name, one in info.features.items() if name not in _COUNTING}
    return new_state(replace(info, features=known))


def _put(root: LocalRoot, files: PartialFiles, data: bytes) -> str:
    """Write the bytes of a video beside the others; the file goes when the episode is written."""
    name = files.partial("videos/given.mp4")
    root.put(name, data)
    return os.path.join(root.url, name)


def _staged(
    root: LocalRoot, record: StagedRecord, attempt: Attempt, stretch: Stretch, table: str
) -> StagedEpisode:
    return StagedEpisode(
        key=attempt.key,
        part=record.part,
        attempt=attempt.number,
        rows=record.rows,
        start=stretch.start,
        table=os.path.join(root.url, table),
        videos={name: os.path.join(root.url, video.name) for name, video in record.videos.items()},
    )


def _require_json(given: GivenEpisode) -> None:
    for what, value in (("fields", given.fields), ("provenance", given.provenance)):
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{what} must be JSON: {error}") from error


@contextmanager
def _explained(key: EpisodeKey) -> Iterator[None]:
    """Name the episode by its key in errors, in place of the number that it does not have yet."""
    try:
        yield
    except RoboreelError as error:
        text = str(error).removeprefix("episode 0").lstrip(":, ")
        raise type(error)(f"episode of {key}: {text}") from error
