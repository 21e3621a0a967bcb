"""A video that grows packet by packet is the one that is written at once, whatever becomes of the process."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from roboreel.errors import StorageError, VideoError
from roboreel.storage.disk import faults
from roboreel.storage.local import LocalRoot
from roboreel.storage.output_file import Output
from roboreel.storage.scratch import is_scratch
from roboreel.storage.video.grow import GrowingVideo, growing_video
from roboreel.storage.video.mux import verify_packets, write_packets
from roboreel.storage.video.packets import SampleEntry
from tests.unit.clips import (
    FPS,
    Coder,
    av1,
    demuxed,
    h264,
    hevc,
    index_of,
    pictures,
    piece_of,
    shown,
    write_clip,
)

GIB = 1 << 30
CODERS = {
    "h264": h264(5, 0),
    "h264 b": h264(12, 3),
    "hevc b": hevc(12, 3),
    "av1": av1(2),
    "av1 pyramid": av1(12, prediction=2),
}
RATES = [Fraction(30), Fraction(30000, 1001), Fraction(2997, 100), Fraction(1, 2)]
ENTRY = SampleEntry(
    data=struct.pack(">I4s", 86, b"avc1") + bytes(78),
    matrix=struct.pack(">9I", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30),
)


def packets_of(path: Path) -> list[tuple[bytes, int, bool]]:
    """(bytes, frame, keyframe) of each packet of a file."""
    data, table = path.read_bytes(), index_of(path)
    rows = zip(table.offset, table.size, table.frame_of_packet, table.keyframe, strict=True)
    return [(data[at : at + size], int(frame), bool(key)) for at, size, frame, key in rows]


def grown(source: Path, out: Path, fps: Fraction) -> int:
    """Write the packets of a clip one by one; the size that the writer tells."""
    entry = index_of(source).entry
    with growing_video(LocalRoot(out.parent), out.name, entry, fps=fps) as video:
        for packet, frame, keyframe in packets_of(source):
            video.add(packet, frame=frame, keyframe=keyframe)
    return video.size_bytes


def clip(folder: Path, coder: Coder, frames: int = 25) -> Path:
    return write_clip(folder / "source.mp4", frames, coder)


@pytest.mark.parametrize("name", CODERS)
@pytest.mark.parametrize("fps", RATES, ids=str)
def test_it_holds_what_a_file_written_at_once_holds(
    tmp_path: Path, name: str, fps: Fraction
) -> None:
    source = clip(tmp_path, CODERS[name])
    size = grown(source, tmp_path / "grown.mp4", fps)
    write_packets(LocalRoot(tmp_path), "muxed.mp4", [piece_of(source, 0, 25)], fps=fps)
    one, other = index_of(tmp_path / "grown.mp4"), index_of(tmp_path / "muxed.mp4")
    assert packets_of(tmp_path / "grown.mp4") == packets_of(tmp_path / "muxed.mp4")
    assert (one.entry, one.timescale, one.shown_from, one.shown_to) == (
        other.entry, other.timescale, other.shown_from, other.shown_to,
    )  # fmt: skip
    np.testing.assert_array_equal(one.pts, other.pts)
    assert one.is_exact(fps)
    assert shown(tmp_path / "grown.mp4") == shown(tmp_path / "muxed.mp4")
    assert [(s.pts, s.dts, s.keyframe) for s in demuxed(tmp_path / "grown.mp4")] == [
        (s.pts, s.dts, s.keyframe) for s in demuxed(tmp_path / "muxed.mp4")
    ]
    verify_packets(LocalRoot(tmp_path), "grown.mp4", packets=25, size_bytes=size)


def test_reordered_frames_are_shown_in_order(tmp_path: Path) -> None:
    source = clip(tmp_path, CODERS["h264 b"])
    assert [frame for _, frame, _ in packets_of(source)] != list(range(25))
    grown(source, tmp_path / "grown.mp4", FPS)
    assert pictures(tmp_path / "grown.mp4") == pictures(source)


def test_same_packets_give_same_bytes(tmp_path: Path) -> None:
    source = clip(tmp_path, CODERS["h264 b"])
    for name in ("a.mp4", "b.mp4"):
        grown(source, tmp_path / name, FPS)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_last_write_makes_the_index_visible(tmp_path: Path) -> None:
    source = clip(tmp_path, h264(5, 0))
    packets, states = packets_of(source), []

    def note(when: str, what: str, _path: str) -> None:
        if (when, what) == ("before", "write"):
            states.append((tmp_path / "grown.mp4").exists())

    with faults(note):
        grown(source, tmp_path / "grown.mp4", FPS)
    assert states == [False] * (len(packets) + 3)  # the head; the index, and the new head of `mdat`
    data = (tmp_path / "grown.mp4").read_bytes()
    at = data.index(packets[0][0])
    unfinished = tmp_path / "unfinished.mp4"
    unfinished.write_bytes(
        data[: at - 16] + struct.pack(">I4sI4s", 8, b"free", 0, b"mdat") + data[at:]
    )
    with pytest.raises(VideoError, match="no index"):
        index_of(unfinished)


DIES = """
import os, signal, sys
from fractions import Fraction
from pathlib import Path
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.grow import growing_video
from tests.unit.clips import index_of
from tests.unit.test_video_grow import packets_of

source = Path(sys.argv[1])
with growing_video(
    LocalRoot(source.parent), "grown.mp4", index_of(source).entry, fps=Fraction(30)
) as video:
    for packet, frame, keyframe in packets_of(source):
        video.add(packet, frame=frame, keyframe=keyframe)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_wrote_is_there_under_no_name(tmp_path: Path) -> None:
    source = clip(tmp_path, h264(5, 0), 60)
    done = subprocess.run([sys.executable, "-c", DIES, str(source)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "grown.mp4").exists()
    (left,) = [name for name in os.listdir(tmp_path) if is_scratch(name)]
    data = (tmp_path / left).read_bytes()
    entry = index_of(source).entry.data
    at = data.index(b"mdat") + 4
    assert data[at - 8 : at] == struct.pack(">I4s", 0, b"mdat")
    assert data.index(b"free") < data.index(entry) < at
    units = b"".join(packet for packet, _, _ in packets_of(source))
    written = data[at:]
    assert units.startswith(written)
    assert len(units) - len(written) <= 128 << 10  # what the buffer held
    assert written


class Sparse(Output):
    """An output that leaves a hole where a `Hole` is written."""

    def write(self, data: bytes) -> None:
        if isinstance(data, Hole):
            self.file.seek(len(data), os.SEEK_CUR)
        else:
            super().write(data)


class Hole(bytes):
    """Many zeros."""

    def __len__(self) -> int:
        return 3 * GIB


def test_packets_beyond_4_gib_are_found(tmp_path: Path) -> None:
    written = [b"first", Hole(), b"between", Hole(), b"the last"]
    with open(tmp_path / "big.mp4", "wb") as file:
        video = GrowingVideo(Sparse(file), ENTRY, Fraction(30000, 1001))
        for frame, packet in enumerate(written):
            video.add(packet, frame=frame, keyframe=frame == 0)
        video.finish()
    path = tmp_path / "big.mp4"
    assert path.stat().st_size == video.size_bytes > 6 * GIB
    assert path.stat().st_blocks * 512 < GIB
    table = index_of(path)
    assert table.size.tolist() == [len(packet) for packet in written]
    assert int(table.offset[-1]) > 6 * GIB
    assert table.is_exact(Fraction(30000, 1001))
    with path.open("rb") as read:
        for at in (0, 2, 4):
            read.seek(int(table.offset[at]))
            assert read.read(len(written[at])) == written[at]
    path.unlink()


def add(video: GrowingVideo, *frames: int) -> None:
    for frame in frames:
        video.add(b"x", frame=frame, keyframe=True)


def test_a_video_without_packets_is_refused(tmp_path: Path) -> None:
    root = LocalRoot(tmp_path)
    with (
        pytest.raises(ValueError, match="at least one packet"),
        growing_video(root, "a.mp4", ENTRY, fps=FPS),
    ):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("frames", "at"), [((0, 2), 1), ((0, 1, 1), 2), ((1, 2), 0), ((0, -1), 0)])
def test_frames_that_are_missing_or_twice_are_refused(
    tmp_path: Path, frames: tuple[int, ...], at: int
) -> None:
    root = LocalRoot(tmp_path)
    with (
        pytest.raises(ValueError, match=f"but frame {at} is wrong"),
        growing_video(root, "a.mp4", ENTRY, fps=FPS) as video,
    ):
        add(video, *frames)
    assert os.listdir(tmp_path) == []


def test_packets_that_no_decoder_takes_are_refused(tmp_path: Path) -> None:
    with open(tmp_path / "a.mp4", "wb") as file:
        video = GrowingVideo(Output(file), ENTRY, FPS)
        with pytest.raises(ValueError, match="must be a keyframe"):
            video.add(b"x", frame=0, keyframe=False)
        with pytest.raises(ValueError, match="has 0 bytes"):
            video.add(b"", frame=0, keyframe=True)
        assert video.packets == 0


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    def full(when: str, what: str, _path: str) -> None:
        if (when, what) == ("before", "write"):
            raise OSError(28, "No space left on device")

    with (
        faults(full),
        pytest.raises(StorageError, match="No space left"),
        growing_video(LocalRoot(tmp_path), "a.mp4", ENTRY, fps=FPS) as video,
    ):
        add(video, 0)
    assert os.listdir(tmp_path) == []
