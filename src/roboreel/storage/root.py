"""A dataset's folder on some store, as its readers see it.

Names are relative POSIX paths below a root.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from roboreel.errors import StorageError
from roboreel.storage.links import Listing


@dataclass(frozen=True, slots=True)
class FileStat:
    """Size and stamp of a file: the evidence that it is still the file that was surveyed."""

    size_bytes: int
    stamp: str
    """Modification time in nanoseconds on a local disk, an etag or the like elsewhere."""


class Root(ABC):
    """A dataset's folder on some store, read-only."""

    url: str
    follow_links: bool = False
    """True where links may lead out of the root."""

    @abstractmethod
    def listing(self) -> Listing:
        """All files below the root; devices, pipes and links that lead nowhere are none."""

    def list(self) -> tuple[str, ...]:
        """Names of all files below the root, sorted."""
        return self.listing().files

    @abstractmethod
    def stat(self, name: str) -> FileStat:
        """Size and stamp of a file."""

    def stats(self, names: Iterable[str]) -> Iterator[FileStat | StorageError]:
        """Size and stamp of each of many files, or why it has none, in order."""
        for name in names:
            try:
                yield self.stat(name)
            except StorageError as error:
                yield error

    @abstractmethod
    def input(self, name: str) -> IO[bytes]:
        """The file, opened for reading at random places."""

    def ranges(self, name: str, spans: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        """The bytes of several ranges of a file; several threads may read at once.

        Args:
            name: the file.
            spans: (start, size) of each, in bytes; less is read of those that reach beyond the file's end.

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

    def place_of(self, name: str) -> tuple[Root, str]:
        """The root that holds a file, where this one is several, and its name there."""
        return self, name

    def mode(self, name: str = "") -> int:
        """Permissions of a file, without those that folders on the way to it withhold; "": of the root.

        A store that has none withholds nothing.
        """
        return 0o7777

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


def _range(file: IO[bytes], start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def checked(name: str) -> str:
    """Return `name` if it stays below a root, else raise `StorageError`."""
    outside = ".." in name and ".." in name.split("/")
    if outside or not name.strip("./") or name.startswith("/") or "\x00" in name:
        raise StorageError(f"'{name}' is not a path inside the dataset")
    return name
