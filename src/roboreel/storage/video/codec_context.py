"""PyAV's decoders (codec contexts) and the packets for them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from roboreel.errors import VideoError
from roboreel.storage.video.demux import opened
from roboreel.storage.video.mux import one_packet_file
from roboreel.storage.video.packets import SampleEntry

LIMITS: Mapping[str, str] = {"max_pixels": str(1 << 26)}
"""Decoder options: a frame of a few bytes may claim a huge size."""


class CodecContext:
    """A decoder that is set up from a sample entry and has seen no packet."""

    def __init__(
        self, entry: SampleEntry, packet: bytes, name: str, options: Mapping[str, str] = LIMITS
    ) -> None:
        """Open a decoder.

        Args:
            entry: describes the stream to the decoder.
            packet: the first packet of a file with this entry.
            name: the file, for messages.
            options: FFmpeg's options for the decoder.

        Raises:
            VideoError: there is no decoder for this codec.
        """
        # the library sees a file of one packet, so that it need not trust the index of the whole file.
        # The container stays open as long as its decoder is in use
        self._container = opened(io.BytesIO(one_packet_file(entry, packet)))
        self.av: Any = self._container.streams.video[0].codec_context
        """PyAV's object."""
        if self.av is None:
            raise VideoError(f"'{name}': no decoder for '{entry.fourcc}'")
        # one thread: whole files are decoded in parallel instead. A decoder's own threads would also
        # free our packets, and to do so they need the interpreter while it waits for them
        self.av.thread_type, self.av.thread_count = "NONE", 1
        self.av.options = dict(options)

    def decode(self, number: int, data: bytes) -> list[Any]:
        """Feed the packet of a frame; return the complete PyAV frames, with their number as `pts`."""
        packet = padded_packet(data)
        packet.pts = packet.dts = number
        frames: list[Any] = self.av.decode(packet)
        return frames

    @property
    def delay(self) -> int:
        """How many packets a frame may wait for; grows where the stream does not announce it."""
        return int(getattr(self.av, "reorder_depth", self.av.has_b_frames))

    def drain(self) -> list[Any]:
        """The frames that still wait to be shown; only `flush` may follow."""
        frames: list[Any] = self.av.decode(None)
        return frames

    def flush(self) -> None:
        """Forget all packets, but keep the parameter sets that they brought."""
        self.av.flush_buffers()


def padded_packet(data: bytes) -> Any:
    """A packet with spare room after its data, which decoders read into; a packet made of bytes has none."""
    import av  # heavy: loaded only to decode

    packet = av.Packet(len(data))
    packet.update(data)
    return packet
