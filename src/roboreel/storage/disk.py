"""Everything that changes a local disk, one function per operation, each open to a fault.

A test can put a hook before and after every operation here: so it is shown that no moment exists at which
a crash, or a full disk, loses data.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

FaultHook = Callable[[str, str, str], None]
"""Called with `before` or `after`, an operation's name, and a path. What it raises, the operation raises."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Error numbers of a disk, or a share of one, on which nothing more fits."""

_hooks: list[FaultHook] = []
_SYNCED_ONE_BY_ONE = 256


@contextlib.contextmanager
def faults(hook: FaultHook) -> Iterator[None]:
    """Call `hook` before and after every operation of this process inside the block."""
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)


@contextlib.contextmanager
def _operation(name: str, path: str | os.PathLike[str]) -> Iterator[None]:
    for hook in _hooks:
        hook("before", name, os.fspath(path))
    yield
    for hook in _hooks:
        hook("after", name, os.fspath(path))


class _Watched(io.BufferedWriter):
    """A file whose writes are operations of their own."""

    path = ""

    def write(self, data: object) -> int:
        with _operation("write", self.path):
            return super().write(data)  # type: ignore[arg-type]  # any buffer, as the base takes it


def create(path: str) -> IO[bytes]:
    """A new file, open for writing; its folders are made. An old one of that name is emptied."""
    make_folders(os.path.dirname(path))
    with _operation("create", path):
        if not _hooks:
            return open(path, "wb")
        file = _Watched(io.FileIO(path, "wb"))
    file.path = path
    return file


def append(path: str, data: bytes) -> None:
    """Append bytes to a file by one write."""
    with _operation("append", path), open(path, "ab", buffering=0) as file:
        file.write(data)


def truncate(path: str, size: int) -> None:
    """Keep the first bytes of a file."""
    with _operation("truncate", path):
        os.truncate(path, size)


def make_folders(path: str | os.PathLike[str]) -> None:
    """Make a folder and those above it, as far as they are not there."""
    if not os.path.isdir(path):
        with _operation("make_folders", path):
            os.makedirs(path, exist_ok=True)


def replace(old: str | os.PathLike[str], new: str | os.PathLike[str]) -> None:
    """Rename a file or folder; a file of the new name is replaced."""
    with _operation("replace", new):
        os.replace(old, new)


def unlink(path: str | os.PathLike[str]) -> None:
    """Remove a file, if it is there."""
    with _operation("unlink", path), contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def remove_folder(path: str | os.PathLike[str]) -> None:
    """Remove a folder with all that is in it. Links in it are removed, not followed."""
    with _operation("remove_folder", path):
        shutil.rmtree(path)


def set_mode(path: str | os.PathLike[str], mode: int) -> None:
    """Set a folder's permissions."""
    with _operation("set_mode", path):
        os.chmod(path, mode)


def sync(paths: list[str]) -> None:
    """Force files and folders to the disk: after it, they outlast a power cut."""
    if len(paths) > _SYNCED_ONE_BY_ONE and hasattr(os, "sync"):
        with _operation("sync", paths[0]):
            os.sync()
        return
    for path in paths:
        with _operation("sync", path), contextlib.suppress(PermissionError):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def free_bytes(folder: str | os.PathLike[str]) -> int:
    """Bytes that can be written below a folder, or below the nearest one above it that is there."""
    place = Path(os.path.abspath(folder))
    while not place.is_dir() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def boot() -> str:
    """A name of this run of the machine: another one means that it was started again. Empty if unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def is_full(error: BaseException | None) -> bool:
    """True where a full disk is the reason of an error, or of one behind it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
