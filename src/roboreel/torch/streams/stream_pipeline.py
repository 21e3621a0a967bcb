"""Items of a stream in order: packets of the next ones are read, then decoded, while the caller works."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from roboreel.reading.byte_budget import ByteBudget
from roboreel.reading.packet_fetch import PacketFetch
from roboreel.torch.dataset_reader import DatasetReader
from roboreel.torch.items.item_tensors import Item

_TOGETHER = 16
"""Items that are decoded together."""
_BLOCKS = 4
"""Blocks whose packets are read together: of more items, more are near each other."""
_GROUPS_AHEAD = 16
_FETCHERS = 8
"""Threads that find out what blocks need and wait for it; the requests of each run at once."""


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Blocks of items, and the packets of all of them."""

    blocks: Sequence[Sequence[int]]
    packets: Future[PacketFetch | None]


def local_items(reader: DatasetReader, order: Iterable[int]) -> Iterator[Item]:
    """The items of a dataset on this machine."""
    for block in _chunks(order, _TOGETHER):
        yield from reader.get_items(block)


def remote_items(
    reader: DatasetReader, order: Iterable[int], prefetch_bytes: int
) -> Iterator[Item]:
    """The items of a dataset on a server, whose packets are read ahead.

    Args:
        reader: the dataset.
        order: the items.
        prefetch_bytes: packets that may be in memory before they are needed; more only if some items that are
            next need more.

    Raises:
        StorageError, HubError: something cannot be read, when its item is due.
    """
    budget = ByteBudget(prefetch_bytes)
    fetchers = ThreadPoolExecutor(_FETCHERS, thread_name_prefix="roboreel-fetch")
    decoder = ThreadPoolExecutor(1, thread_name_prefix="roboreel-stream")
    pipeline = _Pipeline(reader, budget, fetchers, decoder)
    try:
        yield from pipeline.items(order)
    finally:
        budget.close()
        fetchers.shutdown(cancel_futures=True)
        decoder.shutdown(cancel_futures=True)
        pipeline.release()


class _Pipeline:
    """Groups on their way."""

    def __init__(
        self,
        reader: DatasetReader,
        budget: ByteBudget,
        fetchers: ThreadPoolExecutor,
        decoder: ThreadPoolExecutor,
    ) -> None:
        self._reader, self._budget = reader, budget
        self._fetchers, self._decoder = fetchers, decoder
        self._groups: deque[_Group] = deque()
        """Of which the packets are being read, are in memory, or are being decoded."""

    def items(self, order: Iterable[int]) -> Iterator[Item]:
        """The items in order: while the caller works on a block, the next one is decoded."""
        decoding: deque[Future[list[Item]]] = deque()
        for group, block in self._blocks(order):
            decoding.append(self._decoder.submit(self._decoded, group, block))
            if len(decoding) > 1:
                yield from decoding.popleft().result()
        while decoding:
            yield from decoding.popleft().result()

    def release(self) -> None:
        """Drop the packets of all groups."""
        for group in self._groups:
            self._release(group)
        self._groups.clear()

    def _blocks(self, order: Iterable[int]) -> Iterator[tuple[_Group, Sequence[int]]]:
        """(group, block of it), while the packets of later groups are read."""
        chunks = enumerate(_chunks(order, _TOGETHER * _BLOCKS))
        while True:
            for number, items in islice(chunks, _GROUPS_AHEAD - len(self._groups)):
                packets = self._fetchers.submit(self._fetched, number, items)
                self._groups.append(_Group(list(_chunks(items, _TOGETHER)), packets))
            if not self._groups:
                return
            group = self._groups[0]
            for block in group.blocks:
                yield group, block
            # after its blocks, as there is one decoder
            self._decoder.submit(self._release, self._groups.popleft())

    def _fetched(self, number: int, items: Sequence[int]) -> PacketFetch | None:
        """The packets of some items, in memory; None where the stream has ended."""
        try:
            fetch = self._reader.fetch(items)
        except BaseException:
            self._budget.take(number, 0)  # else those after it would wait for it
            raise
        if not self._budget.take(number, fetch.size_bytes):
            fetch.release()
            return None
        try:
            fetch.run()
        except BaseException:
            fetch.release()
            self._budget.give(fetch.size_bytes)
            raise
        return fetch

    def _decoded(self, group: _Group, block: Sequence[int]) -> list[Item]:
        return [] if group.packets.result() is None else self._reader.get_items(block)

    def _release(self, group: _Group) -> None:
        if group.packets.cancelled() or group.packets.exception() is not None:
            return
        fetch = group.packets.result()
        if fetch is not None:
            fetch.release()
            self._budget.give(fetch.size_bytes)


def _chunks(order: Iterable[int], size: int) -> Iterator[Sequence[int]]:
    items = iter(order)
    while chunk := list(islice(items, size)):
        yield chunk
