"""Frames as callers give them (NumPy, torch, PIL) as the arrays that cameras store."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.errors import UsageError
from roboreel.format.feature import Feature

Array = npt.NDArray[np.generic]
_PLAIN_MODES = ("L", "RGB", "F", "I", "I;16", "I;16L", "I;16B")
"""Modes of PIL images whose values are those of the pixels; in a palette they are not."""
_PEAK = 255
_DEPTHS = {True: "uint16 (mm) or float32 (m)", False: "uint16 (mm)"}
"""What depth cameras give, stored as video and in the table."""
_CHANNELS = ("channel", "channels")


def as_array(value: Any, where: str) -> Array:
    """A value as a NumPy array: torch tensors on any device, PIL images, lists and numbers.

    The array can share its memory with the value. No framework is imported.

    Args:
        value: the value.
        where: names the frame and feature in errors.

    Raises:
        UsageError: it is no array, or has masked values.
    """
    if type(value) is np.ndarray:  # quick: most values are
        return value
    try:
        if hasattr(value, "detach") and hasattr(value, "cpu"):
            value = value.detach().cpu().numpy()
        array = np.asarray(value)
    except Exception as error:  # whatever another library raises
        raise UsageError(
            f"{where}: got {type(value).__name__}, which NumPy cannot convert: {error}"
        ) from error
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise UsageError(f"{where}: it has masked values, expected numbers: fill them first")
    return array


class ImageChecker:
    """Checks and converts the frames of one camera."""

    def __init__(self, feature: Feature) -> None:
        """Use the declared shape, (H, W, C) or (C, H, W).

        Raises:
            UsageError: the shape is not that of an image.
        """
        shape = feature.shape
        names = feature.dimension_names or []
        first = bool(names) and names[0] in _CHANNELS
        if len(shape) == 2:
            shape = (*shape, 1)
        if len(shape) != 3:
            raise UsageError(
                f"camera '{feature.name}': shape is {list(feature.shape)}, expected [height, width, channels]"
            )
        self.height, self.width, self.channels = (
            (shape[1], shape[2], shape[0]) if first else (shape[0], shape[1], shape[2])
        )
        if self.channels not in (1, 3):
            raise UsageError(
                f"camera '{feature.name}': {self.channels} channels declared, expected 3 (RGB) or 1"
            )
        self.depth = feature.is_depth
        self._video = feature.is_video
        self._last = (self.height, self.width, self.channels)
        self._first = (self.channels, self.height, self.width)
        self._plain = (self.height, self.width)
        stored = not self.depth and not (self._video and self.channels == 1)
        self.stored_shape = self._last if stored else None
        """The shape of a frame that is stored as it is, if it has bytes."""
        self.expected = (
            f"{list(self._last)} or {list(self._first)}, "
            + (_DEPTHS[feature.is_video] if self.depth else "uint8, or float from 0 to 1")
        )  # fmt: skip

    def image(self, value: Any, where: str) -> Array:
        """The frame as (H, W, C): uint8, of depth cameras also uint16 or float32; it may share memory.

        Args:
            value: a NumPy array, torch tensor or PIL image.
            where: names the frame and feature in errors.

        Raises:
            UsageError: it has another shape or dtype, or values out of range.
        """
        mode = getattr(value, "mode", None)
        if isinstance(mode, str) and not isinstance(value, np.ndarray) and mode not in _PLAIN_MODES:
            raise UsageError(
                f"{where}: a PIL image of mode '{mode}', expected RGB: image.convert('RGB')"
            )
        array = self._height_first(as_array(value, where), where)
        if array.dtype == np.uint8 and not self.depth:
            return self._as_stored(array)
        if self.depth:
            return self._as_depth(array, where)
        if array.dtype.kind != "f":
            raise UsageError(f"{where}: dtype is {array.dtype}, expected {self.expected}")
        return self._as_stored(_as_uint8(array, where))

    def _as_stored(self, array: Array) -> Array:
        """Videos are RGB, also those of grey cameras."""
        return np.repeat(array, 3, axis=2) if self._video and self.channels == 1 else array

    def _height_first(self, array: Array, where: str) -> Array:
        if array.shape == self._last:
            return array
        if array.shape == self._first:
            return array.transpose(1, 2, 0)
        if self.channels == 1 and array.shape == self._plain:
            return array[..., None]
        raise UsageError(f"{where}: shape is {list(array.shape)}, expected {self.expected}")

    def _as_depth(self, array: Array, where: str) -> Array:
        if array.dtype in (np.uint8, np.uint16):
            return array.astype(np.uint16, copy=False)
        if array.dtype.kind == "f" and self._video:
            _require_finite(array, where)
            return array.astype(np.float32, copy=False)
        if array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= np.iinfo(np.uint16).max:
            return array.astype(np.uint16)
        raise UsageError(f"{where}: dtype is {array.dtype}, expected {self.expected}")


def _as_uint8(array: npt.NDArray[Any], where: str) -> Array:
    """A float image in [0, 1] as uint8, rounded: k / 255 becomes k again."""
    _require_finite(array, where)
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        raise UsageError(f"{where}: values from {low:g} to {high:g}, expected 0 to 1, or uint8")
    scaled: npt.NDArray[Any] = np.rint(array * np.float32(_PEAK))
    return scaled.astype(np.uint8)


def _require_finite(array: Array, where: str) -> None:
    if not np.isfinite(array).all():
        raise UsageError(f"{where}: it has NaN or infinite values, expected numbers")
