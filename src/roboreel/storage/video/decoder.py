"""A decoder for a file's packets, and packets for it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import IO, Any

from roboreel.errors import VideoError
from roboreel.storage.video.demux import opened
from roboreel.storage.video.mux import one_packet_file
from roboreel.storage.video.packets import PacketTable

_MOST_TRIED = 32
"""Packets that are decoded to see whether they can be."""
LIMITS = {"max_pixels": str(1 << 26)}
"""For decoders: a picture of a few bytes may claim to be a wall."""


@contextmanager
def decoder_of(file: IO[bytes], table: PacketTable, name: str) -> Iterator[Any]:
    """A decoder that knows what the file's sample entry says, and has seen no packet.

    Raises:
        VideoError: there is none for its codec.
    """
    with opened(_sample(file, table)) as container:
        decoder: Any = container.streams.video[0].codec_context
        if decoder is None:
            raise VideoError(f"'{name}': no decoder for '{table.entry.fourcc}'")
        # one thread: whole files run in parallel instead, and a decoder's own threads would free our
        # packets, for which they need the interpreter while it waits for them
        decoder.thread_type, decoder.thread_count = "NONE", 1
        decoder.options = LIMITS
        yield decoder


def numbered_packets(
    file: IO[bytes], table: PacketTable, positions: Sequence[int]
) -> Iterator[Any]:
    """The packets at decode positions for a decoder, with the numbers of their frames as times."""
    numbers = table.frame_of_packet
    for at in positions:
        file.seek(int(table.offset[at]))
        packet = padded_packet(file.read(int(table.size[at])))
        packet.pts = packet.dts = int(numbers[at])
        yield packet


def padded_packet(data: bytes) -> Any:
    """A packet with room after its bytes, into which decoders read; one made of bytes has none."""
    import av

    packet = av.Packet(len(data))
    packet.update(data)
    return packet


def _sample(file: IO[bytes], table: PacketTable) -> IO[bytes]:
    """A file of the first packet: the whole one's index is ours to read, and no library's to believe."""
    file.seek(int(table.offset[0]))
    return io.BytesIO(one_packet_file(table.entry, file.read(int(table.size[0]))))


def decodes_alone(
    file: IO[bytes], table: PacketTable, position: int, before: Sequence[int]
) -> bool:
    """True where a keyframe and what follows it decode by themselves, and not after certain packets.

    Where they decode either way, nothing can be told by it, also where the frames are not the same.

    Args:
        file: the open file.
        table: its packets.
        position: the keyframe's decode position.
        before: those of keyframes before it, which bring parameter sets.
    """
    following = table.keys[table.keys > position]
    stop = min([position + _MOST_TRIED, table.packets, *following[:1].tolist()])
    own = range(position, stop)
    return _decodes(file, table, (), own) and not _decodes(file, table, before, own)


def _decodes(
    file: IO[bytes], table: PacketTable, before: Sequence[int], positions: Sequence[int]
) -> bool:
    """True where packets decode without an error by a decoder that was given others before."""
    import av

    try:
        with decoder_of(file, table, "") as decoder:
            decoder.options = {**LIMITS, "err_detect": "explode"}
            for packet in numbered_packets(file, table, before):
                decoder.decode(packet)
                decoder.decode(None)
                decoder.flush_buffers()
            packets = chain(numbered_packets(file, table, positions), (None,))
            frames = [frame for packet in packets for frame in decoder.decode(packet)]
    except (av.FFmpegError, VideoError, OSError, ValueError):
        return False
    return len(frames) == len(positions) and not any(frame.is_corrupt for frame in frames)
