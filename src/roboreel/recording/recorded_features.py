"""The features of a recording: those that are declared, and columns that the recorder fills itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roboreel.errors import UsageError
from roboreel.format.feature import INDEX_DTYPES, SOURCE_TIMESTAMP, Feature
from roboreel.types import JsonObject

INTERVENTION = "intervention"
"""Column with who intervened in a row, such as `operator`; empty where the policy was in control."""
FRAME_REPEATED = "frame_repeated"
"""Column with a boolean per camera: True where its frame repeats the one before, to fill a gap."""
OWN_COLUMNS = frozenset({SOURCE_TIMESTAMP, INTERVENTION, FRAME_REPEATED})
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
    made: dict[str, JsonObject] = {n: _declared(n, spec) for n, spec in features.items()}
    cameras = [n for n, spec in made.items() if spec.get("dtype") in ("video", "image")]
    for name, known in camera_info.items():
        if name not in cameras:
            raise UsageError(
                f"camera_info: '{name}' is not a declared camera ({', '.join(cameras) or 'none'})"
            )
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


def _declared(name: str, spec: object) -> dict[str, Any]:
    if not isinstance(spec, Mapping):
        raise UsageError(f"feature '{name}': expected a dict with dtype, shape and names")
    if name in OWN_COLUMNS:
        raise UsageError(f"feature '{name}': the recorder fills this column itself")
    if "/" in name:
        raise UsageError(f"feature '{name}': a name cannot contain '/'")
    shape: Any = spec.get("shape")
    try:
        shape = [int(size) for size in (shape if isinstance(shape, (list, tuple)) else [shape])]
    except (TypeError, ValueError) as error:
        raise UsageError(f"feature '{name}': shape is {shape!r}, expected whole numbers") from error
    made = {"names": None, **spec, "shape": shape}
    info = spec.get("info")
    if spec.get("dtype") == "image" and isinstance(info, Mapping) and info.get("is_depth_map"):
        made["info"] = {"depth_unit": "mm", **info}
    return made


def own_features(features: Mapping[str, Feature]) -> dict[str, Feature]:
    """The features without index columns."""
    return {name: f for name, f in features.items() if name not in INDEX_DTYPES}
