"""Decode a video file as a player does: from its first packet to its last, by one decoder."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from roboreel.errors import VideoError
from roboreel.storage.root import Root
from roboreel.storage.video.decoder import decoder_of, numbered_packets
from roboreel.storage.video.index import read_packet_table


def played_frames(root: Root, name: str) -> Iterator[tuple[int, Any]]:
    """(frame number, PyAV frame) for every frame of a file that decodes, in the order that they come in.

    A packet that does not decode costs its frame, and no other: a player goes on.

    Raises:
        VideoError: there is no decoder for the file, or it fails altogether.
    """
    import av  # heavy: only what must decode loads it

    table = read_packet_table(root, name)
    try:
        with root.input(name) as file, decoder_of(file, table, name) as decoder:
            packets = numbered_packets(file, table, range(table.packets))
            for packet in chain(packets, (None,)):
                try:
                    frames = decoder.decode(packet)
                except av.InvalidDataError:
                    continue
                yield from ((int(frame.pts), frame) for frame in frames if not frame.is_corrupt)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"'{name}': cannot be decoded ({error})") from error
