"""The interface to read a dataset's folder on any store.

Names are relative POSIX paths below a root.
"""

from __future__ import annotations

import io
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from roboreel.errors import StorageError
from roboreel.storage.links import Listing

if TYPE_CHECKING:
    from typing_extensions import Buffer


@dataclass(frozen=True, slots=True)
class FileStat:
    """Size and stamp of a file, which change when the file changes."""

    size_bytes: int
    stamp: str
    """Modification time in nanoseconds on a local disk; an ETag or similar elsewhere."""


class Root(ABC):
    """A dataset's folder on some store, read-only."""

    url: str
    follow_links: bool = False
    """True if links that lead out of the root are followed."""

    @abstractmethod
    def listing(self) -> Listing:
        """All files below the root, without devices, pipes and broken links."""

    def list(self) -> tuple[str, ...]:
        """Names of all files below the root, sorted."""
        return self.listing().files

    @abstractmethod
    def stat(self, name: str) -> FileStat:
        """Size and stamp of a file."""

    def stats(self, names: Iterable[str]) -> Iterator[FileStat | StorageError]:
        """Size and stamp of many files, or the error of each, in order."""
        for name in names:
            try:
                yield self.stat(name)
            except StorageError as error:
                yield error

    @abstractmethod
    def input(self, name: str) -> IO[bytes]:
        """Open a file for reading with random access."""

    def ranges(self, name: str, spans: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        """The bytes of several ranges of a file; several threads may read at once.

        Args:
            name: the file.
            spans: (start, size) of each, in bytes; a range that exceeds the file is cut at its end.

        Raises:
            StorageError: the file cannot be read.
        """
        with self.input(name) as file:
            try:
                return [_range(file, start, size) for start, size in spans]
            except OSError as error:
                raise StorageError(
                    f"'{name}' in '{self.url}': {error.strerror or error}"
                ) from error

    @property
    def cache_name(self) -> str:
        """Path or URL by which caches know the dataset, the same for all its commits."""
        return self.url if "://" in self.url else os.path.realpath(self.url)

    def kept_open(self, name: str) -> OpenFile:
        """A file that is read often: opened once where that is cheaper.

        Raises:
            StorageError: the file cannot be opened.
        """
        return OpenFile(self, name)

    def root_of(self, name: str) -> tuple[Root, str]:
        """(root, name in it) of a file; a different root only for `JoinedRoot`."""
        return self, name

    def mode(self, name: str = "") -> int:
        """Effective permissions of a file, limited by the folders above it; "" for the root itself.

        A store without permissions returns all bits.
        """
        return 0o7777

    def exists(self, name: str) -> bool:
        """True if `name` is a file."""
        try:
            self.stat(name)
        except StorageError:
            return False
        return True

    def read(self, name: str) -> bytes:
        """Read a complete file."""
        with self.input(name) as file:
            return file.read()


class OpenFile:
    """A file that several threads read at once, and forked processes too: reads do not move a position."""

    def __init__(self, root: Root, name: str) -> None:
        self._root, self._name = root, name

    def ranges(self, spans: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        """The bytes of several ranges: see `Root.ranges`."""
        return self._root.ranges(self._name, spans)

    def as_file(self) -> IO[bytes]:
        """The file as one that is read from a position of its own."""
        return self._root.input(self._name)


class PositionedFile(io.RawIOBase):
    """A file that is read by ranges, from a position of its own."""

    def __init__(self, file: OpenFile, size_bytes: int) -> None:
        self._file, self._size, self._at = file, size_bytes, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Buffer) -> int:
        target = memoryview(buffer)[: max(0, self._size - self._at)]
        if not len(target):  # a store refuses a range behind the end
            return 0
        (data,) = self._file.ranges([(self._at, len(target))])
        target[: len(data)] = data
        self._at += len(data)
        return len(data)


def _range(file: IO[bytes], start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def checked(name: str) -> str:
    """Return `name` if it stays below a root, else raise `StorageError`."""
    outside = ".." in name and ".." in name.split("/")
    if outside or not name.strip("./") or name.startswith("/") or "\x00" in name:
        raise StorageError(f"'{name}' is not a path inside the dataset")
    return name
