"""Read the rows of episodes where their files have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from roboreel.dataset.positions import Positions
from roboreel.errors import StorageError
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import TableFile


def read_rows(
    root: Root,
    positions: Positions,
    row_ranges: Iterable[tuple[int, int, int]],
    columns: Sequence[str] | None = None,
) -> Iterator[pa.Table]:
    """Read the rows of episode slices, one table per slice; consecutive slices share an open file.

    Args:
        root: the dataset's root.
        positions: where the rows of its episodes are.
        row_ranges: (row in `Model.episodes`, first frame, frame after the last) of each slice; a negative
            last value means the episode's end.
        columns: names of the columns to read; None reads all.

    Raises:
        StorageError: a file cannot be read, or lacks a column.
        DatasetError: a file does not tell which rows are the episode's.
    """
    file: TableFile | None = None
    wanted = None if columns is None else tuple(columns)
    try:
        for row, start, stop in row_ranges:
            found = positions.rows(row)
            if file is None or file.name != found.path:
                if file is not None:
                    file.close()
                file = TableFile(root, found.path)
                _require(file, wanted or ())
            end = found.stop if stop < 0 else min(found.start + stop, found.stop)
            yield file.rows(found.start + start, end, wanted)
    finally:
        if file is not None:
            file.close()


def _require(file: TableFile, columns: Sequence[str]) -> None:
    names = file.footer.schema.names
    missing = [name for name in columns if name not in names]
    if missing:
        raise StorageError(f"'{file.name}' has no column '{missing[0]}'")
