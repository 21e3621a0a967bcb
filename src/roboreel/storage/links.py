"""List the files of a folder, following only the links that are allowed.

A downloaded dataset may contain links to anything on the user's disk, whose content would end up in a result
made from it. So links are followed only while they stay inside the dataset.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from stat import S_ISLNK

from roboreel.errors import StorageError
from roboreel.storage.entry_state import EntryState
from roboreel.storage.names import is_utf8

_MOST_LINKED_FOLDERS = 2000
"""Limit: even a few folders that link to each other give millions of paths."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files below a root, and what was skipped."""

    files: tuple[str, ...]
    """Names of all files, sorted."""
    links_out: tuple[tuple[str, str], ...] = ()
    """(name, target) of links that lead out of the root and are not followed, sorted."""
    unnamed: tuple[str, ...] = ()
    """Names that are not valid UTF-8, sorted: no document can refer to them."""
    folders: Mapping[str, EntryState] | None = field(default=None, compare=False)
    """State of each folder before it was listed, "" for the root: while all states stay, so do the names.
    None if that is unknown, as where a link was found: its target may change without them."""


class Bounds:
    """Where links below a folder may lead: inside it.

    From a snapshot in a Hugging Face cache (`…/snapshots/<revision>/…`) they may also lead to its `blobs`.
    """

    def __init__(self, folder: str) -> None:
        self._folder = os.path.realpath(folder)
        self._blobs = _blobs_of_snapshot(self._folder)

    def real(self, name: str) -> str | None:
        """Path of a name below the folder, with links resolved; None if it is out of bounds.

        Checks every part again on each call, because a part may have become a link meanwhile.
        """
        at = self._folder
        for part in name.split("/"):
            at = f"{at}{os.sep}{part}"
            if S_ISLNK(os.lstat(at).st_mode):
                return self.resolved(f"{self._folder}{os.sep}{name}")
        return at

    def resolved(self, path: str) -> str | None:
        """The real path of a path; None if it is out of bounds."""
        real = os.path.realpath(path)
        inside = f"{real}{os.sep}".startswith(self._folder.rstrip(os.sep) + os.sep)
        return real if inside or os.path.dirname(real) == self._blobs else None


def _blobs_of_snapshot(folder: str) -> str | None:
    parts = folder.split(os.sep)
    for at in range(len(parts) - 2, 0, -1):
        if parts[at] == "snapshots":
            return os.sep.join([*parts[:at], "blobs"])
    return None


def listing_of(folder: str, bounds: Bounds | None) -> Listing:
    """List the regular files below a folder; pipes, devices and broken links are left out.

    Args:
        folder: the folder.
        bounds: where links may lead; None allows all.

    Raises:
        OSError: a folder cannot be listed.
        StorageError: there are more than 2000 linked folders.
    """
    walk = _Walk(bounds)
    names = sorted(walk.names(folder))
    unnamed = tuple(name for name in names if not is_utf8(name))
    files = tuple(name for name in names if is_utf8(name)) if unnamed else tuple(names)
    folders = None if walk.found_links else walk.folders
    return Listing(files, tuple(sorted(walk.links_out)), unnamed, folders)


class _Walk:
    """Walks through a folder; linked folders are followed, but not in circles."""

    def __init__(self, bounds: Bounds | None) -> None:
        self._bounds = bounds
        self._linked_folders = 0
        self.links_out: list[tuple[str, str]] = []
        self.found_links = False
        self.folders: dict[str, EntryState] = {}

    def names(self, folder: str) -> Iterator[str]:
        """Names of the files below a folder, in any order."""
        due = [(folder, "", frozenset[str]())]
        while due:
            at, prefix, linked = due.pop()
            self.folders[prefix.rstrip("/")] = EntryState.of(os.stat(at))
            with os.scandir(at) as entries:
                for entry in entries:
                    name = prefix + entry.name
                    if entry.is_symlink():
                        real = self._followed(entry, name)
                        if real is None:
                            continue
                        if os.path.isfile(real):
                            yield name
                        elif os.path.isdir(real) and _leads_elsewhere(real, at, linked):
                            self._count_folder(name)
                            due.append((entry.path, f"{name}/", linked | {real}))
                    elif entry.is_file():
                        yield name
                    elif entry.is_dir():
                        due.append((entry.path, f"{name}/", linked))

    def _followed(self, entry: os.DirEntry[str], name: str) -> str | None:
        self.found_links = True
        if self._bounds is None:
            return os.path.realpath(entry.path)
        real = self._bounds.resolved(entry.path)
        if real is None:
            self.links_out.append((name, os.readlink(entry.path)))
        return real

    def _count_folder(self, name: str) -> None:
        self._linked_folders += 1
        if self._linked_folders > _MOST_LINKED_FOLDERS:
            raise StorageError(f"'{name}': more than {_MOST_LINKED_FOLDERS} linked folders")


def _leads_elsewhere(real: str, folder: str, linked: frozenset[str]) -> bool:
    """False if a linked folder contains the link itself, or is already on the path to it."""
    here = os.path.realpath(folder)
    return real not in linked and not f"{here}{os.sep}".startswith(f"{real}{os.sep}")
