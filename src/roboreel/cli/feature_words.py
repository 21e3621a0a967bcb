"""Features in words, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping

from roboreel.format.feature import Feature
from roboreel.types import Json


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
    names = feature.dimension_names or []
    text = ", ".join(names)
    return text if len(text) <= 70 else f"{text[:66]} …"
