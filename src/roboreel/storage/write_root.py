"""The interface to write files into a folder on any store."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager

from roboreel.storage.modes import USUAL, Modes
from roboreel.storage.output_file import Output
from roboreel.storage.root import Root


class WriteRoot(Root):
    """A folder on some store, to write into: files appear complete or not at all."""

    modes: Modes = USUAL
    """Permissions of new files and folders, where a store has permissions."""

    @abstractmethod
    def create(self, name: str) -> AbstractContextManager[Output]:
        """A new file that appears when the block ends without an error; a file of that name is replaced."""

    @abstractmethod
    def put(self, name: str, data: bytes) -> None:
        """Write a file, completely or not at all."""

    @abstractmethod
    def put_new(self, name: str, data: bytes) -> bool:
        """Write a small file unless one of its name exists; False where one does.

        Of several processes, on one machine or several, only one gets True.
        """

    @abstractmethod
    def upload(self, path: str | os.PathLike[str], name: str) -> None:
        """Copy a file of this machine into the root, completely or not at all; the file itself stays.

        Args:
            path: the file.
            name: the name that it gets in the root.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file that roboreel made."""

    @abstractmethod
    def below(self, folder: str) -> tuple[str, ...]:
        """Names of all files below a folder of this root, relative to it, sorted; empty if there is none."""

    def sync(self, names: Sequence[str]) -> None:
        """Make sure that files survive a power failure; stores have done so when a file appears."""

    def remove_all(self, names: Iterable[str]) -> None:
        """Remove files that roboreel made, those that are still there; in any order."""
        for name in names:
            self.remove(name)
