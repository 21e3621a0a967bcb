"""Files that a user names beside datasets: lists, and values of new features."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from roboreel.errors import StorageError, UsageError
from roboreel.storage.local import LocalRoot
from roboreel.storage.names import local_path
from roboreel.storage.tables import TableFile


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """The lines of a text file that say something: no blanks, and nothing after `#`.

    Raises:
        StorageError: it cannot be read, or is no text.
    """
    root, name = _place(path)
    try:
        text = root.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StorageError(f"'{path}' is not text: {error}") from error
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def read_values(place: str) -> np.ndarray[Any, Any] | pa.ChunkedArray:
    """The values in `file.npy`, or in a column of a table, `file.parquet:column`.

    Raises:
        UsageError: it is neither, or there is no such column.
        StorageError: the file cannot be read.
    """
    path, ending, column = place.partition(".parquet:")
    if ending:
        return _read_column(f"{path}.parquet", column)
    if place.endswith(".parquet"):
        raise UsageError(f"'{place}': say which column, as in '{place}:column'")
    if not place.endswith(".npy"):
        raise UsageError(f"'{place}': expected 'file.npy' or 'file.parquet:column'")
    root, name = _place(place)
    try:
        return np.asarray(np.load(io.BytesIO(root.read(name)), allow_pickle=False))
    except (ValueError, EOFError, OSError) as error:
        raise StorageError(f"'{place}' is not a readable array: {error}") from error


def _read_column(path: str, column: str) -> pa.ChunkedArray:
    root, name = _place(path)
    with TableFile(root, name) as file:
        known = file.footer.schema.names
        if column not in known:
            listed = ", ".join(f"'{one}'" for one in known)
            raise UsageError(f"'{path}' has no column '{column}': there are {listed}")
        return file.read([column])[column]


def _place(path: str | os.PathLike[str]) -> tuple[LocalRoot, str]:
    """The folder of a file, and its name there. It was named by the user, wherever links lead."""
    full = Path(local_path(path))
    return LocalRoot(full.parent, follow_links=True), full.name
