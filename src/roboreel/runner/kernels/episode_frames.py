"""Read the frames of an episode of the result, from the input's video or from images in its table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from roboreel.edit.frame_rate import taken_frames
from roboreel.errors import StorageError, VideoError
from roboreel.format.images import IMAGE, image_bytes
from roboreel.plan.plan import (
    INPUT_ROW,
    INPUT_TABLE,
    ROW_RANGE,
    ROWS,
    SOURCE,
    SOURCE_EPISODE,
    input_frame,
    input_video,
)
from roboreel.runner.work import Work
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.video.backends import backend_frames
from roboreel.storage.video.decode import frames_of
from roboreel.storage.video.encode import png, prefetch
from roboreel.storage.video.indexed_video import indexed_video
from roboreel.storage.video.still_images import decoded_image

_CELLS = 16
"""Encoded images to read from a table at once."""
_CHUNK_BYTES = 1 << 30


def camera_frames(
    work: Work,
    root: Root,
    camera: str,
    at: int,
    *,
    in_tables: bool,
    chosen: Sequence[int] | None = None,
    backend: str = "pyav",
) -> Iterator[Any]:
    """Yield the PyAV frames of an episode in order, decoded on demand.

    Backends other than PyAV yield (H, W, 3) arrays instead.

    Args:
        work: the op.
        root: the root of its inputs.
        camera: the camera's name in the result.
        at: the episode's position in the op's tables.
        in_tables: True if its frames are images in a table column.
        chosen: numbers of the episode's frames, ascending; by default all.
        backend: the library that decodes videos.

    Raises:
        StorageError: a frame is missing or does not decode.
    """
    count, row_range = work.inputs[ROWS][at].as_py(), work.inputs[ROW_RANGE][at].as_py()
    step = work.table.steps[work.inputs[SOURCE][at].as_py()]
    wanted = taken_frames(count, row_range, step)
    # at a higher frame rate a frame is taken several times, but decoded once
    wanted, times = np.unique(wanted if chosen is None else wanted[chosen], return_counts=True)
    if in_tables:
        frames = _from_table(work, root, camera, at, wanted.tolist())
    else:
        frames = _from_video(work, root, camera, at, wanted.tolist(), backend)
    for frame, repeats in zip(frames, times.tolist(), strict=True):
        for _ in range(repeats):
            yield frame


def decoded_images(work: Work, root: Root, at: int, camera: str) -> Iterator[pa.Array]:
    """Yield an episode's video as PNG images: structs of bytes and a file name like those of recorders.

    The images come in chunks that Arrow can hold, even for a long episode.
    """
    frames = prefetch(camera_frames(work, root, camera, at, in_tables=False))
    images: list[dict[str, Any]] = []
    size = 0
    for number, frame in enumerate(frames):
        images.append({"bytes": png(frame), "path": f"frame-{number:06d}.png"})
        size += len(images[-1]["bytes"])
        if size >= _CHUNK_BYTES:
            yield pa.array(images, IMAGE)
            images, size = [], 0
    yield pa.array(images, IMAGE)


def _from_video(
    work: Work, root: Root, camera: str, at: int, wanted: Sequence[int], backend: str
) -> Iterator[Any]:
    name = work.inputs[input_video(camera)][at].as_py()
    start = work.inputs[input_frame(camera)][at].as_py()
    work.check_input(root, name)
    numbers = [start + n for n in wanted]
    video = indexed_video(root, name)
    if backend != "pyav":
        return backend_frames(video, numbers, backend=backend)
    return (frame for _, frame in frames_of(video, numbers))


def _from_table(
    work: Work, root: Root, camera: str, at: int, wanted: Sequence[int]
) -> Iterator[Any]:
    renamed = {new: old for old, new in work.names_in(at).renamed.items()}
    column = renamed.get(camera, camera)
    cells = _cells(work, root, column, at)
    episode = f"episode {work.inputs[SOURCE_EPISODE][at].as_py()}"
    due = iter(wanted)
    number = next(due, None)
    for row, cell in enumerate(cells):
        if number is None:
            return
        if row == number:
            yield _decoded(cell, f"column '{column}', row {row} of {episode}")
            number = next(due, None)


def _cells(work: Work, root: Root, column: str, at: int) -> Iterator[Any]:
    """Yield the cells of a column in an episode's row range; memory use does not grow with the range."""
    name, start = work.inputs[INPUT_TABLE][at].as_py(), work.inputs[INPUT_ROW][at].as_py()
    stop = start + work.inputs[ROW_RANGE][at].as_py()
    work.check_input(root, name)
    with TableFile(root, name, "columns") as file:
        if column not in file.footer.schema.names:
            raise StorageError(f"'{name}': no column '{column}'")
        for cells in file.cells(column, start, stop, rows=_CELLS):
            yield from cells


def _decoded(cell: Any, where: str) -> Any:
    try:
        return decoded_image(image_bytes(cell))
    except ValueError as error:
        raise StorageError(f"{where}: the image {error}") from error
    except VideoError as error:
        raise StorageError(f"{where}: {error}") from error
