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
from roboreel.torch.item_tensors import Item

TOGETHER = 16
"""Items that are decoded together."""
_BLOCKS_AHEAD = 64
_FETCHERS = 8
"""Threads that find out what blocks need and wait for it; the requests of each run at once."""


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Items that are decoded together, and their packets."""

    items: Sequence[int]
    packets: Future[PacketFetch | None]


def local_items(reader: DatasetReader, order: Iterable[int]) -> Iterator[Item]:
    """The items of a dataset on this machine."""
    for block in _blocks(order):
        yield from reader.get_items(block)


def remote_items(
    reader: DatasetReader, order: Iterable[int], prefetch_bytes: int
) -> Iterator[Item]:
    """The items of a dataset on a server, whose packets are read ahead.

    Args:
        reader: the dataset.
        order: the items.
        prefetch_bytes: packets that may be in memory; more only if a block of items needs more.

    Raises:
        StorageError, HubError: something cannot be read, when its item is due.
    """
    budget = ByteBudget(prefetch_bytes)
    fetchers = ThreadPoolExecutor(_FETCHERS, thread_name_prefix="roboreel-fetch")
    decoder = ThreadPoolExecutor(1, thread_name_prefix="roboreel-stream")
    pipeline = _Pipeline(reader, budget, fetchers, decoder)
    try:
        yield from pipeline.items(_blocks(order))
    finally:
        budget.close()
        fetchers.shutdown(cancel_futures=True)
        decoder.shutdown(cancel_futures=True)
        pipeline.release()


class _Pipeline:
    """Blocks on their way."""

    def __init__(
        self,
        reader: DatasetReader,
        budget: ByteBudget,
        fetchers: ThreadPoolExecutor,
        decoder: ThreadPoolExecutor,
    ) -> None:
        self._reader, self._budget = reader, budget
        self._fetchers, self._decoder = fetchers, decoder
        self._waiting: deque[_Block] = deque()
        self._decoding: deque[Future[list[Item]]] = deque()

    def items(self, blocks: Iterator[Sequence[int]]) -> Iterator[Item]:
        """The items of the blocks in order."""
        numbered = enumerate(blocks)
        for number, block in islice(numbered, _BLOCKS_AHEAD):
            self._begin(number, block)
        while self._waiting or self._decoding:
            while self._waiting and len(self._decoding) < 2:
                self._decoding.append(self._decoder.submit(self._decoded, self._waiting.popleft()))
            for number, block in islice(numbered, _BLOCKS_AHEAD - len(self._waiting)):
                self._begin(number, block)
            yield from self._decoding.popleft().result()

    def release(self) -> None:
        """Drop the packets of blocks that are not decoded."""
        for block in self._waiting:
            if block.packets.done() and not block.packets.cancelled():
                fetch = None if block.packets.exception() else block.packets.result()
                if fetch is not None:
                    fetch.release()

    def _begin(self, number: int, items: Sequence[int]) -> None:
        packets = self._fetchers.submit(self._fetched, number, items)
        self._waiting.append(_Block(items, packets))

    def _fetched(self, number: int, items: Sequence[int]) -> PacketFetch | None:
        """The packets of a block, in memory; None where the stream has ended."""
        try:
            fetch = self._reader.fetch(items)
        except BaseException:
            self._budget.take(number, 0)  # else those after it would wait for it
            raise
        if not self._budget.take(number, fetch.size_bytes):
            return None
        try:
            fetch.run()
        except BaseException:
            self._budget.give(fetch.size_bytes)
            raise
        return fetch

    def _decoded(self, block: _Block) -> list[Item]:
        fetch = block.packets.result()
        if fetch is None:
            return []
        try:
            return self._reader.get_items(block.items)
        finally:
            fetch.release()
            self._budget.give(fetch.size_bytes)


def _blocks(order: Iterable[int]) -> Iterator[Sequence[int]]:
    items = iter(order)
    while block := list(islice(items, TOGETHER)):
        yield block
