"""Images that are stored in tables: read by row group, decoded on demand."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from roboreel.errors import StorageError, VideoError
from roboreel.format.images import image_bytes
from roboreel.reading.decode_jobs import WantedFrames
from roboreel.reading.read_options import ReadOptions
from roboreel.storage.memory.bounded_cache import BoundedCache
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.video.still_images import decoded_image


class TableImages:
    """Decodes images of table columns. Threads may share it."""

    def __init__(self, options: ReadOptions) -> None:
        """Prepare to read; no file is opened."""
        self._groups = BoundedCache[tuple[str, str, str, int], tuple[int, pa.ChunkedArray]](
            options.memory_bytes // 4, lambda found: int(found[1].nbytes)
        )
        self._begins: dict[tuple[str, str], list[int]] = {}

    def read(self, want: WantedFrames) -> None:
        """Decode images into their array.

        Raises:
            StorageError: the table cannot be read, or an image is not there or damaged.
        """
        items = zip(want.episodes.tolist(), want.frames.tolist(), want.rows.tolist(), strict=True)
        for episode, frame, row in items:
            path, at = want.source.row_of(episode, frame)
            cell = self._cell(want, path, at)
            want.into.put(_image(cell, want, row), [row])

    def _cell(self, want: WantedFrames, path: str, row: int) -> Any:
        root, column = want.source.dataset.root, want.source.stored_name(want.camera)
        group, begin, stop = self._group_of(want, path, row)
        key = (root.url, path, column, group)
        first, cells = self._groups.get(key, lambda: _read(want, path, column, begin, stop))
        return cells[row - first]

    def _group_of(self, want: WantedFrames, path: str, row: int) -> tuple[int, int, int]:
        """(number, first row, row after the last) of the row group that holds a row."""
        root = want.source.dataset.root
        key = root.url, path
        if key not in self._begins:
            with TableFile(root, path) as file:
                begins = [0]
                for rows in file.footer.row_group_rows:
                    begins.append(begins[-1] + rows)
            self._begins[key] = begins
        begins = self._begins[key]
        group = next(n for n in range(len(begins) - 1) if begins[n] <= row < begins[n + 1])
        return group, begins[group], begins[group + 1]


def _read(
    want: WantedFrames, path: str, column: str, begin: int, stop: int
) -> tuple[int, pa.ChunkedArray]:
    with TableFile(want.source.dataset.root, path) as file:
        if column not in file.footer.schema.names:
            raise StorageError(f"'{path}' has no column '{column}'")
        return begin, file.rows(begin, stop, (column,))[column]


def _image(cell: Any, want: WantedFrames, row: int) -> Any:
    try:
        return decoded_image(image_bytes(cell))
    except ValueError as error:
        raise StorageError(f"the image {error} [{want.described(row)}]") from error
    except VideoError as error:
        raise StorageError(f"{error} [{want.described(row)}]") from error
