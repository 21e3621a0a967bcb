"""`Loader`: batches of tensors for training, made by threads instead of worker processes."""

from __future__ import annotations

import operator
import reprlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch.utils.data import BatchSampler

from roboreel.errors import counted
from roboreel.summary.summary import Summarized, Summary
from roboreel.torch.batches.batch_makers import BatchMaker, Pending, ThreadMaker
from roboreel.torch.batches.batch_source import BatchSource, batch_source
from roboreel.torch.batches.helper_process import HelperMaker
from roboreel.torch.batches.readable_items import ReadableItems
from roboreel.torch.compat.old_names import refusing_old_arguments
from roboreel.torch.errors import ArgumentError

OnError = Literal["raise", "skip"]
Mode = Literal["threads", "process"]
_IN_USE = 2
"""Batches besides those that are prefetched: the one that is handed over, and the training step's."""


class Loader(Summarized):
    """Batches of a dataset, made in threads ahead of the training step.

    Takes the place of `torch.utils.data.DataLoader`: iterate it once for each epoch.
    """

    @refusing_old_arguments
    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        *,
        drop_last: bool = False,
        seed: int = 0,
        threads: int = 2,
        prefetch: int = 2,
        pin_memory: bool | None = None,
        uint8: bool = False,
        on_error: OnError = "raise",
        mode: Mode = "threads",
    ) -> None:
        """Prepare to load; nothing is read.

        Args:
            dataset: a `LeRobotDataset`, a `roboreel.Reader`, or any dataset with items by number.
            batch_size: items of a batch.
            shuffle: True draws the items of each epoch in another order, by `seed` and the epoch.
            sampler: the order of items. What it has of `set_epoch` and `state_dict` is used.
            batch_sampler: lists of items, instead of the arguments before.
            drop_last: True leaves out the last batch if it is smaller.
            seed: of `shuffle`.
            threads: batches that are made at the same time. Each decodes with the threads of the dataset.
            prefetch: batches that are made before they are asked for; at least `threads`.
            pin_memory: False for usual memory; else memory that a GPU copies from by itself, if there is one.
            uint8: for a `Reader`: True leaves frames as uint8; False divides them by 255, as float32.
            on_error: `skip` leaves out items that cannot be read, with a warning in the log: a batch is then
                smaller, and left out if nothing remains.
            mode: `threads` makes batches in this process; `process` in one other process, which serves a
                training step that is busy in Python. It does not import the script, which so needs no
                `__main__` guard; a dataset that it cannot be sent (transforms that are lambdas, or defined
                in the script) is loaded by threads, with a warning in the log.

        Raises:
            ArgumentError: arguments contradict each other. It is a `ValueError`.
        """
        _require_positive(batch_size=batch_size, threads=threads, prefetch=prefetch)
        if isinstance(seed, bool) or not hasattr(seed, "__index__") or seed < 0:
            raise ArgumentError(f"seed is {seed!r}, expected an integer of 0 or more")
        _require_order(batch_size, shuffle, sampler, batch_sampler, drop_last=drop_last)
        _require_one_of(on_error=(on_error, get_args(OnError)), mode=(mode, get_args(Mode)))
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.drop_last = drop_last
        self._source = batch_source(dataset, uint8=uint8)
        order = sampler if sampler is not None else _Order(self._source, seed, shuffle=shuffle)
        self.sampler = order
        self.batch_sampler: Iterable[Sequence[int]] = (
            BatchSampler(order, batch_size, drop_last) if batch_sampler is None else batch_sampler
        )
        self.prefetch = max(prefetch, threads)
        self.pin_memory = pin_memory is not False and torch.cuda.is_available()
        self._readable = ReadableItems(self._source) if on_error == "skip" else None
        source: BatchSource = self._readable or self._source
        kept = self.prefetch + _IN_USE
        self._maker: BatchMaker = (
            HelperMaker(source, threads, kept, pin=self.pin_memory)
            if mode == "process"
            else ThreadMaker(source, threads, kept, pin=self.pin_memory)
        )
        self.epoch = 0
        self._done, self._begun = 0, False
        self._order_state: Any = None

    @property
    def skipped(self) -> Mapping[int, str]:
        """Items that could not be read so far, and why."""
        return {} if self._readable is None else self._readable.unreadable

    def _summary(self) -> Summary:
        kind = type(self.dataset).__name__
        return Summary(
            f"Loader of a {kind}",
            [("batches", f"of {counted(self.batch_size, 'item')}"), ("epoch", str(self.epoch))],
        )

    def __len__(self) -> int:
        return len(self.batch_sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The batches of an epoch, or the rest of it after `load_state_dict`.

        Yields:
            By feature a tensor (B, …), or a list of B strings.
        """
        batches = self._begin()
        first = self._done
        waiting: deque[Pending] = deque()
        try:
            for indices in islice(batches, first, None):
                waiting.append(self._maker.submit(_numbers(indices)))
                if len(waiting) > self.prefetch:
                    yield from self._next(waiting)
            while waiting:
                yield from self._next(waiting)
        finally:
            for pending in waiting:
                pending.cancel()
            self._maker.finish()
        self.epoch, self._done, self._begun = self.epoch + 1, 0, False

    def _begin(self) -> Iterator[Sequence[int]]:
        """The lists of items of the epoch. One that was left before its end is not gone on with."""
        if self._begun:
            self.epoch, self._done = self.epoch + 1, 0
        self._begun = True
        stateful = self._stateful
        self._order_state = None if stateful is None else stateful.state_dict()
        for order in (self.sampler, self.batch_sampler):
            if stateful is None and hasattr(order, "set_epoch"):
                order.set_epoch(self.epoch)
        return iter(self.batch_sampler)

    def _next(self, waiting: deque[Pending]) -> Iterator[dict[str, Any]]:
        batch = waiting.popleft().result()
        self._done += 1
        if batch:  # else none of its items can be read
            yield batch

    @property
    def _stateful(self) -> Any:
        """What has a state of its own: the batch sampler or the sampler."""
        orders = (self.batch_sampler, self.sampler)
        return next((order for order in orders if hasattr(order, "state_dict")), None)

    def state_dict(self) -> dict[str, Any]:
        """Epoch, batches delivered in it, and the sampler's state at its beginning."""
        stateful = self._stateful
        order = self._order_state
        if not self._begun:
            order = None if stateful is None else stateful.state_dict()
        return {"epoch": self.epoch, "batches": self._done, "sampler": order}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was called: the next iteration begins with the batch after that.

        Raises:
            KeyError: it is not the state of a loader.
        """
        self.epoch, self._done, self._begun = int(state["epoch"]), int(state["batches"]), False
        if self._stateful is not None and state["sampler"] is not None:
            self._stateful.load_state_dict(state["sampler"])


class _Order:
    """All items, in order or in another order in each epoch."""

    def __init__(self, items: Any, seed: int, *, shuffle: bool) -> None:
        self._items, self._seed, self._shuffle = items, seed, shuffle
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[int]:
        count = len(self._items)
        if not self._shuffle:
            return iter(range(count))
        random = np.random.default_rng([self._seed, self._epoch])
        return iter(random.permutation(count).tolist())


def _numbers(indices: Any) -> list[int]:
    """The items of a batch, of a sampler that may give tensors."""
    try:
        return [operator.index(index) for index in indices]
    except TypeError as error:
        raise ArgumentError(
            f"the sampler gave the batch {reprlib.repr(indices)}, expected a list of integers: {error}"
        ) from error


def _require_order(
    batch_size: int, shuffle: bool, sampler: object, batch_sampler: object, *, drop_last: bool
) -> None:
    if sampler is not None and shuffle:
        raise ArgumentError("sampler already sets the order: leave shuffle out")
    if batch_sampler is not None and (
        batch_size != 1 or shuffle or sampler is not None or drop_last
    ):
        raise ArgumentError(
            "batch_sampler already sets the batches: leave batch_size, shuffle, sampler and drop_last out"
        )


def _require_one_of(**chosen: tuple[str, tuple[str, ...]]) -> None:
    for name, (value, choices) in chosen.items():
        if value not in choices:
            raise ArgumentError(f"{name} is {value!r}, expected {' or '.join(map(repr, choices))}")


def _require_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if isinstance(number, bool) or not hasattr(number, "__index__") or number < 1:
            raise ArgumentError(f"{name} is {number!r}, expected 1 or more")
