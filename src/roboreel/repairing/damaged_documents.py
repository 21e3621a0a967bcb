"""Repair documents that cannot be read, if other files say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from roboreel.errors import DatasetError, StorageError
from roboreel.format import v2, v30
from roboreel.format.model import EPISODE
from roboreel.format.parse import parse_json, parse_line, whole_number
from roboreel.repairing.draft import Draft
from roboreel.stats.feature_stats import parse_stats
from roboreel.storage.tables.tables import read_footer
from roboreel.types import Json

_LFS = b"version https://git-lfs"


def repair_documents(draft: Draft) -> None:
    """Leave out incomplete last lines and unreadable statistics, and set an unreadable task table aside."""
    present = frozenset(draft.list())
    for name in (v2.TASK_LIST, v2.EPISODES):
        if name in present:
            _cut_torn_line(draft, name)
    if v2.EPISODE_STATS in present:
        _keep_readable_stats(draft)
    if v30.GLOBAL_STATS in present and not _is_stats(draft, v30.GLOBAL_STATS):
        draft.set_aside(v30.GLOBAL_STATS)
        draft.repaired(
            "document.readable", "it could not be read: recomputed", path=v30.GLOBAL_STATS
        )
    if v30.TASK_TABLE in present:
        _set_unreadable_tasks_aside(draft)


def _cut_torn_line(draft: Draft, name: str) -> None:
    """Leave out a last line that was not written to its end."""
    data = draft.read(name)
    last = data.rpartition(b"\n")[2]
    if not last or data.startswith(_LFS) or _object_in(last, name) is not None:
        return
    draft.put(name, data[: len(data) - len(last)])
    draft.repaired("document.readable", "its last line was incomplete: left out", path=name)


def _object_in(line: bytes, name: str) -> Mapping[str, Json] | None:
    try:
        return parse_line(line, name, 1)
    except DatasetError:
        return None


def _keep_readable_stats(draft: Draft) -> None:
    data = draft.read(v2.EPISODE_STATS)
    if data.startswith(_LFS):
        return
    lines = data.splitlines()
    whole = [line for line in lines if not line.strip() or _is_entry(line)]
    if len(whole) < len(lines):
        draft.put(v2.EPISODE_STATS, b"".join(line + b"\n" for line in whole))
        what = f"{len(lines) - len(whole)} of {len(lines)} lines could not be read: recomputed"
        draft.repaired("document.readable", what, path=v2.EPISODE_STATS)


def _is_entry(line: bytes) -> bool:
    entry = _object_in(line, v2.EPISODE_STATS) or {}
    if whole_number(entry.get(EPISODE)) is None or not isinstance(entry.get("stats"), Mapping):
        return False
    return _parses(entry["stats"])


def _is_stats(draft: Draft, name: str) -> bool:
    try:
        document = parse_json(draft.read(name), name)
    except DatasetError:
        return False
    return isinstance(document, Mapping) and _parses(document)


def _parses(stats: Mapping[str, Json]) -> bool:
    try:
        parse_stats(stats)
    except (DatasetError, ValueError, TypeError):
        return False
    return True


def _set_unreadable_tasks_aside(draft: Draft) -> None:
    try:
        read_footer(draft, v30.TASK_TABLE)
    except StorageError:
        draft.set_aside(v30.TASK_TABLE)
        what = "it could not be read: the task texts are taken from the episodes"
        draft.repaired("document.readable", what, path=v30.TASK_TABLE)


def readable_lines(data: bytes, name: str) -> Iterator[tuple[bytes, Mapping[str, Json] | None]]:
    """Yield (line, its object) of a JSON Lines document; the object is None if a line is not one."""
    for line in data.splitlines():
        if line.strip():
            yield line, _object_in(line, name)
