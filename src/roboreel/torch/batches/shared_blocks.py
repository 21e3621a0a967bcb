"""Memory that two processes share: one makes arrays in it, the other uses them without a copy."""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Sequence
from math import prod
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.reading.host_buffers import Array, Lease
from roboreel.torch.batches.batch_source import Batch

_SMALLEST = 1 << 16
"""Arrays of fewer bytes are sent as they are."""


class SharedArray:
    """An array in a block, in a message."""

    def __init__(self, block: int, shape: tuple[int, ...], dtype: str) -> None:
        self.block, self.shape, self.dtype = block, shape, dtype


class SharedBuffers:
    """Makes arrays in blocks, and sends them. Threads may share it."""

    def __init__(self) -> None:
        self._blocks: list[tuple[int, Array]] = []
        self._idle: dict[int, list[int]] = {}
        self._at: dict[int, int] = {}
        self._sent: set[int] = set()
        self._lock = Lock()

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Array:
        """An array of undefined content, which takes a whole block if it is large."""
        size = prod(shape) * np.dtype(dtype).itemsize
        if size < _SMALLEST:
            return np.empty(shape, dtype)
        with self._lock:
            idle = self._idle.get(size)
            number = idle.pop() if idle else self._new(size)
        block = self._blocks[number][1]
        return block.view(dtype).reshape(shape)

    def _new(self, size: int) -> int:
        file = os.memfd_create("roboreel-batch")
        os.ftruncate(file, size)
        block = np.frombuffer(mmap.mmap(file, size), np.uint8)
        number = len(self._blocks)
        self._blocks.append((file, block))
        self._at[_address(block)] = number
        return number

    def give_back(self, number: int) -> None:
        """Use a block again."""
        with self._lock:
            self._idle.setdefault(len(self._blocks[number][1]), []).append(number)

    def unused(self, batch: Batch, made: Sequence[Array]) -> None:
        """Use again the blocks of arrays that were made for a batch, and are not in it."""
        kept = {_address(value) for value in batch.values() if isinstance(value, np.ndarray)}
        for array in made:
            number = self._at.get(_address(array))
            if number is not None and _address(array) not in kept:
                self.give_back(number)

    def message(self, batch: Batch) -> Batch:
        """The batch with references in place of arrays in blocks."""
        return {name: self._reference(value) for name, value in batch.items()}

    def _reference(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        number = self._at.get(_address(value))
        if number is None or value.nbytes < _SMALLEST or not value.flags.c_contiguous:
            return value
        return SharedArray(number, value.shape, value.dtype.str)

    def new_blocks(self, message: Batch) -> list[tuple[int, int, int]]:
        """(block, size, file) of those that were not sent before."""
        found = []
        for value in message.values():
            if isinstance(value, SharedArray) and value.block not in self._sent:
                self._sent.add(value.block)
                file, block = self._blocks[value.block]
                found.append((value.block, len(block), file))
        return found


class ReceivedBlocks:
    """The other end: blocks that a process has received."""

    def __init__(self) -> None:
        self._blocks: dict[int, Array] = {}
        self._number: dict[int, int] = {}
        self._free: deque[int] = deque()

    def receive(self, connection: Connection, new: Sequence[tuple[int, int]]) -> None:
        """Map new blocks, whose files follow on the connection."""
        for number, size in new:
            file = recv_handle(connection)
            try:
                block = np.frombuffer(mmap.mmap(file, size), np.uint8)
            finally:
                os.close(file)
            self._blocks[number] = block
            self._number[_address(block)] = number

    def batch(self, message: Batch) -> Batch:
        """The batch, with arrays on the blocks; a block is free when its array is dropped."""
        return {name: self._array(value) for name, value in message.items()}

    def _array(self, value: Any) -> Any:
        if not isinstance(value, SharedArray):
            return value
        lease = np.asarray(Lease(self, self._blocks[value.block]))
        return lease.view(value.dtype).reshape(value.shape)

    def give_back(self, block: Array) -> None:
        """Note a block that is free again. Takes no lock: called wherever a batch is dropped."""
        self._free.append(self._number[_address(block)])

    def freed(self) -> list[int]:
        """The blocks that are free since the last call."""
        found = []
        while self._free:
            found.append(self._free.popleft())
        return found


def send_blocks(connection: Connection, new: Sequence[tuple[int, int, int]]) -> None:
    """Send the files of new blocks, for `ReceivedBlocks.receive`."""
    for _, _, file in new:
        send_handle(connection, file, None)


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
