"""Encoded frames are written as they come, one for each row, or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias

import av
import numpy as np
import pytest

from roboreel.errors import UsageError, VideoError
from roboreel.recording.camera_types import EncodedFrame, RecordedVideo
from roboreel.recording.camera_writer import finish_all
from roboreel.storage.video.stream_units import split_units
from tests.unit.clips import Coder, av1, h264, hevc, index_of
from tests.unit.recording.camera_sets import (
    FPS,
    HEIGHT,
    WIDTH,
    camera_feature,
    camera_task,
    cameras,
    drawn,
    numbers,
)

Codec: TypeAlias = Literal["h264", "hevc", "av1"]
CODERS: dict[Codec, Coder] = {"h264": h264(10), "hevc": hevc(10, 0), "av1": av1(10)}


def encoded(
    codec: Codec, count: int, *, coder: Coder | None = None, in_band: bool = True, episode: int = 2
) -> tuple[list[bytes], bytes]:
    """(the packets of an encoder, its extradata)."""
    coder = coder or CODERS[codec]
    context: Any = av.CodecContext.create(coder.codec, "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base, context.framerate, context.options = 1 / FPS, FPS, dict(coder.options)
    if not in_band:
        context.flags |= av.codec.context.Flags.global_header
    packets = []
    for number, image in enumerate(drawn(episode, count)):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, 1 / FPS
        packets += context.encode(frame)
    packets += context.encode(None)
    return [bytes(packet) for packet in packets], bytes(context.extradata or b"")


def in_mp4(folder: Path, codec: Codec, count: int) -> tuple[list[bytes], bytes]:
    """(the packets of an MP4 file, the payload of its configuration box), as PyAV's demuxer gives them."""
    packets, extradata = encoded(codec, count)
    with cameras(folder, camera_task("a", encoded=True)) as writers:
        record(writers["a"], folder / "made.mp4", codec, packets, extradata)
    with av.open(str(folder / "made.mp4")) as file:
        setup = bytes(file.streams.video[0].codec_context.extradata or b"")
        return [bytes(one) for one in file.demux(video=0) if one.size], setup


def record(
    writer: Any, path: Path, codec: Codec, packets: Sequence[bytes], extradata: bytes = b""
) -> RecordedVideo:
    writer.begin(path, 2)
    for data in packets:
        writer.add(EncodedFrame(data=data, codec=codec, extradata=extradata))
    video: RecordedVideo = writer.finish()
    return video


@pytest.mark.parametrize("codec", CODERS)
@pytest.mark.parametrize("form", ["in band", "beside", "lengths"])
def test_packets_become_a_video_of_as_many_frames(tmp_path: Path, codec: Codec, form: str) -> None:
    if form == "lengths":
        packets, extradata = in_mp4(tmp_path, codec, 25)
    else:
        packets, extradata = encoded(codec, 25, in_band=form == "in band")
        extradata = b"" if form == "in band" else extradata
    with cameras(tmp_path, camera_task("a", encoded=True)) as writers:
        video = record(writers["a"], tmp_path / "a.mp4", codec, packets, extradata)
    table = index_of(video.path)
    assert table.is_exact(FPS)
    assert table.entry == video.entry
    assert np.flatnonzero(table.keyframe).tolist() == [0, 10, 20]
    assert numbers(video.path) == [(number, 2, 0) for number in range(25)]
    assert (video.frames, video.counts.given, video.counts.encoded) == (25, 25, 0)
    assert video.size_bytes == video.path.stat().st_size
    assert video.stats is None


@pytest.mark.parametrize("codec", ["h264", "hevc"])  # svt-av1's extradata differ from its packets
def test_the_sample_entry_is_the_same_for_all_forms(tmp_path: Path, codec: Codec) -> None:
    entries = []
    with cameras(tmp_path, camera_task("a", encoded=True)) as writers:
        for number, in_band in enumerate((True, False)):
            packets, extradata = encoded(codec, 3, in_band=in_band)
            video = record(writers["a"], tmp_path / f"{number}.mp4", codec, packets, extradata)
            entries.append(video.entry)
    assert entries[0] == entries[1]


def test_a_gap_is_filled_with_the_last_keyframe(tmp_path: Path) -> None:
    packets, _ = encoded("h264", 25)
    with cameras(tmp_path, camera_task("a", encoded=True)) as writers:
        writer = writers["a"]
        writer.begin(tmp_path / "a.mp4", 2)
        with pytest.raises(UsageError, match="no frame to repeat"):
            writer.add(None)
        for data in packets[:14]:
            writer.add(EncodedFrame(data=data))
        for _ in range(6):
            writer.add(None)
        with pytest.raises(
            UsageError, match="packet 20: the packet after a gap must be a keyframe"
        ):
            writer.add(EncodedFrame(data=packets[14]))
        for data in packets[20:]:
            writer.add(EncodedFrame(data=data))
        video = writer.finish()
    shown = [*range(14), *[10] * 6, *range(20, 25)]
    assert [frame for frame, _, _ in numbers(video.path)] == shown
    assert (video.counts.given, video.counts.repeated) == (25, 6)


def halves(data: bytes) -> bytes:
    return data[: len(data) // 2]


WRONG: dict[str, tuple[Codec, Callable[[list[bytes]], list[bytes]], type[Exception], str]] = {
    "no keyframe first": ("h264", lambda p: p[1:], UsageError, "first packet must be a keyframe"),
    "two frames": ("h264", lambda p: [p[0], p[1] + p[2]], UsageError, "packet 1: .* holds 2"),
    "two AV1 frames": ("av1", lambda p: [p[0], p[1] + p[2]], UsageError, "packet 1: .* holds 2"),
    "empty": ("h264", lambda p: [p[0], b""], UsageError, "packet 1: .* start code"),
    "no frame": ("h264", lambda p: [p[0], b"\0\0\1\x06abc"], UsageError, "packet 1: .* holds 0"),
    "noise": ("hevc", lambda p: [b"\x17noise" * 20], UsageError, "packet 0: .* start code"),
    "noise of AV1": ("av1", lambda p: [b"\x97noise" * 20], UsageError, "packet 0: .* AV1 OBUs"),
    "cut AV1": ("av1", lambda p: [p[0], halves(p[1])], UsageError, "packet 1: .* cut short"),
    "no sets": ("h264", lambda p: [p[0][p[0].index(b"\0\0\1\x65") :]], UsageError, "extradata"),
    "nothing": ("h264", lambda p: [], VideoError, "there is no frame"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_packets_are_refused(tmp_path: Path, name: str) -> None:
    codec, change, kind, message = WRONG[name]
    packets = change(encoded(codec, 4)[0])
    with cameras(tmp_path, camera_task("a", encoded=True)) as writers:
        with pytest.raises(kind, match=rf"episode 2, camera 'a': .*{message}"):
            record(writers["a"], tmp_path / "a.mp4", codec, packets)
        writers["a"].discard()
        assert list(tmp_path.iterdir()) == []
        video = record(writers["a"], tmp_path / "a.mp4", codec, encoded(codec, 4)[0])
    assert video.frames == 4


def test_lengths_that_are_not_there_are_refused(tmp_path: Path) -> None:
    packets, extradata = in_mp4(tmp_path, "h264", 4)
    packets[1] = halves(packets[1])
    with (
        cameras(tmp_path, camera_task("a", encoded=True)) as writers,
        pytest.raises(UsageError, match=r"packet 1: .* cut short"),
    ):
        record(writers["a"], tmp_path / "a.mp4", "h264", packets, extradata)


def test_start_codes_are_taken_though_the_extradata_say_lengths(tmp_path: Path) -> None:
    """Some cameras give an `avcC` payload beside packets with start codes."""
    _, extradata = in_mp4(tmp_path, "h264", 4)
    packets = [b"\0\0\0\1" + b"\0\0\0\1".join(split_units(p, 0)) for p in encoded("h264", 12)[0]]
    with cameras(tmp_path, camera_task("a", encoded=True)) as writers:
        video = record(writers["a"], tmp_path / "a.mp4", "h264", packets, extradata)
    assert numbers(video.path) == [(number, 2, 0) for number in range(12)]


def test_a_packet_that_is_refused_is_not_taken(tmp_path: Path) -> None:
    """A camera that is joined in the middle of a GOP: what comes before a keyframe can be left out."""
    packets, _ = encoded("h264", 25)
    refused = 0
    with cameras(tmp_path, camera_task("a", encoded=True)) as writers:
        writers["a"].begin(tmp_path / "a.mp4", 2)
        for number, data in enumerate([*packets[5:], *packets[:2], b"\0\0\1\x06abc", packets[2]]):
            try:
                writers["a"].add(EncodedFrame(data=data))
            except UsageError:
                refused += 1
                assert number in (*range(5), 22)
        video = writers["a"].finish()
    assert refused == 6
    assert [frame for frame, _, _ in numbers(video.path)] == [*range(10, 25), 0, 1, 2]


@pytest.mark.parametrize("coder", [h264(12, 3), hevc(12, 3)], ids=["h264", "hevc"])
@pytest.mark.parametrize("count", [8, 24])
def test_frames_that_come_in_another_order_are_refused(
    tmp_path: Path, coder: Coder, count: int
) -> None:
    codec: Codec = "h264" if coder.codec == "libx264" else "hevc"
    packets, _ = encoded(codec, count, coder=coder)
    with (
        cameras(tmp_path, camera_task("a", encoded=True)) as writers,
        pytest.raises(VideoError, match=r"the packets have B-frames"),
    ):
        record(writers["a"], tmp_path / "a.mp4", codec, packets)


def test_another_size_is_refused(tmp_path: Path) -> None:
    feature = camera_feature("a")
    wide = type(feature)(name="a", dtype="video", shape=(HEIGHT, 320, 3), spec=feature.spec)
    with (
        cameras(tmp_path, camera_task("a", encoded=True, feature=wide)) as writers,
        pytest.raises(UsageError, match=r"declared as \[64, 320, 3\], the packets are 64×160"),
    ):
        record(writers["a"], tmp_path / "a.mp4", "h264", encoded("h264", 3)[0])


def test_a_stream_that_changes_its_sets_goes_on(tmp_path: Path) -> None:
    """A camera that starts again with other settings brings other sets, which stay in its packets."""
    first, _ = encoded("h264", 10, coder=h264(10, ref=1))
    then, _ = encoded("h264", 10, coder=h264(10, ref=3, cabac=0), episode=3)
    with cameras(tmp_path, camera_task("a", encoded=True)) as writers:
        video = record(writers["a"], tmp_path / "a.mp4", "h264", first + then + first)
    shown = [episode for _, episode, _ in numbers(video.path)]
    assert shown == [2] * 10 + [3] * 10 + [2] * 10


def test_frames_and_packets_do_not_mix(tmp_path: Path) -> None:
    packets, _ = encoded("h264", 3)
    with cameras(tmp_path, camera_task("a")) as writers:
        writer = writers["a"]
        writer.begin(tmp_path / "a.mp4", 0)
        writer.add(drawn(0, 1)[0])
        with pytest.raises(UsageError, match="an encoded frame after plain ones"):
            writer.add(EncodedFrame(data=packets[0]))
        assert writer.finish().frames == 1
        writer.begin(tmp_path / "b.mp4", 1)
        writer.add(EncodedFrame(data=packets[0]))
        with pytest.raises(UsageError, match="a plain frame after encoded ones"):
            writer.add(drawn(0, 1)[0])
        assert finish_all(writers)["a"].frames == 1


@pytest.mark.parametrize("codec", CODERS)
def test_damaged_packets_are_written_or_refused(tmp_path: Path, codec: Codec) -> None:
    """Whatever a camera sends, only errors of ours come out, and a file has a frame for each packet taken."""
    packets, extradata = encoded(codec, 3, in_band=False)
    random = np.random.default_rng(0)
    with cameras(tmp_path, camera_task("a", encoded=True)) as writers:
        for trial in range(1, 61):
            writers["a"].begin(tmp_path / f"{trial}.mp4", 0)
            taken = 0
            for data in packets:
                setup = damaged(extradata, random) if trial % 3 == 0 else extradata
                wrong = data if trial % 3 == 1 else damaged(data, random)
                with suppress(UsageError, VideoError):
                    writers["a"].add(EncodedFrame(data=wrong, codec=codec, extradata=setup))
                    taken += 1
            if taken:
                video = writers["a"].finish()
                assert index_of(video.path).frames == taken


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """Some bytes changed, cut, or put in."""
    changed = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        at = int(random.integers(0, min(len(changed), 40) + 1))
        kind = random.integers(3)
        if kind == 0 and at < len(changed):
            changed[at] = int(random.integers(256))
        elif kind == 1:
            del changed[at : at + int(random.integers(1, 30))]
        else:
            changed[at:at] = bytes(random.choice([0, 0, 1, 0x67, 0x12, 255], 4).tolist())
    return bytes(changed)


def test_only_bytes_are_packets() -> None:
    with pytest.raises(UsageError, match="data is a str, expected bytes"):
        EncodedFrame(data="text")  # type: ignore[arg-type]  # that is the mistake
    assert EncodedFrame(data=bytearray(b"ab")).data == b"ab"  # type: ignore[arg-type]  # as any buffer


def test_a_packet_that_another_camera_kept_from_being_taken_is_given_again(tmp_path: Path) -> None:
    """Packets after it refer to it: without it they would show other images, and nobody would know."""
    packets, _ = encoded("h264", 25)
    with cameras(tmp_path, camera_task("a", encoded=True)) as writers:
        writer = writers["a"]
        writer.begin(tmp_path / "a.mp4", 2)
        for data in packets[:4]:
            writer.add(EncodedFrame(data=data))
        writer.put(EncodedFrame(data=packets[4]))  # another camera refuses its frame: no `send`
        with pytest.raises(UsageError, match="packet 4: the packet before it was not taken"):
            writer.put(EncodedFrame(data=packets[5]))
        for data in packets[4:12]:
            writer.add(EncodedFrame(data=data))
        writer.put(EncodedFrame(data=packets[12]))
        for data in packets[20:]:  # a keyframe refers to none before it
            writer.add(EncodedFrame(data=data))
        video = writer.finish()
    assert [frame for frame, _, _ in numbers(video.path)] == [*range(12), *range(20, 25)]
