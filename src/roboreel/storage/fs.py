"""The one door to bytes: list, size and stamp, range read, atomic put.

Everything that roboreel reads or writes passes here, so that the choice of a store lives in one place; what
changes the disk goes on to `disk.py`. Names are relative POSIX paths below a root.
"""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from stat import S_ISREG
from typing import IO, Any

from roboreel.errors import MissingDependencyError, StorageError
from roboreel.storage import disk
from roboreel.storage.links import Bounds, Listing, listing_of
from roboreel.storage.modes import USUAL, Modes, reach
from roboreel.storage.names import local_path
from roboreel.storage.originals import kept_beside
from roboreel.storage.scratch import scratch_beside
from roboreel.storage.sink import Sink

_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FOLLOW = "put the file there, or pass follow_links (--follow-links)"


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


def checked(name: str) -> str:
    """Return `name` if it stays below a root, else raise `StorageError`."""
    outside = ".." in name and ".." in name.split("/")
    if outside or not name.strip("./") or name.startswith("/") or "\x00" in name:
        raise StorageError(f"'{name}' is not a path inside the dataset")
    return name


class LocalRoot(Root):
    """A folder on a local disk.

    Links are followed while they stay inside the folder, or lead from a snapshot in a Hugging Face cache
    to its blobs. Others are not, by whatever name they are asked for, unless `follow_links` is set.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        follow_links: bool = False,
        modes: Modes = USUAL,
    ) -> None:
        """A folder, which need not be there yet.

        Args:
            path: the folder.
            follow_links: True to follow all links.
            modes: permissions of what is written.
        """
        self.path = Path(path)
        self.modes = modes
        self.url = str(self.path)
        self.follow_links = follow_links
        self._bounds = None if follow_links else Bounds(self.url)
        self._reach: dict[str, int] = {"": 0o7777}

    def listing(self) -> Listing:
        with self._explained("."):
            return listing_of(self.url, self._bounds)

    def stat(self, name: str) -> FileStat:
        try:  # this is asked of every file of a dataset: no context for each
            found = os.stat(self._inside(name))
        except OSError as error:
            raise self._explanation(name, error) from error
        if not S_ISREG(found.st_mode):
            raise StorageError(f"'{name}' in '{self.url}': not a file")
        return FileStat(found.st_size, str(found.st_mtime_ns))

    def stats(self, names: Iterable[str]) -> Iterator[FileStat | StorageError]:
        """Size and stamp of each of many files; those of a folder one after another, which is faster.

        The links on the way to a folder are resolved once for the files in it that follow each other. A
        file that is a link itself, or none at all, is asked about alone.
        """
        folder, place = "", ""
        for name in names:
            above, _, last = name.rpartition("/")
            if above != folder:
                folder, place = above, self._folder(above)
            found = _plain_file(f"{place}{os.sep}{last}") if place else None
            if found is None:
                yield from super().stats([name])
            else:
                yield FileStat(found.st_size, str(found.st_mtime_ns))

    def _folder(self, name: str) -> str:
        """Where a folder is, links resolved; empty where that cannot be told, or is out of bounds."""
        try:
            return self._inside(name)
        except (OSError, StorageError):
            return ""

    def mode(self, name: str = "") -> int:
        with self._explained(name or "."):
            if not name:
                return os.stat(self.url).st_mode
            return os.stat(self._inside(name)).st_mode & self._reach_of(name.rpartition("/")[0])

    def _reach_of(self, folder: str) -> int:
        """The bits of a mode that count in a folder: who cannot get there cannot read what is in it."""
        if folder not in self._reach:
            above = self._reach_of(folder.rpartition("/")[0])
            self._reach[folder] = above & reach(os.stat(self._at(folder)).st_mode)
        return self._reach[folder]

    def input(self, name: str) -> IO[bytes]:
        return self._opened(name, buffering=0)

    def read(self, name: str) -> bytes:
        with self._opened(name) as file, self._explained(name):
            return file.read()

    def _opened(self, name: str, buffering: int = -1) -> IO[bytes]:
        """The file, open for reading: a regular one, at a place inside, whatever changes meanwhile."""
        with self._explained(name):
            # a pipe without a writer would hold up an ordinary open for ever
            descriptor = os.open(self._inside(name), os.O_RDONLY | _NO_WAIT)
            try:
                self._refuse_other(name, os.fstat(descriptor))
                return os.fdopen(descriptor, "rb", buffering)
            except BaseException:
                os.close(descriptor)
                raise

    def _refuse_other(self, name: str, found: os.stat_result) -> None:
        """Raise `StorageError` where what was opened is no file, or not what is at its place inside."""
        if not S_ISREG(found.st_mode):
            raise StorageError(f"'{name}' in '{self.url}': not a file")
        if not os.path.samestat(found, os.lstat(self._inside(name))):
            raise StorageError(f"'{name}' in '{self.url}': changed while it was opened")

    def _inside(self, name: str) -> str:
        """Where the file is, links resolved.

        Raises:
            StorageError: a link leads out of the root.
        """
        if self._bounds is None:
            return os.path.realpath(self._at(name))
        real = self._bounds.real(checked(name))
        if real is None:
            raise StorageError(
                f"'{name}' in '{self.url}': a link leads out of the dataset: {_FOLLOW}"
            )
        return real

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        with self.create(name) as sink:
            sink.write(data)

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[Sink]:
        """A new file that appears under its name when the block ends well, else not at all."""
        final, partial = self._at(name), self._at(scratch_beside(name))
        with self._explained(name):
            file = disk.create(partial, to=final, modes=self.modes)
        try:
            with self._room(name), file:
                yield Sink(file)
            with self._explained(name):
                disk.replace(partial, final)
        except BaseException:
            with contextlib.suppress(OSError):
                disk.unlink(partial)
            raise

    def remove(self, name: str) -> None:
        """Remove a file that roboreel made."""
        with self._explained(name):
            disk.unlink(self._at(name))

    def append(self, name: str, data: bytes) -> None:
        """Append to a file by one write, so that a crash leaves all of `data` or a part of its end away."""
        with self._explained(name):
            disk.append(self._at(name), data)

    def cut(self, name: str, size: int) -> None:
        """Keep the first bytes of a file that roboreel made."""
        with self._explained(name):
            disk.truncate(self._at(name), size)

    def sync(self, names: Sequence[str]) -> None:
        """Force files to the disk, and the folders that name them."""
        with self._explained("."):
            paths = [self._at(name) for name in names]
            disk.sync([*paths, *sorted({os.path.dirname(path) for path in paths})])

    def _at(self, name: str) -> str:
        return f"{self.url}{os.sep}{checked(name)}"

    @contextlib.contextmanager
    def _room(self, name: str) -> Iterator[None]:
        """Names the file where the disk is full; other errors may be those of an input."""
        try:
            yield
        except OSError as error:
            if error.errno not in disk.FULL:
                raise
            raise StorageError(f"'{name}' in '{self.url}': {error.strerror}") from error

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
            filesystem, path = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise StorageError(f"'{url}': {error}") from error
        self._fs: Any = filesystem  # fsspec carries no types
        self._path = str(path).rstrip("/")

    def listing(self) -> Listing:
        skip = len(self._path) + 1
        return Listing(tuple(sorted(str(name)[skip:] for name in self._fs.find(self._path))))

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


def _plain_file(path: str) -> os.stat_result | None:
    """What the disk says of a regular file; None of all else, links among it."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found if S_ISREG(found.st_mode) else None


def open_root(location: str | os.PathLike[str], *, follow_links: bool = False) -> Root:
    """The root at a local path or a URL with a scheme.

    Args:
        location: the path or URL.
        follow_links: True to read what links out of a local folder lead to.

    Raises:
        StorageError: there is no folder at a local path.
        UsageError: the path is not UTF-8.
    """
    text = os.fspath(location).removeprefix("file://")
    if "://" in text:
        return FsspecRoot(text)
    path = local_path(text)
    if not os.path.isdir(path):
        kind = "a file, not a dataset's folder" if os.path.exists(path) else "no such folder"
        raise StorageError(f"'{text}': {kind}{_earlier(path)}")
    return LocalRoot(path, follow_links=follow_links)


def _earlier(path: str) -> str:
    """Where there is no dataset, but an earlier version of it: how to get that back."""
    if os.path.lexists(path) or not (kept := kept_beside(path)):
        return ""
    return f", but '{kept[0].name}' is kept beside it: 'roboreel undo {quote(path)}' tells how to put it back"


def inside(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """True where `path` is `folder` or lies below it, links resolved."""
    return Path(path).resolve().is_relative_to(Path(folder).resolve())
