"""The limit of reading: decodes frames with PyAV alone, two threads, converted to RGB, and drops them.

`python bench/bare_read.py ROOT random|windows|order [kept|float32|items]`: v3.0 with one file per camera.
Packets are in memory, a decoder for each camera and thread stays open. What is wanted is known beforehand;
only the packets that a frame needs are decoded. `order` decodes all packets, half of the episodes in each
thread. With `kept`, frames are copied into an array of a batch, as whoever returns them must; with `float32`,
they are divided by 255 into one, as lerobot's class gives them. With `items`, a frame of each camera is asked
for at a time, and kept: the two threads begin and end together.
"""

import random
import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from laps import Work, serve

THREADS = 2
SEED = 7
WINDOW = 3
_KNOWS_THREADS = "threads=" in (VideoReformatter.reformat.__doc__ or "")
ONE_THREAD: dict[str, Any] = {"threads": 1} if _KNOWS_THREADS else {}
"""Newer PyAV converts a frame in as many threads as there are cores unless told otherwise."""
KEPT_FRAMES = 64
"""Frames of a camera that an array has with `kept`: more than the processor's caches hold."""
FULL = np.float32(255)
SLICE = 200
"""Frames that a thread decodes in order before it takes the next."""
Task = tuple[int, int, int]
"""Number of the camera, first frame, frame after the last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """The packets of a file in decode order."""

    packets: list[bytes]
    shown: list[int]
    """Of each frame, in display order: the position of its packet."""
    entry: list[int]
    """Of each packet: the position of the keyframe before it."""
    codec: str
    extradata: bytes | None


def read_track(path: Path) -> Track:
    packets, stamps, entry = list[bytes](), list[int](), list[int]()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                entry.append(len(packets) if packet.is_keyframe else entry[-1])
                packets.append(bytes(packet))
                stamps.append(packet.pts)
        context = stream.codec_context
        shown = sorted(range(len(packets)), key=stamps.__getitem__)
        return Track(
            packets=packets,
            shown=shown,
            entry=entry,
            codec=context.codec.name,
            extradata=context.extradata,
        )


class Decoder:
    """For one track and one thread."""

    def __init__(self, track: Track, keep: str = "") -> None:
        self._track = track
        self._keep, self._kept, self._copied = keep, np.empty(0), 0
        self._number = {position: number for number, position in enumerate(track.shown)}
        self._context: Any = av.CodecContext.create(track.codec, "r")
        self._context.extradata = track.extradata
        self._context.thread_count = 1
        self._reformatter = VideoReformatter()

    def read(self, first: int, end: int) -> int:
        """Decodes and converts these frames; returns how many came."""
        wanted = set(range(first, end))
        positions = self._track.shown[first:end]
        count, position, last = 0, self._track.entry[min(positions)], max(positions)
        while count < len(wanted):
            ended = position > last
            frames = self._context.decode(None if ended else self._packet(position))
            for frame in frames:
                if frame.pts in wanted:
                    self._take(frame)
                    count += 1
            if ended:
                break
            position += 1
        self._context.flush_buffers()
        return count

    def _take(self, frame: Any) -> None:  # Any: PyAV's frame
        kind = "gbrp" if self._keep == "float32" else "rgb24"
        converted = self._reformatter.reformat(frame, format=kind, **ONE_THREAD)
        if not self._keep:
            converted.to_ndarray()
        elif self._keep == "float32":
            target = self._next((3, frame.height, frame.width), np.float32)
            planes: Any = converted.planes  # Any: PyAV's type does not say that it is a buffer
            for channel, plane in zip((1, 2, 0), planes, strict=True):
                lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                np.copyto(target[channel], lines[: frame.height, : frame.width])
                np.divide(target[channel], FULL, out=target[channel])
        else:
            pixels = converted.to_ndarray()
            self._next(pixels.shape, pixels.dtype)[...] = pixels

    def _next(self, shape: tuple[int, ...], dtype: Any) -> Any:  # Any: an array, and its dtype
        if not len(self._kept):
            self._kept = np.zeros((KEPT_FRAMES, *shape), dtype)
        self._copied += 1
        return self._kept[self._copied % KEPT_FRAMES]

    def _packet(self, position: int) -> Any:  # Any: PyAV's packet, whose constructor takes bytes
        packet = av.Packet(self._track.packets[position])
        packet.pts = packet.dts = self._number[position]
        return packet


def tasks(kind: str, frames: int, items: int) -> list[Task]:
    """Of two cameras; an item has a frame, or a window of frames, of each."""
    if kind == "order":
        spans = [(first, min(first + SLICE, items)) for first in range(0, items, SLICE)]
    else:
        size = WINDOW if kind == "windows" else 1
        firsts = random.Random(SEED).sample(range(frames - size + 1), items)
        spans = [(first, first + size) for first in firsts]
    return [(camera, *span) for span in spans for camera in (0, 1)]


def decode_all(lanes: list[list[Decoder]], wanted: Iterable[Task]) -> int:
    """Each thread takes the next task until none is left; returns the number of frames."""
    due, counts = deque(wanted), list[int]()

    def run(decoders: list[Decoder]) -> None:
        count = 0
        while due:
            try:
                camera, first, end = due.popleft()
            except IndexError:  # the other thread was faster
                break
            count += decoders[camera].read(first, end)
        counts.append(count)

    threads = [threading.Thread(target=run, args=(lane,)) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def decode_items(decoders: list[Decoder], wanted: Iterable[Task]) -> int:
    """An item at a time: this thread decodes one camera, another thread the other one."""
    due, done = SimpleQueue[tuple[int, int] | None](), SimpleQueue[int]()

    def run() -> None:
        while (span := due.get()) is not None:
            done.put(decoders[1].read(*span))

    other, count = threading.Thread(target=run), 0
    other.start()
    for camera, first, end in wanted:
        if camera == 0:
            due.put((first, end))
            count += decoders[0].read(first, end) + done.get()
    due.put(None)
    other.join()
    return count


def reading(root: Path, kind: str, how: str) -> Work:
    keep = "kept" if how == "items" else how
    tracks = [read_track(path) for path in sorted((root / "videos").rglob("*.mp4"))]
    if len(tracks) != 2:
        raise ValueError(f"expected one file of each of two cameras, found {len(tracks)} files")
    lanes = [[Decoder(track, keep) for track in tracks] for _ in range(THREADS)]
    size = WINDOW if kind == "windows" else 1

    def work(items: int) -> int:
        items = min(items, len(tracks[0].shown) - size)
        wanted = tasks(kind, len(tracks[0].shown), items)
        found = decode_items(lanes[0], wanted) if how == "items" else decode_all(lanes, wanted)
        if found != items * size * len(tracks):
            raise ValueError(f"{found} frames, not {items * size * len(tracks)}")
        return items

    return work


if __name__ == "__main__":
    serve(reading(Path(sys.argv[1]), sys.argv[2], "".join(sys.argv[3:])))
