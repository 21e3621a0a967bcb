"""Probe stored episode statistics: their shapes and counts, from Parquet or from a part of JSON Lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

import pyarrow as pa

from roboreel.errors import DatasetError, StorageError
from roboreel.format.model import EPISODE
from roboreel.format.stats_shape import StatsShapes, add_lines, add_rows
from roboreel.probes.probe_request import ProbeRequest, as_text
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import TableFile, row_ranges

_BLOCK_BYTES = 1 << 20
_BLOCK_ROWS = 2048
_INTEGERS = pa.list_(pa.int64())


def probe_stats(root: Root, request: ProbeRequest) -> pa.Table:
    """One row per file, or per part of a JSON Lines file; see `_columns`."""
    found = []
    for position, path in enumerate(request.paths):
        shapes, error = StatsShapes(), None
        try:
            if path.endswith(".parquet"):
                _add_table(shapes, root, path)
            else:
                for start, stop in request.of_file(position).tolist():
                    add_lines(shapes, _lines_from(root, path, start, stop))
        except (StorageError, DatasetError) as problem:
            shapes, error = StatsShapes(), as_text(str(problem))
        found.append((shapes, error))
    return _columns(found)


def _columns(found: Sequence[tuple[StatsShapes, str | None]]) -> pa.Table:
    return pa.table(
        {
            "error": pa.array([error for _, error in found], pa.string()),
            "names": pa.array([as_text(list(s.names)) for s, _ in found], pa.string()),
            "episodes": pa.array([s.episodes for s, _ in found], _INTEGERS),
            "features": pa.array([s.features for s, _ in found], pa.list_(pa.int32())),
            "counts": pa.array([s.counts for s, _ in found], _INTEGERS),
            "dims": pa.array([s.dims for s, _ in found], pa.list_(pa.int32())),
            "impossible": pa.array([s.impossible for s, _ in found], pa.list_(pa.bool_())),
        }
    )


def _add_table(shapes: StatsShapes, root: Root, path: str) -> None:
    with TableFile(root, path) as file:
        names = [name for name in file.footer.schema.names if name.startswith("stats/")]
        for rows in row_ranges(file.footer.row_group_rows, least=_BLOCK_ROWS):
            add_rows(shapes, file.rows(rows.start, rows.stop, [EPISODE, *names]))


def _lines_from(root: Root, path: str, start: int, stop: int) -> bytes:
    """The complete lines that begin in bytes `[start, stop)` of a file."""
    with root.input(path) as file:
        before = 1 if start else 0  # a line begins where the byte before ends one
        file.seek(start - before)
        data = _read(file, stop - start + before)
        if before:
            data = data[data.find(b"\n") + 1 :] if b"\n" in data else b""
        while data and not data.endswith(b"\n"):
            block = file.read(_BLOCK_BYTES)
            end = block.find(b"\n") + 1
            data += block[:end] if end else block
            if end or not block:
                break
    return data


def _read(file: IO[bytes], size: int) -> bytes:
    parts = []
    while size > 0 and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
