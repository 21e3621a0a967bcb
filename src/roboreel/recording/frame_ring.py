"""Frames on their way from a recorder to a camera's process: memory that both share, and a file behind it.

The recorder copies a frame into a free slot, or, where none is free, into the file, and writes one byte into
a pipe that says where it is. So nothing is shared but bytes: after a crash of either there is no lock to be
freed, and the memory and the file, which have no names, are gone with the last process that has them open.
"""

from __future__ import annotations

import math
import mmap
import os
from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from roboreel.storage import disk

SPILLED, SPILLED_FIRST, REPEATED, BEGIN, FINISH, DISCARD, LEAVE = range(249, 256)
"""Bytes in the pipe; those below are slots of the memory. `SPILLED_FIRST`: in the file, from its start."""
MOST_SLOTS = 200
_MOST_WAITING = 1 << 14
"""Frames that may wait: pipes hold at least as many bytes."""
_RESERVED_BYTES = 1 << 28
"""Free bytes that frames which wait leave on the disk: the videos need them."""
_FIELDS = ("freed", "unspilled", "progress", "failed", "syncing", "identical", "dropped")
_AT = {name: number for number, name in enumerate(_FIELDS)}
_SINGLE = [bytes((number,)) for number in range(256)]
_HEAD_BYTES = mmap.PAGESIZE


class SharedFrames:
    """The memory of one camera: counters, and slots of one size."""

    def __init__(self, descriptor: int, slots: int, slot_bytes: int) -> None:
        self.slots, self.slot_bytes = slots, slot_bytes
        self._memory = mmap.mmap(descriptor, size_of(slots, slot_bytes))
        view = memoryview(self._memory)
        self._fields = view[: 8 * len(_FIELDS)].cast("q")
        self._slots = view[_HEAD_BYTES:]
        self._kind: tuple[tuple[int, ...], np.dtype[np.generic]] | None = None
        self._frames: dict[int, npt.NDArray[np.generic]] = {}
        """Views of the slots that were used, of frames of one kind."""

    def get(self, field: str) -> int:
        """A counter. Only the camera's process changes them, and only the recorder `dropped`."""
        return int(self._fields[_AT[field]])

    def set(self, field: str, value: int) -> None:
        """Change a counter."""
        self._fields[_AT[field]] = value

    def slot(
        self, number: int, shape: tuple[int, ...], dtype: np.dtype[np.generic]
    ) -> npt.NDArray[np.generic]:
        """The frame in a slot, in the shared memory."""
        if self._kind != (shape, dtype):
            self._kind, self._frames = (shape, dtype), {}
        if number not in self._frames:
            start, size = number * self.slot_bytes, math.prod(shape) * dtype.itemsize
            part = self._slots[start : start + size]
            self._frames[number] = np.frombuffer(part, dtype).reshape(shape)
        return self._frames[number]


def size_of(slots: int, slot_bytes: int) -> int:
    """Bytes of the memory of a camera."""
    return _HEAD_BYTES + slots * slot_bytes


class FrameSender:
    """The recorder's side of a camera's memory, file and pipe."""

    def __init__(
        self,
        shared: SharedFrames,
        spill: int,
        spill_frames: int,
        pipe: int,
        wait: Callable[[], None],
    ) -> None:
        """Send frames.

        Args:
            shared: the memory.
            spill: descriptor of the file.
            spill_frames: how many frames it may hold.
            pipe: descriptor to write to, which does not block.
            wait: called while the pipe is full.
        """
        self._shared, self._spill, self._pipe, self._wait = shared, spill, pipe, wait
        self._spill_frames = min(spill_frames, _MOST_WAITING - MOST_SLOTS - 10)
        self._free = list(range(shared.slots - 1, -1, -1))
        self._used: deque[int] = deque()
        self._freed = self._unspilled = self._spilled = self._next = 0
        self._held: tuple[int, int] | None = None
        """The frame that waits to be announced: its byte, and its position in the file."""
        self.torn = False
        """True where an interrupt came between two steps that belong together: no more can be sent."""

    def hold_in_memory(self, frame: npt.NDArray[np.generic]) -> bool:
        """Copy a frame into the memory; False where there is no free slot. `announce` sends it."""
        self._take_back()
        if not self._free:
            return False
        number = self._free[-1]  # the one that was freed last: its memory is still in the caches
        self._shared.slot(number, frame.shape, frame.dtype)[...] = frame
        self._held = number, 0
        return True

    def hold_in_file(self, frame: npt.NDArray[np.generic]) -> bool:
        """Copy a frame into the file; False where it is full, or the disk nearly is.

        Raises:
            OSError: the disk fails.
        """
        self._unspilled = self._shared.get("unspilled")
        waiting = self._spilled - self._unspilled
        if waiting >= self._spill_frames or disk.free_bytes_beside(self._spill) < _RESERVED_BYTES:
            return False
        at = 0 if not waiting else (self._next + 1) % self._spill_frames
        data = _bytes_of(np.ascontiguousarray(frame))
        if not _written(self._spill, data, at * self._shared.slot_bytes):
            return False
        self._held = SPILLED if waiting else SPILLED_FIRST, at
        return True

    def announce(self) -> None:
        """Send the frame that was copied last. Until then another one can take its room.

        Raises:
            OSError: the process has ended.
        """
        assert self._held is not None
        byte, at = self._held
        self.torn = True
        self._held = None
        if byte < SPILLED:
            self._used.append(self._free.pop())
        else:
            self._next = at
            self._spilled += 1
        self.send(byte)
        self.torn = False

    def empty_file(self) -> None:
        """Give back the room of the file, if no frame waits in it."""
        if self._spilled and self._spilled == self._shared.get("unspilled"):
            disk.empty(self._spill)

    def send(self, byte: int) -> None:
        """Write a byte into the pipe.

        Raises:
            OSError: the process has ended.
        """
        while True:
            try:
                os.write(self._pipe, _SINGLE[byte])
            except BlockingIOError:
                self._wait()
                continue
            return

    def _take_back(self) -> None:
        freed = self._shared.get("freed")
        while self._freed < freed:
            self._free.append(self._used.popleft())
            self._freed += 1


def _written(descriptor: int, data: memoryview, at: int) -> bool:
    """Write at a position; False where the disk is full."""
    try:
        disk.write_through(descriptor, data, at)
    except OSError as error:
        if error.errno not in disk.FULL:
            raise
        return False
    return True


def _bytes_of(frame: npt.NDArray[np.generic]) -> memoryview:
    """The memory of a contiguous frame."""
    return frame.view(np.uint8).reshape(-1).data


class FrameReceiver:
    """The process's side of a camera's memory, file and pipe."""

    def __init__(self, shared: SharedFrames, spill: int, spill_frames: int, pipe: int) -> None:
        self._shared, self._spill, self._pipe = shared, spill, pipe
        self._spill_frames = min(spill_frames, _MOST_WAITING - MOST_SLOTS - 10)
        self._bytes: deque[int] = deque()
        self._next = 0

    def receive(self) -> int | None:
        """The next byte of the pipe; None where the recorder has closed it or has ended."""
        if not self._bytes:
            self._bytes.extend(os.read(self._pipe, 1 << 12))
        return self._bytes.popleft() if self._bytes else None

    def frame(
        self, byte: int, shape: tuple[int, ...], dtype: np.dtype[np.generic]
    ) -> npt.NDArray[np.generic]:
        """The frame that a byte stands for; one in the memory stays until `free`."""
        if byte < SPILLED:
            return self._shared.slot(byte, shape, dtype)
        self._next = 0 if byte == SPILLED_FIRST else (self._next + 1) % self._spill_frames
        image = np.empty(shape, dtype)
        data, at = _bytes_of(image), self._next * self._shared.slot_bytes
        while data:
            count = os.preadv(self._spill, [data], at)
            if not count:
                raise OSError(None, "a spilled frame is cut short")
            data, at = data[count:], at + count
        return image

    def free(self, byte: int) -> None:
        """Give a frame's room back."""
        field = "freed" if byte < SPILLED else "unspilled"
        self._shared.set(field, self._shared.get(field) + 1)
