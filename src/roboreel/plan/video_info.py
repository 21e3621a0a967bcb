"""What a camera's declaration says of its video, spelled as the target has it and held against the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from roboreel.format import v20, v30
from roboreel.format.declared import compare_video
from roboreel.format.feature import Feature
from roboreel.format.inventory import Inventory
from roboreel.format.parse import Problems
from roboreel.format.version import FormatVersion
from roboreel.plan.merge_sources import MergedSources
from roboreel.types import Json


def video_feature(
    view: MergedSources, inventory: Inventory, feature: Feature, problems: Problems
) -> Feature:
    """The camera as the result's documents declare it; what contradicts its files is reported."""
    facts = inventory.cameras[feature.name]
    kinds = sorted(set(facts.stream[view.rows].tolist()))
    streams = [inventory.streams[kind] for kind in kinds]
    compare_video(feature, streams, problems)
    spell = v20.feature_spec if view.version is FormatVersion.V20 else v30.feature_spec
    spec = spell(feature)
    if view.options.drop_audio and any(stream.audio for stream in streams):
        spec = {key: _silent(value) for key, value in spec.items()}
    return replace(feature, spec=spec)


def lost_tracks(inventory: Inventory) -> list[str]:
    """What the videos hold beside their pictures, which is not carried over."""
    kinds = sorted({kind for stream in inventory.streams for kind in stream.other_tracks})
    named = {"soun": "sound"}
    return [
        f"videos have tracks beside the pictures, which stay behind: {named.get(kind, kind)}"
        for kind in kinds
    ]


def _silent(value: Json) -> Json:
    if not isinstance(value, Mapping) or "has_audio" not in value:
        return value
    kept = {key: item for key, item in value.items() if not key.startswith("audio.")}
    return {**kept, "has_audio": False}
