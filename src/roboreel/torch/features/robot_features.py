"""From what a robot reads and does to the features and rows of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from roboreel.torch.constants import DEFAULT_FEATURES, OBS_STATE, OBS_STR
from roboreel.torch.errors import ArgumentError
from roboreel.types import Json, JsonObject

_AXES = ["height", "width", "channels"]
_STATE = OBS_STATE.removeprefix(f"{OBS_STR}.")


def hw_to_dataset_features(
    hw_features: Mapping[str, Any], prefix: str, use_video: bool = True
) -> dict[str, dict[str, Json]]:
    """The features of a dataset for what a robot reads or does.

    Args:
        hw_features: by name, `float` for a joint, (H, W, C) for a camera; one channel means depths.
        prefix: `observation` or `action`.
        use_video: True stores cameras as video, False as images.
    """
    joints = [name for name, kind in hw_features.items() if _is_joint(kind)]
    features: dict[str, dict[str, Json]] = {}
    if joints:
        name = f"{prefix}.{_STATE}" if prefix == OBS_STR else prefix
        features[name] = {"dtype": "float32", "shape": (len(joints),), "names": joints}
    for name, kind in hw_features.items():
        if isinstance(kind, tuple):
            features[f"{prefix}.images.{name}"] = {
                "dtype": "video" if use_video else "image",
                "shape": kind,
                "names": list(_AXES),
                "info": {"is_depth_map": kind[-1] == 1},
            }
    return features


def _is_joint(kind: Any) -> bool:
    """True for `float`, and for a policy's feature that is not a camera."""
    of_policy = getattr(getattr(kind, "type", None), "value", "VISUAL")
    return kind is float or of_policy != "VISUAL"


def build_dataset_frame(
    ds_features: Mapping[str, JsonObject], values: Mapping[str, Any], prefix: str
) -> dict[str, Any]:
    """One row of a dataset from a robot's values.

    Args:
        ds_features: declarations by name.
        values: numbers by joint name, images by camera name.
        prefix: `observation` or `action`: which features the values are of.

    Raises:
        KeyError: a joint or camera has no value.
    """
    frame: dict[str, Any] = {}
    for name, spec in ds_features.items():
        if name in DEFAULT_FEATURES or not name.startswith(prefix):
            continue
        if spec["dtype"] in ("image", "video"):
            frame[name] = values[name.removeprefix(f"{prefix}.images.")]
        elif spec["dtype"] == "float32" and len(spec["shape"]) == 1:
            frame[name] = np.array([values[joint] for joint in spec["names"]], dtype=np.float32)
    return frame


def combine_feature_dicts(*dicts: Mapping[str, Any]) -> dict[str, Any]:
    """All features of several declarations; vectors of one name have the names of all, each once.

    Args:
        dicts: declarations by name; of other features the last one counts.

    Raises:
        ArgumentError: vectors of one name have different dtypes.
    """
    combined: dict[str, Any] = {}
    for features in dicts:
        for name, spec in features.items():
            known = combined.get(name)
            if known is not None and _is_named_vector(spec) and _is_named_vector(known):
                combined[name] = _joined(name, known, spec)
            else:
                combined[name] = dict(spec) if isinstance(spec, Mapping) else spec
    return combined


def _joined(name: str, one: JsonObject, other: JsonObject) -> dict[str, Json]:
    if one["dtype"] != other["dtype"]:
        raise ArgumentError(f"dtype mismatch for '{name}': {one['dtype']} and {other['dtype']}")
    names = list(dict.fromkeys([*one["names"], *other["names"]]))
    return {**one, "names": names, "shape": (len(names),)}


def _is_named_vector(spec: Any) -> bool:
    if not isinstance(spec, Mapping) or spec.get("dtype") in ("image", "video", "string"):
        return False
    return len(spec.get("shape", ())) == 1 and isinstance(spec.get("names"), list | tuple)
