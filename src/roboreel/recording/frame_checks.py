"""Check a frame against the declared features before anything of it is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from roboreel.errors import UsageError
from roboreel.format.feature import TIMESTAMP, Feature
from roboreel.format.table_schema import column_type
from roboreel.recording.camera_types import EncodedFrame
from roboreel.recording.image_arrays import ImageChecker, as_array
from roboreel.recording.language_entries import checked_entries, require_text
from roboreel.recording.recorded_features import TASK

_FEW = 64
Checker = Callable[[Any, str], Any]
"""From (value, what names it in errors) to the value as it is stored."""


class CheckedFrame(NamedTuple):
    """A frame of which everything is known to be right."""

    values: dict[str, Any]
    """By feature, index columns excluded; cameras without a frame are missing."""
    task: str


class FrameChecker:
    """Checks frames against the features of a dataset."""

    def __init__(self, features: Mapping[str, Feature]) -> None:
        """Prepare a check per feature; index columns are not among them.

        Raises:
            UsageError: a feature has a shape or dtype that cannot be recorded.
        """
        self._checks = {name: (_checker(f), *_usual(f)) for name, f in features.items()}

    def checked(
        self,
        frame: Mapping[str, Any],
        *,
        number: int,
        task: str | None,
        own: Mapping[str, Any],
        may_lack: frozenset[str] = frozenset(),
    ) -> CheckedFrame:
        """The frame as it is stored. The caller's mapping is not changed.

        Args:
            frame: a value per feature; it may have `task` and `timestamp` too.
            number: of the frame in its episode.
            task: the task, where the frame does not have it.
            own: values of columns that the recorder fills itself.
            may_lack: cameras whose frame may be missing or None.

        Raises:
            UsageError: names the frame, the feature and what is expected.
        """
        values: dict[str, Any] = {}
        for name, (check, shape, dtype, floating) in self._checks.items():
            value = own[name] if name in own else frame.get(name)
            if (
                type(value) is ndarray
                and value.dtype is dtype
                and value.shape == shape
                and not (floating and not _all_finite(value))
            ):
                values[name] = value  # quick: most values are as they are stored
            elif value is not None:
                values[name] = check(value, f"frame {number}, '{name}'")
            elif name not in may_lack:
                raise self._missing(frame, number, name)
        if len(frame) > len(values) - len(own):
            self._refuse_unknown(frame, number, own)
        return CheckedFrame(values, _task_of(frame, task, number))

    def _missing(self, frame: Mapping[str, Any], number: int, name: str) -> UsageError:
        lacking = sorted(n for n in self._checks if frame.get(n) is None and n != name)
        more = f" (also missing: {', '.join(lacking)})" if lacking else ""
        return UsageError(f"frame {number}: '{name}' is missing{more}")

    def _refuse_unknown(
        self, frame: Mapping[str, Any], number: int, own: Mapping[str, Any]
    ) -> None:
        known = (self._checks.keys() - own.keys()) | {TASK, TIMESTAMP}
        unknown = sorted(str(name) for name in frame if name not in known)
        if unknown:
            raise UsageError(
                f"frame {number}: '{unknown[0]}' is not a declared feature"
                f" (declared: {', '.join(sorted(known - {TASK, TIMESTAMP})) or 'none'})"
            )


def require_frame(frame: object, number: int) -> None:
    """Raise `UsageError` unless a frame is a mapping."""
    if type(frame) is not dict and not isinstance(frame, Mapping):  # quick: most are dicts
        raise UsageError(
            f"frame {number}: got {type(frame).__name__}, expected a dict with a value for each feature"
        )


def _task_of(frame: Mapping[str, Any], task: str | None, number: int) -> str:
    given = frame.get(TASK) if task is None else task
    if not isinstance(given, str):
        found = "missing" if given is None else f"of type {type(given).__name__}"
        raise UsageError(f"frame {number}: the task is {found}, expected a string: task=…")
    if not given.isascii():
        require_text(given, f"frame {number}, task")
    return given


def _checker(feature: Feature) -> Checker:
    if feature.is_video:
        return _video_checker(ImageChecker(feature))
    if feature.is_camera:
        return ImageChecker(feature).image
    if feature.is_numeric:
        return _numeric_checker(feature)
    if feature.dtype == "string":
        return _checked_string
    return _language_checker(feature)


def _usual(feature: Feature) -> tuple[tuple[int, ...] | None, np.dtype[Any] | None, bool]:
    """Shape and dtype of arrays that are right as they are, and whether their values must be finite."""
    if feature.is_camera:
        return ImageChecker(feature).stored_shape, np.dtype(np.uint8), False
    if feature.is_numeric:
        dtype = np.dtype(feature.dtype)
        return feature.shape or (1,), dtype, dtype.kind == "f"
    return None, None, False


def _video_checker(images: ImageChecker) -> Checker:
    def check(value: Any, where: str) -> Any:
        return value if isinstance(value, EncodedFrame) else images.image(value, where)

    return check


def _numeric_checker(feature: Feature) -> Checker:
    shape, dtype = feature.shape or (1,), np.dtype(feature.dtype)
    expected = f"expected {feature.dtype} {list(shape)}"
    single = shape == (1,)
    floating = dtype.kind == "f"

    def check(value: Any, where: str) -> Any:
        array = as_array(value, where)
        if array.dtype != dtype:
            array = _exactly(value, array, dtype, f"{where}: dtype is {array.dtype}, {expected}")
        if array.shape != shape and not (single and array.shape == ()):
            raise UsageError(f"{where}: shape is {list(array.shape)}, {expected}")
        if floating and not _all_finite(array):
            raise UsageError(f"{where}: it has NaN or infinite values, {expected}")
        return array

    return check


def _all_finite(array: Any) -> bool:
    """True where no value is NaN or infinite; of a few values NumPy's start takes longer than the work."""
    if array.size > _FEW:
        return bool(np.isfinite(array).all())
    return all(map(isfinite, array.ravel().tolist()))


def _exactly(value: Any, array: Any, dtype: np.dtype[Any], message: str) -> Any:
    """Python's numbers and lists of them in the wanted dtype; arrays must have it already."""
    kinds = (array.dtype.kind, dtype.kind)
    plain = isinstance(value, (bool, int, float, list, tuple))
    if not plain or (kinds[0] != kinds[1] and kinds not in (("i", "f"), ("i", "u"))):
        raise UsageError(message)
    made = array.astype(dtype)
    if dtype.kind in "iu" and not np.array_equal(made, array):
        raise UsageError(f"{message}: it does not fit")
    return made


def _checked_string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{where}: got {type(value).__name__}, expected a string")
    require_text(value, where)
    return value


def _language_checker(feature: Feature) -> Checker:
    column_type(feature)  # raises where it is no language column

    def check(value: Any, where: str) -> Any:
        return checked_entries(value, feature.name, where)

    return check
