"""Read items, windows and batches of a dataset or view for training."""

from __future__ import annotations

import operator
import pickle
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.edit.resampling import result_lengths
from roboreel.edit.view import Verbs, View, view_of
from roboreel.edit.write_options import lists_options
from roboreel.errors import (
    DatasetError,
    OutOfRangeError,
    StorageError,
    UsageError,
    counted,
    listed,
)
from roboreel.format.feature import Feature, with_index_features
from roboreel.reading.item_index import ItemIndex, item_index
from roboreel.reading.packet_fetch import PacketFetch
from roboreel.reading.read_options import ChosenFeatures, ReadKeywords, ReadOptions, chosen_features
from roboreel.reading.view_items import ViewItems
from roboreel.storage.local import LocalRoot
from roboreel.storage.stamped import refuse_changed_documents
from roboreel.summary.summary import Summarized, Summary, named
from roboreel.types import Int64

if TYPE_CHECKING:
    from typing_extensions import Unpack

_AHEAD = 16
"""Items that are read together in an iteration."""

Batch = dict[str, Any]
"""By feature: (B, …) array of numbers or frames, or a list of B strings."""


class Reader(Summarized):
    """Items of a dataset or view: rows with their frames. Threads and forked processes may share it.

    Nothing is read when it is made. Pickled, it leaves behind what it has read.
    """

    def __init__(
        self,
        view: View,
        options: ReadOptions,
        episodes: range | None = None,
    ) -> None:
        """Prepare to read: see `reader`."""
        self._view, self._options = view, options
        self._features = with_index_features(view.model.info.features)
        self._chosen: ChosenFeatures = chosen_features(options, self._features)
        self._items_of_view = ViewItems(view, options, self._chosen)
        self._index: ItemIndex = item_index(result_lengths(view))
        self._range = range(len(self._index))
        self._names_by_offsets = _by_offsets(self._chosen)
        self._episodes = range(len(self._index.lengths)) if episodes is None else episodes

    def __getstate__(self) -> tuple[int, bytes]:
        # tables of episodes repeat themselves: a hundred thousand shrink from 35 to 2 MB
        state = pickle.dumps((self._view, self._options, self._episodes, self._range), protocol=5)
        return len(state), pa.compress(state, codec="zstd", asbytes=True)

    def __setstate__(self, packed: tuple[int, bytes]) -> None:
        size, data = packed
        state = pa.decompress(data, size, codec="zstd", asbytes=True)
        view, options, episodes, chosen = pickle.loads(state)
        self.__init__(view, options, episodes)  # type: ignore[misc]
        self._range = chosen

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return self._view.new_fps or self._view.model.info.fps

    @property
    def features(self) -> Mapping[str, Feature]:
        """All features of the dataset or view, also those that are not read, and the five index columns."""
        return self._features

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras that are read."""
        return self._chosen.cameras

    @property
    def columns(self) -> tuple[str, ...]:
        """The other features that are read."""
        return self._chosen.columns

    @property
    def tasks(self) -> Mapping[int, str]:
        """Text of each task by the `task_index` that items have."""
        return self._items_of_view.tasks

    @property
    def cache_counts(self) -> tuple[int, int]:
        """Frames that were copied from the frame cache and stored in it, so far, in this process."""
        return self._items_of_view.cache_counts

    @property
    def lengths(self) -> Int64:
        """(episodes,) items of each episode."""
        return self._index.lengths[self._episodes.start : self._episodes.stop]

    @property
    def bounds(self) -> Int64:
        """(episodes + 1,) the first item of each episode, and the number of items."""
        bounds = self._index.bounds[self._episodes.start : self._episodes.stop + 1]
        return bounds - bounds[:1]

    @property
    def num_episodes(self) -> int:
        """Number of episodes."""
        return len(self._episodes)

    @property
    def num_frames(self) -> int:
        """Number of items."""
        return len(self)

    def __len__(self) -> int:
        return len(self._range)

    @overload
    def __getitem__(self, item: int) -> Batch: ...
    @overload
    def __getitem__(self, item: slice) -> Batch: ...
    def __getitem__(self, item: int | slice) -> Batch:
        """One item, or the batch of a slice.

        Raises:
            IndexError: there is no such item.
            UsageError: it is neither a whole number nor a slice.
        """
        if isinstance(item, slice):
            return self.batch(range(*item.indices(len(self))))
        at = _whole(item, "item", "an integer or a slice")
        if not -len(self) <= at < len(self):
            raise self._no_item(at)
        found = self._batch(np.array([self._range[at]], dtype=np.int64), {}, stacked=False)
        return {name: values[0] for name, values in found.items()}

    def __iter__(self) -> Iterator[Batch]:
        """The items in order. The next ones are decoded while the caller works on those before."""
        blocks = (self._range[at : at + _AHEAD] for at in range(0, len(self), _AHEAD))

        def read(block: range) -> Batch:
            return self._batch(np.arange(block.start, block.stop), {}, stacked=False)

        # one at a time: a block that began earlier would decode the same GOP from its start
        with ThreadPoolExecutor(1, thread_name_prefix="roboreel-ahead") as ahead:
            waiting = [ahead.submit(read, block) for block in islice(blocks, 1)]
            while waiting:
                batch = waiting.pop().result()
                waiting += [ahead.submit(read, block) for block in islice(blocks, 1)]
                for values in zip(*batch.values(), strict=True):
                    yield dict(zip(batch, values, strict=True))

    def episode(self, number: int) -> Reader:
        """The items of one episode, by its position; to be iterated in order at the decoder's speed.

        Raises:
            IndexError: there is no such episode.
        """
        count = len(self._episodes)
        number = _whole(number, "episode", "an integer")
        if not -count <= number < count:
            raise OutOfRangeError(
                f"episode {number} is out of range: there are {counted(count, 'episode')}"
            )
        at = self._episodes[number]
        part = object.__new__(Reader)
        part.__dict__.update(self.__dict__)
        part._episodes = range(at, at + 1)
        part._range = range(int(self._index.bounds[at]), int(self._index.bounds[at + 1]))
        return part

    def batch(
        self,
        indices: Sequence[int] | Int64 | range,
        out: Mapping[str, npt.NDArray[np.generic]] | None = None,
    ) -> Batch:
        """Items, stacked by feature.

        Args:
            indices: (B,) items, in any order, also repeated; negative ones count from the end.
            out: arrays to fill, by feature; the others are made. RGB frames are divided by 255 into an
                array of float32, each while it is in the processor's cache.

        Returns:
            By feature (B, …): numbers with their declared dtype and shape, (B,) where that is (1,); frames
            (B, H, W, 3) uint8, depth codes (B, H, W, 1). With offsets (B, T, …), and `{feature}_is_pad`
            (B, T). Strings are lists, as is `task`.

        Raises:
            IndexError: there is no such item.
            StorageError: a file cannot be read.
            VideoError: a frame is missing or does not decode.
            DatasetError: files are not what the documents say.
            UsageError: `indices` is not a list of integers; an array of `out` is not for a feature that is
                read, or has the wrong shape or dtype.
        """
        self._require_arrays(out or {})
        return self._batch(self._items(indices), out or {})

    def fetch(self, indices: Sequence[int] | Int64 | range) -> PacketFetch:
        """The packets of remote videos that `batch` needs for some items: `run` reads them, at once.

        `batch` reads none of them again until their `release`. For a dataset on this machine there are none.

        Args:
            indices: (B,) items, as in `batch`.

        Raises:
            IndexError: there is no such item.
            StorageError, HubError: a file cannot be read.
        """
        if not self.is_remote:
            return PacketFetch(())
        episodes, frames = self._index.episode_of(self._items(indices))
        windows = {
            names: self._index.window(episodes, frames, offsets)
            for offsets, names in self._names_by_offsets.items()
        }
        return self._items_of_view.fetch(windows)

    @property
    def is_remote(self) -> bool:
        """True if files of a dataset are not on this machine."""
        return not all(isinstance(one.root, LocalRoot) for one in self._datasets)

    def _require_arrays(self, out: Mapping[str, object]) -> None:
        """Raise `UsageError` unless each of `out` is an array for a feature that is read."""
        known = (*self._chosen.columns, *self._chosen.cameras)
        for name, array in out.items():
            if name not in known:
                raise UsageError(
                    f"out['{name}'] is not a feature that is read: expected one of {listed(known)}"
                )
            if not isinstance(array, np.ndarray) or not array.flags.writeable:
                kind = (
                    "a read-only array" if isinstance(array, np.ndarray) else type(array).__name__
                )
                raise UsageError(f"out['{name}'] is {kind}, expected a writable array")

    def _batch(
        self, items: Int64, out: Mapping[str, npt.NDArray[np.generic]], *, stacked: bool = True
    ) -> Batch:
        """The batch of items by their numbers in the view; where not `stacked`, frames may be a list."""
        episodes, frames = self._index.episode_of(items)
        result: Batch = {}
        for offsets, names in self._names_by_offsets.items():
            window = self._index.window(episodes, frames, offsets)
            apart = not stacked and not offsets
            try:
                found = self._items_of_view.read(names, window, out, stacked=not apart)
            except (DatasetError, StorageError):
                self._refuse_changed()
                raise
            for name in names:
                result[name] = found[name]
                if offsets:
                    result[name] = _windowed(found[name], window.frames.shape)
                    result[f"{name}_is_pad"] = window.is_pad
        return result

    def _refuse_changed(self) -> None:
        """Raise if a dataset on this machine was changed since it was opened: nothing else explains more."""
        for dataset in self._datasets:
            if isinstance(dataset.root, LocalRoot):
                refuse_changed_documents(dataset.root, dataset.documents)

    @property
    def _datasets(self) -> list[Dataset]:
        return [one.dataset for one in self._view.sources if isinstance(one.dataset, Dataset)]

    def _items(self, indices: Sequence[int] | Int64 | range) -> Int64:
        try:
            wanted = np.asarray(indices)
        except ValueError:  # lists of several lengths
            wanted = np.empty((0, 0))
        if wanted.ndim != 1 or (len(wanted) and wanted.dtype.kind not in "iu"):
            raise UsageError(f"indices are {reprlib.repr(indices)}, expected a list of integers")
        if wanted.dtype == np.uint64 and len(wanted) and wanted.max() >= len(self):
            raise self._no_item(wanted.max())
        items = wanted.astype(np.int64)
        items = np.where(items < 0, items + len(self), items)
        if len(items) and not 0 <= items.min() <= items.max() < len(self):
            wrong = wanted[(items < 0) | (items >= len(self))][0]
            raise self._no_item(wrong)
        return items + self._range.start

    def _no_item(self, item: object) -> OutOfRangeError:
        return OutOfRangeError(
            f"item {item} is out of range: there are {counted(len(self), 'item')}"
        )

    def _summary(self) -> Summary:
        episodes = counted(self.num_episodes, "episode")
        return Summary(
            f"Reader of '{self._view.name}'",
            [
                ("items", f"{len(self):,} of {episodes} at {float(self.fps):g} fps"),
                ("cameras", named(self.cameras)),
                ("columns", named(self.columns, shown=6)),
            ],
        )


def _whole(number: object, what: str, expected: str) -> int:
    try:
        if not isinstance(number, bool | np.bool_):
            return operator.index(number)  # type: ignore[arg-type]  # refused below
    except TypeError:
        pass
    raise UsageError(f"{what} is {number!r}, expected {expected}")


def _by_offsets(chosen: ChosenFeatures) -> Mapping[tuple[int, ...], tuple[str, ...]]:
    """The features to read by their offsets; `()` for those without."""
    grouped: dict[tuple[int, ...], tuple[str, ...]] = {}
    task = ["task"] if chosen.with_task else []
    for name in (*chosen.columns, *chosen.cameras, *task):
        offsets = chosen.offsets.get(name, ())
        grouped[offsets] = (*grouped.get(offsets, ()), name)
    return grouped


def _windowed(values: Any, shape: tuple[int, ...]) -> Any:
    """(items, offsets, …) of (items · offsets, …) values."""
    if isinstance(values, list):
        count = shape[1]
        return [values[at : at + count] for at in range(0, len(values), count)]
    return values.reshape(*shape, *values.shape[1:])


@lists_options(ReadOptions)
def reader(source: Verbs, **options: Unpack[ReadKeywords]) -> Reader:
    """Read a dataset or view: items by number, windows, batches, whole episodes.

    A view is read as it would be written, without being written: deleted episodes are gone, trimmed ones
    begin where they are cut, features have their new names. Frames are found by number: row *k* of an
    episode has frame *k*, whatever times a file gives.

    Args:
        source: an open dataset or a view.
        **options: the fields of `ReadOptions`.

    Raises:
        UsageError: an option makes no sense, or names what is not there.

    Example:
        >>> import roboreel, roboreel.testing, tempfile
        >>> path = roboreel.testing.make_dataset(tempfile.mkdtemp() + "/a", episodes=(5, 7))
        >>> reader = roboreel.reader(roboreel.open(path), offsets={"action": [0, 1]})
        >>> len(reader), reader[11]["action_is_pad"].tolist()
        (12, [False, True])
    """
    view, chosen = view_of(source, "reader"), ReadOptions(**options)
    _require_videos(view, chosen)
    return Reader(view, chosen)


def _require_videos(view: View, options: ReadOptions) -> None:
    """Raise where all cameras are wanted and one has no video at all."""
    if options.cameras is not None:
        return
    missing = [
        source.renamed.get(name, name)
        for source in view.sources
        if isinstance(source.dataset, Dataset)
        for name in source.dataset.missing_cameras - source.removed
    ]
    if missing:
        rest = [n for n, f in view.model.info.features.items() if f.is_camera and n not in missing]
        raise DatasetError(
            f"info.json declares camera {listed(missing)}, but its videos are missing: to read the other"
            f" cameras, pass cameras={rest}"
        )
