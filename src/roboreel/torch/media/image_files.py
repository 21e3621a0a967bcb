"""Read image files as arrays."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.storage.frames_by_time import located_file
from roboreel.storage.video.still_images import decode_image

_DEPTH_FILES = (".tif", ".tiff")


def load_image_as_numpy(
    fpath: str | os.PathLike[str],
    dtype: npt.DTypeLike = np.float32,
    channel_first: bool = True,
) -> npt.NDArray[Any]:
    """An image file (PNG, JPEG, TIFF) as an array.

    Args:
        fpath: the file.
        dtype: of RGB images; floats are in [0, 1], integers in [0, 255]. TIFF files, which hold depths, keep
            theirs.
        channel_first: True for (C, H, W), False for (H, W, C).

    Raises:
        StorageError: the file cannot be read.
        VideoError: it is not an image.
    """
    root, name = located_file(fpath)
    image = decode_image(root.read(name))
    if not os.fspath(fpath).lower().endswith(_DEPTH_FILES):
        image = _as_rgb(image, np.dtype(dtype))
    return np.ascontiguousarray(np.moveaxis(image, 2, 0)) if channel_first else image


def _as_rgb(image: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    found = image.astype(dtype)
    return found / dtype.type(255) if np.issubdtype(dtype, np.floating) else found
