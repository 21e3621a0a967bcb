"""Add episodes to the list of episodes that have files and no entry (v2.x)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from roboreel.errors import DatasetError, StorageError
from roboreel.format import v2
from roboreel.format.model import EPISODE, LENGTH, TASKS, Info
from roboreel.format.parse import whole_number
from roboreel.repairing.damaged_documents import readable_lines
from roboreel.repairing.draft import Draft
from roboreel.repairing.found_rows import FoundEpisode, found_episodes, named_episodes
from roboreel.repairing.pending_frames import find_pending_video
from roboreel.storage.video.index import read_packet_table
from roboreel.types import Json

_TABLE = re.compile(r"data/(?:.*/)?episode_(\d+)\.parquet")


def list_files(draft: Draft, info: Info, tasks: Mapping[int, str]) -> None:
    """Correct entries without a length, and add the episodes whose files no entry names."""
    tables = {int(m[1]): m[0] for m in map(_TABLE.fullmatch, draft.list()) if m is not None}
    lines, known = _entries(draft, tables)
    unlisted = sorted(set(tables) - known)
    added: list[bytes] = []
    numbers: list[int] = []
    for number in unlisted:
        episode = _episode(draft, number, tables[number])
        if episode is not None and _has_frames(draft, info, episode, last=number == max(tables)):
            texts = [tasks[index] for index in episode.tasks if index in tasks]
            entry = {EPISODE: number, TASKS: texts, LENGTH: episode.rows}
            added.append(json.dumps(entry, ensure_ascii=False).encode())
            numbers.append(number)
    if added and v2.EPISODES not in draft.list():
        draft.repaired(
            "document.missing",
            "the list of episodes was lost: rebuilt from the tables",
            path=v2.EPISODES,
        )
    if added:
        what = f"{named_episodes(numbers)} had files, but no entry: added"
        draft.repaired("episode.unlisted", what, path=v2.EPISODES)
    before = draft.read(v2.EPISODES) if v2.EPISODES in draft.list() else None
    if added or (
        before is not None and lines != [line for line in before.splitlines() if line.strip()]
    ):
        draft.put(v2.EPISODES, b"".join(line + b"\n" for line in [*lines, *added]))


def _entries(draft: Draft, tables: Mapping[int, str]) -> tuple[list[bytes], set[int]]:
    """The usable lines of the list, and the episodes in them."""
    lines: list[bytes] = []
    known: set[int] = set()
    if v2.EPISODES not in draft.list():
        return lines, known
    for line, entry in readable_lines(draft.read(v2.EPISODES), v2.EPISODES):
        if entry is None:  # opening the dataset reports it
            return [*draft.read(v2.EPISODES).splitlines()], set(tables)
        number, length = whole_number(entry.get(EPISODE)), whole_number(entry.get(LENGTH))
        if number is not None and number >= 0 and (length is None or length <= 0):
            line = _with_length(draft, number, entry, tables) or line
        elif number is None or number < 0:
            what = f"an entry without an episode number was left out ({line[:60].decode(errors='replace')})"
            draft.repaired("episode.entry", what, path=v2.EPISODES)
            continue
        known.add(number)
        lines.append(line)
    return lines, known


def _with_length(
    draft: Draft, number: int, entry: Mapping[str, Json], tables: Mapping[int, str]
) -> bytes | None:
    episode = _episode(draft, number, tables[number]) if number in tables else None
    if episode is None:
        return None
    what = f"episode {number} had the length {entry.get(LENGTH)!r}: set to its {episode.rows} rows"
    draft.repaired("episode.entry", what, path=v2.EPISODES)
    return json.dumps({**entry, LENGTH: episode.rows}, ensure_ascii=False).encode()


def _episode(draft: Draft, number: int, path: str) -> FoundEpisode | None:
    """The rows of a file, which are of the episode in its name; None if it cannot be read."""
    found = found_episodes(draft, [path])
    if len(found) != 1 or not found[0].counts:
        if found:
            what = f"its {sum(e.rows for e in found)} rows are not frames 0, 1, 2, … of one episode: left out"
            draft.leave("table.episode-rows", what, path=path)
        return None
    return found[0]._replace(number=number)


def _has_frames(draft: Draft, info: Info, episode: FoundEpisode, *, last: bool) -> bool:
    lacking = []
    for camera in info.cameras:
        name = _video(info, episode.number, camera)
        if _frames(draft, name) >= episode.rows:
            continue
        if name in draft.list() or not find_pending_video(
            draft, info, camera, episode, name, last=last
        ):
            lacking.append(camera)
    if lacking:
        what = f"episode {episode.number} has {episode.rows} rows, but no frames of {', '.join(lacking)}"
        draft.leave("video.short", f"{what}: left out", path=episode.path)
    return not lacking


def _video(info: Info, episode: int, camera: str) -> str:
    try:
        return v2.expected_path(info, episode, camera)
    except DatasetError:
        return v2.paths_of_episodes(v2.VIDEO_TEMPLATE, [episode], info.chunks_size, camera)[0]


def _frames(draft: Draft, name: str) -> int:
    try:
        return read_packet_table(draft, name).frames
    except StorageError:
        return 0
