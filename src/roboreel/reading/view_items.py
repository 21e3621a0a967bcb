"""Values and frames of a view: each item's dataset, episode and row, and what the view made of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.edit.frame_rate import nearest_rows
from roboreel.edit.resampling import result_lengths, steps_of
from roboreel.edit.view import View
from roboreel.errors import Problem, UsageError
from roboreel.format.feature import (
    EPISODE_INDEX,
    FRAME_INDEX,
    INDEX,
    TASK_INDEX,
    TIMESTAMP,
    Feature,
    with_index_features,
)
from roboreel.format.fps import MAX_TIMESTAMP_ERROR_S, seconds_of
from roboreel.reading.camera_frames import CameraFrames
from roboreel.reading.column_cache import ColumnCache
from roboreel.reading.decode_jobs import WantedFrames
from roboreel.reading.frame_arrays import ApartFrames, FrameArray
from roboreel.reading.host_buffers import HostBuffers
from roboreel.reading.item_index import Window
from roboreel.reading.packet_fetch import PacketFetch
from roboreel.reading.read_options import TASK, ChosenFeatures, ReadOptions
from roboreel.reading.source_rows import Chosen, FileColumns, SourceRows
from roboreel.reading.table_images import TableImages
from roboreel.reading.view_tasks import ViewTasks
from roboreel.storage.memory.bounded_cache import BoundedCache
from roboreel.types import Int64

_KEPT_ARRAYS = 4
"""Arrays of frames whose memory is kept for the next ones, of each size, at most as many as were in use."""
_FRAME_NDIM = 3
_COUNTED = (EPISODE_INDEX, FRAME_INDEX, INDEX)


class ViewItems:
    """Reads values and frames of a view's items. Threads may share it."""

    def __init__(self, view: View, options: ReadOptions, chosen: ChosenFeatures) -> None:
        """Prepare to read; no file is opened.

        Raises:
            UsageError: a dataset of the view is not open.
        """
        self._view, self._options = view, options
        self._steps, self._fps = steps_of(view), view.fps
        self._features = with_index_features(view.model.info.features)
        files = BoundedCache[tuple[int, str], FileColumns](
            options.memory_bytes // 2, lambda found: found.size_bytes
        )
        columns = [name for name in chosen.columns if name not in _COUNTED]
        columns += [TASK_INDEX] if TASK_INDEX not in columns else []
        fits = (
            _row_bytes(self._features, columns) * int(view.lengths.sum())
            < options.memory_bytes // 2
        )
        cache = None if fits else ColumnCache()
        self._sources = [
            SourceRows(source, columns, view.masks, files, cache, number)
            for number, source in enumerate(view.sources)
        ]
        self._cameras, self._images = CameraFrames(options), TableImages(options)
        self._buffers = HostBuffers(_KEPT_ARRAYS, options.memory_bytes)
        self._moved = bool(view.slices.start.any())
        self._known_needs: dict[tuple[str, ...], Mapping[str, Feature]] = {}
        self._known_kinds: dict[tuple[str, ...], tuple[list[str], list[str]]] = {}
        self._stored_as = {
            name: (() if one.shape in ((), (1,)) else one.shape, np.dtype(one.dtype))
            for name, one in self._features.items()
            if one.is_numeric
        }

    @cached_property
    def _tasks(self) -> ViewTasks:
        return ViewTasks(self._view, self._sources)

    @property
    def tasks(self) -> Mapping[int, str]:
        """Text of each task by the index that items have."""
        return self._tasks.texts

    @property
    def cache_counts(self) -> tuple[int, int]:
        """Frames that were copied from the frame cache and stored in it, so far, in this process."""
        return self._cameras.cache_counts

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Where files contradict the documents, as far as they were read."""
        return tuple(problem for one in self._sources for problem in one.positions.problems)

    def read(
        self,
        names: Sequence[str],
        window: Window,
        out: Mapping[str, npt.NDArray[np.generic]],
        *,
        stacked: bool = True,
    ) -> dict[str, Any]:
        """The values of some features, those of cameras decoded.

        Args:
            names: features, and `task`.
            window: the frames.
            out: arrays to fill, by feature: (items, offsets, …).
            stacked: False gives frames as a list of arrays (H, W, C).

        Returns:
            By feature (items · offsets, …) values; strings are lists.
        """
        width = window.frames.shape[1]
        episodes = window.episodes if width == 1 else np.repeat(window.episodes, width)
        frames = window.frames.reshape(-1)
        cameras, numbers = self._kinds(tuple(names))
        if not cameras:
            return self._values(numbers, episodes, frames, out)
        arrays = self._arrays(cameras, len(frames), out, stacked=stacked)
        wanted = self._wanted(arrays, episodes, frames)
        with self._cameras.decoding([one for one in wanted if not _in_table(one)]):
            found = self._values(numbers, episodes, frames, out)
            for want in filter(_in_table, wanted):
                self._images.read(want)
        found.update({name: array.finished() for name, array in arrays.items()})
        return found

    def fetch(self, windows: Mapping[tuple[str, ...], Window]) -> PacketFetch:
        """The packets of remote videos that `read` needs, to be read beforehand; reads tables that it needs.

        Args:
            windows: the frames by the features that are read of them.
        """
        wanted: list[WantedFrames] = []
        for names, window in windows.items():
            width = window.frames.shape[1]
            episodes = window.episodes if width == 1 else np.repeat(window.episodes, width)
            frames = window.frames.reshape(-1)
            cameras, numbers = self._kinds(names)
            if numbers:
                self._values(numbers, episodes, frames, {})
            arrays = self._arrays(cameras, len(frames), {}, stacked=True)
            wanted += self._wanted(arrays, episodes, frames)
        return self._cameras.fetch([one for one in wanted if not _in_table(one)])

    def _kinds(self, names: tuple[str, ...]) -> tuple[list[str], list[str]]:
        """The cameras among some features, and the others."""
        if names not in self._known_kinds:
            cameras = [name for name in names if name != TASK and self._features[name].is_camera]
            self._known_kinds[names] = cameras, [name for name in names if name not in cameras]
        return self._known_kinds[names]

    def _values(
        self,
        names: Sequence[str],
        episodes: Int64,
        frames: Int64,
        out: Mapping[str, npt.NDArray[np.generic]],
    ) -> dict[str, Any]:
        count = len(frames)
        found = {name: self._target(name, count, out.get(name)) for name in names if name != TASK}
        needed = self._needed(tuple(names))
        stored = dict(found)
        if TASK in names and TASK_INDEX not in stored:
            stored[TASK_INDEX] = self._target(TASK_INDEX, count, None)
        self._fill(stored, needed, episodes, frames)
        for name in _COUNTED:
            if name in found:
                found[name][...] = self._counted(name, episodes, frames)
        if TIMESTAMP in found:
            found[TIMESTAMP][...] = self._seconds(found[TIMESTAMP], episodes, frames)
        if TASK in names or TASK_INDEX in found:
            indexes = self._tasks.indexes(episodes, stored[TASK_INDEX])
            if TASK_INDEX in found:
                found[TASK_INDEX][...] = indexes
            if TASK in names:
                found[TASK] = self._tasks.strings(indexes)
        return found

    def _needed(self, names: tuple[str, ...]) -> Mapping[str, Feature]:
        """The features that are read from tables for some features."""
        if names not in self._known_needs:
            read = [TASK_INDEX if name == TASK else name for name in names]
            needed = {name: self._features[name] for name in read if name not in _COUNTED}
            self._known_needs[names] = needed
        return self._known_needs[names]

    def _fill(
        self,
        targets: Mapping[str, Any],
        features: Mapping[str, Feature],
        episodes: Int64,
        frames: Int64,
    ) -> None:
        if not features:
            return
        slices = self._view.slices
        for source, members in self._by_source(episodes):
            own = episodes[members]
            rows = self._source_frames(source, own, frames[members])
            source.fill(slices.row[own], rows, features, targets, members)

    def _by_source(self, episodes: Int64) -> list[tuple[SourceRows, Chosen]]:
        """(dataset, positions of its items) of the datasets that some items are from."""
        if len(self._sources) == 1:
            return [(self._sources[0], slice(None))]
        sources = self._view.slices.source[episodes]
        return [
            (self._sources[number], np.flatnonzero(sources == number))
            for number in np.unique(sources).tolist()
        ]

    def _source_frames(self, source: SourceRows, episodes: Int64, frames: Int64) -> Int64:
        """(n,) frames of a dataset's episodes, for frames of the view's."""
        start, step = self._view.slices.start[episodes], self._steps[source.number]
        if step == 1:
            return start + frames
        return start + nearest_rows(frames, self._view.lengths[episodes], step)

    def _counted(self, name: str, episodes: Int64, frames: Int64) -> Int64:
        """Index columns that follow from an item's position."""
        if name == FRAME_INDEX:
            return frames
        if name == EPISODE_INDEX:
            return self._numbers[episodes]
        return self._first[episodes] + frames

    @cached_property
    def _numbers(self) -> Int64:
        return self._view.numbers

    @cached_property
    def _first(self) -> Int64:
        lengths = result_lengths(self._view)
        return np.cumsum(lengths) - lengths

    def _seconds(
        self, recorded: npt.NDArray[np.generic], episodes: Int64, frames: Int64
    ) -> npt.NDArray[np.generic]:
        """Timestamps as the view would be written: see `plan/compile_tables.py`."""
        regular = seconds_of(frames, self._fps).astype(recorded.dtype)
        if any(step != 1 for step in self._steps):
            return regular
        recorded = np.where(np.isnan(recorded), regular, recorded)
        if not self._moved:
            return recorded
        begin = self._target(TIMESTAMP, len(frames), None)
        only = {TIMESTAMP: self._features[TIMESTAMP]}
        self._fill({TIMESTAMP: begin}, only, episodes, np.zeros_like(frames))
        # as in a written view: only episodes that are cut at their beginning count from it
        begin[self._view.slices.start[episodes] == 0] = 0
        counted = recorded - begin
        return np.where(np.abs(counted - regular) <= MAX_TIMESTAMP_ERROR_S, regular, counted)

    def _target(self, name: str, count: int, out: npt.NDArray[np.generic] | None) -> Any:
        """The array that takes values of a feature, or a list where they are no numbers."""
        if name not in self._stored_as:
            return [None] * count
        shape, dtype = self._stored_as[name]
        return (
            np.zeros((count, *shape), dtype)
            if out is None
            else _flat(name, out, (count, *shape), dtype)
        )

    def _arrays(
        self,
        names: Sequence[str],
        count: int,
        out: Mapping[str, npt.NDArray[np.generic]],
        *,
        stacked: bool,
    ) -> Mapping[str, FrameArray]:
        size, buffers = self._options.size, self._buffers
        stored = self._options.frame_cache is not None
        if not stacked and not stored:
            return {name: ApartFrames(name, count, size, buffers) for name in names}
        return {
            name: FrameArray(
                name,
                count,
                size,
                buffers,
                out.get(name),
                declared=_frame_shape(self._features[name], size),
                stored=stored,
            )
            for name in names
        }

    def _wanted(
        self, arrays: Mapping[str, FrameArray], episodes: Int64, frames: Int64
    ) -> list[WantedFrames]:
        found: list[WantedFrames] = []
        slices = self._view.slices
        for source, members in self._by_source(episodes):
            own = episodes[members]
            rows = self._source_frames(source, own, frames[members])
            at = np.arange(len(episodes), dtype=np.int64)[members]
            found += [
                WantedFrames(name, source, slices.row[own], rows, array, at)
                for name, array in arrays.items()
            ]
        return found


def _in_table(want: WantedFrames) -> bool:
    return want.source.has_images(want.camera)


def _row_bytes(features: Mapping[str, Feature], columns: Sequence[str]) -> int:
    """Bytes of some columns in a row, by what is declared."""
    numeric = [features[name] for name in columns if features[name].is_numeric]
    return sum(np.dtype(one.dtype).itemsize * int(np.prod(one.shape)) for one in numeric)


def _frame_shape(feature: Feature, size: tuple[int, int] | None) -> tuple[int, ...]:
    """(H, W, C) of a camera's frames, by what is declared: channels first or last."""
    first, *rest = feature.shape if len(feature.shape) == _FRAME_NDIM else (0, 0, 3)
    height, width, channels = (*rest, first) if first in (1, 3) else (first, *rest)
    return (*(size or (height, width)), channels)


def _flat(
    name: str, out: npt.NDArray[np.generic], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> npt.NDArray[np.generic]:
    """A view of an array that is given for a feature, without an axis of offsets."""
    flat = out.reshape(shape) if out.size == prod(shape) else out
    if flat.shape != shape or flat.dtype != dtype or (out.size and not np.shares_memory(flat, out)):
        count, *own = shape
        raise UsageError(
            f"out['{name}'] has dtype {out.dtype} and shape {out.shape}, expected {dtype} and"
            f" {(count, *own)}"
        )
    return flat
