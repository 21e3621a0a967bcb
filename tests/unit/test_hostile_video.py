"""MP4 files that mean harm: tables that claim what is not there. Refused, without memory or time."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from pathlib import Path

import pytest

import roboreel
from roboreel.errors import PlanError, VideoError
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.still_images import decode_image
from roboreel.testing import Camera, make_dataset
from tests.mutate import episode_video
from tests.unit.clips import h264, make_box, rebuilt, write_clip

resource = pytest.importorskip("resource")  # to bound memory; not on every system

MEMORY = 768 << 20  # bytes beyond what the process has
CAMERA = "observation.images.top"
Payload = Callable[[bytes], bytes]


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """No flood, no hang."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    begun = time.monotonic()
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert time.monotonic() - begun < 30


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "a.mp4", 9, h264(4, 2))


def changed(path: Path, payloads: Mapping[str, Payload | None], *, size: int = 0) -> None:
    """Give boxes of a file other payloads, or none; make it `size` bytes long with a hole."""

    def change(kind: bytes, payload: bytes) -> bytes:
        if kind.decode("latin-1") not in payloads:
            return make_box(kind, payload)
        wanted = payloads[kind.decode("latin-1")]
        return b"" if wanted is None else make_box(kind, wanted(payload))

    path.write_bytes(rebuilt(path.read_bytes(), change))
    if size:
        with path.open("r+b") as file:
            file.truncate(size)


def refusal(path: Path) -> str:
    with pytest.raises(VideoError) as caught:
        read_packet_table(LocalRoot(path.parent), path.name)
    return str(caught.value)


def words(form: str, *numbers: int) -> Payload:
    return lambda _: struct.pack(form, *numbers)


def after(extra: bytes) -> Payload:
    return lambda payload: payload + extra


def before(extra: bytes) -> Payload:
    return lambda payload: extra + payload


FOUR_THOUSAND_MILLION = 0xFFFFFFFF
CLAIMS: dict[str, tuple[Mapping[str, Payload | None], int, str]] = {
    "samples of one byte": (
        {"stsz": words(">III", 0, 1, FOUR_THOUSAND_MILLION)}, 5 << 30, "claims 4294967295 packets"),
    "samples of one byte, fewer": (
        {"stsz": words(">III", 0, 1, 1 << 24)}, 5 << 30, "fewer packets than there are"),
    "samples without a table": (
        {"stsz": words(">III", 0, 0, FOUR_THOUSAND_MILLION)}, 0, "claims 4294967295 packets"),
    "chunks": ({"stco": words(">III", 0, FOUR_THOUSAND_MILLION, 0)}, 0, "longer than its box"),
    "time steps": ({"stts": words(">IIII", 0, FOUR_THOUSAND_MILLION, 9, 1)}, 0, "longer than its box"),
    "few time steps": ({"stts": words(">IIII", 0, 1, 2, 1)}, 0, "fewer packets than there are"),
    "far": ({"stco": words(">III", 0, 1, 0xFFFFFF00)}, 0, "beyond the end of the file"),
    "edits": (
        {"tkhd": lambda p: p, "edts": lambda _: make_box(b"elst", struct.pack(">II", 0, 1 << 20)
         + bytes(12 << 20))}, 0, "1048576 entries"),
    "no time scale": ({"mdhd": lambda p: p[:12] + bytes(4) + p[16:]}, 0, "a time scale of zero"),
    "no movie time scale": ({"mvhd": lambda p: p[:12] + bytes(4) + p[16:]}, 0, "a time scale of zero"),
    "boxes": ({"stbl": before(make_box(b"free", b"") * 1_000_000)}, 0, "10000 boxes side by side"),
}  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS)
def test_claims_are_refused(clip: Path, claim: str) -> None:
    payloads, size, said = CLAIMS[claim]
    changed(clip, payloads, size=size)
    assert said in refusal(clip)


@pytest.mark.parametrize(
    "place", [1 << 40, (1 << 63) - 1, (1 << 63) - 5000, 1 << 63, (1 << 64) - 9]
)
def test_places_beyond_the_end_are_refused(clip: Path, place: int) -> None:
    wide = make_box(b"co64", struct.pack(">IIQ", 0, 1, place))
    changed(clip, {"stco": None, "stbl": after(wide)})
    assert "beyond the end of the file" in refusal(clip)


@pytest.mark.parametrize("kind", ["stts", "ctts", "stss", "stsz", "stsc", "stco", "stsd"])
def test_two_tables_of_a_kind_are_refused(clip: Path, kind: str) -> None:
    tables: dict[bytes, bytes] = {}

    def note(found: bytes, payload: bytes) -> bytes:
        tables[found] = payload
        return make_box(found, payload)

    rebuilt(clip.read_bytes(), note)
    changed(clip, {"stbl": after(make_box(kind.encode(), tables[kind.encode()]))})
    assert f"its index has two '{kind}' tables" in refusal(clip)


def test_packets_that_lie_over_each_other_are_refused(clip: Path) -> None:
    """Else a small file could be copied into one of any size."""
    size = clip.stat().st_size
    sizes = struct.pack(">III", 0, 0, 9) + struct.pack(">9I", *[size // 2] * 9)
    places = struct.pack(">II", 0, 9) + struct.pack(">9I", *[8] * 9)
    runs = struct.pack(">IIIII", 0, 1, 1, 1, 1)
    changed(clip, {"stsz": lambda _: sizes, "stco": lambda _: places, "stsc": lambda _: runs})
    assert "points beyond the end of the file" in refusal(clip)


def test_claims_of_another_track_are_refused(tmp_path: Path) -> None:
    """A demuxer makes room for all tracks."""
    clip = write_clip(tmp_path / "a.mp4", 9, h264(4, 2), sound=True)
    data = clip.read_bytes()
    at = data.rindex(b"stsz")  # of the sound, which comes second
    claim = struct.pack(">III", 0, 1, FOUR_THOUSAND_MILLION)
    clip.write_bytes(data[: at + 4] + claim + data[at + 16 :])
    assert "claims 4294967295 packets" in refusal(clip)


def test_fragments_that_claim_packets_are_refused(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "a.mp4", 9, h264(4, 2), container={"movflags": "frag_keyframe+empty_moov"}
    )
    assert read_packet_table(LocalRoot(tmp_path), "a.mp4").packets == 9
    data = clip.read_bytes()
    at = data.index(b"trun")
    flags = struct.pack(">II", 0, FOUR_THOUSAND_MILLION)  # nothing is said of each packet
    clip.write_bytes(data[: at + 4] + flags + data[at + 12 :])
    assert "more than 16777216 packets" in refusal(clip)


def test_index_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    for size in ((1 << 30) - 100, 1 << 28):
        path = tmp_path / "a.mp4"
        path.write_bytes(make_box(b"ftyp", b"isom" * 4) + struct.pack(">I4s", size, b"moov"))
        with path.open("r+b") as file:
            file.truncate(2 << 30)
        assert "its index claims" in refusal(path) or "video tracks" in refusal(path)


def test_hole_of_a_terabyte_is_no_video(tmp_path: Path) -> None:
    with (tmp_path / "a.mp4").open("wb") as file:
        file.truncate(1 << 40)
    assert "not an MP4 file" in refusal(tmp_path / "a.mp4")


def test_boxes_within_boxes_end(tmp_path: Path) -> None:
    nested = reduce(lambda inner, _: make_box(b"moov", inner), range(20_000), b"")
    (tmp_path / "a.mp4").write_bytes(make_box(b"ftyp", b"isom" * 4) + nested)
    assert "0 video tracks" in refusal(tmp_path / "a.mp4")


def test_packet_of_empty_units_is_passed_over(clip: Path) -> None:
    """A packet of nothing but zeros is a million units of no length."""
    size = 256 << 20
    begin = clip.stat().st_size + 4096
    sizes = struct.pack(">III", 0, 0, 9) + struct.pack(">9I", size, *[1] * 8)
    changed(
        clip,
        {"stsz": lambda _: sizes, "stco": words(">III", 0, 1, begin),
         "stsc": words(">IIIII", 0, 1, 1, 9, 1)},
        size=begin + size + 100,
    )  # fmt: skip
    table = read_packet_table(LocalRoot(clip.parent), clip.name)
    with clip.open("rb") as file:
        assert not AccessPoints(file, table).resets(0)


def test_box_sizes_that_mean_something_else_are_taken_so(clip: Path) -> None:
    """0 is to the end, 1 says that eight bytes follow."""
    data = clip.read_bytes()
    at = data.index(b"moov") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    assert at + size == len(data)
    want = read_packet_table(LocalRoot(clip.parent), clip.name).size.tolist()
    for head in (struct.pack(">I4s", 0, b"moov"), struct.pack(">I4sQ", 1, b"moov", size + 8)):
        clip.write_bytes(data[:at] + head + data[at + 8 :])
        assert read_packet_table(LocalRoot(clip.parent), clip.name).size.tolist() == want
    for size in range(2, 8):
        clip.write_bytes(data[:at] + struct.pack(">I4s", size, b"moov") + data[at + 8 :])
        assert "cut short" in refusal(clip)


def test_broken_video_is_one_problem_of_its_episode(tmp_path: Path) -> None:
    """[`video.readable`]"""
    cameras = {CAMERA: Camera(height=32)}
    source = make_dataset(tmp_path / "in", version="v2.1", episodes=(3, 2), cameras=cameras)
    changed(episode_video(source, CAMERA, 1), {"stsz": words(">III", 0, 1, FOUR_THOUSAND_MILLION)})
    with pytest.raises(PlanError) as caught:
        roboreel.plan_convert(source, to="v3.0", out=tmp_path / "out")
    (problem,) = caught.value.problems
    assert (problem.rule, problem.episode, problem.column) == ("video.readable", 1, CAMERA)
    report = roboreel.convert(source, to="v3.0", out=tmp_path / "out", on_broken="skip")
    assert report.frames == 3


def png(side: int) -> bytes:
    """A black picture of a few bytes per hundred thousand pixels."""

    def chunk(kind: bytes, payload: bytes) -> bytes:
        check = zlib.crc32(kind + payload)
        return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", check)

    row = bytes(side * 3 + 1)
    squeeze = zlib.compressobj(9)
    rows = b"".join(squeeze.compress(row) for _ in range(side)) + squeeze.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_picture_as_large_as_a_wall_is_refused() -> None:
    assert decode_image(png(1000)).shape == (1000, 1000, 3)
    with pytest.raises(VideoError, match="png image cannot be decoded"):
        decode_image(png(12_000))


def test_decoder_sees_nothing_of_the_files_own_index(clip: Path) -> None:
    """What only a library reads is no matter: the tables are read once, and by us."""
    want = [n for n, _ in decode_frames(LocalRoot(clip.parent), clip.name, range(9))]
    inconsistent = make_box(
        b"udta", make_box(b"trun", struct.pack(">II", 0, FOUR_THOUSAND_MILLION))
    )
    changed(clip, {"moov": after(inconsistent)})
    found = [n for n, _ in decode_frames(LocalRoot(clip.parent), clip.name, range(9))]
    assert found == want == list(range(9))
