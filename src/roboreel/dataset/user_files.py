"""Read files that a user passes besides datasets: lists, and values of new features."""

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
from roboreel.storage.tables.tables import TableFile


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """The non-empty lines of a text file, stripped and without comments after `#`.

    Raises:
        StorageError: the file cannot be read, or is not UTF-8 text.
    """
    lines = (line.partition("#")[0].strip() for line in read_text(path).splitlines())
    return [line for line in lines if line]


def read_text(path: str | os.PathLike[str]) -> str:
    """The content of a text file.

    Raises:
        StorageError: the file cannot be read, or is not UTF-8 text.
    """
    root, name = _root_and_name(path)
    try:
        return root.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StorageError(f"'{path}' is not text: {error}") from error


def read_values(location: str) -> np.ndarray[Any, Any] | pa.ChunkedArray:
    """Read the values in `file.npy`, or in a column of a table: `file.parquet:column`.

    Raises:
        UsageError: `location` has neither form, or the column does not exist.
        StorageError: the file cannot be read.
    """
    path, ending, column = location.partition(".parquet:")
    if ending:
        return _read_column(f"{path}.parquet", column)
    if location.endswith(".parquet"):
        raise UsageError(f"'{location}': name the column, as in '{location}:column'")
    if not location.endswith(".npy"):
        raise UsageError(f"'{location}': expected 'file.npy' or 'file.parquet:column'")
    root, name = _root_and_name(location)
    try:
        return np.asarray(np.load(io.BytesIO(root.read(name)), allow_pickle=False))
    except (ValueError, EOFError, OSError) as error:
        raise StorageError(f"'{location}' is not a readable array: {error}") from error


def _read_column(path: str, column: str) -> pa.ChunkedArray:
    root, name = _root_and_name(path)
    with TableFile(root, name) as file:
        known = file.footer.schema.names
        if column not in known:
            listed = ", ".join(f"'{one}'" for one in known)
            raise UsageError(f"'{path}' has no column '{column}': it has {listed}")
        return file.read([column])[column]


def _root_and_name(path: str | os.PathLike[str]) -> tuple[LocalRoot, str]:
    """(root of the file's folder, file name); links are followed, because the user named the file."""
    full = Path(local_path(path))
    return LocalRoot(full.parent, follow_links=True), full.name
