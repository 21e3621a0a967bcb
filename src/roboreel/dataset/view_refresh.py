"""Let a view file go by its sources as they are now, where each of its episodes is still there."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from roboreel.dataset.view_file import SOURCES, ViewFile
from roboreel.dataset.view_open import ViewOpener, said_of_view, said_rows
from roboreel.dataset.view_source import FRAMES, ROWS, UIDS, VIEW
from roboreel.edit.step_fields import packed
from roboreel.edit.view import View
from roboreel.errors import DatasetError, listed
from roboreel.types import Int64, Json, JsonObject


def refresh_view(path: str | os.PathLike[str], opener: ViewOpener | None = None) -> View:
    """Let a view file go by its sources as they are now, where each of its episodes is still there.

    An episode is still there where one has its uid, and as many frames. Episodes that a source has gained
    are left out.

    Raises:
        DatasetError: an episode is gone or has changed, or the file cannot be read.
        StorageError: a source cannot be read.
    """
    file = ViewFile(path)
    document, content = file.read()
    opener = opener or ViewOpener()
    sources = [_taken_over(file, opener, one) for one in file.objects(document, SOURCES)]
    view = opener.view(file, {**document, SOURCES: sources})
    file.replace(content, {**document, SOURCES: sources})
    return view


def _taken_over(file: ViewFile, opener: ViewOpener, said: JsonObject) -> JsonObject:
    """What the file is to say of a source as it is now."""
    now = _now(file, opener, said)
    rows = _same_episodes(file, said, now)
    whole = np.array_equal(rows, np.arange(len(now[UIDS])))
    return now if whole else {**now, ROWS: packed(rows)}


def _now(file: ViewFile, opener: ViewOpener, said: JsonObject) -> JsonObject:
    if VIEW not in said:
        return opener.dataset(file, said).described(file.folder)
    inner = opener.inner(file, said)
    document, content = inner.read()
    return said_of_view(opener.view(inner, document), inner, content, file.folder)


def _same_episodes(file: ViewFile, before: JsonObject, now: JsonObject) -> Int64:
    """The positions in a source as it is now of the episodes that the view began with."""
    positions: dict[Json, list[int]] = defaultdict(list)
    for position, key in enumerate(zip(now[UIDS], now[FRAMES], strict=True)):
        positions[key].append(position)
    found: list[int] = []
    gone: list[str] = []
    for uid, frames in _episodes(file, before):
        left = positions.get((uid, frames))
        if left:
            found.append(left.pop(0))
        else:
            gone.append(str(uid))
    if gone:
        raise DatasetError(
            f"'{file.path}' cannot be updated to its datasets as they are now: {len(gone)} of its"
            f" episodes are missing"
            f" or have a different length: {listed(gone)}. Begin a new view file: roboreel edit NEW.view.json"
            " from SRC"
        )
    return np.array(found, dtype=np.int64)


def _episodes(file: ViewFile, said: JsonObject) -> Iterable[tuple[Json, Json]]:
    """The uid and length of each episode of a source that the view began with."""
    uids: Json = said.get(UIDS)
    frames: Json = said.get(FRAMES)
    if not (_are(str, uids) and _are(int, frames)) or len(uids) != len(frames):
        raise file.unreadable(f"'{UIDS}' and '{FRAMES}' do not say which episodes a source had")
    rows = said_rows(file, said, len(uids))
    episodes = list(zip(uids, frames, strict=True))
    return episodes if rows is None else [episodes[row] for row in rows.tolist()]


def _are(kind: type, values: Json) -> bool:
    return isinstance(values, list) and set(map(type, values)) <= {kind}
