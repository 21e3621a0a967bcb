"""A dataset as repairs change it: its own files, some under other names, beside files that are made.

The dataset itself is not touched. Where anything changed, `Draft.publish` adds links to the unchanged files
to the folder of made ones, which the engine then reads as it reads any dataset.
"""

from __future__ import annotations

import functools
import os
import stat
from pathlib import Path
from typing import IO

import pyarrow as pa

from roboreel.errors import StorageError
from roboreel.repairing.repair_report import RepairStep
from roboreel.storage import disk
from roboreel.storage.links import Listing
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import FileStat, OpenFile, Root
from roboreel.storage.tables.tables_write import write_table

_ALL = 0o777


class Draft(Root):
    """A dataset with repairs, as a root to read from."""

    def __init__(self, source: LocalRoot, made: LocalRoot, *, beside: str) -> None:
        """Begin without any repair.

        Args:
            source: the dataset.
            made: the folder for made files, and later for links to the others.
            beside: the folder for made files that belong to no episode.
        """
        self.source, self.made, self.beside = source, made, beside
        self.url = source.url
        listing = source.listing()
        self._passed_over = listing
        self._files: dict[str, tuple[LocalRoot, str]] = {n: (source, n) for n in listing.files}
        self.steps: list[RepairStep] = []
        """What was repaired so far."""
        self.apart: dict[str, str] = {}
        """Made files that belong to no episode: their name among the made files, by the name to give them."""
        self.left: list[RepairStep] = []
        """What was found and not repaired."""

    @property
    def changed(self) -> bool:
        """True if any file differs from the dataset's."""
        return self._files != {name: (self.source, name) for name in self._passed_over.files}

    def repaired(self, rule: str, message: str, *, path: str | None = None) -> None:
        """Note a repair."""
        self.steps.append(RepairStep(rule=rule, message=message, path=path))

    def leave(self, rule: str, message: str, *, path: str | None = None, choice: str = "") -> None:
        """Note what is not repaired, and the choice that the user has."""
        self.left.append(RepairStep(rule=rule, message=message, path=path, choice=choice))

    def put(self, name: str, data: bytes) -> None:
        """Make a file."""
        self.made.put(name, data)
        self.take_made(name)

    def put_table(self, name: str, table: pa.Table) -> None:
        """Make a table file."""
        write_table(self.made, name, table)
        self.take_made(name)

    def take_made(self, name: str) -> None:
        """Show a file that was written to `made`."""
        self._files[name] = (self.made, name)

    def move(self, old: str, new: str) -> None:
        """Show a file under another name.

        Raises:
            StorageError: there is a file of that name.
        """
        if new in self._files:
            raise StorageError(f"'{old}' cannot be renamed to '{new}': that file exists")
        self._files[new] = self._files.pop(old)

    def set_aside(self, name: str) -> None:
        """Don't show a file. It stays in the dataset itself."""
        del self._files[name]

    def keep_apart(self, made: str, name: str) -> str:
        """Let a made file be kept beside the result, not in it; returns the path to tell.

        Args:
            made: its name among the made files.
            name: its name beside the result.
        """
        self.apart[name] = made
        return f"{self.beside}/{name}"

    def publish_apart(self) -> str | None:
        """Move the files that are kept beside the result there; returns their folder, if there are any."""
        if not self.apart:
            return None
        folder = LocalRoot(self.beside)
        self._set_modes()
        for name, made in self.apart.items():
            folder.take(self.made.path / made, name)
        folder.sync_folders(self.apart)
        return self.beside

    def publish(self) -> None:
        """Make links to the dataset's files beside the made ones."""
        for name, (root, own) in self._files.items():
            if root is self.source:
                target = os.path.abspath(root.path / own)
                disk.link(target, str(self.made.path / name))
        self._set_modes()

    def _set_modes(self) -> None:
        """Give made files and the folders the permissions of the dataset's, by which the engine goes.

        The folder around them stays private.
        """
        allowed: dict[str, int] = {"": self.source.mode()}
        for name, (root, own) in self._files.items():
            if root is self.source:
                above = os.path.dirname(name)
                allowed[above] = allowed.get(above, _ALL) & self.source.mode(os.path.dirname(own))
        for folder, _, names in os.walk(self.made.path):
            here = Path(folder).relative_to(self.made.path)
            above = "" if folder == str(self.made.path) else here.as_posix()
            disk.set_mode(folder, stat.S_IMODE(allowed.get(above, _ALL)) | 0o700)
            for name in names:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    disk.set_mode(path, self._mode_of((here / name).as_posix()) | 0o600)

    def _mode_of(self, made: str) -> int:
        """The permissions of the file that a made one replaces; of another, those that all files have."""
        files = self._passed_over.files
        named = [made] if made in files else files
        return functools.reduce(int.__and__, map(self.source.mode, named), 0o666)

    def listing(self) -> Listing:
        return Listing(tuple(sorted(self._files)))

    def stat(self, name: str) -> FileStat:
        root, own = self.root_of(name)
        return root.stat(own)

    def input(self, name: str) -> IO[bytes]:
        root, own = self.root_of(name)
        return root.input(own)

    def kept_open(self, name: str) -> OpenFile:
        root, own = self.root_of(name)
        return root.kept_open(own)

    def root_of(self, name: str) -> tuple[Root, str]:
        found = self._files.get(name)
        if found is None:
            raise StorageError(f"'{name}' in '{self.url}': no such file")
        return found
