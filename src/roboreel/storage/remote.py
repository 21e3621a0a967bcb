"""A folder on any store that fsspec supports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

from roboreel.errors import MissingDependencyError, StorageError
from roboreel.storage.links import Listing
from roboreel.storage.near_ranges import joined, parts_of
from roboreel.storage.root import FileStat, Root, checked


class FsspecRoot(Root):
    """A folder on any store that fsspec supports (`s3://…`, `memory://…`)."""

    def __init__(self, url: str, filesystem: Any = None) -> None:
        """Open a folder.

        Args:
            url: the folder.
            filesystem: fsspec's object for the store; by default the one that belongs to the URL.
        """
        try:
            import fsspec
        except ImportError as error:
            raise MissingDependencyError("fsspec", extra="remote") from error
        self.url = url
        try:
            filesystem = filesystem or fsspec.core.url_to_fs(url)[0]
        except (ImportError, ValueError) as error:
            raise StorageError(f"'{url}': {error}") from error
        self._fs: Any = filesystem  # fsspec has no types
        self._path = str(filesystem._strip_protocol(url)).rstrip("/")

    def listing(self) -> Listing:
        skip = len(self._path) + 1
        return Listing(tuple(sorted(str(name)[skip:] for name in self._fs.find(self._path))))

    def stat(self, name: str) -> FileStat:
        try:
            info = self._fs.info(f"{self._path}/{checked(name)}")
        except OSError as error:
            raise StorageError(f"'{name}' in '{self.url}': no such file") from error
        if info.get("type") == "directory":
            raise StorageError(f"'{name}' in '{self.url}': not a file")
        stamp = next((info[k] for k in ("ETag", "etag", "mtime", "created") if info.get(k)), "")
        return FileStat(int(info["size"]), str(stamp))

    def input(self, name: str) -> IO[bytes]:
        try:
            file: IO[bytes] = self._fs.open(f"{self._path}/{checked(name)}", "rb")
        except OSError as error:
            raise StorageError(f"'{name}' in '{self.url}': {error}") from error
        return file

    def ranges(self, name: str, spans: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        path = f"{self._path}/{checked(name)}"
        blocks = joined(spans)
        starts, stops = [start for start, _ in blocks], [start + size for start, size in blocks]
        try:  # one call, so that the filesystem can fetch all blocks at once
            found = self._fs.cat_ranges([path] * len(blocks), starts, stops, on_error="raise")
        except OSError as error:
            raise StorageError(f"'{name}' in '{self.url}': {error}") from error
        return parts_of(blocks, found, spans)
