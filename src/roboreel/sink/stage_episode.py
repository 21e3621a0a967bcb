"""Write one episode into the staging folder: its videos and tables, then the name that makes it whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

from roboreel.errors import RoboreelError, StorageError, UsageError
from roboreel.format.encoding import Encoding
from roboreel.format.feature import EPISODE_INDEX, INDEX, TASK_INDEX
from roboreel.format.version import FormatVersion
from roboreel.sink.episode_key import EpisodeKey
from roboreel.sink.frame_source import ChosenVideo, chosen_video
from roboreel.sink.given_episode import GivenEpisode, columns_of, episode_input
from roboreel.sink.row_ranges import row_ranges
from roboreel.sink.staged_record import StagedRecord, task_number
from roboreel.sink.staging_area import Attempt, release
from roboreel.stats.feature_stats import stats_to_json
from roboreel.storage.disk import temporary_folder
from roboreel.storage.local import LocalRoot
from roboreel.storage.write_root import WriteRoot
from roboreel.types import JsonObject
from roboreel.writing.dataset_state import DatasetState, new_info, new_state
from roboreel.writing.episode_input import EpisodeInput
from roboreel.writing.partial_files import PartialFiles
from roboreel.writing.written_columns import require_names
from roboreel.writing.written_episode import (
    WrittenCameras,
    stats_of,
    table_of,
    write_cameras,
    write_rows,
)

_COUNTING = (EPISODE_INDEX, INDEX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What all episodes of a sink have in common; see `EpisodeSink`."""

    fps: float
    features: Mapping[str, JsonObject]
    robot_type: str | None
    splits_gaps: bool
    encoding: Encoding


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedEpisode:
    """An episode in the staging folder."""

    key: EpisodeKey
    part: int
    """0; with `gaps="split"` the number of its row range."""
    attempt: int
    rows: int
    start: int
    """Its first row in what was given."""
    table: str
    """Path of its table."""
    videos: Mapping[str, str]
    """Path of each camera's video."""


def stage(
    root: WriteRoot, declared: Declared, given: GivenEpisode, attempt: Attempt
) -> tuple[StagedEpisode, ...]:
    """Write an attempt at an episode, and make it whole.

    Args:
        root: the staging folder. On a store, the files are made in a temporary folder and then uploaded.
        declared: what all its episodes have in common.
        given: the episode.
        attempt: its number, which is claimed.

    Raises:
        UsageError: the episode does not fit.
        StorageError: a file cannot be read or written.
    """
    with _workplace(root) as local:
        files = PartialFiles(local)
        try:
            with _explained(given.key):
                given.require_kinds()
                records, names = _written(local, declared, given, attempt, files)
            if isinstance(root, LocalRoot):
                files.sync()
                files.publish(names)
                files.publish([attempt.table])  # now it is whole, and all it needs is on the disk
            else:
                _upload(root, files, [*names, attempt.table])
        finally:
            files.discard()
    release(root, given.key, attempt.number)
    return tuple(_staged(root, record, attempt, start) for record, start in records)


@contextmanager
def _workplace(root: WriteRoot) -> Iterator[LocalRoot]:
    """Where the files are made: the staging folder itself, or a folder for what is uploaded to a store."""
    if isinstance(root, LocalRoot):
        yield root
        return
    with temporary_folder() as folder:
        yield LocalRoot(folder)


def _upload(root: WriteRoot, files: PartialFiles, names: Sequence[str]) -> None:
    """Upload files in order; where one fails, those before it are removed.

    The last makes the attempt whole. When it fails, it may have arrived, so the others stay.
    """
    for at, name in enumerate(names):
        try:
            root.upload(files.source(name), name)
        except BaseException:
            if at < len(names) - 1:
                with suppress(StorageError):  # there is an error to tell of already
                    root.remove_all(names[:at])
            raise


def _written(
    root: LocalRoot, declared: Declared, given: GivenEpisode, attempt: Attempt, files: PartialFiles
) -> tuple[list[tuple[StagedRecord, int]], list[str]]:
    """Write all parts under partial names.

    Returns:
        The record of each with its first row, and the names that come before `attempt.table`.
    """
    state = staged_state(declared)
    frames, rows = given.frame_numbers(), given.rows()
    parts = row_ranges(frames, rows, stride=given.stride, split=declared.splits_gaps)
    if len(parts) > 1 and given.stats:
        raise UsageError("statistics of the whole episode are given, but it is split at gaps")
    columns = columns_of(given.columns, state.info.features)
    given = given.repeatable(lambda data: _put(root, files, data))
    tables = [attempt.part_table(part) for part in range(len(parts))]
    records, names = [], tables[1:]
    for part, chosen in enumerate(parts):
        videos = {}
        for name, source in given.videos.items():
            with _named(f"camera '{name}'"):
                videos[name] = chosen_video(source, chosen, declared.encoding, declared.fps)
        episode = episode_input(given, columns, videos, chosen)
        require_names(episode, state.info.features, 0)
        cameras = write_cameras(root, state, episode, files, partial(attempt.video, part))
        record = _record(declared, given, videos, episode, cameras, tables, part)
        _write_table(root, state, episode, cameras, record, files.partial(tables[part]))
        records.append((record, chosen.start))
        names += [video.name for video in record.videos.values()]
    return records, names


def _record(
    declared: Declared,
    given: GivenEpisode,
    videos: Mapping[str, ChosenVideo],
    episode: EpisodeInput,
    cameras: WrittenCameras,
    tables: list[str],
    part: int,
) -> StagedRecord:
    """The record of a part, without its statistics."""
    return StagedRecord(
        source=given.key.source,
        segment=given.key.segment,
        part=part,
        parts=tables,
        rows=episode.rows,
        fps=declared.fps,
        robot_type=declared.robot_type,
        features={name: dict(feature.spec) for name, feature in cameras.features.items()},
        tasks=list(dict.fromkeys(episode.row_tasks)),
        videos={
            name: videos[name].staged(path, start) for name, (path, start) in cameras.videos.items()
        },
        fields=given.fields,
        provenance=given.provenance,
        stats={},
    )


def _write_table(
    root: LocalRoot,
    state: DatasetState,
    episode: EpisodeInput,
    cameras: WrittenCameras,
    record: StagedRecord,
    name: str,
) -> None:
    """Write the rows of a part; its record and its statistics are the metadata of the file."""
    tasks = {text: task_number(text) for text in record.tasks}
    table = table_of(state, episode, tasks, cameras.pixels)
    measured = stats_of(state, episode, table, cameras.pixels).of(0)
    measured.pop(TASK_INDEX, None)  # of numbers that the dataset will not have
    record = replace(record, stats=stats_to_json(measured))
    write_rows(root, name, table, episode, state.schema.with_metadata(record.metadata()))


def staged_state(declared: Declared) -> DatasetState:
    """The state that an episode is written for: v3.0, without episodes.

    It lacks the columns that count episodes and rows, which only `finalize` knows.

    Raises:
        UsageError: a feature is not JSON, or has a dtype that no column can have.
        DatasetError: the rate or a feature is not declared as the format has it.
    """
    try:
        info = new_info(
            fps=declared.fps,
            features=declared.features,
            version=FormatVersion.V30,
            robot_type=declared.robot_type,
        )
    except TypeError as error:
        raise UsageError(
            f"the features must be JSON, such as plain numbers in shapes: {error}"
        ) from error
    known = {name: one for name, one in info.features.items() if name not in _COUNTING}
    return new_state(replace(info, features=known))


def _put(root: LocalRoot, files: PartialFiles, data: bytes) -> str:
    """Write the bytes of a video beside the others; the file goes when the episode is written."""
    name = files.partial("videos/given.mp4")
    root.put(name, data)
    return os.path.join(root.url, name)


def _staged(root: WriteRoot, record: StagedRecord, attempt: Attempt, start: int) -> StagedEpisode:
    return StagedEpisode(
        key=attempt.key,
        part=record.part,
        attempt=attempt.number,
        rows=record.rows,
        start=start,
        table=os.path.join(root.url, record.parts[record.part]),
        videos={name: os.path.join(root.url, video.name) for name, video in record.videos.items()},
    )


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Begin errors with what they are about."""
    try:
        yield
    except RoboreelError as error:
        raise type(error)(f"{what}: {error}") from error


@contextmanager
def _explained(key: EpisodeKey) -> Iterator[None]:
    """Name the episode by its key in errors, in place of the number that it does not have yet."""
    try:
        yield
    except RoboreelError as error:
        text = str(error).removeprefix("episode 0").lstrip(":, ")
        raise type(error)(f"episode of {key}: {text}") from error
