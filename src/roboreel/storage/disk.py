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
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_ISREG
from typing import IO

from roboreel.storage.modes import PRIVATE, USUAL, Modes

FaultHook = Callable[[str, str, str], None]
"""Called with `before` or `after`, an operation's name, and a path. What it raises, the operation raises."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Error numbers of a disk, or a share of one, on which nothing more fits."""

_hooks: list[FaultHook] = []
_SYNCED_ONE_BY_ONE = 256
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CAREFUL |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Opens what has the name itself, not what a link leads to, and never waits for the other end of a pipe."""


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


def create(path: str, *, to: str, modes: Modes = USUAL) -> IO[bytes]:
    """A new file, open for writing; its folders are made.

    Args:
        path: its name for now. Nothing may have it, not even a link.
        to: the name that it is to get; hooks are told this one.
        modes: permissions of the file and its folders.

    Raises:
        FileExistsError: something has that name.
    """
    make_folders(os.path.dirname(path), modes)

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | _CAREFUL, modes.file)

    with _operation("create", to):
        file = _new_file(path, to, opener)
        if modes.exact and hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), modes.file)
    return file


def _new_file(path: str, to: str, opener: Callable[[str, int], int]) -> IO[bytes]:
    if not _hooks:
        return open(path, "xb", opener=opener)
    file = _Watched(io.FileIO(path, "xb", opener=opener))
    file.path = to
    return file


def open_lock(path: str) -> IO[bytes]:
    """An empty file to lock, for the user alone, made where it is not there. What is in it stays."""
    with _operation("create", path):
        return os.fdopen(_regular(path, os.O_RDWR | os.O_CREAT), "rb", buffering=0)


def append(path: str, data: bytes) -> None:
    """Append bytes to a file of the user's own by one write; it is made where it is not there."""
    with _operation("append", path):
        descriptor = _regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            file.write(data)


def truncate(path: str, size: int) -> None:
    """Keep the first bytes of a file."""
    with _operation("truncate", path):
        descriptor = _regular(path, os.O_WRONLY)
        try:
            os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)


def _regular(path: str, flags: int) -> int:
    """A descriptor of a regular file with one name: no link, no pipe, no device, nobody else's file."""
    descriptor = os.open(path, flags | _CAREFUL, PRIVATE.file)
    found = os.fstat(descriptor)
    if S_ISREG(found.st_mode) and found.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EPERM, "not a file that roboreel made", path)


def make_folders(path: str | os.PathLike[str], modes: Modes = USUAL) -> None:
    """Make a folder and those above it, as far as they are not there."""
    if not os.path.isdir(path):
        with _operation("make_folders", path):
            _make_folders(os.fspath(path), modes)


def _make_folders(path: str, modes: Modes) -> None:
    above = os.path.dirname(path)
    if above and not os.path.isdir(above):
        _make_folders(above, modes)
    try:
        os.mkdir(path, modes.folder)
    except FileExistsError:  # another process was faster
        if not os.path.isdir(path):
            raise
        return
    if modes.exact:
        os.chmod(path, modes.folder)


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


def set_mode(path: str | os.PathLike[str], mode: int, *, group: int | None = None) -> None:
    """Set a folder's permissions, and its group; a group that cannot be set gets no permissions."""
    with _operation("set_mode", path):
        if group is not None and os.stat(path).st_gid != group and hasattr(os, "chown"):
            try:
                os.chown(path, -1, group)
            except OSError:
                mode &= ~0o2070
        os.chmod(path, mode)


def owner_of_new_files(folder: str | os.PathLike[str]) -> int:
    """The user that a file made in a folder belongs to: on some network stores not the one who makes it."""
    with _operation("create", folder), tempfile.TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_uid


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
    there = Path(os.path.abspath(folder))
    while not there.is_dir() and there != there.parent:
        there = there.parent
    return shutil.disk_usage(there).free


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
