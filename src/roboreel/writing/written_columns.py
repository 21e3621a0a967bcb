"""The table of one episode: columns checked against the declared features, index columns made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.errors import UsageError
from roboreel.format.declared import has_size
from roboreel.format.feature import (
    EPISODE_INDEX,
    FRAME_INDEX,
    INDEX,
    INDEX_DTYPES,
    TASK_INDEX,
    TIMESTAMP,
    Feature,
    dtype_of,
)
from roboreel.format.fps import seconds_of
from roboreel.format.model import Info
from roboreel.format.values import column_values, nested_column
from roboreel.stats.camera_pixels import CameraPixels
from roboreel.stats.sampling import sampled_frames
from roboreel.storage.video.encode import frame_of, png
from roboreel.storage.video.still_images import decode_image
from roboreel.writing.episode_input import EpisodeInput, ImageArray

_FILE_KINDS = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpg"))


@dataclass(frozen=True, slots=True)
class EpisodePosition:
    """Where an episode is in its dataset."""

    episode: int
    first_row: int
    """Rows of the dataset before it."""
    task_index: npt.NDArray[np.int64]
    """(rows,) the task of each row."""


def require_names(episode: EpisodeInput, features: Mapping[str, Feature], number: int) -> None:
    """Raise `UsageError` where an episode lacks a declared feature, or has one that is not declared."""
    own = [f for f in features.values() if f.name not in INDEX_DTYPES]
    for what, given, declared in (
        ("video", episode.videos, {f.name for f in own if f.is_video}),
        ("images", episode.images, {f.name for f in own if f.dtype == "image"}),
        ("column", episode.columns, {f.name for f in own if not f.is_camera}),
    ):
        for name in sorted(declared - given.keys()):
            raise UsageError(f"episode {number}: the {what} of '{name}' is missing")
        for name in sorted(given.keys() - declared):
            known = ", ".join(sorted(declared)) or "none"
            raise UsageError(
                f"episode {number}: '{name}' is not declared as a feature with a {what}"
                f" (declared: {known})"
            )
    if episode.rows < 1:
        raise UsageError(f"episode {number}: rows is {episode.rows}, expected 1 or more")
    if len(episode.row_tasks) != episode.rows:
        raise UsageError(
            f"episode {number}: {len(episode.row_tasks)} tasks for {episode.rows} rows: pass one string, or"
            " one per row"
        )
    if not all(isinstance(text, str) for text in episode.row_tasks):
        raise UsageError(f"episode {number}: tasks must be strings")


def episode_rows_of(
    episode: EpisodeInput,
    info: Info,
    schema: pa.Schema,
    position: EpisodePosition,
    pixels: Mapping[str, CameraPixels],
) -> pa.Table:
    """The table of an episode.

    Args:
        episode: its columns and images.
        info: the dataset's features and frame rate.
        schema: of the table.
        position: gives its index columns.
        pixels: takes in the reference's sample of each image camera.

    Raises:
        UsageError: a column or an image is not what its feature declares.
    """
    frame = np.arange(episode.rows, dtype=np.int64)
    index: dict[str, npt.NDArray[np.generic]] = {
        TIMESTAMP: seconds_of(frame, info.fps),
        FRAME_INDEX: frame,
        EPISODE_INDEX: np.full(episode.rows, position.episode, dtype=np.int64),
        INDEX: frame + position.first_row,
        TASK_INDEX: position.task_index,
    }
    columns = []
    for item in schema:
        where = f"episode {position.episode}, column '{item.name}'"
        if item.name in index:
            columns.append(pa.array(index[item.name]).cast(item.type, safe=False))
        elif item.name in episode.images:
            cells = _cells(episode, info.features[item.name], where, pixels[item.name])
            named = "frame_" if info.version.one_file_per_episode else "frame-"  # as lerobot
            columns.append(_image_column(list(cells), item.type, named))
        else:
            given = episode.columns[item.name]
            columns.append(
                _checked(given, info.features[item.name], item.type, episode.rows, where)
            )
    return pa.table(columns, schema=schema)


def _checked(
    given: pa.Array | pa.ChunkedArray, feature: Feature, type_: pa.DataType, rows: int, where: str
) -> pa.Array | pa.ChunkedArray:
    """A column as the table stores it."""
    if len(given) != rows:
        raise UsageError(f"{where}: {len(given)} values for {rows} rows")
    column = given if isinstance(given, pa.ChunkedArray) else pa.chunked_array([given])
    found = dtype_of(column.type)
    if feature.is_numeric or feature.dtype == "string":
        if found != feature.dtype:
            raise UsageError(f"{where}: expected {feature.dtype}, found {found}")
    elif not column.type.equals(type_):
        raise UsageError(f"{where}: expected {type_}, found {column.type}")
    if not feature.is_numeric:
        if column.null_count:
            raise UsageError(f"{where}: {column.null_count} values are missing")
        return column.cast(type_)
    values = column_values(column)
    if values is None:
        raise UsageError(f"{where}: values are missing, or lists differ in length")
    shape = values.shape[1:] or (1,)
    if shape != (feature.shape or (1,)):
        raise UsageError(f"{where}: expected shape {list(feature.shape)}, found {list(shape)}")
    return nested_column(values, type_)


def _cells(
    episode: EpisodeInput, feature: Feature, where: str, pixels: CameraPixels
) -> Iterator[bytes]:
    """The encoded images of a camera; the sampled ones are taken in."""
    sampled, count = set(sampled_frames(episode.rows)), 0
    for count, image in enumerate(episode.images[feature.name], start=1):
        if isinstance(image, bytes):
            if count - 1 in sampled:
                frame = decode_image(image)
                require_size(frame, feature, f"{where}, image {count - 1}")
                pixels.add(frame)
            yield image
            continue
        require_size(image, feature, f"{where}, image {count - 1}")
        if count - 1 in sampled:
            pixels.add(image if image.ndim == 3 else image[..., None])
        yield png(frame_of(image))
    if count != episode.rows:
        raise UsageError(f"{where}: {count} images for {episode.rows} rows")


def require_size(image: ImageArray, feature: Feature, where: str) -> None:
    """Raise `UsageError` where an array is no image, or has another size than its camera declares."""
    shape: tuple[int, ...] = getattr(image, "shape", ())  # what a caller gives may be anything
    channels = 1 if len(shape) == 2 else shape[-1] if len(shape) == 3 else 0
    kinds = (np.dtype(np.uint8), np.dtype(np.uint16)) if channels == 1 else (np.dtype(np.uint8),)
    if channels not in (1, 3) or image.dtype not in kinds:
        kind = f"{image.dtype} {list(shape)}" if shape else type(image).__name__
        raise UsageError(
            f"{where}: expected (H, W, 3) uint8, or (H, W, 1) of grey images, found {kind}"
        )
    if not has_size(feature, *shape[:2]):
        raise UsageError(f"{where}: declared as {list(feature.shape)}, found {list(shape)}")


def _image_column(cells: Sequence[bytes], type_: pa.DataType, named: str) -> pa.Array:
    """Images as structs of bytes and a path, or as plain bytes where the tables have these."""
    if not pa.types.is_struct(type_):
        return pa.array(cells, type_)
    structs = [
        {"bytes": data, "path": f"{named}{number:06d}.{_kind(data)}"}
        for number, data in enumerate(cells)
    ]
    return pa.array(structs, type_)


def _kind(data: bytes) -> str:
    return next((kind for head, kind in _FILE_KINDS if data.startswith(head)), "tiff")
