"""Parts of remote files in memory: those in use, and of the others those that were used last."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from itertools import count

from roboreel.storage.memory.near_ranges import Span
from roboreel.storage.memory.process_lock import ProcessLock


class _Chunk:
    """A part of a file; no two of a file overlap."""

    __slots__ = ("data", "number", "pins", "start")

    def __init__(self, start: int, data: bytes, number: int) -> None:
        self.start, self.data, self.number, self.pins = start, data, number, 0

    @property
    def stop(self) -> int:
        return self.start + len(self.data)


class HeldRanges:
    """The parts of one file that are in memory. Threads may share it."""

    def __init__(self, store: RangeStore) -> None:
        """Hold nothing yet; `RangeStore.of` makes it."""
        self._store = store
        self._starts: list[int] = []
        self._chunks: list[_Chunk] = []

    def missing(self, spans: Sequence[Span]) -> list[Span]:
        """What is not in memory of some ranges."""
        with self._store.lock:
            return [gap for span in spans for gap in self._gaps(span)]

    def parts(self, spans: Sequence[Span]) -> list[bytes] | None:
        """The bytes of some ranges; None where something is missing."""
        with self._store.lock:
            found = [self._bytes(span) for span in spans]
        return None if None in found else [one for one in found if one is not None]

    def add(self, start: int, data: bytes) -> None:
        """Keep a part of the file, where it isn't kept yet."""
        with self._store.lock:
            for begin, size in self._gaps((start, len(data))):
                part = data[begin - start :][:size] if size != len(data) else data
                at = bisect_right(self._starts, begin)
                chunk = self._store.new_chunk(self, begin, part)
                self._starts.insert(at, begin)
                self._chunks.insert(at, chunk)

    def pin(self, spans: Sequence[Span]) -> list[_Chunk]:
        """Keep what is in memory of some ranges until `unpin` gets what this returns."""
        with self._store.lock:
            chunks = [chunk for span in spans for chunk in self._over(span)]
            for chunk in chunks:
                chunk.pins += 1
                self._store.used(self, chunk)
        return chunks

    def unpin(self, chunks: Sequence[_Chunk]) -> None:
        """Let chunks be dropped when room is needed."""
        with self._store.lock:
            for chunk in chunks:
                chunk.pins -= 1
                self._store.used(self, chunk)

    def drop(self, chunk: _Chunk) -> None:
        """Forget a chunk; its store calls it."""
        at = bisect_right(self._starts, chunk.start) - 1
        del self._starts[at], self._chunks[at]

    def _over(self, span: Span) -> Iterator[_Chunk]:
        """The chunks that have bytes of a range, in order."""
        start, size = span
        at = max(0, bisect_right(self._starts, start) - 1)
        while at < len(self._chunks) and self._chunks[at].start < start + size:
            if self._chunks[at].stop > start:
                yield self._chunks[at]
            at += 1

    def _gaps(self, span: Span) -> Iterator[Span]:
        at, stop = span[0], sum(span)
        for chunk in list(self._over(span)):
            if chunk.start > at:
                yield at, chunk.start - at
            at = chunk.stop
        if at < stop:
            yield at, stop - at

    def _bytes(self, span: Span) -> bytes | None:
        start, size = span
        chunks = list(self._over(span))
        if next(self._gaps(span), None) is not None:
            return None
        if len(chunks) == 1:
            return chunks[0].data[start - chunks[0].start :][:size]
        found = b"".join(chunk.data for chunk in chunks)
        return found[start - chunks[0].start :][:size] if chunks else b""


class RangeStore:
    """Parts of many files, up to a number of bytes besides those that are pinned."""

    def __init__(self, limit_bytes: int) -> None:
        """Hold nothing yet."""
        self.lock = ProcessLock()
        self._limit = limit_bytes
        self._files: dict[Hashable, HeldRanges] = {}
        self._free: OrderedDict[int, tuple[HeldRanges, _Chunk]] = OrderedDict()
        """What may be dropped, least recently used first."""
        self._free_bytes = 0
        self._numbers = count()

    def of(self, key: Hashable) -> HeldRanges:
        """The parts of a file."""
        with self.lock:
            return self._files.setdefault(key, HeldRanges(self))

    @property
    def free_bytes(self) -> int:
        """Bytes that are kept although nobody uses them."""
        return self._free_bytes

    def new_chunk(self, owner: HeldRanges, start: int, data: bytes) -> _Chunk:
        """A chunk that may be dropped; `HeldRanges.add` calls it."""
        chunk = _Chunk(start, data, next(self._numbers))
        self.used(owner, chunk)
        return chunk

    def used(self, owner: HeldRanges, chunk: _Chunk) -> None:
        """Note that a chunk was used, and drop others where there are too many bytes."""
        if self._free.pop(chunk.number, None) is not None:
            self._free_bytes -= len(chunk.data)
        if not chunk.pins:
            self._free[chunk.number] = owner, chunk
            self._free_bytes += len(chunk.data)
        while self._free_bytes > self._limit and len(self._free) > 1:
            _, (holder, old) = self._free.popitem(last=False)
            self._free_bytes -= len(old.data)
            holder.drop(old)
