"""A folder on any store that fsspec supports."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from roboreel.errors import MissingDependencyError, MissingFileError, StorageError
from roboreel.storage.links import Listing
from roboreel.storage.memory.bounded_cache import BoundedCache
from roboreel.storage.memory.near_ranges import joined, parts_of
from roboreel.storage.remote.store_failures import missing_client, said_of
from roboreel.storage.root import FileStat, OpenFile, PositionedFile, Root, checked

_BLOCK_BYTES = 1 << 18
"""Bytes of a table to get at once; packets are read as they lie."""
_SMALL_BYTES = 1 << 20
"""A table or document up to this size is read whole by one request."""
_KEPT_BYTES = 16 << 20
_FEW_FILES = 32
_FILES_PER_REQUEST = 200
"""A listing has 1,000 files per request, which takes as long as asking for five files."""


class FsspecRoot(Root):
    """A folder on any store that fsspec supports (`s3://…`, `gs://…`, `memory://…`). Threads may share it."""

    def __init__(self, url: str) -> None:
        """Open a folder; nothing is read.

        Raises:
            MissingDependencyError: the client of the store is not installed.
            StorageError: there is no such kind of store.
        """
        self.url = url.rstrip("/") if url.partition("://")[2].strip("/") else url
        self._client, self._owner = _client_of(url), os.getpid()
        self._path = str(self._client._strip_protocol(url)).rstrip("/")
        self._found = 0
        """Files of the last listing."""
        self._small = BoundedCache[tuple[str, str], bytes](_KEPT_BYTES, len)
        """Small files by name and stamp."""

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.url,)

    @property
    def _fs(self) -> Any:  # fsspec has no types
        """The client; another one in a forked process, where the parent's would wait for its threads."""
        if self._owner != os.getpid():
            self._client, self._owner = _client_of(self.url), os.getpid()
        return self._client

    def listing(self) -> Listing:
        files = self.stats_of_all()
        if not files:
            raise MissingFileError(f"'{self.url}': there are no files at this address")
        return Listing(tuple(sorted(files)))

    def stats_of_all(self) -> dict[str, FileStat]:
        """Size and stamp of every file, by name: a request for 1,000 of them. Empty if there is none.

        Raises:
            MissingFileError: there is no such bucket.
            StorageError: the store cannot be reached, or refuses.
        """
        skip = len(self._path) + 1
        try:
            found = self._fs.find(self._path, detail=True)
        except FileNotFoundError as error:
            raise MissingFileError(f"'{self.url}': {error}") from error
        except Exception as error:  # clients of stores have exceptions of their own
            raise StorageError(said_of(error, f"'{self.url}'", self.url)) from error
        self._found = len(found)
        inside = {str(name)[skip:]: one for name, one in found.items()}
        # some programs make an empty object for a folder
        return {name: _stat(one) for name, one in inside.items() if name and name[-1] != "/"}

    def stat(self, name: str) -> FileStat:
        with self._explained(name):
            info = self._fs.info(f"{self._path}/{checked(name)}")
        if info.get("type") == "directory":
            raise StorageError(f"'{name}' in '{self.url}': not a file")
        return _stat(info)

    def stats(self, names: Iterable[str]) -> Iterator[FileStat | StorageError]:
        """Size and stamp of many files, or the error of each, in order; by a listing if that is less work."""
        wanted = tuple(names)
        if len(wanted) <= max(_FEW_FILES, self._found // _FILES_PER_REQUEST):
            yield from super().stats(wanted)
            return
        known = self.stats_of_all()
        for name in wanted:
            missing = StorageError(f"'{name}' in '{self.url}': no such file")
            yield known.get(name, missing)

    def exists(self, name: str) -> bool:
        """True if `name` is a file.

        Raises:
            StorageError: the store does not say, because it cannot be reached or refuses.
        """
        try:
            path = f"{self._path}/{checked(name)}"
        except StorageError:
            return False
        with self._explained(name):
            try:
                found = self._fs.info(path)
            except FileNotFoundError:
                return False
        return bool(found.get("type") != "directory")

    def input(self, name: str) -> IO[bytes]:
        found = self.stat(name)
        size_bytes = found.size_bytes
        if size_bytes > _SMALL_BYTES:
            file = PositionedFile(OpenFile(self, name), size_bytes)
            return io.BufferedReader(file, _BLOCK_BYTES)
        key = name, f"{size_bytes} {found.stamp}"
        return io.BytesIO(self._small.get(key, lambda: self.ranges(name, [(0, size_bytes)])[0]))

    def ranges(self, name: str, spans: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        path = f"{self._path}/{checked(name)}"
        blocks = joined([span for span in spans if span[1]])
        starts, stops = [start for start, _ in blocks], [start + size for start, size in blocks]
        with self._explained(name):  # one call, so that the client can fetch all blocks at once
            found = self._fs.cat_ranges([path] * len(blocks), starts, stops, on_error="raise")
        read = iter(parts_of(blocks, found, [span for span in spans if span[1]]))
        return [next(read) if size else b"" for _, size in spans]

    @contextlib.contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        """Turn what the store's client raises into a `StorageError` that names the file."""
        try:
            yield
        except Exception as error:  # clients of stores have exceptions of their own
            raise StorageError(said_of(error, f"'{name}' in '{self.url}'", self.url)) from error


def _client_of(url: str) -> Any:
    """Fsspec's object for the store of a URL, without a cache that would hide changed files."""
    try:
        import fsspec
    except ImportError as error:
        raise MissingDependencyError("fsspec", extra="remote") from error
    try:
        return fsspec.core.url_to_fs(url, use_listings_cache=False)[0]
    except ImportError as error:
        untested = StorageError(
            f"'{url}': {error} (roboreel is tested with s3:// and gs:// only; other stores may work)"
        )
        raise missing_client(url) or untested from error
    except (ValueError, OSError) as error:  # some clients connect at once
        raise StorageError(f"'{url}': {error}") from error


def _stat(info: dict[str, Any]) -> FileStat:
    stamp = next((info[k] for k in ("ETag", "etag", "mtime", "created") if info.get(k)), "")
    return FileStat(int(info["size"]), str(stamp))
