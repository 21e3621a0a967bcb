"""Permissions of results: only users who can read the sources may read the result."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace

_GROUP, _OTHERS = 3, 0
"""Bit shifts of the classes of users in a mode."""
_READ, _SEARCH = 0o4, 0o1
_OWNER_FOLDER, _OWNER_FILE = 0o700, 0o600


@dataclass(frozen=True, slots=True)
class Modes:
    """Permissions of the folders and files that a root creates."""

    folder: int = 0o777
    file: int = 0o666
    exact: bool = False
    """True sets exactly these; False applies the umask, as for any new file."""

    def in_folder(self, modes: Iterable[int], *, exact: bool) -> Modes:
        """The modes for a result whose source folders have `modes`.

        Args:
            modes: permissions of the folders of all sources.
            exact: the result replaces the source, and has its permissions.
        """
        if exact:
            folder = functools.reduce(int.__and__, modes, 0o7777) | _OWNER_FOLDER
        else:
            folder = limited(self.folder, modes, needed=_READ | _SEARCH)
        return replace(self, folder=folder, exact=exact)

    def for_files(self, modes: Iterable[int]) -> Modes:
        """The modes for files made from files with `modes`."""
        if self.exact:
            file = functools.reduce(int.__and__, modes, 0o666) | _OWNER_FILE
        else:
            file = limited(0o666, modes, needed=_READ)
        return replace(self, file=file)


USUAL = Modes()
"""Determined by the user's umask."""
PRIVATE = Modes(0o700, 0o600)
"""Only for the user."""


def limited(mode: int, sources: Iterable[int], *, needed: int = _READ | _SEARCH) -> int:
    """Return `mode` without permissions that a source denies to the group or to others.

    Args:
        mode: permissions.
        sources: permissions of the sources.
        needed: a class that lacks one of these bits in a source gets at most the source's permissions.
    """
    for source in sources:
        for shift in (_GROUP, _OTHERS):
            if ~(source >> shift) & needed:
                mode &= source | ~(0o7 << shift)
    return mode


def reach(folder: int) -> int:
    """Mask of the bits that are effective inside a folder: a class that cannot enter it has none."""
    mask = 0o7777
    for shift in (_GROUP, _OTHERS):
        if not (folder >> shift) & _SEARCH:
            mask &= ~(0o7 << shift)
    return mask
