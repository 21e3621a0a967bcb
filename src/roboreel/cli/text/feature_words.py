"""Features in words, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roboreel.errors import counted
from roboreel.format.feature import Feature
from roboreel.types import Json

_MOST_CHARACTERS = 400


def describe_features(features: Mapping[str, Feature]) -> dict[str, Json]:
    """The features as a JSON object, by name."""
    return {
        name: {
            "dtype": feature.dtype,
            "shape": list(feature.shape),
            "names": feature.names,
            **({"video": dict(feature.video_facts)} if feature.is_video else {}),
        }
        for name, feature in features.items()
    }


def feature_row(feature: Feature) -> tuple[str, str, str, str]:
    """Its name, dtype, shape, and what else is said of it, as texts."""
    shape = "×".join(str(size) for size in feature.shape)
    return feature.name, feature.dtype, shape, _details(feature)


def _details(feature: Feature) -> str:
    if feature.is_video:
        facts = feature.video_facts
        parts = [facts.get("video.codec"), facts.get("video.pix_fmt")]
        return " ".join(str(part) for part in parts if part)
    return _listed(feature.dimension_names or [])


def _listed(names: Sequence[str]) -> str:
    """The names, so many that a terminal shows them in a few lines."""
    for count in range(len(names), 0, -1):
        text = ", ".join(names[:count])
        if len(text) <= _MOST_CHARACTERS:
            return text + (f", … and {len(names) - count} more" * (count < len(names)))
    return counted(len(names), "name") if names else ""
