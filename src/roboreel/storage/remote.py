"""A folder on any store that fsspec supports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from roboreel.errors import MissingDependencyError, StorageError
from roboreel.storage.links import Listing
from roboreel.storage.root import FileStat, Root, checked


class FsspecRoot(Root):
    """A folder on any store that fsspec supports (`s3://…`, `memory://…`, `hf://…`)."""

    _failures: tuple[type[OSError], ...] = (OSError,)
    """What the store's failures are, which become errors of ours."""

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
        except self._failures as error:
            raise StorageError(f"'{name}' in '{self.url}': no such file") from error
        if info.get("type") == "directory":
            raise StorageError(f"'{name}' in '{self.url}': not a file")
        stamp = next((info[k] for k in ("ETag", "etag", "mtime", "created") if info.get(k)), "")
        return FileStat(int(info["size"]), str(stamp))

    def input(self, name: str) -> IO[bytes]:
        try:
            file: IO[bytes] = self._fs.open(f"{self._path}/{checked(name)}", "rb")
        except self._failures as error:
            raise StorageError(f"'{name}' in '{self.url}': {error}") from error
        return file

    def ranges(self, name: str, spans: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        path = f"{self._path}/{checked(name)}"
        blocks = _blocks_of(spans)
        starts, stops = [start for start, _ in blocks], [stop for _, stop in blocks]
        try:  # one call, so that the filesystem can fetch all blocks at once
            found = self._fs.cat_ranges([path] * len(blocks), starts, stops, on_error="raise")
        except self._failures as error:
            raise StorageError(f"'{name}' in '{self.url}': {error}") from error
        read = [memoryview(data) for data in found]
        at = np.searchsorted(starts, [start for start, _ in spans], side="right") - 1
        return [
            bytes(read[block][start - starts[block] :][:size])
            for block, (start, size) in zip(at.tolist(), spans, strict=True)
        ]


def _blocks_of(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(start, stop) of ranges, with adjacent ones joined, because each block costs a request."""
    blocks: list[tuple[int, int]] = []
    for start, size in sorted(spans):
        if blocks and start <= blocks[-1][1]:
            blocks[-1] = blocks[-1][0], max(blocks[-1][1], start + size)
        else:
            blocks.append((start, start + size))
    return blocks
