"""What a camera's declaration says of its video, spelled as the target has it and held against the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from roboreel.edit.view import View
from roboreel.format import v20, v30
from roboreel.format.feature import Feature
from roboreel.format.inventory import Inventory, StreamFacts
from roboreel.format.json_types import Json
from roboreel.format.parse import Problems
from roboreel.format.version import FormatVersion

_CODECS = {
    "avc1": "h264", "avc3": "h264", "hvc1": "hevc", "hev1": "hevc", "av01": "av1", "vp09": "vp9",
    "mp4v": "mpeg4",
}  # fmt: skip
_SAME_CODEC = {"libdav1d": "av1", "libsvtav1": "av1", "libx264": "h264", "libx265": "hevc"}


def video_feature(
    view: View, inventory: Inventory, feature: Feature, problems: Problems
) -> Feature:
    """The camera as the result's documents declare it; what contradicts its files is reported."""
    facts = inventory.cameras[feature.name]
    kinds = sorted(set(facts.stream[view.rows].tolist()))
    streams = [inventory.streams[kind] for kind in kinds]
    _compare(feature, streams, problems)
    spell = v20.feature_spec if view.target.version is FormatVersion.V20 else v30.feature_spec
    spec = spell(feature)
    if view.target.drop_audio and any(stream.audio for stream in streams):
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


def _compare(feature: Feature, streams: Sequence[StreamFacts], problems: Problems) -> None:
    sizes = sorted({(stream.height, stream.width) for stream in streams})
    declared = [tuple(feature.shape[at : at + 2]) for at in (0, 1)]  # H, W, C or C, H, W
    if not any(size in declared for size in sizes) or len(sizes) > 1:
        found = ", ".join(f"{height}×{width}" for height, width in sizes)
        message = f"declared as {'×'.join(map(str, feature.shape))}, its pictures are {found}"
        problems.add("video.size", message, column=feature.name, action="kept as declared")
    codecs = sorted({_CODECS.get(stream.codec, stream.codec) for stream in streams})
    said = feature.video_facts.get("video.codec")
    if isinstance(said, str) and [_SAME_CODEC.get(said, said)] != codecs:
        message = f"declared as {said}, its files hold {', '.join(codecs)}"
        problems.add("video.codec", message, column=feature.name, action="kept as declared")


def _silent(value: Json) -> Json:
    if not isinstance(value, Mapping) or "has_audio" not in value:
        return value
    kept = {key: item for key, item in value.items() if not key.startswith("audio.")}
    return {**kept, "has_audio": False}
