"""What kind of file system a folder is on, as far as the system tells."""

from __future__ import annotations

import os
from collections.abc import Iterable

from roboreel.storage.local import trusted_bytes

_MOUNTS = "/proc/self/mountinfo"
"""Linux's list of mounts; other systems have no such file."""


def any_on_fuse(folders: Iterable[str | os.PathLike[str]]) -> bool:
    """True if a folder is known to be on a file system of a user's program, such as a mounted bucket.

    Such programs may give a folder the same modification time whatever happens in it.

    Raises:
        OSError: a folder does not exist.
    """
    mounted = _fuse_devices()
    if not mounted:
        return False
    devices = {os.stat(folder).st_dev for folder in folders}
    return any(f"{os.major(device)}:{os.minor(device)}" in mounted for device in devices)


def _fuse_devices() -> set[str]:
    """The device numbers, as `major:minor`, of all mounts by FUSE."""
    try:
        lines = trusted_bytes(_MOUNTS).decode("utf-8", "surrogateescape").split("\n")
    except OSError:
        return set()
    found = set()
    for line in lines:
        left, _, right = line.partition(" - ")
        kind, parts = right.partition(" ")[0], left.split(" ")
        if (kind == "fuse" or kind.startswith("fuse.")) and len(parts) > 2:
            found.add(parts[2])
    return found
