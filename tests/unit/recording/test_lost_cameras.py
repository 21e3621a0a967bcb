"""A camera's process that dies, hangs or cannot write costs its episode, with one error, and nothing else."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from roboreel.errors import RunError, StorageError
from roboreel.recording.camera_types import CameraWriter
from roboreel.recording.camera_writer import finish_all
from roboreel.recording.frame_ring import FrameSender
from roboreel.storage.disk import faults
from tests.unit.recording.camera_sets import camera_task, cameras, drawn, numbers

LINUX = pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")


def give(writer: CameraWriter, path: Path, episode: int, count: int = 12) -> None:
    writer.begin(path, episode)
    for frame in drawn(episode, count):
        writer.add(frame)


def give_all(writer: CameraWriter, path: Path) -> None:
    give(writer, path, 1)
    writer.finish()


def error_of(writer: CameraWriter, frame: Any) -> str:
    """What keeps a writer from taking a frame."""
    try:
        writer.add(frame)
    except StorageError as error:
        return str(error)
    return ""


def process_of(index: int) -> int:
    """The process of a camera, in the order in which they were started."""
    found = sorted(active_children(), key=lambda child: child.pid or 0)[index].pid
    assert found
    return found


def assert_next_is_whole(writers: dict[str, CameraWriter], folder: Path) -> None:
    for name, writer in writers.items():
        give(writer, folder / f"{name}-next.mp4", 9)
    for video in finish_all(writers).values():
        assert numbers(video.path) == [(number, 9, 0) for number in range(12)]


def test_a_killed_process_costs_one_episode_and_one_error(tmp_path: Path) -> None:
    tasks = [camera_task("a"), camera_task("b")]
    with cameras(tmp_path, *tasks, processes=True) as writers:
        for name, writer in writers.items():
            give(writer, tmp_path / f"{name}-0.mp4", 0)
        kept = [video.path.read_bytes() for video in finish_all(writers).values()]
        for name, writer in writers.items():
            give(writer, tmp_path / f"{name}-1.mp4", 1)
        os.kill(process_of(0), signal.SIGKILL)
        with pytest.raises(
            RunError, match="episode 1, camera 'a': its process was ended by SIGKILL"
        ):
            writers["a"].finish()
        with pytest.raises(RunError, match="episode 1, camera 'a': it failed before: discard"):
            writers["a"].add(drawn(1, 1)[0])
        assert writers["b"].finish().frames == 12
        writers["a"].discard()
        assert not (tmp_path / "a-1.mp4").exists()
        assert_next_is_whole(writers, tmp_path)
    assert [(tmp_path / f"{name}-0.mp4").read_bytes() for name in "ab"] == kept
    assert not active_children()


@pytest.mark.slow
@pytest.mark.parametrize("when_slow", ["block", "spill"])
def test_a_stopped_process_is_noticed_and_replaced(tmp_path: Path, when_slow: str) -> None:
    options = {"when_slow": when_slow, "timeout_s": 3.0, "buffer_frames": 4, "spill_mb": 0.5}
    with cameras(tmp_path, camera_task("a"), processes=True, **options) as writers:
        give(writers["a"], tmp_path / "a-0.mp4", 0)
        assert writers["a"].finish().frames == 12
        os.kill(process_of(0), signal.SIGSTOP)
        with pytest.raises(RunError, match=r"camera 'a': its process did not respond for 3 s"):
            give(writers["a"], tmp_path / "a-1.mp4", 1, 30)
        assert_next_is_whole(writers, tmp_path)


@pytest.mark.slow
def test_a_process_that_stops_before_the_end_is_noticed(tmp_path: Path) -> None:
    with cameras(tmp_path, camera_task("a"), processes=True, timeout_s=3.0) as writers:
        give(writers["a"], tmp_path / "a-0.mp4", 0)
        assert writers["a"].finish().frames == 12
        os.kill(process_of(0), signal.SIGSTOP)
        give(writers["a"], tmp_path / "a-1.mp4", 1)
        with pytest.raises(
            RunError, match=r"episode 1, camera 'a': its process did not respond for 3 s"
        ):
            writers["a"].finish()


@pytest.mark.parametrize("failing", [1, 4, 14])
def test_a_full_disk_costs_the_episode_only(tmp_path: Path, failing: int) -> None:
    writes: Iterator[int] = iter(range(1, 10_000))

    def full(when: str, what: str, path: str) -> None:
        if (when, what) == ("before", "write") and "a-1" in path and next(writes) >= failing:
            raise OSError(errno.ENOSPC, "No space left on device")

    with cameras(tmp_path, camera_task("a")) as writers:
        give(writers["a"], tmp_path / "a-0.mp4", 0)
        kept = writers["a"].finish().path.read_bytes()
        message = r"episode 1, camera 'a': '.*a-1.mp4': No space left on device"
        with faults(full), pytest.raises(StorageError, match=message):
            give_all(writers["a"], tmp_path / "a-1.mp4")
        writers["a"].discard()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a-0.mp4"]
        assert_next_is_whole(writers, tmp_path)
    assert (tmp_path / "a-0.mp4").read_bytes() == kept


def test_a_file_in_the_way_stays(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"mine")
    with cameras(tmp_path, camera_task("a")) as writers:
        with pytest.raises(StorageError, match=r"episode 1: '.*a.mp4' exists"):
            writers["a"].begin(tmp_path / "a.mp4", 1)
        give(writers["a"], tmp_path / "b.mp4", 0)
        writers["a"].finish()
    assert (tmp_path / "a.mp4").read_bytes() == b"mine"


def test_an_error_of_the_encoder_comes_with_a_later_frame(tmp_path: Path) -> None:
    """A file appears between `begin` and the first frame."""
    with cameras(tmp_path, camera_task("a")) as writers:
        writers["a"].begin(tmp_path / "a.mp4", 1)
        (tmp_path / "a.mp4").write_bytes(b"mine")
        frames = iter(drawn(1, 1000))
        while not (error := error_of(writers["a"], next(frames))):
            time.sleep(0.01)
    assert error.startswith("episode 1, camera 'a': '")
    assert error.endswith("a.mp4': File exists")
    assert (tmp_path / "a.mp4").read_bytes() == b"mine"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_between_two_steps_costs_the_episode_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Ctrl-C in the microseconds in which a frame is in the memory and not yet announced, or just is."""
    send = FrameSender.send

    def interrupted(self: FrameSender, byte: int) -> None:
        if moment == "after":
            send(self, byte)
        raise KeyboardInterrupt

    with cameras(tmp_path, camera_task("a")) as writers:
        give(writers["a"], tmp_path / "a-0.mp4", 0)
        monkeypatch.setattr(FrameSender, "send", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writers["a"].add(drawn(0, 1)[0])
        monkeypatch.setattr(FrameSender, "send", send)
        with pytest.raises(RunError, match=r"episode 0, camera 'a': .*a call interrupted"):
            writers["a"].finish()
        assert_next_is_whole(writers, tmp_path)


RECORDS = """
import multiprocessing, os, signal, sys, time
from pathlib import Path
from tests.unit.recording.camera_sets import camera_task, cameras, drawn

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with cameras(
        folder, camera_task("a"), camera_task("b"), processes=True, buffer_frames=4, niceness=7
    ) as writers:
        for name, writer in writers.items():
            writer.begin(folder / f"{name}.mp4", 0)
        for frame in drawn(0, 300):
            for writer in writers.values():
                writer.add(frame)
        videos = [folder / "a.mp4", folder / "b.mp4"]
        while not all(path.exists() and path.stat().st_size > 10_000 for path in videos):
            time.sleep(0.01)
        children = multiprocessing.active_children()
        forked = os.fork() if sys.argv[2] == "forks" else -1
        if not forked:
            os.close(1)
            os.close(2)
            time.sleep(60)
            os._exit(0)
        print(forked)
        priorities = [os.getpriority(os.PRIO_PROCESS, child.pid) for child in children]
        print(*[child.pid for child in children], *priorities, flush=True)
        maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
        print(*[line.split()[-1] for line in maps if " rw-s " in line], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


@LINUX
@pytest.mark.parametrize("how", ["alone", pytest.param("forks", marks=pytest.mark.slow)])
def test_a_killed_recorder_leaves_no_process_and_no_memory(tmp_path: Path, how: str) -> None:
    """A process that it forked has its ends of all pipes, and lives on."""
    script, folder = tmp_path / "records.py", tmp_path / "recorded"
    script.write_text(RECORDS, encoding="utf-8")
    folder.mkdir()
    path = os.pathsep.join(sys.path)  # the script imports from the tests, as pytest lets this file
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(script), str(folder), how],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    forked, processes, memory = done.stdout.splitlines()
    first, second, *priorities = map(int, processes.split())
    shared = memory.split()
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in (first, second)):
        assert time.monotonic() < until
        time.sleep(0.02)
    if how == "forks":
        os.kill(int(forked), signal.SIGKILL)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert priorities == [min(19, own + 7)] * 2
    assert not done.stderr
    assert set(shared) == {"(deleted)"}
    assert sorted(path.name for path in folder.iterdir()) == ["a.mp4", "b.mp4"]
    data = (folder / "a.mp4").read_bytes()
    assert data.index(b"mdat") > 0
    assert b"moov" not in data


@LINUX
def test_closing_does_not_wait_for_forked_processes(tmp_path: Path) -> None:
    """They have the recorder's ends of all pipes."""
    with cameras(tmp_path, camera_task("a"), processes=True) as writers:
        give(writers["a"], tmp_path / "a.mp4", 0)
        writers["a"].finish()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which this one lacks
            forked = os.fork()
        if not forked:
            time.sleep(60)
            os._exit(0)
        began = time.monotonic()
        writers["a"].close()
        took = time.monotonic() - began
    os.kill(forked, signal.SIGKILL)
    os.waitpid(forked, 0)
    assert took < 8


def test_shared_memory_without_the_system_call_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with cameras(tmp_path, camera_task("a"), processes=True) as writers:
        assert_next_is_whole(writers, tmp_path)
