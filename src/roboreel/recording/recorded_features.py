"""The features of a recording: those that are declared, and columns that the recorder fills itself."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Mapping
from typing import Any

from roboreel.errors import UsageError
from roboreel.format.feature import INDEX_DTYPES, SOURCE_TIMESTAMP, Feature
from roboreel.recording.language_entries import require_text
from roboreel.types import JsonObject

INTERVENTION = "intervention"
"""Column with who intervened in a row, such as `operator`; empty where the policy was in control."""
FRAME_REPEATED = "frame_repeated"
"""Column with a boolean per camera: True where its frame repeats the one before, to fill a gap."""
OWN_COLUMNS = frozenset({SOURCE_TIMESTAMP, INTERVENTION, FRAME_REPEATED})
TASK = "task"
"""The key of a frame's task, where it is not given beside the frame."""
_CAMERAS = ("video", "image")
_LONGEST_CAMERA = 240
"""Bytes: a file of the camera's name with an ending must have a valid name too."""
_MOST_VALUES = 1 << 28
"""In one value of a feature."""
CAMERA = "camera"
"""Key in a camera's `info` for what is known of it: intrinsics, extrinsics, and anything else."""


def declared_features(
    features: Mapping[str, JsonObject],
    *,
    source_timestamps: bool,
    interventions: bool,
    gaps: bool,
    camera_info: Mapping[str, JsonObject],
) -> dict[str, JsonObject]:
    """Declarations for a new recording.

    Args:
        features: what the caller declares: `dtype`, `shape`, `names`, and `info` of depth cameras.
        source_timestamps: add the column `source_timestamp`.
        interventions: add the column `intervention`.
        gaps: add the column `frame_repeated`.
        camera_info: what is known of cameras, kept in their `info`.

    Raises:
        UsageError: a name cannot be used, or a camera is not declared.
    """
    _require_mapping(features, "features: expected a dict with a declaration by name")
    _require_mapping(camera_info, "camera_info: expected a dict with a dict by camera")
    made: dict[str, JsonObject] = {n: _declared(n, spec) for n, spec in features.items()}
    cameras = [n for n, spec in made.items() if spec.get("dtype") in ("video", "image")]
    for name, known in camera_info.items():
        if name not in cameras:
            raise UsageError(
                f"camera_info: '{name}' is not a declared camera ({', '.join(cameras) or 'none'})"
            )
        _require_mapping(known, f"camera_info: '{name}': expected a dict")
        info = made[name].get("info")
        kept = info if isinstance(info, Mapping) else {}
        made[name] = {**made[name], "info": {**kept, CAMERA: dict(known)}}
    if source_timestamps:
        made[SOURCE_TIMESTAMP] = {"dtype": "float64", "shape": [1], "names": None}
    if interventions:
        made[INTERVENTION] = {"dtype": "string", "shape": [1], "names": None}
    if gaps and cameras:
        made[FRAME_REPEATED] = {"dtype": "bool", "shape": [len(cameras)], "names": [*cameras]}
    return made


def _require_mapping(given: object, message: str) -> None:
    if not isinstance(given, Mapping):
        raise UsageError(f"{message}, got {type(given).__name__}")


def _declared(name: Any, spec: Any) -> dict[str, Any]:
    _require_name(name)
    _require_mapping(spec, f"feature '{name}': expected a dict with dtype, shape and names")
    if not isinstance(spec.get("dtype"), str):
        raise UsageError(f"feature '{name}': dtype is {spec.get('dtype')!r}, expected a string")
    expected = INDEX_DTYPES.get(name)
    if expected is not None and spec["dtype"] != expected:
        raise UsageError(
            f"feature '{name}': dtype is '{spec['dtype']}', expected '{expected}': the recorder fills this"
            " index column; leave it out, or choose another name"
        )
    shape = _shape_of(name, spec.get("shape"))
    if spec["dtype"] in _CAMERAS and len(os.fsencode(name)) > _LONGEST_CAMERA:
        raise UsageError(
            f"feature '{name}': the name of a camera becomes a folder's, so it can have at most"
            f" {_LONGEST_CAMERA} bytes"
        )
    made = {"names": None, **spec, "shape": shape}
    info = spec.get("info")
    if spec.get("dtype") == "image" and isinstance(info, Mapping) and info.get("is_depth_map"):
        made["info"] = {"depth_unit": "mm", **info}
    return made


def _require_name(name: Any) -> None:
    """Raise `UsageError` where a name cannot be that of a column and of a folder."""
    if not isinstance(name, str):
        raise UsageError(
            f"feature {name!r}: expected a string as its name, got {type(name).__name__}"
        )
    if name in OWN_COLUMNS:
        raise UsageError(f"feature '{name}': the recorder fills this column itself")
    if name == TASK:
        raise UsageError("feature 'task': a frame has its task under this key: choose another name")
    if "/" in name:
        raise UsageError(f"feature '{name}': a name cannot contain '/'")
    if name in ("", ".", "..") or "\0" in name:
        raise UsageError(f"feature {name!r}: this cannot be the name of a file or folder")
    require_text(name, f"feature {name!a}")


def _shape_of(name: str, given: Any) -> list[int]:
    sizes = given if isinstance(given, (list, tuple)) else [given]
    try:
        shape = [operator.index(size) for size in sizes]
    except TypeError as error:
        raise UsageError(f"feature '{name}': shape is {given!r}, expected whole numbers") from error
    if any(size < 1 for size in shape):
        raise UsageError(f"feature '{name}': shape is {given!r}, expected numbers of 1 or more")
    if math.prod(shape) > _MOST_VALUES:
        raise UsageError(f"feature '{name}': shape is {given!r}, more than {_MOST_VALUES:,} values")
    return shape


def own_features(features: Mapping[str, Feature]) -> dict[str, Feature]:
    """The features without index columns."""
    return {name: f for name, f in features.items() if name not in INDEX_DTYPES}
