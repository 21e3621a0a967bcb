"""Lock files: one holder at a time, and only a file of the user's own."""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from stat import S_IMODE

import pytest

from roboreel.errors import UsageError
from roboreel.storage import disk, lock
from roboreel.storage.lock import hold, refuse_held

BUSY = "a recording is under way"


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path, timeout_s=0, busy=BUSY):
        with pytest.raises(UsageError, match=BUSY):
            hold(path, timeout_s=0, busy=BUSY)
        with pytest.raises(UsageError, match=BUSY):
            refuse_held(path, timeout_s=0, busy=BUSY)
    refuse_held(path, timeout_s=0, busy=BUSY)
    hold(path, timeout_s=0, busy=BUSY).close()
    assert S_IMODE(path.stat().st_mode) == 0o600


def test_zero_seconds_is_one_try_and_more_waits(tmp_path: Path) -> None:
    path, tries = tmp_path / "lock", []
    held = hold(path, timeout_s=0, busy=BUSY)
    with pytest.raises(UsageError, match=BUSY):
        hold(path, timeout_s=0, busy=BUSY, prepare=lambda: tries.append(1))
    assert len(tries) == 1
    threading.Timer(0.1, held.close).start()
    hold(path, timeout_s=10, busy=BUSY, prepare=lambda: tries.append(1)).close()
    assert len(tries) > 2


def test_what_is_in_the_file_stays_and_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("a note")
    before = path.stat()
    hold(path, timeout_s=0, busy=BUSY).close()
    after = path.stat()
    assert path.read_text() == "a note"
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)


def _holds(path: Path, held: Event) -> None:
    _file = hold(path, timeout_s=0, busy=BUSY)
    held.set()
    time.sleep(60)


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    path, held = tmp_path / "lock", spawn.Event()
    process = spawn.Process(target=_holds, args=(path, held), daemon=True)
    process.start()
    assert held.wait(30)
    with pytest.raises(UsageError, match=BUSY):
        hold(path, timeout_s=0, busy=BUSY)
    process.kill()
    process.join()
    hold(path, timeout_s=5, busy=BUSY).close()


def test_a_file_that_took_the_place_of_a_locked_one_is_locked_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened = tmp_path / "lock", []
    real = disk.open_lock

    def replaced(name: str) -> object:
        file = real(name)
        opened.append(os.fstat(file.fileno()).st_ino)
        if len(opened) == 1:
            other = tmp_path / "other"
            other.touch(0o600)
            other.replace(path)
        return file

    monkeypatch.setattr(disk, "open_lock", replaced)
    with hold(path, timeout_s=0, busy=BUSY) as file:
        assert os.fstat(file.fileno()).st_ino == path.stat().st_ino
    assert len(opened) == 2


def _link(path: Path) -> None:
    (path.parent / "theirs").touch()
    path.symlink_to("theirs")


def _hard_link(path: Path) -> None:
    (path.parent / "theirs").touch()
    path.hardlink_to(path.parent / "theirs")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


@pytest.mark.parametrize(
    ("plant", "what"),
    [
        (_link, "a link"),
        (lambda path: path.symlink_to("nowhere"), "a link"),
        (_hard_link, "another name too"),
        (os.mkfifo, "not a file"),
        (Path.mkdir, "not a file"),
        (_socket, "not a file"),
    ],
)
def test_what_is_planted_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: object, what: str
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    assert callable(plant)
    plant(Path("lock"))
    begun = time.monotonic()
    with pytest.raises(UsageError, match=what):
        hold(tmp_path / "lock", timeout_s=0, busy=BUSY)
    refuse_held(tmp_path / "lock", timeout_s=0, busy=BUSY)
    assert time.monotonic() - begun < 5
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("planted", ["before", "after it was looked at"])
def test_a_file_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    path = tmp_path / "lock"
    if planted == "before":
        path.touch()
    monkeypatch.setattr(lock, "is_mine", lambda _path, _uid: False)
    monkeypatch.setattr(lock, "_owner_of_new_files", lambda _folder: None)
    with pytest.raises(UsageError, match="a file of another user"):
        hold(path, timeout_s=0, busy=BUSY)


def test_a_folder_that_is_never_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hold(tmp_path / "none" / "lock", timeout_s=0.1, busy=BUSY)
    refuse_held(tmp_path / "none" / "lock", timeout_s=0, busy=BUSY)
