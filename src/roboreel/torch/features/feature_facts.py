"""What a feature's declaration in `info.json` says, as a plain dict has it."""

from __future__ import annotations

from roboreel.format.feature import Feature
from roboreel.types import JsonObject


def feature_of(name: str, spec: JsonObject) -> Feature:
    """The feature of a declaration, whose shape may be a tuple."""
    return Feature(name=name, dtype=spec["dtype"], shape=tuple(spec["shape"]), spec=spec)


def is_depth_map(feature: JsonObject | None) -> bool:
    """True for the declaration of a camera whose values are depths, by any key that releases have used."""
    if feature is None:
        return False
    return Feature(name="", dtype=str(feature.get("dtype", "")), shape=(), spec=feature).is_depth
