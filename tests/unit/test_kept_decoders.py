"""Frames by decoders and indexes that are kept between calls, against those of new ones."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

from roboreel.errors import StorageError, VideoError
from roboreel.storage.fs import open_root
from roboreel.storage.joined import JoinedRoot
from roboreel.storage.local import LocalRoot
from roboreel.storage.video import decoder as kept
from roboreel.storage.video import indexed_video as indexes
from roboreel.storage.video.codec_context import CodecContext
from roboreel.storage.video.decode import decode_frames, played_frames
from roboreel.storage.video.index import packet_table_of
from tests.unit.clips import (
    Coder,
    av1,
    digest,
    h264,
    hevc,
    index_of,
    mpeg4,
    pictures,
    vp9,
    write_clip,
    write_in_band,
)

FRAMES = 24
CODERS = {
    "h264": h264(6, 0),
    "h264 b": h264(12, 3),
    "h264 open": h264(6, 3, open_gop=1),
    "hevc b": hevc(12, 3),
    "hevc open": hevc(6, 3, open_gop=1),
    "av1": av1(6),
    "av1 hidden": av1(12, prediction=2),
    "vp9": vp9(8),
    "mpeg4": mpeg4(6, 2),
}


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    _forget()
    yield
    _forget()


def _forget() -> None:
    kept._IDLE.clear()
    indexes._KEPT.clear()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files for which a decoder is opened, as it happens."""
    names: list[str] = []
    init = CodecContext.__init__

    def noted(self: CodecContext, entry: object, packet: object, name: str, *more: object) -> None:
        names.append(name)
        init(self, entry, packet, name, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(CodecContext, "__init__", noted)
    return names


def _aged(path: Path) -> Path:
    """Let a file be older than those that may be written again under the same stamp."""
    os.utime(path, (1e9, 1e9))
    return path


def _clips(folder: Path, coder: Coder, count: int = 3) -> dict[str, list[str]]:
    """The frames of clips with one sample entry, by name, as a player shows them."""
    paths = [_aged(write_clip(folder / f"{n}.mp4", FRAMES, coder, scene=n)) for n in range(count)]
    return {path.name: pictures(path) for path in paths}


def _found(folder: Path, name: str, wanted: Sequence[int]) -> list[tuple[int, str]]:
    return [(n, digest(frame)) for n, frame in decode_frames(LocalRoot(folder), name, wanted)]


@pytest.mark.sample(4)
@pytest.mark.parametrize("name", CODERS)
def test_frames_are_those_of_a_new_decoder_in_any_order(tmp_path: Path, name: str) -> None:
    seen = _clips(tmp_path, CODERS[name])
    choose = random.Random(name)
    for _ in range(60):
        file = choose.choice(sorted(seen))
        count = choose.choice([1, 1, 2, 5, FRAMES])
        wanted = sorted(choose.sample(range(FRAMES), count))
        assert _found(tmp_path, file, wanted) == [(n, seen[file][n]) for n in wanted]


@pytest.mark.parametrize("name", ["h264", "h264 b", "av1", "vp9"])
def test_one_decoder_serves_all_files_of_a_sample_entry(
    tmp_path: Path, name: str, opened: list[str]
) -> None:
    seen = _clips(tmp_path, CODERS[name])
    for number in (3, 20, 4, 4, 0):
        for file, frames in seen.items():
            assert _found(tmp_path, file, [number]) == [(number, frames[number])]
    assert opened == ["0.mp4"]


@pytest.mark.parametrize("name", ["h264 b", "av1", "av1 hidden"])
def test_reading_in_order_in_small_blocks_decodes_each_packet_about_once(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _clips(tmp_path, CODERS[name], 1)["0.mp4"]
    fed: list[int] = []
    feed = kept.Decoder.feed

    def noted(self: kept.Decoder, number: int, data: bytes) -> list[Any]:
        fed.append(number)
        return feed(self, number, data)

    monkeypatch.setattr(kept.Decoder, "feed", noted)
    for first in range(0, FRAMES, 2):
        found = _found(tmp_path, "0.mp4", [first, first + 1])
        assert found == [(n, seen[n]) for n in (first, first + 1)]
    # a block is only known to go on once the second one is wanted
    assert len(fed) <= FRAMES + 6


def test_frames_that_come_out_together_wait_for_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _clips(tmp_path, av1(12), 1)["0.mp4"]
    waiting: list[Any] = []
    decode, drain, flush = CodecContext.decode, CodecContext.drain, CodecContext.flush

    def in_pairs(self: CodecContext, number: int, data: bytes) -> list[Any]:
        waiting.extend(decode(self, number, data))
        found = waiting[:] if len(waiting) > 1 else []
        del waiting[: len(found)]
        return found

    def rest(self: CodecContext) -> list[Any]:
        found = [*waiting, *drain(self)]
        waiting.clear()
        return found

    def forget(self: CodecContext) -> None:
        waiting.clear()
        flush(self)

    monkeypatch.setattr(CodecContext, "decode", in_pairs)
    monkeypatch.setattr(CodecContext, "drain", rest)
    monkeypatch.setattr(CodecContext, "flush", forget)
    for number in range(FRAMES):
        assert _found(tmp_path, "0.mp4", [number]) == [(number, seen[number])]


@pytest.mark.parametrize("name", ["hevc b", "mpeg4"])
def test_decoders_that_remember_more_are_not_kept(
    tmp_path: Path, name: str, opened: list[str]
) -> None:
    # a used hevc decoder conceals damage with other pixels than a new one
    _clips(tmp_path, CODERS[name], 1)
    for _ in range(2):
        _found(tmp_path, "0.mp4", [3])
    assert opened == ["0.mp4", "0.mp4"]
    assert not kept._IDLE


def test_files_of_other_entries_have_decoders_of_their_own(
    tmp_path: Path, opened: list[str]
) -> None:
    for name, coder in (("a.mp4", h264(6, 0)), ("b.mp4", av1(6)), ("c.mp4", h264(6, 3))):
        _aged(write_clip(tmp_path / name, FRAMES, coder))
    for _ in range(2):
        for name in ("a.mp4", "b.mp4", "c.mp4"):
            assert _found(tmp_path, name, [7]) == [(7, pictures(tmp_path / name)[7])]
    assert opened == ["a.mp4", "b.mp4", "c.mp4"]


@pytest.mark.parametrize("name", ["h264", "av1", "vp9"])
def test_decoding_goes_on_where_it_is(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _clips(tmp_path, CODERS[name], 1)["0.mp4"]
    fed: list[int] = []
    feed = kept.Decoder.feed

    def noted(self: kept.Decoder, number: int, data: bytes) -> object:
        fed.append(number)
        return feed(self, number, data)

    monkeypatch.setattr(kept.Decoder, "feed", noted)
    for number in (1, 2, 4, 3):
        assert _found(tmp_path, "0.mp4", [number]) == [(number, seen[number])]
    assert fed == [0, 1, 2, 3, 4, 0, 1, 2, 3]


def test_two_readers_in_turn_do_not_disturb_each_other(tmp_path: Path) -> None:
    seen = _clips(tmp_path, CODERS["h264 b"], 2)
    readers = [decode_frames(LocalRoot(tmp_path), name, range(FRAMES)) for name in seen]
    found = [[digest(frame) for _, frame in pair] for pair in zip(*readers, strict=True)]
    assert found == [list(pair) for pair in zip(*seen.values(), strict=True)]


@pytest.mark.parametrize("name", ["h264 b", "av1"])
def test_threads_read_the_same_files(tmp_path: Path, name: str) -> None:
    seen = _clips(tmp_path, CODERS[name])
    wrong: list[object] = []

    def read(seed: int) -> None:
        choose = random.Random(seed)
        for _ in range(40):
            file = choose.choice(sorted(seen))
            wanted = sorted(choose.sample(range(FRAMES), 3))
            found = _found(tmp_path, file, wanted)
            if found != [(n, seen[file][n]) for n in wanted]:
                wrong.append((file, wanted))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(kept._IDLE) <= len(threads)


def test_a_reader_that_stops_early_leaves_nothing_behind(tmp_path: Path) -> None:
    seen = _clips(tmp_path, CODERS["h264 b"], 1)["0.mp4"]
    reader: Any = decode_frames(LocalRoot(tmp_path), "0.mp4", range(FRAMES))
    next(reader)
    reader.close()
    assert not kept._IDLE
    assert _found(tmp_path, "0.mp4", [9]) == [(9, seen[9])]


@pytest.mark.parametrize("name", ["h264 b", "hevc b", "av1", "vp9"])
def test_a_damaged_file_does_not_change_the_next(tmp_path: Path, name: str) -> None:
    seen = _clips(tmp_path, CODERS[name], 2)
    table, data = index_of(tmp_path / "1.mp4"), bytearray((tmp_path / "1.mp4").read_bytes())
    choose = random.Random(name)
    for trial in range(30):
        hurt = bytearray(data)
        for _ in range(choose.choice([1, 3, 9])):
            at = choose.randrange(table.packets)
            place = int(table.offset[at]) + choose.randrange(int(table.size[at]))
            hurt[place] ^= 1 << choose.randrange(8)
        path = tmp_path / "hurt.mp4"
        path.write_bytes(hurt)
        os.utime(path, (1e9, 1e9 + trial))
        kept_outcome = _outcome(tmp_path, "hurt.mp4")
        for number in (0, 13):
            assert _found(tmp_path, "0.mp4", [number]) == [(number, seen["0.mp4"][number])]
        _forget()
        assert _outcome(tmp_path, "hurt.mp4") == kept_outcome


def _outcome(folder: Path, name: str) -> object:
    try:
        return _found(folder, name, [2, 17])
    except StorageError as error:
        return str(error)


def test_parameter_sets_of_one_file_do_not_reach_the_next(tmp_path: Path) -> None:
    # the same sample entry, and other parameter sets in the packets
    plain = _aged(write_clip(tmp_path / "plain.mp4", FRAMES, h264(6, 0)))
    other = _aged(
        write_in_band(tmp_path / "other.mp4", FRAMES, h264(6, 0, cabac=0), entry=h264(6, 0))
    )
    assert index_of(plain).entry == index_of(other).entry
    for path in (plain, other, plain, other):
        for number in (0, 8):
            found = _found(tmp_path, path.name, [number])
            assert found == [(number, pictures(path)[number])]


def test_played_frames_are_those_of_a_player_whatever_is_kept(tmp_path: Path) -> None:
    for name, frames in _clips(tmp_path, CODERS["h264 b"], 2).items():
        _found(tmp_path, name, [5])
        played = [(n, digest(frame)) for n, frame in played_frames(LocalRoot(tmp_path), name)]
        assert played == list(enumerate(frames))


@pytest.fixture
def index_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose index is read, as it happens."""
    names: list[str] = []

    def noted(file: IO[bytes], name: str) -> object:
        names.append(name)
        return packet_table_of(file, name)

    monkeypatch.setattr(indexes, "packet_table_of", noted)
    return names


def test_an_index_is_read_again_only_when_its_file_changes(
    tmp_path: Path, index_reads: list[str]
) -> None:
    path = _aged(write_clip(tmp_path / "a.mp4", FRAMES, h264(6, 0)))
    for _ in range(3):
        assert len(_found(tmp_path, "a.mp4", [FRAMES - 1])) == 1
    assert index_reads == ["a.mp4"]
    write_clip(path, 5, h264(6, 0))
    os.utime(path, (1e9, 1e9 + 1))
    with pytest.raises(VideoError, match="frames 23…23 of 5"):
        _found(tmp_path, "a.mp4", [FRAMES - 1])
    assert index_reads == ["a.mp4", "a.mp4"]


def test_the_index_of_a_file_just_written_is_not_kept(
    tmp_path: Path, index_reads: list[str]
) -> None:
    write_clip(tmp_path / "a.mp4", FRAMES, h264(6, 0))
    for _ in range(2):
        _found(tmp_path, "a.mp4", [0])
    assert index_reads == ["a.mp4", "a.mp4"]


def test_few_indexes_are_kept(tmp_path: Path, index_reads: list[str]) -> None:
    data = write_clip(tmp_path / "0.mp4", FRAMES, h264(6, 0)).read_bytes()
    for n in range(20):
        (tmp_path / f"{n}.mp4").write_bytes(data)
        _aged(tmp_path / f"{n}.mp4")
        _found(tmp_path, f"{n}.mp4", [0])
        _found(tmp_path, "0.mp4", [0])
    assert len(index_reads) == 20
    assert len(indexes._KEPT) == indexes._MOST_VIDEOS


def test_indexes_that_are_kept_have_few_packets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes, "_MOST_PACKETS", 2 * FRAMES)
    for name in _clips(tmp_path, CODERS["h264"]):
        _found(tmp_path, name, [0])
    assert [video.name for _, video in indexes._KEPT] == ["2.mp4", "1.mp4"]
    monkeypatch.setattr(indexes, "_MOST_PACKETS", 1)
    _found(tmp_path, "0.mp4", [0])
    assert [video.name for _, video in indexes._KEPT] == ["0.mp4"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_reads_on_its_own(tmp_path: Path) -> None:
    seen = _clips(tmp_path, CODERS["h264 b"], 1)["0.mp4"]
    _found(tmp_path, "0.mp4", [3])
    child = os.fork()
    if not child:
        good = all(_found(tmp_path, "0.mp4", [n]) == [(n, seen[n])] for n in range(FRAMES))
        os._exit(0 if good else 1)
    assert all(_found(tmp_path, "0.mp4", [n]) == [(n, seen[n])] for n in range(FRAMES))
    assert os.waitpid(child, 0)[1] == 0


SPANS = [(3, 4), (7, 2), (0, 3), (20, 5), (98, 9), (5, 6)]


def test_ranges_of_a_file_are_read_alike_everywhere(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    data = bytes(range(100))
    (tmp_path / "a.bin").write_bytes(data)
    fsspec.filesystem("memory").pipe_file("/ranges/a.bin", data)
    local, remote = LocalRoot(tmp_path), open_root("memory://ranges")
    joined = JoinedRoot({"x/": local, "y/": remote})
    wanted = [data[start : start + size] for start, size in SPANS]
    for root, name in (
        (local, "a.bin"),
        (remote, "a.bin"),
        (joined, "x/a.bin"),
        (joined, "y/a.bin"),
    ):
        assert list(root.ranges(name, SPANS)) == wanted
        assert list(root.ranges(name, [])) == []


@pytest.mark.parametrize("url", ["memory://ranges", None])
def test_ranges_of_a_file_that_is_not_there_are_refused(tmp_path: Path, url: str | None) -> None:
    pytest.importorskip("fsspec")
    root = open_root(url) if url else LocalRoot(tmp_path)
    with pytest.raises(StorageError, match=r"'b\.bin'"):
        root.ranges("b.bin", [(0, 1)])
