"""The packet indexes of a dataset: in the user's cache folder, and beside the dataset."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from roboreel.dataset.file_names import holds
from roboreel.errors import StorageError, counted
from roboreel.probes.cache import cache_part, make_private, make_room, name_of
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import FileStat, Root
from roboreel.storage.video.packet_index import (
    INDEX_FILE,
    KnownVideo,
    PacketIndex,
    parsed_packet_index,
)

_LOG = logging.getLogger(__name__)
_FOLDER, _ENDING = "packets", ".parquet"
MOST_DATASETS, MOST_BYTES = 100, 4 << 30
MOST_INDEX_BYTES = 1 << 30
"""Of an index beside a dataset: that of half a billion packets."""
_TOLD: set[str] = set()
"""Datasets of which this process has said that they have no index."""


class PacketIndexes:
    """What is known of a dataset's videos without opening them. Threads may share it."""

    def __init__(self, root: Root, indexes: Sequence[PacketIndex]) -> None:
        """Use some indexes of a dataset, the first that knows a video counts.

        Of a remote dataset, sizes and stamps of all videos are asked for now: a store lists many at once.
        """
        self._root, self._indexes = root, indexes
        names = sorted({name for index in indexes for name in index.videos})
        self._now: dict[str, FileStat | StorageError] = {}
        if not isinstance(root, LocalRoot):
            self._now = dict(zip(names, root.stats(names), strict=True))

    def video(self, name: str) -> KnownVideo | None:
        """The packets of a video; None where no index was made from the file as it is now.

        Raises:
            StorageError: the file does not exist, or an index is damaged.
        """
        if not self._indexes:
            return None
        now = self._now.get(name) or self._root.stat(name)
        if isinstance(now, StorageError):
            raise now
        found = (index.video(name, now) for index in self._indexes)
        return next((known for known in found if known is not None), None)

    def changed(self, index: PacketIndex) -> list[str]:
        """Names of the videos of an index that have changed since it was made; empty for a local dataset."""
        return [
            name
            for name, now in self._now.items()
            if name in index.videos and isinstance(now, FileStat) and not index.matches(name, now)
        ]


def packet_indexes(root: Root, files: tuple[str, ...]) -> PacketIndexes:
    """The packet indexes of a dataset. An index beside it is read by one request.

    Videos that have changed since an index was made are named in the log, and read without it. Not of a local
    dataset: the digests of an index that came with a download say nothing about local stamps.

    Args:
        root: the dataset's root.
        files: names of its files, sorted.

    Raises:
        StorageError: the index beside the dataset cannot be read.
    """
    found = [] if (kept := kept_index(root)) is None else [kept]
    if holds(files, INDEX_FILE) and not isinstance(root, LocalRoot):
        _refuse_large(root)
        found.append(parsed_packet_index(root.read(INDEX_FILE), f"{root.url}/{INDEX_FILE}"))
    indexes = PacketIndexes(root, found)
    if not found and not isinstance(root, LocalRoot):
        _tell_missing(root)
    for index in found:
        _tell_changed(index, indexes.changed(index))
    return indexes


def kept_index(root: Root) -> PacketIndex | None:
    """The index in the cache folder; None where there is none that can be read."""
    folder = cache_part(_FOLDER)
    name = name_of(root.cache_name, _ENDING)
    try:
        if folder is None or not folder.exists(name):
            return None
        return parsed_packet_index(folder.read(name), str(folder.path / name))
    except StorageError as error:
        _LOG.warning("%s", error)
        return None


def keep_index(root: Root, data: bytes) -> str | None:
    """Write an index into the cache folder, and return its path; None where caching is off.

    Raises:
        StorageError: it cannot be written.
    """
    folder = cache_part(_FOLDER)
    if folder is None:
        return None
    make_private(folder)
    name = name_of(root.cache_name, _ENDING)
    folder.put(name, data)
    make_room(folder, _ENDING, most_files=MOST_DATASETS, most_bytes=MOST_BYTES)
    return str(folder.path / name)


def _refuse_large(root: Root) -> None:
    size_bytes = root.stat(INDEX_FILE).size_bytes
    if size_bytes > MOST_INDEX_BYTES:
        raise StorageError(
            f"'{INDEX_FILE}' in '{root.url}' has {size_bytes} bytes, more than {MOST_INDEX_BYTES}: it is no"
            " packet index that roboreel made"
        )


def _tell_missing(root: Root) -> None:
    """Say once in this process that a remote dataset has no index."""
    if root.url not in _TOLD:
        _TOLD.add(root.url)
        _LOG.warning(
            "'%s' has no packet index: the indexes and keyframes of its videos are read first, which takes"
            " long. Make one with `roboreel index`",
            root.url,
        )


def _tell_changed(index: PacketIndex, changed: Sequence[str]) -> None:
    if changed:
        others = f" (and {counted(len(changed) - 1, 'other')})" if len(changed) > 1 else ""
        _LOG.warning(
            "'%s' was made before '%s' changed%s: these videos are read without it. Make it again with"
            " `roboreel index`",
            index.name,
            changed[0],
            others,
        )
