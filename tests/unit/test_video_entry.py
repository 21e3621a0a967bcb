"""What sample entries may differ in where their streams share a file."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

import roboreel
from roboreel.storage.video.packets import SampleEntry
from tests.oracle import read
from tests.unit.clips import FPS, h264, hevc, index_of, make_box, mpeg4, rebuilt, write_clip
from tests.unit.recordings import ROWS, TOP, digests, files_of, recorded

CODERS = {"avc1": h264(12, 2), "hvc1": hevc(12, 2), "mp4v": mpeg4(12, 0)}
HEADER = 8 + 86
Change = Callable[[bytes], bytes]
"""Of a sample entry."""


def with_entry(path: Path, change: Change) -> Path:
    """Change the sample entry of a file whose index comes last."""

    def stsd(kind: bytes, payload: bytes) -> bytes:
        if kind == b"stsd":
            entry = change(payload[8:])
            payload = payload[:8] + struct.pack(">I", len(entry)) + entry[4:]
        return make_box(kind, payload)

    path.write_bytes(rebuilt(path.read_bytes(), stsd))
    return path


def at(place: int, data: bytes) -> Change:
    return lambda entry: entry[:place] + data + entry[place + len(data) :]


def appended(kind: bytes, payload: bytes) -> Change:
    return lambda entry: entry + make_box(kind, payload)


def inside(kind: bytes, change: Change) -> Change:
    """Change the payload of a box."""

    def of_entry(entry: bytes) -> bytes:
        made, place = entry[:86], 86
        while place < len(entry):
            size, name = struct.unpack_from(">I4s", entry, place)
            payload = entry[place + 8 : place + size]
            made += make_box(name, change(payload) if name == kind else payload)
            place += size
        return made

    return of_entry


def other_rates(payload: bytes) -> bytes:
    """Bit rates and buffer size of an `esds`: after the kinds of codec and stream."""
    start = payload.index(b"\x20\x11") + 2
    return payload[:start] + bytes(range(1, 12)) + payload[start + 11 :]


HARMLESS: dict[str, tuple[str, Change]] = {
    "bit rates": ("mp4v", inside(b"esds", other_rates)),
    "number of the stream": (
        "mp4v",
        inside(b"esds", lambda own: own.replace(b"\0\1\0\4", b"\0\2\0\4", 1)),
    ),
    "box of bit rates": ("avc1", appended(b"btrt", bytes(range(12)))),
    "vendor": ("avc1", at(20, b"FFMP")),
    "name of the encoder": ("avc1", at(50, b"\x0cLavc libx264")),
    "resolution in print": ("avc1", at(36, struct.pack(">II", 300 << 16, 300 << 16))),
    "square pixels": ("hvc1", appended(b"pasp", struct.pack(">II", 7, 7))),
    "whole frames": ("hvc1", appended(b"fiel", b"\1\0")),
    "padding": ("avc1", appended(b"free", bytes(5))),
    "padded sets": ("avc1", inside(b"avcC", lambda own: own + b"\0\0")),
    "padded hevc sets": ("hvc1", inside(b"hvcC", lambda own: own + bytes(7))),
    "completeness": (
        "hvc1",
        inside(b"hvcC", lambda own: own[:23] + bytes([own[23] ^ 0x80]) + own[24:]),
    ),
}
NEEDED: dict[str, tuple[str, Change]] = {
    "setup": ("mp4v", inside(b"esds", lambda own: own.replace(b"\0\0\1\x20", b"\0\0\1\x21", 1))),
    "kind of codec": (
        "mp4v",
        inside(b"esds", lambda own: own.replace(b"\x20\x11", b"\x61\x11", 1)),
    ),
    "shape of pixels": ("avc1", appended(b"pasp", struct.pack(">II", 4, 3))),
    "fields": ("hvc1", appended(b"fiel", b"\2\1")),
    "colours": ("avc1", appended(b"colr", b"nclx" + struct.pack(">HHHB", 9, 16, 9, 0))),
    "crop": ("avc1", appended(b"clap", struct.pack(">8I", 32, 1, 32, 1, 0, 1, 0, 1))),
    "sets": ("avc1", inside(b"avcC", lambda own: own[:14] + bytes([own[14] ^ 1]) + own[15:])),
    "length of units": ("avc1", inside(b"avcC", lambda own: own[:4] + b"\xfd" + own[5:])),
    "level": ("avc1", inside(b"avcC", lambda own: own[:3] + b"\x33" + own[4:])),
    "width": ("avc1", at(32, b"\0\x60")),
}


def entries(folder: Path, codec: str, change: Change) -> tuple[SampleEntry, SampleEntry]:
    paths = [write_clip(folder / f"{n}.mp4", 3, CODERS[codec], fps=FPS) for n in range(2)]
    with_entry(paths[1], change)
    assert paths[0].read_bytes() != paths[1].read_bytes()
    first, second = (index_of(path).entry for path in paths)
    return first, second


@pytest.mark.parametrize("name", HARMLESS)
def test_what_no_decoder_needs_keeps_nothing_apart(tmp_path: Path, name: str) -> None:
    first, second = entries(tmp_path, *HARMLESS[name])
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.parametrize("name", NEEDED)
def test_what_a_decoder_or_player_needs_keeps_streams_apart(tmp_path: Path, name: str) -> None:
    first, second = entries(tmp_path, *NEEDED[name])
    assert first != second


def test_recordings_of_other_bit_rates_share_a_file(tmp_path: Path) -> None:
    external_videos = []
    for scene in range(4):
        external_videos.append(
            write_clip(tmp_path / f"{scene}.mp4", ROWS, mpeg4(12, 2), scene=scene)
        )
        with_entry(external_videos[-1], inside(b"esds", lambda own, n=scene: _rate(own, n)))  # type: ignore[misc]
    source = recorded(tmp_path / "source", external_videos)
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    result = read(tmp_path / "out")
    assert files_of(result) == [4]
    assert digests(result) == digests(read(source))
    entry = index_of(tmp_path / "out" / result.episodes[0].external_videos[TOP].path).entry
    assert entry.data == index_of(external_videos[0]).entry.data  # the first one's, as it is
    assert roboreel.diff(source, tmp_path / "out").same


def _rate(payload: bytes, number: int) -> bytes:
    start = payload.index(b"\x20\x11") + 2
    return payload[:start] + bytes([number]) * 11 + payload[start + 11 :]
