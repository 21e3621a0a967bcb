"""Files that many processes read through memory maps."""

from __future__ import annotations

import mmap
import os

import numpy as np
import numpy.typing as npt

from roboreel.errors import StorageError
from roboreel.storage.local import LocalRoot


class MappedFile:
    """The bytes of a file, without reading them. What others write into the file appears in them.

    The file may be removed meanwhile; its bytes stay as long as this object. Threads and forked processes may
    share it.
    """

    def __init__(self, folder: LocalRoot, name: str) -> None:
        """Map a file.

        Raises:
            StorageError: the file cannot be opened, or is empty.
        """
        with folder.input(name) as file:
            found = os.fstat(file.fileno())
            try:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError) as error:
                raise StorageError(f"'{name}' in '{folder.url}': {error}") from error
        self.identity = identity_of(found)
        self.data: npt.NDArray[np.uint8] = np.frombuffer(mapped, np.uint8)


def identity_of(found: os.stat_result) -> tuple[int, int]:
    """What tells a file from another of its name."""
    return found.st_dev, found.st_ino
