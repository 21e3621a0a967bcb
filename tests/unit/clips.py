"""Tiny videos made with PyAV, and what PyAV finds in a video: shares no code with the package."""

from __future__ import annotations

import hashlib
import itertools
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt

from roboreel.storage.local import LocalRoot
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.mux import PacketSlice, write_packets
from roboreel.storage.video.packets import PacketTable, run_of_frames

FPS = Fraction(30)
SIDE = 64  # pixels; svt-av1 takes nothing smaller
HOLDERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex"}

os.environ.setdefault("SVT_LOG", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coder:
    """An encoder with its options, and the sample entry it is to have."""

    codec: str
    options: dict[str, str]
    tag: str | None = None


def h264(gop: int = 12, b_frames: int = 0, **more: str | int) -> Coder:
    """x264 with closed GOPs of a fixed length, unless `more` says otherwise."""
    own: dict[str, str | int] = {
        "keyint": gop,
        "min-keyint": 1,
        "bframes": b_frames,
        "b-adapt": 0,
        "scenecut": 0,
        "mbtree": 0,  # its bytes differ from run to run
    }
    own |= {key.replace("_", "-"): value for key, value in more.items()}
    options = {"preset": "veryfast", "threads": "1", "x264-params": _joined(own)}
    return Coder(codec="libx264", options=options)


def hevc(gop: int = 12, b_frames: int = 2, *, tag: str = "hvc1", **more: str | int) -> Coder:
    """x265 with closed GOPs, unless `more` says otherwise."""
    own: dict[str, str | int] = {
        "log-level": "none",
        "pools": "none",
        "frame-threads": 1,
        "keyint": gop,
        "bframes": b_frames,
        "open-gop": 0,
        "scenecut": 0,
    }
    own |= {key.replace("_", "-"): value for key, value in more.items()}
    options = {"preset": "ultrafast", "x265-params": _joined(own)}
    return Coder(codec="libx265", options=options, tag=tag)


def av1(gop: int = 12, *, prediction: int = 1) -> Coder:
    """svt-av1; `prediction` 1 has past references only, 2 has pyramids of hidden frames."""
    exact = f"lp=1:irefresh-type=2:pred-struct={prediction}"
    return Coder(codec="libsvtav1", options={"g": str(gop), "preset": "10", "svtav1-params": exact})


def mpeg4(gop: int = 12, b_frames: int = 2, **more: str) -> Coder:
    """MPEG-4 part 2."""
    return Coder(codec="mpeg4", options={"g": str(gop), "bf": str(b_frames), **more})


def vp9(gop: int = 12) -> Coder:
    """VP9."""
    fast = {"deadline": "realtime", "cpu-used": "8"}
    return Coder(codec="libvpx-vp9", options={"g": str(gop), **fast})


def draw(scene: int, number: int) -> npt.NDArray[np.uint8]:
    """A picture in yuv420p, (96, 64), unlike every other of any scene."""
    blocks = np.random.default_rng(scene).integers(0, 200, (SIDE // 8, SIDE // 8))
    luma = np.roll(blocks.repeat(8, 0).repeat(8, 1), (number * 3, number * 2), (0, 1))
    picture = np.full((SIDE * 3 // 2, SIDE), 120 + (number + scene) % 16, dtype=np.uint8)
    picture[:SIDE] = luma + (number * 7 + scene * 13) % 48
    return picture


def write_clip(
    path: Path,
    frames: int,
    coder: Coder,
    *,
    scene: int = 0,
    fps: Fraction = FPS,
    times: Sequence[int] | None = None,
    tick: Fraction | None = None,
    container: dict[str, str] | None = None,
    sound: bool = False,
    forced: int = 0,
) -> Path:
    """Encode a clip; `times` in ticks of `tick` instead of 0, 1, … in frames; `forced` picture type."""
    with av.open(str(path), "w", format="mp4", options=container or {}) as file:
        stream: Any = file.add_stream(coder.codec, rate=fps, options=dict(coder.options))
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        stream.codec_context.time_base = tick or 1 / fps
        if coder.tag:
            stream.codec_context.codec_tag = coder.tag
        audio = _silence(file, frames) if sound else iter(())
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(draw(scene, number), format="yuv420p")
            frame.pts = number if times is None else times[number]
            frame.time_base, frame.pict_type = tick or 1 / fps, forced
            file.mux(stream.encode(frame))
            file.mux(next(audio, []))
        file.mux(stream.encode(None))
        for packets in audio:
            file.mux(packets)
    return path


def write_in_band(
    path: Path, frames: int, coder: Coder, *, entry: Coder, scene: int = 0, once: bool = False
) -> Path:
    """Encode a clip whose keyframes bring its parameter sets; the sample entry has another encoder's.

    With `once`, the first keyframe alone does.
    """
    encoder: Any = av.CodecContext.create(coder.codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = SIDE, SIDE, "yuv420p"
    encoder.framerate, encoder.time_base, encoder.options = FPS, 1 / FPS, dict(coder.options)
    with av.open(str(path), "w", format="mp4") as file:
        stream: Any = file.add_stream(entry.codec, rate=FPS, options=dict(entry.options))
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        if entry.tag:
            stream.codec_context.codec_tag = entry.tag
        packets: list[Any] = []
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(draw(scene, number), format="yuv420p")
            frame.pts, frame.time_base = number, 1 / FPS
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
        delay = max(decoded - packet.pts for decoded, packet in enumerate(packets))
        for decoded, packet in enumerate(packets):
            if once and decoded:
                packet = _without_sets(packet, coder.codec)
            packet.stream, packet.time_base = stream, 1 / FPS
            packet.dts, packet.duration = decoded - delay, 1
            file.mux(packet)
    return path


def _without_sets(packet: Any, codec: str) -> Any:
    """The packet without h264's SPS and PPS, or hevc's VPS, SPS and PPS."""
    units = [unit.rstrip(b"\0") for unit in bytes(packet).split(b"\0\0\1")[1:]]
    if codec == "libx264":
        kept = [unit for unit in units if unit[0] & 0x1F not in (7, 8)]
    else:
        kept = [unit for unit in units if unit[0] >> 1 & 0x3F not in (32, 33, 34)]
    bare = av.Packet(b"".join(b"\0\0\0\1" + unit for unit in kept))
    bare.pts, bare.is_keyframe = packet.pts, packet.is_keyframe
    return bare


def dropping(path: Path) -> Path:
    """Say in the file's first packet, an hevc IDR's, that what waits to be shown is dropped."""
    data, table = bytearray(path.read_bytes()), index_of(path)
    at = int(table.offset[0])
    while data[at + 4] >> 1 & 0x3F >= 32:
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    data[at + 6] |= 0x40
    path.write_bytes(bytes(data))
    return path


def without_display_times(data: bytes) -> bytes:
    """`data` without composition offsets, as what is made of a raw stream has none."""
    return rebuilt(
        data, lambda kind, own: b"" if kind in (b"ctts", b"edts") else make_box(kind, own)
    )


def with_entry(data: bytes, entry_of: bytes) -> bytes:
    """`data` with the sample descriptions of another file whose index comes last, as its own does."""
    found: list[bytes] = []

    def note(kind: bytes, payload: bytes) -> bytes:
        if kind == b"stsd":
            found.append(payload)
        return make_box(kind, payload)

    rebuilt(entry_of, note)
    return rebuilt(data, lambda kind, own: make_box(kind, found[0] if kind == b"stsd" else own))


class Shown(NamedTuple):
    """A picture that a player shows."""

    time: Fraction
    picture: str


class Sample(NamedTuple):
    """A packet as a demuxer finds it."""

    place: int
    size: int
    pts: int
    dts: int
    keyframe: bool


def digest(frame: Any) -> str:
    """A short hash of a decoded frame's planes."""
    return hashlib.md5(frame.to_ndarray().tobytes(), usedforsecurity=False).hexdigest()[:12]


def shown(path: Path) -> list[Shown]:
    """What PyAV shows of the file, in the order it comes."""
    with av.open(str(path), "r") as file:
        stream: Any = file.streams.video[0]
        stream.thread_type = "NONE"
        return [Shown(f.pts * f.time_base, digest(f)) for f in file.decode(stream)]


def pictures(path: Path) -> list[str]:
    """The pictures that PyAV shows of the file."""
    return [one.picture for one in shown(path)]


def demuxed(path: Path, *, edited: bool = False) -> list[Sample]:
    """The packets that PyAV finds in the file: all of them, unless its edit list is to be obeyed."""
    options = {} if edited else {"ignore_editlist": "1"}
    with av.open(str(path), "r", options=options) as file:
        packets: list[Any] = [packet for packet in file.demux(video=0) if packet.size]
    return [Sample(p.pos, p.size, p.pts, p.dts, p.is_keyframe) for p in packets]


def index_of(path: Path) -> PacketTable:
    """The file's packet table, as roboreel reads it."""
    return read_packet_table(LocalRoot(path.parent), path.name)


def piece_of(path: Path, start: int, stop: int) -> PacketSlice:
    """Frames `[start, stop)` of the file, to be written."""
    table = index_of(path)
    with path.open("rb") as file:
        run = run_of_frames(table, start, stop, resets=AccessPoints(file, table).resets)
    return PacketSlice(LocalRoot(path.parent), path.name, table, run)


def assert_joined(target: Path, parts: Sequence[tuple[Path, int, int]], fps: Fraction) -> None:
    """Join parts of files into one, and hold what PyAV decodes of it against the files."""
    slices = [piece_of(*part) for part in parts]
    size = write_packets(LocalRoot(target.parent), target.name, slices, fps=fps)
    assert size == target.stat().st_size
    total = sum(span.run.packets for span in slices)
    seen = shown(target)
    assert [one.time for one in seen] == [number / fps for number in range(total)]
    at = 0
    for span, (path, start, stop) in zip(slices, parts, strict=True):
        first = at + span.run.lead
        wanted = pictures(path)[start:stop]
        assert [one.picture for one in seen[first : first + stop - start]] == wanted
        at += span.run.packets
    samples = demuxed(target, edited=True)
    assert all(a.dts < b.dts for a, b in itertools.pairwise(samples))
    assert all(sample.dts <= sample.pts for sample in samples)


def flags_of(span: PacketSlice) -> list[bool]:
    """Which of a piece's packets its own file calls keyframes, by the demuxer."""
    assert isinstance(span.root, LocalRoot)
    flags = {one.place: one.keyframe for one in demuxed(span.root.path / span.name)}
    return [flags[place] for place in span.table.offset[span.run.positions].tolist()]


def make_box(kind: bytes, payload: bytes) -> bytes:
    """A box."""
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def box_bounds(data: bytes, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, int]]:
    """Where each box begins and ends, those inside others included."""
    at, end = start, len(data) if stop is None else stop
    while at + 8 <= end:
        size = int.from_bytes(data[at : at + 4], "big")
        yield at, at + size
        if data[at + 4 : at + 8] in HOLDERS:
            yield from box_bounds(data, at + 8, at + size)
        at += size


def rebuilt(data: bytes, change: Callable[[bytes, bytes], bytes]) -> bytes:
    """`data` with each box replaced by `change(kind, payload)`, from the innermost outwards."""
    made, at = b"", 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        payload = data[at + 8 : at + size]
        made += change(kind, rebuilt(payload, change) if kind in HOLDERS else payload)
        at += size
    return made


def with_edits(data: bytes, edits: Sequence[tuple[int, int]], *, version: int = 0) -> bytes:
    """`data` with an edit list of (duration in movie ticks, first media tick) instead of its own."""
    form = ">Qqhh" if version else ">Iihh"
    entries = b"".join(struct.pack(form, *edit, 1, 0) for edit in edits)
    listed = make_box(b"elst", struct.pack(">II", version << 24, len(edits)) + entries)

    def change(kind: bytes, payload: bytes) -> bytes:
        if kind == b"edts":
            return b""
        if kind == b"trak":
            payload += make_box(b"edts", listed)
        return make_box(kind, payload)

    return rebuilt(data, change)


def _silence(file: Any, frames: int) -> Iterator[list[Any]]:
    stream = file.add_stream("aac", rate=16000)
    stream.layout = "mono"
    for number in range(frames):
        quiet = np.zeros((1, 1024), dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(quiet, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, number * 1024, Fraction(1, 16000)
        yield stream.encode(frame)
    yield stream.encode(None)


def _joined(options: dict[str, str | int]) -> str:
    return ":".join(f"{key}={value}" for key, value in options.items())
