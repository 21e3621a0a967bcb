"""The uids of a dataset's episodes: stored in its table of episodes, or derived from their content.

What is cheap to read of an episode's content and the same in every copy and version: its length, and the
smallest, largest and mean value of its numeric features, which the documents state exactly. Where they do
not, the size of its table file and its position in it count. Names, numbers and tasks do not: episodes keep
their uid when they are renumbered, merged, or get another task.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import blake2b

import pyarrow as pa

from roboreel.dataset.stored_stats import StoredStats
from roboreel.errors import DatasetError, StorageError
from roboreel.format.feature import INDEX_DTYPES, Feature
from roboreel.format.model import DATA_PATH, EPISODE, LENGTH, ROW_START, Model
from roboreel.format.origin_columns import UID, stores_uids
from roboreel.storage.root import Root

_UID_BYTES = 16
_TOLD_BY = ("min", "max", "mean")


def episode_uids(root: Root, model: Model, stored: StoredStats) -> list[str]:
    """(episodes,) the uid of each episode: stored, else derived.

    Args:
        root: the dataset's root.
        model: its documents.
        stored: its stored statistics; read where uids are to be derived.
    """
    known = stored_uids(model)
    if all(known):
        return [uid for uid in known if uid]
    derived = _derived(root, model, stored)
    return [own or other for own, other in zip(known, derived, strict=True)]


def stored_uids(model: Model) -> list[str | None]:
    """(episodes,) the uid that the table of episodes has of each; None where it has none."""
    if not stores_uids(model):
        return [None] * len(model.episodes)
    return [text or None for text in model.episodes[UID].to_pylist()]


def _derived(root: Root, model: Model, stored: StoredStats) -> list[str]:
    lengths = model.episodes[LENGTH].to_pylist()
    numbers = model.episodes[EPISODE].to_pylist()
    contents = dict(_contents(model.info.features, stored))
    missing = [at for at, number in enumerate(numbers) if number not in contents]
    contents |= _positions(root, model, missing)
    seen: Counter[bytes] = Counter()
    uids: list[str] = []
    for number, length in zip(numbers, lengths, strict=True):
        content = struct.pack("<q", length) + contents[number]
        uids.append(_uid(content, seen[content]))
        seen[content] += 1
    return uids


def _uid(content: bytes, before: int) -> str:
    """The uid of an episode; `before` counts the episodes before it of the very same content."""
    twin = struct.pack("<q", before) if before else b""
    return blake2b(content + twin, digest_size=_UID_BYTES, person=b"roboreel.uid").hexdigest()


def _contents(features: Mapping[str, Feature], stored: StoredStats) -> Iterator[tuple[int, bytes]]:
    """(episode index, what its statistics say of its content), of episodes with statistics."""
    names = [n for n, f in features.items() if f.is_numeric and n not in INDEX_DTYPES]
    wanted = [(name, statistic) for name in names for statistic in _TOLD_BY]
    try:
        for episode, numbers in stored.values(wanted):
            if numbers:
                yield episode, numbers
    except (DatasetError, StorageError):  # the check's to tell; what is not read has a position
        return


def _positions(root: Root, model: Model, rows: list[int]) -> dict[int, bytes]:
    """What tells episodes apart of which no statistics tell, by episode index."""
    table = model.episodes.take(pa.array(rows, pa.int64()))
    paths = table[DATA_PATH].to_pylist()
    named = [path for path in dict.fromkeys(paths) if path is not None]
    sizes = {
        path: -1 if isinstance(found, StorageError) else found.size_bytes
        for path, found in zip(named, root.stats(named), strict=True)
    }
    return {
        number: struct.pack("<qq", sizes.get(path, -1), start)
        for number, path, start in zip(
            table[EPISODE].to_pylist(), paths, table[ROW_START].to_pylist(), strict=True
        )
    }
