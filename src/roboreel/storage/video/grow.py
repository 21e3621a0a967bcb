"""Write an MP4 packet by packet, as an encoder delivers them; the index comes last.

Every byte is written once, in order, and memory holds a few numbers per packet. The complete file has the
same sample tables and times as one that `mux.py` writes from the same packets.

    ftyp
    free    a `stsd` box: what a decoder needs
    free    empty
    mdat    the packets, in decode order, without gaps; its size is 0: "to the end of the file"
    moov    the index

The last write turns the empty `free` and the head of `mdat` into one head with a 64-bit size. Until then
readers find no index and refuse the file. A killed process still loses only what its buffer held: earlier
packets can be separated again by their own lengths (NAL units in h264 and hevc, OBUs in AV1), ordered by the
display order in the stream, and decoded with the entry in the first `free`.
"""

from __future__ import annotations

import contextlib
import struct
from array import array
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from roboreel.storage.local import LocalRoot
from roboreel.storage.output_file import Output
from roboreel.storage.video.boxes import box
from roboreel.storage.video.movie import FILE_TYPE, description_box, movie_box
from roboreel.storage.video.packets import SampleEntry

_OPEN_HEAD = box("free") + struct.pack(">I4s", 0, b"mdat")
_MOST_PACKET_BYTES = 0xFFFFFFFF
"""The largest size that the sample size table can store."""


class GrowingVideo:
    """A video file that takes packets; `growing_video` makes it."""

    def __init__(self, output: Output, entry: SampleEntry, fps: Fraction) -> None:
        self._output, self._entry, self._fps = output, entry, fps
        self._size, self._keyframe, self._frame = array("q"), array("b"), array("q")
        head = FILE_TYPE + box("free", description_box(entry)) + _OPEN_HEAD
        self._begin = self.size_bytes = len(head)
        """Bytes written so far; when the file is complete, its size."""
        output.write(head)

    @property
    def packets(self) -> int:
        """Number of packets written so far."""
        return len(self._size)

    def add(self, packet: bytes, *, frame: int, keyframe: bool) -> None:
        """Append a packet, in decode order.

        Args:
            packet: its bytes, at least one.
            frame: the number of the frame that it shows, counted from 0 in display order.
            keyframe: True where decoding can start here; the first packet must be one.

        Raises:
            ValueError: decoding cannot start with the first packet, or the format cannot hold the packet.
            StorageError: the disk is full.
        """
        if not self._size and not keyframe:
            raise ValueError("the first packet of a video must be a keyframe")
        if not 0 < len(packet) <= _MOST_PACKET_BYTES:
            raise ValueError(f"packet {self.packets} has {len(packet)} bytes")
        self._output.write(packet)
        self.size_bytes += len(packet)
        self._size.append(len(packet))
        self._keyframe.append(keyframe)
        self._frame.append(frame)

    def finish(self) -> None:
        """Write the index.

        Raises:
            ValueError: there is no packet, or the packets do not show the frames 0, 1, … once each.
            StorageError: the disk is full.
        """
        frame = np.array(self._frame, dtype=np.int64)
        if not len(frame):
            raise ValueError("a video needs at least one packet")
        wrong = np.flatnonzero(np.sort(frame) != np.arange(len(frame)))
        if len(wrong):
            raise ValueError(
                f"{len(frame)} packets must show the frames 0 to {len(frame) - 1}, each once,"
                f" but frame {wrong[0]} is wrong"
            )
        size = np.array(self._size, dtype=np.int64)
        keyframe = np.array(self._keyframe, dtype=np.bool_)
        begin = np.array([self._begin], dtype=np.int64)  # one chunk: no later position is stored
        index = movie_box(self._entry, size, keyframe, frame, [len(size)], begin, self._fps)
        data_bytes = self.size_bytes - self._begin + 16
        self._output.write(index)
        self._output.overwrite(self._begin - 16, struct.pack(">I4sQ", 1, b"mdat", data_bytes))
        self.size_bytes += len(index)


@contextlib.contextmanager
def growing_video(
    root: LocalRoot, name: str, entry: SampleEntry, *, fps: Fraction
) -> Iterator[GrowingVideo]:
    """A video file that takes packets. It gets its index and name only if the block ends without an error.

    Args:
        root: where to write.
        name: the file.
        entry: how to decode the packets.
        fps: the frame rate: frame `k` is shown at exactly `k / fps`.
    """
    with root.create(name) as output:
        video = GrowingVideo(output, entry, fps)
        yield video
        video.finish()
