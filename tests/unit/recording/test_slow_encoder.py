"""No frame is lost to an encoder that is too slow: frames wait in a file, or `add` waits or raises."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roboreel.errors import RunError
from roboreel.recording.camera_types import CameraWriter, RecordedVideo
from roboreel.storage import disk
from roboreel.storage.disk import faults
from roboreel.storage.video.stream_encoder import StreamEncoder
from tests.unit.recording.camera_sets import (
    HEIGHT,
    WIDTH,
    assert_same_stats,
    camera_task,
    cameras,
    drawn,
    in_memory_stats,
    numbers,
)

FRAME_MB = HEIGHT * WIDTH * 3 / 1e6
BUFFER = 4


class Gate:
    """Lets an encoder take so many frames."""

    def __init__(self) -> None:
        self._permits = threading.Semaphore(0)
        self.taken = 0

    def take(self) -> None:
        assert self._permits.acquire(timeout=60)
        self.taken += 1

    def let(self, frames: int) -> None:
        for _ in range(frames):
            self._permits.release()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """The gate before the encoders of this process; opened at the end."""
    gate, encode = Gate(), StreamEncoder.add

    def add(self: StreamEncoder, image: Any) -> Any:
        gate.take()
        return encode(self, image)

    monkeypatch.setattr(StreamEncoder, "add", add)
    yield gate
    gate.let(10_000)


def finished(writer: CameraWriter, gate: Gate, count: int) -> RecordedVideo:
    """The video, which has all frames in order."""
    gate.let(10_000)
    video = writer.finish()
    assert numbers(video.path) == [(number, 1, 0) for number in range(count)]
    assert video.frames == video.counts.given == video.counts.encoded == count
    assert_same_stats(video.stats, in_memory_stats(drawn(1, count)))
    return video


def begun(writers: dict[str, CameraWriter], folder: Path) -> CameraWriter:
    writers["a"].begin(folder / "a.mp4", 1)
    return writers["a"]


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_frames_wait_in_a_file(tmp_path: Path, gate: Gate) -> None:
    with cameras(tmp_path, camera_task("a"), buffer_frames=BUFFER) as writers:
        writer = begun(writers, tmp_path)
        for frame in drawn(1, 40):
            writer.add(frame)
        counts = finished(writer, gate, 40).counts
    assert counts.spilled == 40 - BUFFER
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("seed", range(3))
def test_frames_keep_their_order_in_memory_and_file(tmp_path: Path, gate: Gate, seed: int) -> None:
    random = np.random.default_rng(seed)
    limit: dict[str, Any] = {"buffer_frames": BUFFER, "spill_mb": 7.5 * FRAME_MB}
    with cameras(tmp_path, camera_task("a"), **limit) as writers:
        writer = begun(writers, tmp_path)
        for number, frame in enumerate(drawn(1, 150)):
            while number - gate.taken >= BUFFER + 6:
                gate.let(int(random.integers(1, 12)))
                time.sleep(0.003)
            writer.add(frame)
        counts = finished(writer, gate, 150).counts
    assert 0 < counts.spilled < 150


def test_a_full_file_makes_the_camera_wait(tmp_path: Path, gate: Gate) -> None:
    limit: dict[str, Any] = {"buffer_frames": BUFFER, "spill_mb": 6.2 * FRAME_MB}
    with cameras(tmp_path, camera_task("a"), **limit) as writers:
        writer, given = begun(writers, tmp_path), []

        def give() -> None:
            for number, frame in enumerate(drawn(1, 30)):
                writer.add(frame)
                given.append(number)

        thread = in_thread(give)
        time.sleep(0.5)
        assert len(given) == BUFFER + 6
        gate.let(10_000)
        thread.join(30)
        counts = finished(writer, gate, 30).counts
    assert counts.longest_wait_s > 0.2


def test_a_full_disk_makes_the_camera_wait(tmp_path: Path, gate: Gate) -> None:
    def full(when: str, what: str, _path: str) -> None:
        if (when, what) == ("before", "write_through"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with cameras(tmp_path, camera_task("a"), buffer_frames=BUFFER) as writers, faults(full):
        writer = begun(writers, tmp_path)
        threading.Timer(0.3, gate.let, (10_000,)).start()
        for frame in drawn(1, 20):
            writer.add(frame)
        counts = finished(writer, gate, 20).counts
    assert counts.spilled == 0
    assert counts.longest_wait_s > 0.1


def test_frames_that_wait_leave_room_for_videos(
    tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free_bytes_beside", lambda _: 200_000_000)
    with cameras(tmp_path, camera_task("a"), buffer_frames=BUFFER) as writers:
        writer = begun(writers, tmp_path)
        threading.Timer(0.3, gate.let, (10_000,)).start()
        for frame in drawn(1, 20):
            writer.add(frame)
        assert finished(writer, gate, 20).counts.spilled == 0


def test_the_file_is_empty_after_an_episode(
    tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: list[int] = []
    make = disk.unnamed_file

    def noted(folder: str) -> int:
        files.append(make(folder))
        return files[-1]

    monkeypatch.setattr(disk, "unnamed_file", noted)
    with cameras(tmp_path, camera_task("a"), buffer_frames=BUFFER) as writers:
        for end in ("finish", "discard"):
            writer = begun(writers, tmp_path)
            for frame in drawn(1, 20):
                writer.add(frame)
            assert os.fstat(files[0]).st_size == 16 * HEIGHT * WIDTH * 3
            gate.let(20 if end == "finish" else 1)
            getattr(writer, end)()
            assert os.fstat(files[0]).st_size == 0
            (tmp_path / "a.mp4").unlink(missing_ok=True)


def test_block_waits_and_writes_no_file(tmp_path: Path, gate: Gate) -> None:
    options: dict[str, Any] = {"buffer_frames": BUFFER, "when_slow": "block"}
    with cameras(tmp_path, camera_task("a"), **options) as writers:
        writer = begun(writers, tmp_path)
        threading.Timer(0.3, gate.let, (10_000,)).start()
        for frame in drawn(1, 20):
            writer.add(frame)
        counts = finished(writer, gate, 20).counts
    assert counts.spilled == 0
    assert counts.longest_wait_s > 0.1


def test_raise_refuses_the_frame_and_keeps_the_others(tmp_path: Path, gate: Gate) -> None:
    options: dict[str, Any] = {"buffer_frames": BUFFER, "when_slow": "raise"}
    frames = drawn(1, BUFFER + 1)
    with cameras(tmp_path, camera_task("a"), **options) as writers:
        writer = begun(writers, tmp_path)
        for frame in frames[:BUFFER]:
            writer.add(frame)
        with pytest.raises(
            RunError, match="episode 1, camera 'a': frame 4 was refused: 4 frames wait"
        ):
            writer.add(frames[BUFFER])
        gate.let(2)
        while gate.taken < 2:
            time.sleep(0.01)
        time.sleep(0.2)
        writer.add(frames[BUFFER])
        finished(writer, gate, BUFFER + 1)


def test_frames_that_wait_are_not_encoded_for_an_episode_that_is_discarded(
    tmp_path: Path, gate: Gate
) -> None:
    with cameras(tmp_path, camera_task("a"), buffer_frames=BUFFER) as writers:
        writer = begun(writers, tmp_path)
        for frame in drawn(0, 40):
            writer.add(frame)
        gate.let(1)
        writer.discard()
        assert gate.taken <= 1
        writer = begun(writers, tmp_path)
        for frame in drawn(1, 20):
            writer.add(frame)
        finished(writer, gate, 20)
