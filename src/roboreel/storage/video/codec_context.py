"""PyAV's decoders (codec contexts), and the packets that they are fed with."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from roboreel.errors import VideoError
from roboreel.storage.video.demux import opened
from roboreel.storage.video.mux import one_packet_file
from roboreel.storage.video.packets import SampleEntry

LIMITS: Mapping[str, str] = {"max_pixels": str(1 << 26)}
"""Options for decoders: a frame of a few bytes may claim to be huge."""


class CodecContext:
    """A decoder that knows what a sample entry says, and has seen no packet."""

    def __init__(
        self, entry: SampleEntry, packet: bytes, name: str, options: Mapping[str, str] = LIMITS
    ) -> None:
        """Open a decoder.

        Args:
            entry: what the decoder is told about the stream.
            packet: the first packet of a file with this entry.
            name: the file, for messages.
            options: FFmpeg's options for the decoder.

        Raises:
            VideoError: there is no decoder for this codec.
        """
        # a library sees a file of one packet: it must not trust the index of the whole file. The container
        # stays open as long as its decoder is used
        self._container = opened(io.BytesIO(one_packet_file(entry, packet)))
        self.av: Any = self._container.streams.video[0].codec_context
        """PyAV's object."""
        if self.av is None:
            raise VideoError(f"'{name}': no decoder for '{entry.fourcc}'")
        # one thread: whole files are decoded in parallel instead, and a decoder's own threads would free our
        # packets, for which they need the interpreter while it waits for them
        self.av.thread_type, self.av.thread_count = "NONE", 1
        self.av.options = dict(options)

    def decode(self, number: int, data: bytes) -> list[Any]:
        """Feed the packet of a frame; returns the PyAV frames that are complete, their number as `pts`."""
        packet = padded_packet(data)
        packet.pts = packet.dts = number
        frames: list[Any] = self.av.decode(packet)
        return frames

    @property
    def delay(self) -> int:
        """For how many packets a frame may wait; grows where a stream does not say so beforehand."""
        return int(getattr(self.av, "reorder_depth", self.av.has_b_frames))

    def drain(self) -> list[Any]:
        """The frames that wait to be shown; only `flush` may follow."""
        frames: list[Any] = self.av.decode(None)
        return frames

    def flush(self) -> None:
        """Forget all packets; parameter sets that they brought remain."""
        self.av.flush_buffers()


def padded_packet(data: bytes) -> Any:
    """A packet with room after its bytes, into which decoders read; one made of bytes has none."""
    import av  # heavy: only what must decode loads it

    packet = av.Packet(len(data))
    packet.update(data)
    return packet
