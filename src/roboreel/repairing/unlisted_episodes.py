"""Add episodes to the list of episodes that the tables hold and the list does not (v3.0).

A recorder that was killed leaves rows and frames of episodes whose entries it still held in memory. It writes
rows first, then frames, then entries, in the order of the episodes. So the frames that no entry names belong
to the unlisted episodes in order, and only the last one can lack frames.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from roboreel.errors import StorageError
from roboreel.format.fps import seconds_at
from roboreel.format.layout import fill
from roboreel.format.model import EPISODE, LENGTH, TASKS, Info
from roboreel.format.v30 import VIDEO_TEMPLATE
from roboreel.format.v30_episodes import (
    CHUNK_INDEX,
    EPISODES_FOLDER,
    EPISODES_TEMPLATE,
    FILE_INDEX,
    FROM_INDEX,
    TO_INDEX,
    episode_files,
    whole_numbers,
)
from roboreel.repairing.draft import Draft
from roboreel.repairing.found_rows import FoundEpisode, found_episodes, named_episodes
from roboreel.repairing.pending_frames import find_pending_video
from roboreel.storage.tables.tables import read_footer, read_table
from roboreel.storage.video.index import read_packet_table
from roboreel.types import Json

_POSITION = re.compile(r"chunk-(\d+)/file-(\d+)\.\w+")
_Position = tuple[int, int]
"""Numbers of a chunk and of a file in it."""


class _Listed(NamedTuple):
    """What the readable tables of episodes say."""

    episodes: frozenset[int]
    rows: Mapping[_Position, int]
    """Rows of the listed episodes, by table file."""
    frames: Mapping[str, Mapping[_Position, int]]
    """The frame after the last one that an episode has, by camera and video file."""


class _Start(NamedTuple):
    position: _Position
    frame: int


def list_episodes(draft: Draft, info: Info, tasks: Mapping[int, str]) -> None:
    """Set unreadable tables of episodes aside, and add the episodes that none of the others lists."""
    _set_unreadable_aside(draft)
    _supply_columns(draft)
    listed = _read_listed(draft, info)
    unlisted = _unlisted(draft, listed)
    if info.cameras:
        unlisted = _following(draft, unlisted, max(listed.episodes, default=-1) + 1)
    if unlisted and not episode_files(draft.list()):
        draft.repaired(
            "document.missing",
            "the list of episodes was lost: rebuilt from the rows",
            path=EPISODES_FOLDER,
        )
    if not unlisted:
        return
    starts = {camera: _starts(draft, info, camera, unlisted, listed) for camera in info.cameras}
    count = min([len(unlisted), *(len(found) for found in starts.values())])
    for at, episode in enumerate(unlisted[count:], count):
        lacking = [camera for camera, found in starts.items() if len(found) <= at]
        what = f"episode {episode.number} has {episode.rows} rows, but no frames of {', '.join(lacking)}"
        draft.leave("video.short", f"{what}: left out", path=episode.path)
    if count:
        _add(draft, info, unlisted[:count], starts, tasks, listed)


def _set_unreadable_aside(draft: Draft) -> None:
    for name in episode_files(draft.list()):
        try:
            read_footer(draft, name)
        except StorageError as error:
            draft.set_aside(name)
            reason = str(error).partition("': ")[2]
            draft.repaired("document.readable", f"{reason}: rebuilt from the rows", path=name)


def _supply_columns(draft: Draft) -> None:
    """Give tables of episodes the columns without which they cannot be read, by what the rows say."""
    needed = (LENGTH, f"data/{CHUNK_INDEX}", f"data/{FILE_INDEX}")
    for name in episode_files(draft.list()):
        columns = read_footer(draft, name).schema.names
        absent = [column for column in needed if column not in columns]
        if EPISODE not in columns or not absent:
            continue
        table = read_table(draft, name)
        found = _values_by_rows(draft)
        numbers = whole_numbers(table[EPISODE]).to_pylist()
        if all(number in found for number in numbers):
            for column in absent:
                values = [found[number][needed.index(column)] for number in numbers]
                table = table.append_column(column, pa.array(values, pa.int64()))
            draft.put_table(name, table)
            what = f"the columns {', '.join(absent)} were missing: rebuilt from the rows"
            draft.repaired("episode.columns", what, path=name)


def _values_by_rows(draft: Draft) -> dict[int, tuple[int, int, int]]:
    """(length, chunk, file) of each episode that the tables hold in one run of rows."""
    positions = {path: position for position, path in _files(draft, "data/").items()}
    found = found_episodes(draft, positions)
    counts = Counter(episode.number for episode in found)
    return {e.number: (e.rows, *positions[e.path]) for e in found if counts[e.number] == 1}


def _read_listed(draft: Draft, info: Info) -> _Listed:
    episodes: set[int] = set()
    rows: dict[_Position, int] = {}
    frames: dict[str, dict[_Position, int]] = {camera: {} for camera in info.cameras}
    for name in episode_files(draft.list()):
        for entry in _entries(draft, name, info):
            if None in (entry.get(EPISODE), entry.get(LENGTH), entry.get(f"data/{FILE_INDEX}")):
                continue  # opening the dataset reports it
            episodes.add(entry[EPISODE])
            position = entry[f"data/{CHUNK_INDEX}"], entry[f"data/{FILE_INDEX}"]
            rows[position] = rows.get(position, 0) + entry[LENGTH]
            for camera, ends in frames.items():
                _take_end(entry, f"videos/{camera}/", ends, info)
    return _Listed(frozenset(episodes), rows, frames)


def _take_end(
    entry: Mapping[str, Json], prefix: str, ends: dict[_Position, int], info: Info
) -> None:
    chunk, file, begin = (
        entry.get(prefix + name) for name in (CHUNK_INDEX, FILE_INDEX, "from_timestamp")
    )
    if chunk is not None and file is not None and begin is not None:
        end = round(begin * float(info.fps)) + entry[LENGTH]
        ends[chunk, file] = max(end, ends.get((chunk, file), 0))


def _entries(draft: Draft, name: str, info: Info) -> list[dict[str, Json]]:
    columns = [EPISODE, LENGTH, f"data/{CHUNK_INDEX}", f"data/{FILE_INDEX}"]
    columns += [
        f"videos/{camera}/{n}"
        for camera in info.cameras
        for n in (CHUNK_INDEX, FILE_INDEX, "from_timestamp")
    ]
    table = read_table(draft, name, columns=columns)
    for at, column in enumerate(table.column_names):
        if not column.endswith("timestamp"):
            table = table.set_column(at, column, whole_numbers(table[column]))
    return list(table.to_pylist())


def _unlisted(draft: Draft, listed: _Listed) -> list[FoundEpisode]:
    """The episodes in the tables that are not listed, ascending; those that are not whole are left."""
    files = _files(draft, "data/")
    more = [p for at, p in files.items() if _rows_in(draft, p) > listed.rows.get(at, 0)]
    found = [e for e in found_episodes(draft, more) if e.number not in listed.episodes]
    numbers = [episode.number for episode in found]
    whole = []
    for episode in sorted(found):
        if episode.counts and numbers.count(episode.number) == 1:
            whole.append(episode)
            continue
        what = f"the {episode.rows} unlisted rows of episode {episode.number} are not frames 0, 1, 2, …"
        draft.leave("table.episode-rows", f"{what}: left out", path=episode.path)
    return whole


def _following(draft: Draft, episodes: Sequence[FoundEpisode], number: int) -> list[FoundEpisode]:
    """The episodes from `number` on without a gap: where others are, their frames are not known."""
    following = []
    for episode in episodes:
        if episode.number == number:
            following.append(episode)
            number += 1
            continue
        what = f"episode {episode.number} is not preceded by episode {number - 1}: its frames cannot be found"
        draft.leave("episode.unlisted", f"{what}: left out", path=episode.path)
    return following


def _rows_in(draft: Draft, name: str) -> int:
    try:
        return read_footer(draft, name).rows
    except StorageError:
        return 0


def _files(draft: Draft, folder: str) -> dict[_Position, str]:
    """The files in the usual paths below a folder, in order."""
    found = {}
    for name in draft.list():
        numbers = (
            _POSITION.fullmatch(name.removeprefix(folder)) if name.startswith(folder) else None
        )
        if numbers is not None:
            found[int(numbers[1]), int(numbers[2])] = name
    return dict(sorted(found.items()))


def _starts(
    draft: Draft, info: Info, camera: str, episodes: Sequence[FoundEpisode], listed: _Listed
) -> list[_Start]:
    """Where the frames of the first episodes are; of fewer episodes where frames are missing."""
    ends = listed.frames[camera]
    free = [
        (position, ends.get(position, 0), _frames_in(draft, name))
        for position, name in _files(draft, f"videos/{camera}/").items()
        if position >= max(ends, default=(0, 0))
    ]
    starts: list[_Start] = []
    for episode in episodes:
        while free and free[0][2] - free[0][1] < episode.rows:
            free.pop(0)
        if free:
            position, begin, frames = free[0]
            starts.append(_Start(position, begin))
            free[0] = position, begin + episode.rows, frames
            continue
        position = _next_position(draft, info, f"videos/{camera}/")
        name = fill(VIDEO_TEMPLATE, video_key=camera, **_named(position))
        if not find_pending_video(draft, info, camera, episode, name, last=episode is episodes[-1]):
            break
        starts.append(_Start(position, 0))
    return starts


def _named(position: _Position) -> dict[str, int]:
    return {CHUNK_INDEX: position[0], FILE_INDEX: position[1]}


def _frames_in(draft: Draft, name: str) -> int:
    try:
        return read_packet_table(draft, name).frames
    except StorageError:
        return 0


def _add(
    draft: Draft,
    info: Info,
    episodes: Sequence[FoundEpisode],
    starts: Mapping[str, Sequence[_Start]],
    tasks: Mapping[int, str],
    listed: _Listed,
) -> None:
    name = fill(EPISODES_TEMPLATE, **_named(_next_position(draft, info, EPISODES_FOLDER)))
    entries = []
    start = sum(listed.rows.values())
    for at, episode in enumerate(episodes):
        data = _POSITION.fullmatch(episode.path.removeprefix("data/"))
        assert data is not None
        entry: dict[str, Json] = {
            EPISODE: episode.number,
            TASKS: [tasks[index] for index in episode.tasks if index in tasks],
            LENGTH: episode.rows,
            f"data/{CHUNK_INDEX}": int(data[1]),
            f"data/{FILE_INDEX}": int(data[2]),
            FROM_INDEX: start,
            TO_INDEX: start + episode.rows,
        }
        for camera, found in starts.items():
            entry |= _segment(camera, found[at], episode.rows, info)
        start += episode.rows
        entries.append(entry)
    draft.put_table(name, _typed(entries))
    numbers = [episode.number for episode in episodes]
    what = f"{named_episodes(numbers)} had rows and frames, but no entry: added"
    draft.repaired("episode.unlisted", what, path=EPISODES_FOLDER)


def _segment(camera: str, begin: _Start, rows: int, info: Info) -> dict[str, Json]:
    prefix = f"videos/{camera}/"
    return {
        f"{prefix}{CHUNK_INDEX}": begin.position[0],
        f"{prefix}{FILE_INDEX}": begin.position[1],
        f"{prefix}from_timestamp": seconds_at(begin.frame, info.fps),
        f"{prefix}to_timestamp": seconds_at(begin.frame + rows, info.fps),
    }


def _typed(entries: Sequence[Mapping[str, Json]]) -> pa.Table:
    table = pa.Table.from_pylist(list(entries))
    at = table.column_names.index(TASKS)
    return table.set_column(at, TASKS, table[TASKS].cast(pa.list_(pa.string())))


def _next_position(draft: Draft, info: Info, folder: str) -> _Position:
    chunk, file = max(_files(draft, folder), default=(0, -1))
    return divmod(chunk * info.chunks_size + file + 1, info.chunks_size)
