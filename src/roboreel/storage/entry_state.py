"""When a file or folder changed last, more exactly than a stamp tells."""

from __future__ import annotations

import os
from typing import NamedTuple


class EntryState(NamedTuple):
    """What the disk says about a file or folder without reading it; every change of it changes this.

    A folder changes when a name in it is added, removed or replaced, not when a file in it is written.
    """

    size_bytes: int
    modified_ns: int
    """Modification time, which copying tools can set."""
    changed_ns: int
    """Time of the last change, the one that no tool can set; on Windows the time of creation."""

    @classmethod
    def of(cls, found: os.stat_result) -> EntryState:
        """The state in a result of `os.stat`."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    @property
    def latest_ns(self) -> int:
        """When it changed last, in nanoseconds."""
        return max(self.modified_ns, self.changed_ns)
