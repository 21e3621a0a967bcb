"""All operations that change a local disk, one function each, with hooks for fault injection.

Tests run a hook before and after every operation, to prove that a crash or a full disk never loses data.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from stat import S_ISREG
from typing import IO, TYPE_CHECKING, cast

from roboreel.storage.modes import PRIVATE, USUAL, Modes

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from typing_extensions import Buffer

FaultHook = Callable[[str, str, str], None]
"""Called with ("before" or "after", name of the operation, path); its exceptions leave the operation."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Error numbers of a full disk or an exhausted quota."""
REFUSES = FULL | {errno.EFBIG}
"""The same, and of a file that grew beyond a limit."""

_hooks: list[FaultHook] = []
_SYNCED_ONE_BY_ONE = 256
_BLOCK_BYTES = 1 << 20
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CAREFUL |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Flags of `os.open` that don't follow a link and don't wait for the other end of a pipe."""


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
    """A file whose writes are operations with hooks."""

    path = ""

    def write(self, data: object) -> int:
        with _operation("write", self.path):
            return super().write(data)  # type: ignore[arg-type]  # any buffer, as the base takes it


def create(path: str, *, to: str, modes: Modes = USUAL, within: str | None = None) -> IO[bytes]:
    """Create a file, open for writing, and its folders.

    Args:
        path: its temporary name; nothing, not even a link, may exist there.
        to: its final name, which is passed to hooks.
        modes: permissions of the file and its folders.
        within: a folder above `to` that must exist, like the folder of `path`: neither is made.

    Raises:
        FileExistsError: `path` exists.
        FileNotFoundError: a folder that must exist does not.
    """
    if within is not None and not os.path.isdir(os.path.dirname(path)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    make_folders(os.path.dirname(to), modes, within=within)

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


def unnamed_file(folder: str | os.PathLike[str]) -> int:
    """A descriptor of a new file without a name on the disk of a folder, which need not exist yet.

    Its bytes are gone as soon as no process has it open, however these ended.
    """
    path = _existing(folder)
    with _operation("create", path), tempfile.TemporaryFile(dir=path, buffering=0) as file:
        return os.dup(file.fileno())


def write_through(descriptor: int, data: memoryview, at: int) -> None:
    """Write bytes at a position of a file without a name."""
    with _operation("write_through", ""):
        while data:
            count = os.pwrite(descriptor, data, at)
            data, at = data[count:], at + count


def empty(descriptor: int) -> None:
    """Give back the room of a file without a name."""
    with _operation("empty", ""):
        os.ftruncate(descriptor, 0)


def free_bytes_beside(descriptor: int) -> int:
    """Free bytes of the disk of an open file."""
    found = os.fstatvfs(descriptor)
    return found.f_bavail * found.f_frsize


def spooled_file(folder: str | os.PathLike[str], memory_bytes: int) -> IO[bytes]:
    """A file without a name on the disk of a folder; it stays in memory up to a number of bytes."""
    path = _existing(folder)
    return cast("IO[bytes]", tempfile.SpooledTemporaryFile(max_size=memory_bytes, dir=str(path)))


def memory_file(size_bytes: int) -> int:
    """A descriptor of memory that processes can share; it is freed when none has it open any more.

    It is filled with zeros, and takes room only where something was written.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("roboreel")
    else:
        with tempfile.TemporaryFile() as file:  # without holes, which a full disk could not fill
            for at in range(0, size_bytes, _BLOCK_BYTES):
                file.write(bytes(min(_BLOCK_BYTES, size_bytes - at)))
            file.flush()
            return os.dup(file.fileno())
    os.ftruncate(descriptor, size_bytes)
    return descriptor


def open_lock(path: str) -> IO[bytes]:
    """Open a lock file, private to the user; it is created empty if missing."""
    with _operation("create", path):
        return os.fdopen(_regular(path, os.O_RDWR | os.O_CREAT), "rb", buffering=0)


def append(path: str, data: bytes) -> None:
    """Append bytes to a private file with one write; the file is created if missing."""
    with _operation("append", path):
        descriptor = _regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            file.write(data)


def truncate(path: str, size: int) -> None:
    """Keep only the first `size` bytes of a file."""
    with _operation("truncate", path):
        descriptor = _regular(path, os.O_WRONLY)
        try:
            os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)


def write_at(path: str, parts: Iterable[tuple[int, Buffer]]) -> os.stat_result:
    """Overwrite ranges of a file in place, in order, each without a buffer in between.

    Args:
        path: the file.
        parts: (start, bytes) of each range.

    Returns:
        The file's status, which tells whether it is still the one of its name.
    """
    with _operation("write_at", path):
        descriptor = _regular(path, os.O_WRONLY)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for start, data in parts:
                file.seek(start)
                _write_all(file, data)
            return os.fstat(file.fileno())


def _write_all(file: IO[bytes], data: Buffer) -> None:
    left = memoryview(data).cast("B")
    while left:
        left = left[file.write(left) :]


def touch(path: str) -> None:
    """Set a file's modification time to now."""
    with _operation("touch", path):
        os.utime(path)


def _regular(path: str, flags: int) -> int:
    """Open a regular file that is not a link, a pipe or a device, and has no other hard link."""
    descriptor = os.open(path, flags | _CAREFUL, PRIVATE.file)
    found = os.fstat(descriptor)
    if S_ISREG(found.st_mode) and found.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EPERM, "not a file that roboreel made", path)


def make_folders(
    path: str | os.PathLike[str], modes: Modes = USUAL, *, within: str | None = None
) -> None:
    """Make a folder and its missing parents, but not `within`, which is above it and must exist."""
    if not os.path.isdir(path):
        with _operation("make_folders", path):
            _make_folders(os.fspath(path), modes, within)


def _make_folders(path: str, modes: Modes, within: str | None) -> None:
    above = os.path.dirname(path)
    if above and above != within and not os.path.isdir(above):
        _make_folders(above, modes, within)
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


def link(target: str, path: str) -> None:
    """Make a symbolic link to a file, and its folders; nothing may exist at the path."""
    make_folders(os.path.dirname(path), PRIVATE)
    with _operation("link", path):
        os.symlink(target, path)


@contextlib.contextmanager
def temporary_folder() -> Iterator[str]:
    """A new private folder, which is removed with its content at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="roboreel-") as folder:
        yield folder


def unlink(path: str | os.PathLike[str]) -> None:
    """Remove a file if it exists."""
    with _operation("unlink", path), contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def remove_folder(path: str | os.PathLike[str]) -> None:
    """Remove a folder and its content. Links in it are removed, not followed."""
    with _operation("remove_folder", path):
        shutil.rmtree(path)


def set_mode(path: str | os.PathLike[str], mode: int, *, group: int | None = None) -> None:
    """Set a folder's permissions and group; if the group cannot be set, it gets no permissions."""
    with _operation("set_mode", path):
        if group is not None and os.stat(path).st_gid != group and hasattr(os, "chown"):
            try:
                os.chown(path, -1, group)
            except OSError:
                mode &= ~0o2070
        os.chmod(path, mode)


def owner_of_new_files(folder: str | os.PathLike[str]) -> int:
    """User id that owns new files in a folder; on some network file systems not the current user."""
    with _operation("create", folder), tempfile.TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_uid


def sync(paths: list[str]) -> None:
    """Flush files and folders to the disk, so that they survive a power failure."""
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
    """Free bytes of the disk of a folder, which need not exist yet."""
    return shutil.disk_usage(_existing(folder)).free


def _existing(folder: str | os.PathLike[str]) -> Path:
    """A folder, or the nearest one above it that exists."""
    path = Path(os.path.abspath(folder))
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def boot() -> str:
    """An id that changes when the machine is restarted; empty if unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def explained(error: OSError) -> str:
    """What an error says; of a file that is too large, with the limit."""
    said = error.strerror or str(error)
    if error.errno != errno.EFBIG:
        return said
    if sys.platform != "win32":
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit != resource.RLIM_INFINITY:
            return f"{said}: files of this process are limited to {limit:,} bytes (ulimit -f)"
    return f"{said}: the file system does not allow files of this size"


def is_full(error: BaseException | None) -> bool:
    """True if an error, its cause or its context is a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
