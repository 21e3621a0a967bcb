"""A folder on an object store, to write into. A store has no rename: a file appears when it is uploaded."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from roboreel.errors import StorageError
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot
from roboreel.storage.output_file import Output
from roboreel.storage.remote.remote import FsspecRoot
from roboreel.storage.root import FileStat, checked
from roboreel.storage.write_root import WriteRoot

_FILE = "file"
_REMOVED_AT_ONCE = 1000


class StoreRoot(FsspecRoot, WriteRoot):
    """A folder on an object store that files can be written to."""

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[Output]:
        """A new file, made in the folder for temporary files and uploaded when the block ends."""
        checked(name)
        with disk.temporary_folder() as folder:
            local = LocalRoot(folder)
            with local.create(_FILE) as output:
                yield output
            self.upload(local.path / _FILE, name)

    def upload(self, path: str | os.PathLike[str], name: str) -> None:
        with self._explained(name):
            self._fs.put_file(os.fspath(path), self._at(name))

    def put(self, name: str, data: bytes) -> None:
        with self._explained(name):
            self._fs.pipe_file(self._at(name), data)

    def put_new(self, name: str, data: bytes) -> bool:
        with self._explained(name):
            try:
                self._fs.pipe_file(self._at(name), data, mode="create")
            except FileExistsError:
                return False
            except OSError:  # some servers do not say which condition failed
                if self.exists(name):
                    return False
                raise
        return True

    def remove(self, name: str) -> None:
        with self._explained(name), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._at(name))

    def remove_all(self, names: Iterable[str]) -> None:
        left = iter(names)
        while some := list(islice(left, _REMOVED_AT_ONCE)):
            with self._explained(some[0]):
                try:
                    self._fs.rm([self._at(name) for name in some])
                except FileNotFoundError:  # some clients give up at a file that is gone already
                    for name in some:
                        self.remove(name)

    def below(self, folder: str) -> tuple[str, ...]:
        return tuple(sorted(FsspecRoot(f"{self.url}/{checked(folder)}").stats_of_all()))

    def _at(self, name: str) -> str:
        return f"{self._path}/{checked(name)}"


class HoldingRoot(StoreRoot):
    """A store whose last file is kept in memory until `publish`; until then only this object has it."""

    def __init__(self, url: str, last: str) -> None:
        """Open a folder.

        Args:
            url: the folder.
            last: the name of the file that makes the others count.
        """
        super().__init__(url)
        self._last = last
        self._held: bytes | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.url, self._last)

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[Output]:
        if name != self._last:
            with super().create(name) as output:
                yield output
            return
        file = io.BytesIO()
        yield Output(file)
        self._held = file.getvalue()

    def publish(self) -> None:
        """Write the file that was held back.

        Raises:
            StorageError: there is one by now, or it cannot be written.
        """
        assert self._held is not None
        # when an answer is lost, the client writes again, and finds its own file
        if not self.put_new(self._last, self._held) and self._stored() != self._held:
            raise StorageError(
                f"'{self._last}' in '{self.url}' has been written by another program"
            )

    def _stored(self) -> bytes:
        return super().ranges(self._last, [(0, super().stat(self._last).size_bytes)])[0]

    def stats_of_all(self) -> dict[str, FileStat]:
        found = super().stats_of_all()
        return found if self._held is None else {**found, self._last: self.stat(self._last)}

    def stat(self, name: str) -> FileStat:
        if name == self._last and self._held is not None:
            return FileStat(len(self._held), "not published")
        return super().stat(name)

    def exists(self, name: str) -> bool:
        return (name == self._last and self._held is not None) or super().exists(name)

    def ranges(self, name: str, spans: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        if name == self._last and self._held is not None:
            return [self._held[start : start + size] for start, size in spans]
        return super().ranges(name, spans)
