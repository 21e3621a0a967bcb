"""A camera's video has exactly the frames that were given, whichever way they went."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from roboreel.errors import UsageError, VideoError
from roboreel.format.encoding import Encoding, encoder_settings
from roboreel.recording.camera_writer import finish_all
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.encode import encode_frames, frame_of
from tests.unit.clips import index_of
from tests.unit.recording.camera_sets import (
    FPS,
    assert_same_stats,
    camera_task,
    cameras,
    drawn,
    in_memory_stats,
    numbers,
)

CODERS = {
    "h264": Encoding(vcodec="h264"),
    "hevc": Encoding(vcodec="hevc", preset="ultrafast"),
    "av1": Encoding(),
    "long": Encoding(vcodec="h264", g=30, preset="veryfast"),
}


@pytest.mark.parametrize("name", CODERS)
def test_a_video_is_what_encoding_all_frames_at_once_gives(tmp_path: Path, name: str) -> None:
    frames = drawn(3, 40)
    with cameras(tmp_path, camera_task("a", CODERS[name])) as writers:
        writers["a"].begin(tmp_path / "one.mp4", 3)
        for frame in frames:
            writers["a"].add(frame)
        video = writers["a"].finish()
    encode_frames(
        LocalRoot(tmp_path),
        "other.mp4",
        map(frame_of, frames),
        fps=FPS,
        encoder=encoder_settings(CODERS[name]),
    )
    one, other = index_of(video.path), index_of(tmp_path / "other.mp4")
    assert one.entry == other.entry == video.entry
    assert one.is_exact(FPS)
    np.testing.assert_array_equal(one.size, other.size)
    np.testing.assert_array_equal(one.keyframe, other.keyframe)
    np.testing.assert_array_equal(one.frame_of_packet, other.frame_of_packet)
    assert numbers(video.path) == [(number, 3, 0) for number in range(40)]
    assert video.size_bytes == video.path.stat().st_size
    assert_same_stats(video.stats, in_memory_stats(frames))


def test_processes_write_several_episodes_at_the_same_time(tmp_path: Path) -> None:
    tasks = [camera_task(name) for name in ("a", "b")]
    with cameras(tmp_path, *tasks, processes=True) as writers:
        for episode, count in enumerate((30, 1, 200)):
            given = {name: drawn(episode, count, at) for at, name in enumerate(writers)}
            for name, writer in writers.items():
                writer.begin(tmp_path / f"{name}-{episode}.mp4", episode)
            for number in range(count):
                for name, writer in writers.items():
                    writer.add(given[name][number])
            for at, (name, video) in enumerate(finish_all(writers).items()):
                assert video.frames == video.counts.given == video.counts.encoded == count
                assert numbers(video.path) == [(n, episode, at) for n in range(count)]
                assert_same_stats(video.stats, in_memory_stats(given[name]))
                assert video.facts["video.crf"] == 30


def test_a_discarded_episode_leaves_no_file_and_the_next_is_whole(tmp_path: Path) -> None:
    with cameras(tmp_path, camera_task("a")) as writers:
        writers["a"].begin(tmp_path / "a.mp4", 0)
        for frame in drawn(0, 5):
            writers["a"].add(frame)
        writers["a"].discard()
        writers["a"].begin(tmp_path / "a.mp4", 0)
        for frame in drawn(1, 6):
            writers["a"].add(frame)
        assert numbers(writers["a"].finish().path) == [(n, 1, 0) for n in range(6)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_frame_of_another_kind_is_refused_and_the_others_are_kept(tmp_path: Path) -> None:
    with cameras(tmp_path, camera_task("a")) as writers:
        writers["a"].begin(tmp_path / "a.mp4", 7)
        frames = drawn(0, 3)
        writers["a"].add(frames[0])
        for wrong in (frames[0][:32], frames[0].astype(np.uint16)):
            with pytest.raises(UsageError, match="episode 7, camera 'a': frame 1 is"):
                writers["a"].add(wrong)
        for frame in frames[1:]:
            writers["a"].add(frame)
        assert writers["a"].finish().frames == 3


def test_an_episode_without_frames_is_refused(tmp_path: Path) -> None:
    with cameras(tmp_path, camera_task("a")) as writers:
        writers["a"].begin(tmp_path / "a.mp4", 0)
        with pytest.raises(VideoError, match="episode 0, camera 'a': there is no frame"):
            writers["a"].finish()


@pytest.mark.parametrize("name", CODERS)
def test_a_gap_is_filled_with_the_last_frame(tmp_path: Path, name: str) -> None:
    frames = drawn(0, 9)
    with cameras(tmp_path, camera_task("a", CODERS[name])) as writers:
        writers["a"].begin(tmp_path / "a.mp4", 0)
        with pytest.raises(UsageError, match="episode 0, camera 'a': there is no frame to repeat"):
            writers["a"].add(None)
        for number, frame in enumerate(frames):
            writers["a"].add(frame)
            for _ in range(3 if number in (0, 5, 8) else 0):
                writers["a"].add(None)
        video = writers["a"].finish()
    shown = [0, *[0] * 3, 1, 2, 3, 4, 5, *[5] * 3, 6, 7, 8, *[8] * 3]
    assert [frame for frame, _, _ in numbers(video.path)] == shown
    assert (video.counts.given, video.counts.repeated, video.counts.longest_identical) == (18, 9, 1)
    assert_same_stats(video.stats, in_memory_stats([frames[number] for number in shown]))


def test_a_camera_that_hangs_is_seen_while_it_is_recorded(tmp_path: Path) -> None:
    first, other = drawn(0, 2)
    with cameras(tmp_path, camera_task("a")) as writers:
        writers["a"].begin(tmp_path / "a.mp4", 0)
        for frame in (other, first, first, first):
            writers["a"].add(frame)
        until = time.monotonic() + 30
        while writers["a"].identical < 3 and time.monotonic() < until:
            time.sleep(0.01)
        assert writers["a"].identical == 3
        writers["a"].add(other)
        assert writers["a"].finish().counts.longest_identical == 3


def test_grey_and_strided_frames_are_taken(tmp_path: Path) -> None:
    """Frames need not be contiguous: mirrored ones, BGR read as RGB, parts of larger ones."""
    frames = drawn(0, 3)
    turned = [np.ascontiguousarray(frame[::-1, :, ::-1])[::-1, :, ::-1] for frame in frames]
    paths = []
    with cameras(tmp_path, camera_task("a")) as writers:
        for name, given in (("plain", frames), ("turned", turned)):
            writers["a"].begin(tmp_path / f"{name}.mp4", 0)
            for frame in given:
                writers["a"].add(frame)
            paths.append(writers["a"].finish().path)
        writers["a"].begin(tmp_path / "grey.mp4", 0)
        for frame in frames:
            writers["a"].add(frame[..., :1])
        grey = writers["a"].finish()
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert [frame for frame, _, _ in numbers(grey.path)] == [0, 1, 2]
    assert grey.stats is not None
    assert grey.stats["mean"].shape == (1, 1, 1)


def test_a_process_of_a_camera_loads_no_tables() -> None:
    """Their library takes a tenth of a second and 25 MB for each camera."""
    code = "import sys, roboreel.recording.camera_worker; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
