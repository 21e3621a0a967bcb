"""The one door to bytes: list, size and stamp, range read, atomic put.

Everything that roboreel reads or writes passes here, so that the rule "write aside, publish once" and the
choice of a store live in one place. Names are relative POSIX paths below a root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any

from roboreel.errors import MissingDependencyError, StorageError, UsageError

_COPY_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileStat:
    """Size and stamp of a file: the evidence that it is still the file that was surveyed."""

    size_bytes: int
    stamp: str
    """Modification time in nanoseconds on a local disk, an etag or the like elsewhere."""


class Root(ABC):
    """A dataset's folder on some store, read-only."""

    url: str

    @abstractmethod
    def list(self) -> tuple[str, ...]:
        """Names of all files below the root, sorted. Links are followed."""

    @abstractmethod
    def stat(self, name: str) -> FileStat:
        """Size and stamp of a file."""

    @abstractmethod
    def input(self, name: str) -> IO[bytes]:
        """The file, opened for reading at random places."""

    def exists(self, name: str) -> bool:
        """True where `name` is a file."""
        try:
            self.stat(name)
        except StorageError:
            return False
        return True

    def read(self, name: str) -> bytes:
        """The whole file."""
        with self.input(name) as file:
            return file.read()


def checked(name: str) -> str:
    """Return `name` if it stays below a root, else raise `StorageError`."""
    outside = ".." in name and ".." in name.split("/")
    if outside or not name.strip("./") or name.startswith("/") or "\x00" in name:
        raise StorageError(f"'{name}' is not a path inside the dataset")
    return name


class LocalRoot(Root):
    """A folder on a local disk."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.url = str(self.path)

    def list(self) -> tuple[str, ...]:
        with self._explained("."):
            return tuple(sorted(_walk(str(self.path), "", frozenset())))

    def stat(self, name: str) -> FileStat:
        try:  # this is asked of every file of a dataset: no context for each
            found = os.stat(self._at(name))
        except OSError as error:
            raise self._explanation(name, error) from error
        if not S_ISREG(found.st_mode):
            raise StorageError(f"'{name}' in '{self.url}': not a file")
        return FileStat(found.st_size, str(found.st_mtime_ns))

    def input(self, name: str) -> IO[bytes]:
        try:
            return open(self._at(name), "rb", buffering=0)
        except OSError as error:
            raise self._explanation(name, error) from error

    def read(self, name: str) -> bytes:
        with self._explained(name), open(self._at(name), "rb") as file:
            return file.read()

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        with self.create(name) as sink:
            sink.write(data)

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[Sink]:
        """A new file that appears under its name when the block ends well, else not at all."""
        final = self._at(name)
        partial = f"{final}.partial"
        with self._explained(name):
            os.makedirs(os.path.dirname(final), exist_ok=True)
            file = open(partial, "wb")  # noqa: SIM115 (errors of the block are not this file's)
        try:
            with file:
                yield Sink(file)
            with self._explained(name):
                os.replace(partial, final)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial)
            raise

    def rename(self, name: str, to: str) -> None:
        """Give a file that roboreel made another name, in place of what has it."""
        with self._explained(name):
            os.replace(self._at(name), self._at(to))

    def remove(self, name: str) -> None:
        """Remove a file that roboreel made."""
        with self._explained(name):
            os.unlink(self._at(name))

    def _at(self, name: str) -> str:
        return f"{self.url}{os.sep}{checked(name)}"

    @contextlib.contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._explanation(name, error) from error

    def _explanation(self, name: str, error: OSError) -> StorageError:
        return StorageError(f"'{name}' in '{self.url}': {error.strerror or error}")


class FsspecRoot(Root):
    """A folder on any store that fsspec knows (`s3://…`, `memory://…`, `hf://…`)."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec
        except ImportError as error:
            raise MissingDependencyError("fsspec", extra="remote") from error
        self.url = url
        try:
            filesystem, path = fsspec.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise StorageError(f"'{url}': {error}") from error
        self._fs: Any = filesystem  # fsspec carries no types
        self._path = str(path).rstrip("/")

    def list(self) -> tuple[str, ...]:
        skip = len(self._path) + 1
        return tuple(sorted(str(name)[skip:] for name in self._fs.find(self._path)))

    def stat(self, name: str) -> FileStat:
        try:
            info = self._fs.info(f"{self._path}/{checked(name)}")
        except (FileNotFoundError, OSError) as error:
            raise StorageError(f"'{name}' in '{self.url}': no such file") from error
        if info.get("type") == "directory":
            raise StorageError(f"'{name}' in '{self.url}': not a file")
        stamp = next((info[k] for k in ("ETag", "etag", "mtime", "created") if info.get(k)), "")
        return FileStat(int(info["size"]), str(stamp))

    def input(self, name: str) -> IO[bytes]:
        try:
            file: IO[bytes] = self._fs.open(f"{self._path}/{checked(name)}", "rb")
        except (FileNotFoundError, OSError) as error:
            raise StorageError(f"'{name}' in '{self.url}': {error}") from error
        return file


class Sink:
    """A file being written: bytes of ours, and byte ranges copied from inputs."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    @property
    def file(self) -> IO[bytes]:
        """The open file, for writers of other libraries."""
        return self._file

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._file.write(data)

    def copy(self, source: IO[bytes], *, start: int, size: int) -> None:
        """Append `size` bytes of `source` from `start`.

        Through one buffer that stays in the cache: on a disk without shared blocks this is a third faster
        than the kernel's own copying (`copy_file_range`, `sendfile`), which moves page by page.

        Raises:
            StorageError: the source is shorter than `start + size`.
        """
        buffer = _copy_buffer()
        source.seek(start)
        left = size
        while left > 0:
            count = _read_into(source, buffer[: min(left, len(buffer))])
            if not count:
                raise StorageError(f"the source ends {left} bytes early")
            self._file.write(buffer[:count])
            left -= count


_BUFFERS = threading.local()


def _copy_buffer() -> memoryview:
    """This thread's copy buffer."""
    if not hasattr(_BUFFERS, "view"):
        _BUFFERS.view = memoryview(bytearray(_COPY_BLOCK))
    view: memoryview = _BUFFERS.view
    return view


def _read_into(source: IO[bytes], view: memoryview) -> int:
    if hasattr(source, "readinto"):
        return int(source.readinto(view) or 0)
    data = source.read(len(view))
    view[: len(data)] = data
    return len(data)


class Staging:
    """A folder beside `final` that becomes `final` by one rename."""

    def __init__(self, final: str | os.PathLike[str]) -> None:
        self.final = Path(os.path.abspath(final))
        refuse_existing(self.final)
        try:
            self.final.parent.mkdir(parents=True, exist_ok=True)
            made = tempfile.mkdtemp(
                prefix=f".{self.final.name[:100]}.roboreel-partial-", dir=self.final.parent
            )
            os.chmod(made, _mode(self.final))
        except OSError as error:
            raise StorageError(f"cannot write beside '{final}': {error.strerror}") from error
        self.root = LocalRoot(made)

    def publish(self) -> None:
        """Give the folder its final name. It must not exist, or be an empty folder."""
        refuse_existing(self.final)
        try:
            os.replace(self.root.path, self.final)
        except OSError as error:
            raise StorageError(
                f"the result cannot be given its name '{self.final}': {error.strerror}"
            ) from error

    def discard(self) -> None:
        """Remove the folder that this object made."""
        shutil.rmtree(self.root.path, ignore_errors=True)


def open_root(location: str | os.PathLike[str]) -> Root:
    """The root at a local path or a URL with a scheme.

    Raises:
        StorageError: there is no folder at a local path.
    """
    text = os.fspath(location)
    if "://" in text:
        return FsspecRoot(text)
    path = os.path.expanduser(text)
    if not os.path.isdir(path):
        kind = "a file, not a dataset's folder" if os.path.exists(path) else "no such folder"
        raise StorageError(f"'{text}': {kind}")
    return LocalRoot(path)


def refuse_existing(path: str | os.PathLike[str]) -> None:
    """Raise `UsageError` where `path` exists and is not an empty folder."""
    if not os.path.lexists(path):
        return
    if not os.path.isdir(path) or os.path.islink(path):
        raise UsageError(f"the output '{path}' exists and is not a folder: choose another")
    if os.path.ismount(path):
        raise UsageError(f"the output '{path}' is a mount point: choose a folder inside it")
    if os.listdir(path):
        raise UsageError(f"the output '{path}' exists and is not empty: choose another")


def inside(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """True where `path` is `folder` or lies below it, links resolved."""
    return Path(path).resolve().is_relative_to(Path(folder).resolve())


def _walk(folder: str, prefix: str, linked: frozenset[str]) -> Iterator[str]:
    """Names below a folder; linked folders are followed, but none into itself again."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file():  # no link that leads nowhere
                yield prefix + entry.name
            elif not entry.is_dir():
                continue
            elif not entry.is_symlink():
                yield from _walk(entry.path, f"{prefix}{entry.name}/", linked)
            elif _leads_elsewhere(real := os.path.realpath(entry.path), folder, linked):
                yield from _walk(entry.path, f"{prefix}{entry.name}/", linked | {real})


def _leads_elsewhere(real: str, folder: str, linked: frozenset[str]) -> bool:
    here = os.path.realpath(folder)
    return real not in linked and here != real and not here.startswith(real + os.sep)


def _mode(final: Path) -> int:
    """The permissions of the empty folder that is replaced, else those of any new folder."""
    if final.is_dir():
        return final.stat().st_mode & 0o7777
    return 0o777 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
