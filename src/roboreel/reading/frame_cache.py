"""Decoded frames in files that all processes and runs share, so that each frame is decoded once."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from roboreel.errors import RoboreelError, StorageError, UsageError
from roboreel.reading.cache_folder import FRAMES, INDEX, CacheFolder
from roboreel.reading.frame_arrays import FrameArray, Size
from roboreel.reading.frame_file import FrameFile, FrameLayout, make_frame_file, store_frames
from roboreel.reading.kept_indexes import KeptIndex, content_key, parsed_index, rendered_index
from roboreel.reading.read_options import ReadOptions
from roboreel.storage import disk
from roboreel.storage.lock import hold
from roboreel.storage.memory.bounded_cache import BoundedCache
from roboreel.storage.memory.held_ranges import HeldRanges
from roboreel.storage.memory.mapped_file import identity_of
from roboreel.storage.memory.process_lock import ProcessLock
from roboreel.storage.root import FileStat, Root
from roboreel.storage.video.indexed_video import IndexedVideo
from roboreel.storage.video.key_access import KeyAccess
from roboreel.storage.video.packet_index import KnownVideo
from roboreel.types import Int64

_LOG = logging.getLogger(__name__)
_FRESH_NS = 2_000_000_000
"""A file written more recently than this may be rewritten with the same stamp."""
_MOST_MAPPED = 256
"""Files that a process keeps mapped; each has a file descriptor."""
_TOUCH_S = 30.0
"""How often the time of last use of a file in use is renewed."""
_LOCK, _LOCK_S = ".roboreel-cache", 10.0


class Counter:
    """A number that threads add to."""

    def __init__(self) -> None:
        self.value = 0
        self._lock = ProcessLock()

    def add(self, number: int) -> None:
        """Add to it."""
        with self._lock:
            self.value += number


class FrameCache:
    """Frames of videos of one size, in a folder. Threads may share it; other processes make their own."""

    def __init__(self, folder: CacheFolder, size: Size | None) -> None:
        """Use a folder; nothing is read or made yet.

        Args:
            folder: where the frames are.
            size: (height, width) to which RGB frames are scaled; None: as they are stored.
        """
        self.folder = folder
        self.suffix = "-stored" if size is None else f"-{size[0]}x{size[1]}"
        self._mapped = BoundedCache[str, FrameFile](_MOST_MAPPED, lambda _: 1)
        self._warned = False
        self.copied, self.stored = Counter(), Counter()

    def video(
        self,
        root: Root,
        name: str,
        indexed: KnownVideo | None = None,
        held: HeldRanges | None = None,
    ) -> IndexedVideo:
        """A video whose frames the cache may have. It is opened only if it is not known yet, or to decode.

        Args:
            root: the root of the video file.
            name: the video file.
            indexed: what a packet index says of it.
            held: parts of it that are in memory.

        Raises:
            StorageError: the file is not there or cannot be read.
            VideoError: it is not a video.
        """
        stat = root.stat(name)
        table, access, in_doubt = indexed or (None, None, False)
        if not stat.stamp:  # a change would go unnoticed
            return IndexedVideo(root, name, table, access, held, in_doubt=in_doubt)
        known = self._known_index(_index_name(root, name, stat))
        if known is not None:
            return CachedVideo(self, root, name, stat, known, access, held)
        video = IndexedVideo(root, name, table, access, held)
        found = KeptIndex(content_key(video, stat), video.table)
        if root.stat(name) != stat:  # it is being written
            return video
        self._keep(_index_name(root, name, stat), stat, found)
        return CachedVideo(self, root, name, stat, found, access, held)

    def _known_index(self, name: str) -> KeptIndex | None:
        with contextlib.suppress(StorageError, ValueError, KeyError, TypeError, OSError):
            known = parsed_index(self.folder.root.read(name))
            self.folder.root.touch(name)
            return known
        return None

    def _keep(self, name: str, stat: FileStat, index: KeptIndex) -> None:
        if _is_fresh(stat):
            return
        data = rendered_index(index)
        with self._storing():
            if self.folder.admits(len(data)):
                self.folder.root.put(name, data)

    def file(self, key: str) -> FrameFile | None:
        """The frames of a video as far as they are there; None where no file is."""
        try:
            return self._mapped.get(key, lambda: self._opened(key))
        except StorageError:
            return None

    def _opened(self, key: str) -> FrameFile:
        file = FrameFile(self.folder.root, self._name(key))
        self.touch(key)
        return file

    def touch(self, key: str) -> None:
        """Renew the time of last use of a file."""
        with contextlib.suppress(StorageError):  # of another user, or removed
            self.folder.root.touch(self._name(key))

    def store(
        self, key: str, layout: FrameLayout, frames: Sequence[tuple[int, npt.NDArray[np.generic]]]
    ) -> None:
        """Keep decoded frames if there is room; what goes wrong is logged once, and raises nothing."""
        if not frames or not self.folder.admits(len(frames) * layout.slot_bytes):
            return
        with self._storing():
            file = self.file(key)
            # a file that was removed to make room stays mapped here: frames in it would help nobody
            if file is None or not self.folder.root.exists(self._name(key)):
                file = self._made(key, layout)
            if file.layout != layout:
                return
            found = store_frames(self.folder.root, self._name(key), layout, frames)
            self.stored.add(len(frames))
            if identity_of(found) != file.identity:  # removed and made again by another process
                self._mapped.forget(key)

    def _made(self, key: str, layout: FrameLayout) -> FrameFile:
        """The file of a video, made where it is missing, by one process only."""
        self._mapped.forget(key)
        root, name = self.folder.root, self._name(key)
        busy = f"'{root.url}': another process is using the frame cache: try again"
        with hold(
            Path(root.url) / _LOCK,
            timeout_s=_LOCK_S,
            busy=busy,
            prepare=lambda: disk.make_folders(root.url, root.modes),
        ):
            if self.file(key) is None:
                make_frame_file(root, name, layout)
        return self._mapped.get(key, lambda: self._opened(key))

    def _name(self, key: str) -> str:
        return f"{key}{self.suffix}{FRAMES}"

    @contextlib.contextmanager
    def _storing(self) -> Iterator[None]:
        """Log what prevents storing: reading works without it."""
        try:
            yield
        except (RoboreelError, OSError) as error:
            if not self._warned:
                _LOG.warning("no frames are added to the frame cache: %s", error)
            self._warned = True


class CachedVideo(IndexedVideo):
    """A video whose frames are taken from a cache where it has them. Threads may share it."""

    def __init__(
        self,
        cache: FrameCache,
        root: Root,
        name: str,
        stat: FileStat,
        known: KeptIndex,
        access: KeyAccess | None = None,
        held: HeldRanges | None = None,
    ) -> None:
        """Prepare to read; no file is opened.

        Args:
            cache: where the frames are kept.
            root: the root of the video file.
            name: the video file.
            stat: its size and stamp, for which `known` is true.
            known: its index and key.
            access: where decoding can start, where that is known.
            held: parts of it that are in memory.
        """
        super().__init__(root, name, known.table, access, held)
        self._cache, self._stat, self._key = cache, stat, known.key
        self._touched = time.monotonic()

    def copy(self, numbers: Int64, rows: Int64, into: FrameArray) -> Int64:
        """Copy the frames that the cache has.

        Args:
            numbers: (n,) frame numbers in the video.
            rows: (n,) the row of the array that each goes to.
            into: the array.

        Returns:
            (m,) positions in `numbers` of the frames that are still missing.
        """
        file = self._cache.file(self._key)
        if file is None:
            return np.arange(len(numbers), dtype=np.int64)
        self._touch()
        wanted = zip(numbers.tolist(), rows.tolist(), strict=True)
        target = into.of_shape(file.layout.shape, file.layout.dtype)
        left = [at for at, (number, row) in enumerate(wanted) if not file.copy(number, target[row])]
        self._cache.copied.add(len(numbers) - len(left))
        return np.array(left, dtype=np.int64)

    def store(self, numbers: Int64, rows: Sequence[int], frames: npt.NDArray[np.generic]) -> None:
        """Keep decoded frames.

        Args:
            numbers: (n,) frame numbers in the video.
            rows: (n,) the row of the array that each is in.
            frames: (…, H, W, C) the array.
        """
        height, width, channels = frames.shape[1:]
        layout = FrameLayout(self.table.frames, (height, width, channels), frames.dtype.str)
        # else the frames may be those of another state of the file
        if self.root.stat(self.name) == self._stat and not _is_fresh(self._stat):
            chosen = [(n, frames[row]) for n, row in zip(numbers.tolist(), rows, strict=True)]
            self._cache.store(self._key, layout, chosen)

    def _touch(self) -> None:
        now = time.monotonic()
        if now - self._touched > _TOUCH_S:
            self._touched = now
            self._cache.touch(self._key)


def frame_cache(options: ReadOptions) -> FrameCache | None:
    """The cache that some options ask for."""
    if options.frame_cache is None:
        return None
    path = os.path.abspath(os.path.expanduser(os.fspath(options.frame_cache)))
    if os.path.exists(path) and not os.path.isdir(path):
        raise UsageError(f"frame_cache '{path}' is a file: expected a folder")
    limit = None if options.frame_cache_mb is None else int(options.frame_cache_mb * (1 << 20))
    return FrameCache(CacheFolder(path, limit, options.made_ns), options.size)


def _is_fresh(stat: FileStat) -> bool:
    return stat.stamp.isdigit() and time.time_ns() - int(stat.stamp) < _FRESH_NS


def frame_counts(folder: CacheFolder) -> dict[str, int]:
    """Number of frames in each file of a cache."""
    found = {}
    for file in folder.files():
        if file.name.endswith(FRAMES):
            with contextlib.suppress(StorageError):  # damaged, or removed meanwhile
                found[file.name] = FrameFile(folder.root, file.name).stored
    return found


def _index_name(root: Root, name: str, stat: FileStat) -> str:
    own, path = root.root_of(name)
    folder = own.url if "://" in own.url else os.path.realpath(own.url)
    seen = repr((folder, path, stat.size_bytes, stat.stamp)).encode()
    return f"{blake2b(seen, digest_size=16).hexdigest()}{INDEX}"
