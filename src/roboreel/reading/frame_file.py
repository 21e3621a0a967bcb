"""Decoded frames of one video in one file: fixed slots, each valid by the checksum that is written after it.

A slot has a frame as training wants it, channels first.

A frame is taken only if the checksum of the bytes that were copied is the stored one. So a frame that was
interrupted (a killed process, a power failure) or is just being written counts as missing, whatever order
its pages reach the disk in. Frames are never changed; two processes that store one write the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from roboreel.errors import StorageError
from roboreel.storage.local import LocalRoot
from roboreel.storage.memory.mapped_file import MappedFile

_FORMAT = 1
_PAGE = 4096
_MARKER_BYTES = 8
_WORD = 1 << 64
_MIX = 0x9E3779B97F4A7C15
"""Odd: frames of the same pixels have different checksums, so a marker in another's place is noticed."""


@dataclass(frozen=True, slots=True)
class FrameLayout:
    """Where the frames of a file are."""

    frames: int
    """Number of slots."""
    shape: tuple[int, int, int]
    """(H, W, C) of a frame."""
    dtype: str

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame's pixels."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def slot_bytes(self) -> int:
        """Bytes from one frame to the next: whole pages."""
        return _pages(self.frame_bytes)

    @property
    def first_slot(self) -> int:
        """Where the first frame is in the file."""
        return _PAGE + _pages(_MARKER_BYTES * self.frames)

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self.first_slot + self.frames * self.slot_bytes

    def slot(self, number: int) -> int:
        """Where a frame is in the file."""
        return self.first_slot + number * self.slot_bytes

    def marker(self, number: int) -> int:
        """Where a frame's checksum is in the file."""
        return _PAGE + _MARKER_BYTES * number

    @property
    def header(self) -> bytes:
        """The first page of the file."""
        fields = {
            "roboreel_frames": _FORMAT,
            "frames": self.frames,
            "shape": list(self.shape),
            "dtype": self.dtype,
        }
        return json.dumps(fields).encode().ljust(_PAGE, b"\n")


def _pages(size: int) -> int:
    return -(-size // _PAGE) * _PAGE


class FrameFile:
    """Frames of a video, as far as they are stored. Threads and processes may share it."""

    def __init__(self, folder: LocalRoot, name: str) -> None:
        """Map a file.

        Raises:
            StorageError: there is no such file, or it is damaged.
        """
        self._mapped = MappedFile(folder, name)
        self.layout = _layout_of(self._mapped.data, name)
        markers = self._mapped.data[_PAGE : _PAGE + _MARKER_BYTES * self.layout.frames]
        self._markers: npt.NDArray[np.uint64] = markers.view("<u8")

    @property
    def identity(self) -> tuple[int, int]:
        """What tells the file from another of its name."""
        return self._mapped.identity

    @property
    def stored(self) -> int:
        """Number of frames that are there."""
        return int(np.count_nonzero(self._markers))

    def copy(self, number: int, out: npt.NDArray[np.generic]) -> bool:
        """Copy a frame into an array (H, W, C) of its dtype; False if it is not there.

        What is in the array is then undefined.
        """
        if number >= self.layout.frames:
            return False
        marker = int(self._markers[number])
        if not marker:
            return False
        at = self.layout.slot(number)
        height, width, channels = self.layout.shape
        pixels = self._mapped.data[at : at + self.layout.frame_bytes].view(self.layout.dtype)
        planar = out.transpose(2, 0, 1)
        copied = planar if planar.flags.c_contiguous else np.empty(planar.shape, out.dtype)
        copied[...] = pixels.reshape(channels, height, width)
        if checksum(copied, number) != marker:
            return False
        if copied is not planar:
            planar[...] = copied
        return True


def make_frame_file(folder: LocalRoot, name: str, layout: FrameLayout) -> None:
    """Make a file without frames, which takes hardly any room on the disk.

    Raises:
        StorageError: it cannot be written.
    """
    with folder.create(name) as output:
        output.write(layout.header)
        output.file.truncate(layout.size_bytes)


def store_frames(
    folder: LocalRoot,
    name: str,
    layout: FrameLayout,
    frames: Iterable[tuple[int, npt.NDArray[np.generic]]],
) -> os.stat_result:
    """Store frames, each before its checksum.

    Raises:
        StorageError: the file is not there, or the disk is full.
    """
    return folder.write_at(name, _parts(layout, frames))


def _parts(
    layout: FrameLayout, frames: Iterable[tuple[int, npt.NDArray[np.generic]]]
) -> Iterator[tuple[int, bytes | memoryview]]:
    for number, pixels in frames:
        data = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        yield layout.slot(number), data.reshape(-1).view(np.uint8).data
        yield layout.marker(number), checksum(data, number).to_bytes(_MARKER_BYTES, "little")


def checksum(pixels: npt.NDArray[np.generic], number: int) -> int:
    """A number other than 0 that changes where a part of a frame is still empty.

    The sum of its 64-bit words runs as fast as copying them. It is not affected by the order of words, but
    what is missing in a slot that is written once is zeros.
    """
    data = np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)
    whole = len(data) & ~7
    total = int(data[:whole].view("<u8").sum(dtype=np.uint64))
    total += int.from_bytes(data[whole:].tobytes(), "little") + (number + 1) * _MIX
    return total % _WORD or 1


def _layout_of(data: npt.NDArray[np.uint8], name: str) -> FrameLayout:
    try:
        fields = json.loads(data[:_PAGE].tobytes())
        height, width, channels = fields["shape"]
        layout = FrameLayout(fields["frames"], (height, width, channels), fields["dtype"])
        sound = data[:_PAGE].tobytes() == layout.header and len(data) == layout.size_bytes
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"'{name}' is not a file of frames") from error
    if not sound:
        raise StorageError(f"'{name}' is not a file of frames, or it is incomplete")
    return layout
