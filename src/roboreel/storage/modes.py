"""Permissions of what is written: nobody may read a result who could not read its sources."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace

_GROUP, _OTHERS = 3, 0
"""How far the bits of a class of users are shifted in a mode."""
_READ, _SEARCH = 0o4, 0o1
_OWNER_FOLDER, _OWNER_FILE = 0o700, 0o600


@dataclass(frozen=True, slots=True)
class Modes:
    """Permissions of the folders and files that a root makes."""

    folder: int = 0o777
    file: int = 0o666
    exact: bool = False
    """True sets them as they are; False leaves out what the umask does, as for any new file."""

    def in_folder(self, modes: Iterable[int], *, exact: bool) -> Modes:
        """The same for a result whose sources' folders have `modes`.

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
        """The same for files that are made of files with `modes`."""
        if self.exact:
            file = functools.reduce(int.__and__, modes, 0o666) | _OWNER_FILE
        else:
            file = limited(0o666, modes, needed=_READ)
        return replace(self, file=file)


USUAL = Modes()
"""As the user's umask has it."""
PRIVATE = Modes(0o700, 0o600)
"""For the user alone."""


def limited(mode: int, sources: Iterable[int], *, needed: int = _READ | _SEARCH) -> int:
    """`mode` without what a source withholds from the group or from others.

    Args:
        mode: permissions.
        sources: permissions of what is read.
        needed: the bits of a class without one of which it has what the source gives it, and no more.
    """
    for source in sources:
        for shift in (_GROUP, _OTHERS):
            if ~(source >> shift) & needed:
                mode &= source | ~(0o7 << shift)
    return mode


def reach(folder: int) -> int:
    """The bits that remain of what is inside a folder with these permissions: a class must get there."""
    mask = 0o7777
    for shift in (_GROUP, _OTHERS):
        if not (folder >> shift) & _SEARCH:
            mask &= ~(0o7 << shift)
    return mask
