"""A folder on a local disk: reads stay inside it, and new files appear complete or not at all."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import IO, TYPE_CHECKING

from roboreel.errors import StorageError
from roboreel.storage import disk
from roboreel.storage.entry_state import EntryState
from roboreel.storage.links import Bounds, Listing, listing_of
from roboreel.storage.modes import USUAL, Modes, reach
from roboreel.storage.output_file import Output
from roboreel.storage.root import FileStat, OpenFile, PositionedFile, checked
from roboreel.storage.scratch import scratch_beside
from roboreel.storage.write_root import WriteRoot

if TYPE_CHECKING:
    from typing_extensions import Buffer

_BUFFER_BYTES = 1 << 12
_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FOLLOW = "put the file there, or pass follow_links=True"


class LocalRoot(WriteRoot):
    """A folder on a local disk.

    Links are followed while they stay inside the folder, or lead from a snapshot in a Hugging Face cache
    to its blobs. Others are followed only with `follow_links`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        follow_links: bool = False,
        modes: Modes = USUAL,
    ) -> None:
        """Use a folder as a root; nothing is read or made yet.

        Args:
            path: the folder, which need not exist.
            follow_links: True to follow all links.
            modes: permissions of new files and folders.
        """
        self.path = Path(path)
        self.modes = modes
        self.url = str(self.path)
        self.follow_links = follow_links
        self._bounds = None if follow_links else Bounds(self.url)
        self._reach: dict[str, int] = {"": 0o7777}
        self._within: str | None = None
        """A folder that is not made where it is missing."""

    def listing(self) -> Listing:
        with self._explained("."):
            return listing_of(self.url, self._bounds)

    def stat(self, name: str) -> FileStat:
        try:  # called for every file of a dataset, so without the cost of `_explained`
            found = os.stat(self._inside(name))
        except OSError as error:
            raise self._explanation(name, error) from error
        if not S_ISREG(found.st_mode):
            raise StorageError(f"'{name}' in '{self.url}': not a file")
        return FileStat(found.st_size, str(found.st_mtime_ns))

    def stats(self, names: Iterable[str]) -> Iterator[FileStat | StorageError]:
        """Size and stamp of many files, or the error of each, in order.

        The path of a folder is resolved once for consecutive files in it. A file that is itself a link, or
        missing, goes through `stat`.
        """
        folder, real = "", ""
        for name in names:
            above, _, last = name.rpartition("/")
            if above != folder:
                folder, real = above, self._real_folder(above)
            found = _plain_file(f"{real}{os.sep}{last}") if real else None
            if found is None:
                yield from super().stats([name])
            else:
                yield FileStat(found.st_size, str(found.st_mtime_ns))

    def _real_folder(self, name: str) -> str:
        """Path of a folder with links resolved; empty if it is unknown or out of bounds."""
        try:
            return self._inside(name)
        except (OSError, StorageError):
            return ""

    def state(self, name: str = "") -> EntryState:
        """State of a file or folder, not of what a link leads to; "" for the root itself.

        Raises:
            StorageError: it does not exist.
        """
        try:  # called for every folder of a dataset, so without the cost of `_explained`
            return EntryState.of(os.lstat(self._at(name)) if name else os.stat(self.url))
        except OSError as error:
            raise self._explanation(name or ".", error) from error

    def mode(self, name: str = "") -> int:
        with self._explained(name or "."):
            if not name:
                return os.stat(self.url).st_mode
            return os.stat(self._inside(name)).st_mode & self._reach_of(name.rpartition("/")[0])

    def _reach_of(self, folder: str) -> int:
        """The mode bits that are effective in a folder: users who cannot enter it cannot read its files."""
        if folder not in self._reach:
            above = self._reach_of(folder.rpartition("/")[0])
            self._reach[folder] = above & reach(os.stat(self._at(folder)).st_mode)
        return self._reach[folder]

    def input(self, name: str) -> IO[bytes]:
        return self._opened(name, buffering=0)

    def kept_open(self, name: str) -> OpenFile:
        if not hasattr(os, "pread"):
            return super().kept_open(name)
        with self._opened(name, buffering=0) as file, self._explained(name):
            return _OpenDescriptor(self, name, os.dup(file.fileno()))

    def read(self, name: str) -> bytes:
        with self._opened(name) as file, self._explained(name):
            return file.read()

    def _opened(self, name: str, buffering: int = -1) -> IO[bytes]:
        """Open a regular file inside the root for reading, safely even if links change at the same time."""
        with self._explained(name):
            # an ordinary open would wait forever for the writer of a pipe
            descriptor = os.open(self._inside(name), os.O_RDONLY | _NO_WAIT)
            try:
                self._refuse_other(name, os.fstat(descriptor))
                return os.fdopen(descriptor, "rb", buffering)
            except BaseException:
                os.close(descriptor)
                raise

    def _refuse_other(self, name: str, found: os.stat_result) -> None:
        """Raise `StorageError` if the opened file is not regular, or not the one at its path inside."""
        if not S_ISREG(found.st_mode):
            raise StorageError(f"'{name}' in '{self.url}': not a file")
        if not os.path.samestat(found, os.lstat(self._inside(name))):
            raise StorageError(f"'{name}' in '{self.url}': changed while it was opened")

    def _inside(self, name: str) -> str:
        """Path of a file with links resolved.

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
        """Write a file, completely or not at all."""
        with self.create(name) as output:
            output.write(data)

    def put_new(self, name: str, data: bytes) -> bool:
        """Write a small file unless one of its name exists; False where one does.

        Of several processes, on one machine or several, only one gets True. A kill can leave the file empty.
        """
        path = self._at(name)
        with self._explained(name):
            try:
                file = disk.create(path, to=path, modes=self.modes)
            except FileExistsError:
                return False
            with file:
                file.write(data)
        return True

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[Output]:
        """A new file that gets its name when the block ends without an error, and is removed otherwise."""
        final, partial = self._at(name), self._at(scratch_beside(name))
        with self._explained(name):
            file = disk.create(partial, to=final, modes=self.modes, within=self._within)
        try:
            with self._room(name), file:
                yield Output(file)
            with self._explained(name):
                disk.replace(partial, final)
        except BaseException:
            with contextlib.suppress(OSError):
                disk.unlink(partial)
            raise

    def take(self, path: str | os.PathLike[str], name: str) -> None:
        """Move a complete file on this disk to a name in this root; a file of that name is replaced.

        Args:
            path: current path of the file, inside the root or not.
            name: its new name.
        """
        with self._explained(name):
            final = self._at(name)
            disk.make_folders(os.path.dirname(final), self.modes)
            disk.replace(path, final)

    def sync_folders(self, names: Iterable[str]) -> None:
        """Flush the folders above these files to the disk, so that their entries survive a power failure."""
        folders = {self.url}
        for name in names:
            parts = name.split("/")[:-1]
            folders |= {self._at("/".join(parts[: n + 1])) for n in range(len(parts))}
        with self._explained("."):
            disk.sync(sorted(folders))

    def remove(self, name: str) -> None:
        """Remove a file that roboreel made."""
        with self._explained(name):
            disk.unlink(self._at(name))

    def upload(self, path: str | os.PathLike[str], name: str) -> None:
        with open(path, "rb") as source, self.create(name) as output:
            output.copy(source, start=0, size=os.fstat(source.fileno()).st_size)

    def below(self, folder: str) -> tuple[str, ...]:
        path = self._at(folder)
        return LocalRoot(path).list() if os.path.isdir(path) else ()

    def append(self, name: str, data: bytes) -> None:
        """Append to a file with one write, so that a crash can only lose the end of `data`."""
        with self._explained(name):
            disk.append(self._at(name), data)

    def cut(self, name: str, size: int) -> None:
        """Keep only the first `size` bytes of a file that roboreel made."""
        with self._explained(name):
            disk.truncate(self._at(name), size)

    def write_at(self, name: str, parts: Iterable[tuple[int, Buffer]]) -> os.stat_result:
        """Overwrite ranges of a file that roboreel made, in order: see `disk.write_at`."""
        with self._explained(name):
            return disk.write_at(self._at(name), parts)

    def touch(self, name: str) -> None:
        """Set the modification time of a file that roboreel made to now."""
        with self._explained(name):
            disk.touch(self._at(name))

    def allocated_bytes(self, name: str) -> int:
        """Bytes that a file takes on the disk: less than its size where parts were never written."""
        with self._explained(name):
            found = os.stat(self._at(name))
        return found.st_blocks * 512 if hasattr(found, "st_blocks") else found.st_size

    def sync(self, names: Sequence[str]) -> None:
        """Flush files and their folders to the disk."""
        with self._explained("."):
            paths = [self._at(name) for name in names]
            disk.sync([*paths, *sorted({os.path.dirname(path) for path in paths})])

    def _at(self, name: str) -> str:
        return f"{self.url}{os.sep}{checked(name)}"

    @contextlib.contextmanager
    def _room(self, name: str) -> Iterator[None]:
        """Add the file name to errors of a full disk and a file limit; others may come from an input."""
        try:
            yield
        except OSError as error:
            if error.errno not in disk.REFUSES:
                raise
            raise self._explanation(name, error) from error

    @contextlib.contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._explanation(name, error) from error

    def _explanation(self, name: str, error: OSError) -> StorageError:
        return StorageError(f"'{name}' in '{self.url}': {disk.explained(error)}")


class _OpenDescriptor(OpenFile):
    """An open file, read without moving its position, which forked processes share."""

    def __init__(self, root: LocalRoot, name: str, descriptor: int) -> None:
        super().__init__(root, name)
        self.descriptor = descriptor

    def ranges(self, spans: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        try:
            return [_exactly(self.descriptor, start, size) for start, size in spans]
        except OSError as error:
            message = f"'{self._name}' in '{self._root.url}': {error.strerror or error}"
            raise StorageError(message) from error

    def as_file(self) -> IO[bytes]:
        size = os.fstat(self.descriptor).st_size
        return io.BufferedReader(PositionedFile(self, size), _BUFFER_BYTES)

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


def trusted_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a file that no dataset can name, such as roboreel's own code: links are followed.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return file.read()


def _exactly(descriptor: int, start: int, size: int) -> bytes:
    """The bytes of a range; fewer only at the end of the file."""
    data = os.pread(descriptor, size, start)
    while len(data) < size:
        more = os.pread(descriptor, size - len(data), start + len(data))
        if not more:
            break
        data += more
    return data


def _plain_file(path: str) -> os.stat_result | None:
    """`os.lstat` of a regular file; None for links and everything else."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found if S_ISREG(found.st_mode) else None


def folder_of(root: object) -> str | None:
    """The folder of a root on a local disk; None for others."""
    return str(root.path) if isinstance(root, LocalRoot) else None
