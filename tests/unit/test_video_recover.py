"""The packets of a video whose writer was killed come back: all that are whole, in order, and no others."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from roboreel.storage.local import LocalRoot
from roboreel.storage.video.recover import recover_video
from tests.unit.clips import h264, index_of, write_clip
from tests.unit.test_video_grow import CODERS, clip, grown, packets_of

FPS = Fraction(30)


def _open(path: Path, stop: int | None = None) -> bytes:
    """A grown file as its writer left it before the index was written."""
    data = bytearray(path.read_bytes())
    begin = int(index_of(path).offset[0])
    data[begin - 16 : begin] = b"\0\0\0\x08free\0\0\0\0mdat"
    end = int((index_of(path).offset + index_of(path).size).max())
    return bytes(data[: end if stop is None else stop])


def _recovered(folder: Path, data: bytes) -> list[tuple[bytes, int, bool]]:
    (folder / "killed.mp4").write_bytes(data)
    frames = recover_video(LocalRoot(folder), "killed.mp4", into=LocalRoot(folder / "out"), fps=FPS)
    found = packets_of(folder / "out/killed.mp4") if frames else []
    assert len(found) == frames
    return found


@pytest.mark.parametrize("name", CODERS)
def test_whole_packets_come_back_wherever_the_file_ends(tmp_path: Path, name: str) -> None:
    source = clip(tmp_path, CODERS[name])
    grown(source, tmp_path / "grown.mp4", FPS)
    packets, table = packets_of(tmp_path / "grown.mp4"), index_of(tmp_path / "grown.mp4")
    assert _recovered(tmp_path, _open(tmp_path / "grown.mp4")) == packets
    ends = (table.offset + table.size).tolist()
    for whole in (0, 1, 7, 13, 24):
        for more in (0, 1):
            stop = ends[whole] + more
            found = _recovered(tmp_path, _open(tmp_path / "grown.mp4", stop))
            assert found == packets[: len(found)]
            shown = sorted(frame for _, frame, _ in packets[: whole + 1])
            without_gaps = shown == [*range(whole + 1)]
            assert len(found) == whole + 1 or not without_gaps
    assert _recovered(tmp_path, _open(tmp_path / "grown.mp4", 20)) == []


def test_a_file_of_another_muxer_needs_the_entry_of_its_camera(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mp4", 25, h264(12, 3))
    data, table = source.read_bytes(), index_of(source)
    begin = int(table.offset.min())
    killed = data[:begin]
    assert killed[begin - 4 : begin] == b"mdat"
    stop = int((table.offset + table.size).max())
    (tmp_path / "killed.mp4").write_bytes(killed[:-8] + b"\0\0\0\0mdat" + data[begin:stop])
    root, out = LocalRoot(tmp_path), LocalRoot(tmp_path / "out")
    assert recover_video(root, "killed.mp4", into=out, fps=FPS) == 0
    assert recover_video(root, "killed.mp4", into=out, fps=FPS, entry=table.entry) == 25
    assert packets_of(tmp_path / "out/killed.mp4") == packets_of(source)
