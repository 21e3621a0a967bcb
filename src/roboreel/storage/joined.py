"""The roots of several datasets, read as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO

from roboreel.errors import StorageError
from roboreel.storage.links import Listing
from roboreel.storage.root import FileStat, OpenFile, Root


class JoinedRoot(Root):
    """Several roots as one: a name is the prefix of its root, then its name there."""

    def __init__(self, roots: Mapping[str, Root]) -> None:
        self._roots = dict(roots)
        self.url = " + ".join(root.url for root in roots.values())

    def listing(self) -> Listing:
        parts = [(prefix, root.listing().files) for prefix, root in self._roots.items()]
        return Listing(tuple(prefix + name for prefix, names in parts for name in names))

    def stat(self, name: str) -> FileStat:
        root, own = self.root_of(name)
        return root.stat(own)

    def input(self, name: str) -> IO[bytes]:
        root, own = self.root_of(name)
        return root.input(own)

    def ranges(self, name: str, spans: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        root, own = self.root_of(name)
        return root.ranges(own, spans)

    def kept_open(self, name: str) -> OpenFile:
        root, own = self.root_of(name)
        return root.kept_open(own)

    def mode(self, name: str = "") -> int:
        if not name:
            return super().mode()
        root, own = self.root_of(name)
        return root.mode(own)

    def root_of(self, name: str) -> tuple[Root, str]:
        prefix, slash, own = name.partition("/")
        root = self._roots.get(prefix + slash)
        if root is None:
            raise StorageError(f"'{name}' is not in any of {self.url}")
        return root, own
