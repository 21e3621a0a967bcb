"""Videos: one byte of one packet, one frame shifted, one flag: found, at its frame."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.testing import Camera, make_dataset
from tests.mutate import LFS_POINTER, add_track, copied, edit_table, episode_table, episode_video
from tests.oracle import read
from tests.tamper import encode_anew, flip_packet_byte, remux
from tests.unit.diff.bases import EPISODES, SIDE, TOP, noted, places

EPISODES_TABLE = "meta/episodes/chunk-000/file-000.parquet"


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
@pytest.mark.parametrize(("camera", "frame"), [(TOP, 2), (SIDE, 1), (SIDE, 3)])
def test_one_byte_of_one_packet_is_found(
    first: Path, second: Path, second_v30: Path, version: str, camera: str, frame: int
) -> None:
    changed = second if version == "v2.1" else second_v30
    flip_packet_byte(changed, 1, frame, camera)
    for pair in ((first, changed), (changed, first)):
        assert places(roboreel.diff(*pair)) == [("packets", 1, frame, camera)]


def test_every_packet_that_differs_is_counted_and_the_first_named(
    first: Path, second: Path
) -> None:
    for episode, frame in ((0, 4), (2, 3), (2, 1)):
        flip_packet_byte(second, episode, frame, TOP)
    (found,) = roboreel.diff(first, second).differences
    assert (found.episode, found.row, found.count, found.episodes) == (0, 4, 3, 2)
    (found,) = roboreel.diff(first, second, first_only=True).differences
    assert (found.episode, found.row, found.count) == (0, 4, 1)


def test_two_cameras_swapped_are_found(first: Path, second: Path) -> None:
    paths = episode_video(second, TOP, 2), episode_video(second, SIDE, 2)
    paths[0].rename(paths[0].with_suffix(".aside"))
    paths[1].rename(paths[0])
    paths[0].with_suffix(".aside").rename(paths[1])
    found = {
        (kind, episode, column) for kind, episode, _, column in places(roboreel.diff(first, second))
    }
    assert found >= {("packets", 2, TOP), ("packets", 2, SIDE)}


def test_two_episodes_videos_swapped_are_found(first: Path, second: Path) -> None:
    long, short = episode_video(second, TOP, 0), episode_video(second, TOP, 2)
    shutil.copy(long, short)
    report = roboreel.diff(first, second)
    assert places(report) == [("packets", 2, 0, TOP)]
    assert noted(report) == {"places"}  # and the one frame more


@pytest.fixture
def intra(tmp_path: Path) -> Path:
    """A dataset of one camera whose every frame is a keyframe."""
    return make_dataset(
        tmp_path / "intra",
        version="v2.1",
        episodes=EPISODES,
        cameras={TOP: Camera(gop=1, height=32)},
    )


ORDERS: dict[str, tuple[Callable[[list[Any]], list[Any]], int]] = {
    "one late": (lambda packets: [packets[0], *packets[:-1]], 1),
    "one early": (lambda packets: [*packets[1:], packets[-1]], 0),
    "two swapped": (lambda packets: [*packets[:2], packets[3], packets[2], *packets[4:]], 2),
}


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("decode", [False, True])
def test_frames_shifted_by_one_are_found(intra: Path, name: str, decode: bool) -> None:
    order, frame = ORDERS[name]
    shifted = copied(intra, intra.parent / "shifted")
    remux(episode_video(shifted, TOP, 0), order)
    kind = "pictures" if decode else "packets"
    assert places(roboreel.diff(intra, shifted, decode=decode)) == [(kind, 0, frame, TOP)]


@pytest.mark.parametrize("frames", [1, -1])
def test_v30_documents_that_point_to_another_frame_are_found(
    first_v30: Path, second_v30: Path, frames: int
) -> None:
    path = second_v30 / EPISODES_TABLE
    name = f"videos/{TOP}/from_timestamp"
    edit_table(
        path,
        lambda table: table.set_column(
            table.column_names.index(name),
            name,
            pa.array([0.0, (6 + frames) / 30, 10 / 30]),
        ),
    )
    assert places(roboreel.diff(first_v30, second_v30)) == [("places", 1, None, TOP)]
    assert roboreel.diff(second_v30, first_v30).same
    assert roboreel.diff(second_v30, second_v30).same


def test_v30_documents_that_swap_two_episodes_are_found(first_v30: Path, second_v30: Path) -> None:
    name = f"videos/{TOP}/from_timestamp"
    edit_table(
        second_v30 / EPISODES_TABLE,
        lambda table: table.set_column(
            table.column_names.index(name), name, pa.array([4 / 30, 0.0, 10 / 30])
        ),
    )
    report = roboreel.diff(first_v30, second_v30)
    assert ("packets", 0, 0, TOP) in places(report)
    assert report.differences[0].episodes == 2


def test_frames_that_stand_at_other_times_are_found(first: Path, second: Path) -> None:
    path = episode_video(second, TOP, 0)
    remux(path, lambda packets: packets, fps=20)
    report = roboreel.diff(first, second)
    assert places(report) == [("places", 0, None, TOP)]
    assert "a reader by time" in report.differences[0].what
    assert roboreel.diff(second, first).same


def test_remuxed_packets_are_the_same(first: Path, second: Path) -> None:
    for episode in range(3):
        remux(episode_video(second, TOP, episode), lambda packets: packets)
    report = roboreel.diff(first, second)
    assert report.same
    assert report.notes == ()


def test_a_keyframe_that_is_not_marked_is_found(first: Path, second: Path) -> None:
    path = episode_video(second, TOP, 0)
    data = path.read_bytes()
    at = data.index(b"stss") + 8  # version and flags, count, then the packets' numbers
    numbers = [int.from_bytes(data[at + 4 * i : at + 4 * i + 4], "big") for i in range(1, 4)]
    assert numbers == [1, 3, 5]
    path.write_bytes(data[: at + 8] + (4).to_bytes(4, "big") + data[at + 12 :])
    found = roboreel.diff(first, second).differences
    assert [(d.kind, d.episode, d.row, d.count) for d in found] == [("packets", 0, 2, 2)]
    assert "keyframe" in found[0].what


def test_another_decoder_configuration_is_found(first: Path, second: Path) -> None:
    path = episode_video(second, SIDE, 1)
    data = bytearray(path.read_bytes())
    data[data.index(b"avcC") + 7] += 1  # the level
    path.write_bytes(bytes(data))
    report = roboreel.diff(first, second)
    assert places(report) == [("streams", 1, None, SIDE)]
    assert "avcC" in report.differences[0].what
    assert roboreel.diff(first, second, decode=True).same


def test_a_picture_that_is_turned_is_found(first: Path, second: Path) -> None:
    path = episode_video(second, SIDE, 1)
    data = bytearray(path.read_bytes())
    head = data.index(b"tkhd")
    matrix = bytes(data).index((1 << 16).to_bytes(4, "big") + bytes(12), head)
    data[matrix : matrix + 4] = (0xFFFF0000).to_bytes(4, "big")
    path.write_bytes(bytes(data))
    for decode in (False, True):
        report = roboreel.diff(first, second, decode=decode)
        assert places(report) == [("streams", 1, None, SIDE)]


def test_sound_counts(first: Path, second: Path) -> None:
    add_track(episode_video(second, TOP, 1), "audio")
    report = roboreel.diff(first, second)
    assert places(report) == [("streams", 1, None, TOP)]
    assert "soun" in report.differences[0].what


def test_other_tracks_are_notes(first: Path, second: Path) -> None:
    path = episode_video(second, TOP, 1)
    add_track(path, "audio")
    path.write_bytes(path.read_bytes().replace(b"soun", b"text"))
    report = roboreel.diff(first, second)
    assert report.same
    assert noted(report) == {"streams"}


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "a pointer": lambda path: path.write_bytes(LFS_POINTER),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "too few frames": lambda path: remux(path, lambda packets: packets[:-1]),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("decode", [False, True])
def test_a_broken_video_is_named_with_its_side(
    first: Path, second: Path, name: str, decode: bool
) -> None:
    DAMAGES[name](episode_video(second, TOP, 1))
    for pair, side in (((first, second), "the second"), ((second, first), "the first")):
        report = roboreel.diff(*pair, decode=decode)
        assert places(report) == [("broken", 1, None, TOP)]
        assert side in report.differences[0].what
        pictures = 15 * 3 - 4  # two cameras of video, one in the tables
        amount = report.compared.pictures if decode else report.compared.packets
        assert amount == (pictures if decode else 15 * 2 - 4)


def test_a_camera_without_any_video_is_found(first: Path, second: Path) -> None:
    for episode in range(3):
        episode_video(second, TOP, episode).unlink()
    assert places(roboreel.diff(first, second)) == [("cameras", None, None, TOP)]
    report = roboreel.diff(second, second)
    assert report.same
    assert noted(report) == {"cameras"}


def test_a_frame_more_than_rows_is_a_note(first: Path, second: Path) -> None:
    root = copied(first, second.parent / "shorter")
    for each in (root, second):
        edit_table(episode_table(each, 1), lambda table: table.slice(0, 3))
    remux(episode_video(second, TOP, 1), lambda packets: packets[:3])
    report = roboreel.diff(root, second)
    assert report.same
    assert noted(report) == {"places"}


@pytest.mark.parametrize(("options", "same"), [({"qp": "0"}, True), ({"crf": "40"}, False)])
def test_video_encoded_anew_is_the_same_only_where_its_pictures_are(
    first: Path, second: Path, options: dict[str, str], same: bool
) -> None:
    for episode in range(3):
        encode_anew(episode_video(second, TOP, episode), options)
    decoded = roboreel.diff(first, second, decode=True)
    assert decoded.same is same
    if not same:
        (found,) = decoded.differences
        assert (found.kind, found.column) == ("pictures", TOP)
        assert (found.episode, found.row, found.count) == _unlike_pictures(first, second)
    assert not roboreel.diff(first, second).same
    assert "packets" in {kind for kind, *_ in places(roboreel.diff(first, second))}


def _unlike_pictures(first: Path, second: Path) -> tuple[int, int, int]:
    """Episode and frame of the first picture that differs, and how many do, by the oracle."""
    a, b = read(first), read(second)
    found = [
        (number, frame)
        for number, pair in enumerate(zip(a.episodes, b.episodes, strict=True))
        for frame, (x, y) in enumerate(
            zip(a.digests(pair[0], TOP), b.digests(pair[1], TOP), strict=True)
        )
        if x != y
    ]
    return (*found[0], len(found))


def test_decoding_finds_the_frame_whose_packet_was_changed(intra: Path) -> None:
    other = copied(intra, intra.parent / "other")
    last = read(intra).episodes[2]
    remux(episode_video(other, TOP, 2), lambda packets: [*packets[:3], packets[1], *packets[4:]])
    assert last.length == 5
    assert places(roboreel.diff(intra, other, decode=True)) == [("pictures", 2, 3, TOP)]


def test_packets_that_frames_hang_on_are_compared(tmp_path: Path) -> None:
    camera = Camera(gop=250, join="encoded", height=32)
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=(4, 5), cameras={TOP: camera})
    other = copied(root, tmp_path / "b")
    for place in (root, other):
        _without_first(place)
    assert roboreel.diff(root, other).same
    clip = read(other).episodes[0].external_videos[TOP]
    path = other / clip.path
    with av.open(str(path)) as container:
        packet = next(p for p in container.demux(video=0) if p.pts is not None and p.size)
        begin, size = int(packet.pos or 0), int(packet.size)
    data = bytearray(path.read_bytes())
    data[begin + size - 1] ^= 0x55
    path.write_bytes(bytes(data))
    report = roboreel.diff(root, other)
    assert places(report) == [("packets", 0, None, TOP)]
    assert "depend on" in report.differences[0].what


def _without_first(root: Path) -> None:
    """Take episode 0 out of the documents and tables of a v3.0 dataset; its frames stay in the file."""
    path = root / EPISODES_TABLE
    table = pq.ParquetFile(path).read().slice(1)
    for name in ("dataset_from_index", "dataset_to_index", "episode_index"):
        shift = 1 if name == "episode_index" else 4
        values = pc.subtract(table[name], shift)
        table = table.set_column(table.column_names.index(name), name, values)
    pq.write_table(table, path)
    data = root / "data/chunk-000/file-000.parquet"
    rows = pq.ParquetFile(data).read().slice(4)
    for name, shift in (("episode_index", 1), ("index", 4)):
        values = pc.subtract(rows[name], shift)
        rows = rows.set_column(rows.column_names.index(name), name, values)
    pq.write_table(rows, data)


def test_pictures_in_tables_are_decoded_too(first: Path, tmp_path: Path) -> None:
    still = make_dataset(
        tmp_path / "a",
        version="v2.1",
        episodes=(3,),
        cameras={"top": Camera(storage="image", height=32)},
    )
    other = copied(still, tmp_path / "b")

    def change(table: pa.Table) -> pa.Table:
        cells = table["top"].to_pylist()
        cells[1]["bytes"] = _with_text_chunk(cells[1]["bytes"])
        at = table.column_names.index("top")
        return table.set_column(at, "top", pa.array(cells, table.schema.field(at).type))

    edit_table(episode_table(other, 0), change)
    assert places(roboreel.diff(still, other)) == [("images", 0, 1, "top")]
    report = roboreel.diff(still, other, decode=True)
    assert report.same
    assert report.compared.pictures == 3

    def swap(table: pa.Table) -> pa.Table:
        return table.set_column(
            table.column_names.index("top"), "top", table["top"].take(pa.array([0, 2, 1]))
        )

    edit_table(episode_table(other, 0), swap)
    assert places(roboreel.diff(still, other, decode=True)) == [("images", 0, 1, "top")]


def _with_text_chunk(png: bytes) -> bytes:
    """The picture with a comment before its end."""
    body = b"tEXtComment\0made again"
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk + png[end:]
