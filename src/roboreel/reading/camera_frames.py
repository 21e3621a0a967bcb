"""Frames of cameras: in which file they are, and decoding them in threads into arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.packet_indexes import PacketIndexes, packet_indexes
from roboreel.errors import StorageError, VideoError
from roboreel.reading.decode_jobs import DecodeJob, WantedFrames, balanced, decode_job
from roboreel.reading.decode_queue import DecodeQueue
from roboreel.reading.frame_cache import CachedVideo, frame_cache
from roboreel.reading.packet_fetch import PacketFetch
from roboreel.reading.read_options import ReadOptions
from roboreel.storage.fs import open_root
from roboreel.storage.local import LocalRoot
from roboreel.storage.memory.bounded_cache import BoundedCache
from roboreel.storage.memory.held_ranges import RangeStore
from roboreel.storage.memory.process_lock import ProcessLock
from roboreel.storage.root import Root
from roboreel.storage.video.backends import backend_frames
from roboreel.storage.video.decode import frames_of
from roboreel.storage.video.indexed_video import IndexedVideo
from roboreel.storage.video.packet_index import KnownVideo

_PACKET_BYTES = 64
"""What a packet takes in an index, with what is derived from it."""
_MOST_OPEN = 128
"""Videos that stay open: systems often allow a process no more than 1,024 files, some 256."""


class CameraFrames:
    """Decodes frames of the video cameras of a view. Threads may share it."""

    def __init__(self, options: ReadOptions) -> None:
        """Prepare to decode; no file is opened."""
        self._options = options
        self._cache = frame_cache(options)
        self._videos = BoundedCache[tuple[str, str], IndexedVideo](
            options.memory_bytes // 4,
            lambda video: _PACKET_BYTES * video.table.packets,
            most_values=_MOST_OPEN,
        )
        self._roots: dict[str, Root] = {}
        self._store = RangeStore(options.memory_bytes // 4)
        self._indexes: dict[str, PacketIndexes] = {}
        self._lock = ProcessLock()
        self._lanes: _Lanes | None = None

    @contextmanager
    def decoding(self, wanted: Sequence[WantedFrames]) -> Iterator[None]:
        """Decode frames into their arrays, each frame of a file once, by the end of the block.

        Other threads begin at once; the one that calls helps them when the block ends.

        Raises:
            StorageError: a file cannot be read.
            VideoError: a frame is not in its file, or does not decode.
            DatasetError: rows and frames of an episode do not belong together.
        """
        threads = self._options.thread_count
        jobs = balanced([job for want in wanted for job in self._jobs(want)], threads)
        fetch = PacketFetch(jobs)
        try:
            fetch.run()
        except BaseException:
            fetch.release()
            raise
        lanes = self._of_process(threads)
        work = lanes.queue.add(jobs)
        try:
            for _ in range(min(threads, len(jobs)) - 1):
                lanes.pool.submit(lanes.queue.run)
            yield
            lanes.queue.run(work)
        finally:
            lanes.queue.drop(work)
            fetch.release()
        if work.errors:
            raise work.errors[min(work.errors)]

    def fetch(self, wanted: Sequence[WantedFrames]) -> PacketFetch:
        """The packets that `decoding` reads of remote videos, to be read beforehand.

        Raises:
            StorageError, DatasetError: as `decoding`.
        """
        if self._cache is not None:  # only decoding asks it what it has
            return PacketFetch(())
        return PacketFetch(job for want in wanted for job in self._jobs(want))

    @property
    def cache_counts(self) -> tuple[int, int]:
        """Frames that were copied from the cache and stored in it, so far, in this process."""
        cache = self._cache
        return (0, 0) if cache is None else (cache.copied.value, cache.stored.value)

    def _of_process(self, threads: int) -> _Lanes:
        """The threads that decode; a forked process has none of its parent's."""
        lanes = self._lanes
        if lanes is None or lanes.process != os.getpid():
            pool = ThreadPoolExecutor(threads, thread_name_prefix="roboreel-decode")
            backend = self._options.video_backend
            queue = DecodeQueue(threads, partial(_decode, backend=backend))
            lanes = self._lanes = _Lanes(pool, queue, os.getpid())
        return lanes

    def _jobs(self, want: WantedFrames) -> Iterator[DecodeJob]:
        """One job for each file."""
        episodes = want.episodes.tolist()
        found = {episode: self._located(want, episode) for episode in dict.fromkeys(episodes)}
        first = np.array([found[episode][1] for episode in episodes], dtype=np.int64)
        numbers = first + want.frames
        videos = {id(video): video for video, _ in found.values()}
        video_of = np.array([id(found[episode][0]) for episode in episodes], dtype=np.int64)
        for key, video in videos.items():
            members = slice(None) if len(videos) == 1 else np.flatnonzero(video_of == key)
            chosen, rows = numbers[members], want.rows[members]
            if self._options.strict_timestamps:
                self._require_times(want, video, first[members], chosen)
            if isinstance(video, CachedVideo):
                left = video.copy(chosen, rows, want.into)
                chosen, rows = chosen[left], rows[left]
            if len(chosen):
                yield decode_job(video, want, chosen, rows)

    def _located(self, want: WantedFrames, episode: int) -> tuple[IndexedVideo, int]:
        """(file, first frame in it) of an episode."""
        source = want.source
        dataset = source.dataset
        external = source.external_video(want.camera, episode)
        if external is not None:
            folder, name = external
            return self._indexed(self._roots.setdefault(folder, open_root(folder)), name), 0
        camera = source.stored_name(want.camera)
        try:
            found = source.positions.frames(
                camera, episode, lambda path: self._of_dataset(dataset, path).table
            )
        except StorageError as error:
            where = f"camera '{want.camera}', {source.described(episode)}"
            raise type(error)(f"{error} [{where}]") from error
        return self._of_dataset(dataset, found.path), found.start

    def _of_dataset(self, dataset: Dataset, name: str) -> IndexedVideo:
        return self._indexed(dataset.root, name, lambda: self._known(dataset, name))

    def _known(self, dataset: Dataset, name: str) -> KnownVideo | None:
        """What the packet indexes of a dataset say of a video."""
        url = dataset.url
        with self._lock:
            if url not in self._indexes:
                self._indexes[url] = packet_indexes(dataset.root, dataset.files)
        return self._indexes[url].video(name)

    def _indexed(
        self, root: Root, name: str, ask: Callable[[], KnownVideo | None] = lambda: None
    ) -> IndexedVideo:
        return self._videos.get((root.url, name), lambda: self._opened(root, name, ask))

    def _opened(self, root: Root, name: str, ask: Callable[[], KnownVideo | None]) -> IndexedVideo:
        local = isinstance(root.root_of(name)[0], LocalRoot)
        held = None if local else self._store.of((root.url, name))
        if self._cache is not None:
            return self._cache.video(root, name, None if local else ask(), held)
        table, access, in_doubt = ask() or (None, None, False)
        return IndexedVideo(root, name, table, access, held, in_doubt=in_doubt)

    def _require_times(
        self, want: WantedFrames, video: IndexedVideo, first: np.ndarray, numbers: np.ndarray
    ) -> None:
        """Raise `VideoError` if a frame's time in its file differs from the time of its row."""
        seconds, fps = video.table.frame_seconds, want.source.dataset.fps
        inside = (numbers < len(seconds)) & (
            first < len(seconds)
        )  # others are refused when decoded
        known, start = numbers[inside], first[inside]
        error = np.abs(seconds[known] - seconds[start] - (known - start) * float(1 / fps))
        if len(error) and error.max() > self._options.tolerance_s:
            at = int(error.argmax())
            raise VideoError(
                f"'{video.name}': the time of frame {known[at]} differs from the time of its row by"
                f" {error[at]:.6f} s, more than tolerance_s={self._options.tolerance_s:g}. Frames are found"
                " by their number, so strict_timestamps=False reads the video in spite of this"
            )


class _Lanes(NamedTuple):
    """What decodes in a process."""

    pool: ThreadPoolExecutor
    queue: DecodeQueue
    process: int


def _decode(job: DecodeJob, backend: str) -> None:
    targets = job.targets()
    done = 0
    try:
        for frame in _frames(job, backend):
            job.want.into.put(frame, targets[done])
            done += 1
    except (VideoError, StorageError) as error:
        where = job.want.described(targets[min(done, len(targets) - 1)][0])
        raise type(error)(f"{error} [{where}]") from error
    if isinstance(job.video, CachedVideo):
        job.video.store(job.numbers, [rows[0] for rows in targets], job.want.into.array)


def _frames(job: DecodeJob, backend: str) -> Iterator[Any]:
    """The frames of a job, as PyAV frames or arrays."""
    numbers = job.numbers.tolist()
    if backend == "pyav" or job.want.source.is_depth(job.want.camera):
        return (frame for _, frame in frames_of(job.video, numbers))
    return backend_frames(job.video, numbers, backend=backend)
