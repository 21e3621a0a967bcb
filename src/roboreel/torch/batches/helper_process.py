"""Makes the batches of a `Loader` in threads of one other process, which hands them over in shared memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import sys
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Lock
from typing import Any

import numpy as np
import torch

from roboreel.errors import RunError
from roboreel.parallel import caller_left_out, end_with_parent, interrupts_held
from roboreel.torch.batches.batch_buffers import NotedBuffers
from roboreel.torch.batches.batch_makers import Pending, ThreadMaker, as_tensor
from roboreel.torch.batches.batch_source import Batch, BatchSource
from roboreel.torch.batches.readable_items import LOG, ReadableItems
from roboreel.torch.batches.sendable import packed_for_process
from roboreel.torch.batches.shared_blocks import ReceivedBlocks, SharedBuffers, send_blocks
from roboreel.torch.errors import ArgumentError


class HelperMaker:
    """Makes batches in another process. One thread uses it."""

    def __init__(self, source: BatchSource, threads: int, kept: int, *, pin: bool) -> None:
        """Prepare; the process starts with the first batch, and ends with this object.

        Args:
            source: the dataset, which is pickled.
            threads: batches that are made at the same time.
            kept: batches whose memory is kept, where threads make them after all.
            pin: True for memory that a GPU copies from by itself: the batch is copied once more.

        Raises:
            ArgumentError: this system has no such memory. It is a `ValueError`.
        """
        if sys.platform != "linux":
            raise ArgumentError("mode='process' only works on Linux: leave it out")
        self._source, self._threads, self._kept, self._pin = source, threads, kept, pin
        self._instead: ThreadMaker | None = None
        self._next = 0
        self._forget()

    def _forget(self) -> None:
        """Begin without a process."""
        self.process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._blocks = ReceivedBlocks()
        self._made: dict[int, Batch | BaseException] = {}
        self._dropped: set[int] = set()

    def submit(self, indices: Sequence[int]) -> Pending:
        """Begin a batch; in threads of this process where the dataset cannot be sent, which is logged."""
        if self._instead is not None:
            return self._instead.submit(indices)
        try:
            connection = self._started()
        except ArgumentError as error:
            LOG.warning(
                "mode='process' cannot be used: %s. Batches are made in threads instead", error
            )
            self._instead = ThreadMaker(self._source, self._threads, self._kept, pin=self._pin)
            return self._instead.submit(indices)
        number, self._next = self._next, self._next + 1
        with self._explained():
            connection.send((number, list(indices), self._blocks.freed()))
        return _Awaited(self, number)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError) as error:
            self._forget()
            raise RunError(
                "the process that makes batches died: it was killed, or the machine ran out of memory"
            ) from error

    def _started(self) -> Connection:
        if self._connection is None:
            packed = packed_for_process(self._source)
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self.process = context.Process(
                target=_serve, args=(theirs, packed, self._threads), daemon=True
            )
            with interrupts_held(), caller_left_out():
                self.process.start()
            theirs.close()
            weakref.finalize(self, _end, self._connection, self.process)
        return self._connection

    def wait(self, number: int) -> Batch:
        """A batch that was begun.

        Raises:
            RunError: the process died.
        """
        while number not in self._made:
            self._receive()
        found = self._made.pop(number)
        if isinstance(found, BaseException):
            raise found
        return {name: as_tensor(value, pin=self._pin) for name, value in found.items()}

    def _receive(self) -> None:
        connection = self._started()
        with self._explained():
            number, new, skipped, message = connection.recv()
            self._blocks.receive(connection, new)
        if isinstance(self._source, ReadableItems):
            for item, why in skipped.items():
                self._source.note(item, why)
        found = message if isinstance(message, BaseException) else self._blocks.batch(message)
        if number in self._dropped:
            self._dropped.discard(number)
        else:
            self._made[number] = found

    def drop(self, number: int) -> None:
        """Give up a batch."""
        if self._made.pop(number, None) is None:
            self._dropped.add(number)

    def finish(self) -> None:
        """End an epoch; the process stays for the next one."""
        if self._instead is not None:
            self._instead.finish()


class _Awaited:
    def __init__(self, maker: HelperMaker, number: int) -> None:
        self._maker, self._number = maker, number

    def result(self) -> Batch:
        return self._maker.wait(self._number)

    def cancel(self) -> bool:
        self._maker.drop(self._number)
        return True


def _end(connection: Connection, process: BaseProcess) -> None:
    connection.close()
    process.join(5)
    if process.is_alive():
        process.terminate()


def _serve(connection: Connection, packed: bytes, threads: int) -> None:
    """In the helper: make batches until the connection is closed."""
    end_with_parent()
    source: BatchSource = pickle.loads(packed)
    torch.set_num_threads(1)
    LOG.disabled = True  # the other process tells it
    buffers, lock = SharedBuffers(), Lock()

    def make(number: int, indices: list[int]) -> None:
        noted = NotedBuffers(buffers)
        try:
            batch = {n: _array(v) for n, v in source.read_batch(indices, noted).items()}
            buffers.unused(batch, noted.made)
            message: Any = buffers.message(batch)
        except Exception as error:
            buffers.unused({}, noted.made)
            message = error
        with lock:
            new = [] if isinstance(message, Exception) else buffers.new_blocks(message)
            skipped = dict(source.unreadable) if isinstance(source, ReadableItems) else {}
            connection.send((number, [block[:2] for block in new], skipped, message))
            send_blocks(connection, new)

    with ThreadPoolExecutor(threads) as pool:
        while True:
            try:
                number, indices, freed = connection.recv()
            except (EOFError, OSError):
                break
            for block in freed:
                buffers.give_back(block)
            pool.submit(make, number, indices)
        pool.shutdown(cancel_futures=True)


def _array(value: Any) -> Any:
    return np.ascontiguousarray(value.numpy()) if isinstance(value, torch.Tensor) else value
