"""How the documents of a result declare its cameras: copied, re-encoded, or turned into images or video."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from roboreel.errors import PlanError, Problem
from roboreel.format import v20, v30
from roboreel.format.declared import compare_video
from roboreel.format.encoding import Encoding, canonical_codec, channels, describe, encoder_name
from roboreel.format.feature import Feature
from roboreel.format.inventory import Inventory
from roboreel.format.parse import Problems
from roboreel.format.version import FormatVersion
from roboreel.plan.compile_video import ADVICE
from roboreel.plan.merge_sources import MergedSources
from roboreel.types import Bools, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Recode:
    """How one camera is encoded; arrays are aligned with `MergedSources.model.episodes`."""

    asked: Encoding | None
    """The settings that the user gave; None if the camera must be encoded only because packets cannot be cut
    at the frames that are needed."""
    near: Mapping[str, Encoding] = field(default_factory=dict)
    """Without `asked`: settings near the source's, by the four characters of the sample entry; empty for
    depth."""
    from_tables: Bools = field(repr=False)
    """(episodes,) True where the images are in the tables."""

    @property
    def single_encoding(self) -> Encoding | None:
        """The settings of the whole camera, or None if they differ between its videos."""
        near = [*self.near.values()]
        return self.asked or (near[0] if near and near.count(near[0]) == len(near) else None)

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) in pixels to which frames are scaled; None keeps their size."""
        return next((one.size for one in (self.asked, *self.near.values()) if one), None)


def refuse_sizes(
    merged: MergedSources, inventory: Inventory, recodes: Mapping[str, Recode]
) -> None:
    """Raise `PlanError` if merged datasets differ in the frame size of a camera that is not scaled."""
    if len(merged.sources) < 2:
        return
    problems: list[Problem] = []
    remedies: list[str] = []
    for name in dict.fromkeys([*inventory.cameras, *recodes]):
        asked = merged.view.encodings.get(name)
        sizes = _frame_sizes(merged, inventory, name)
        if len(sizes) < 2 or (asked is not None and asked.size is not None):
            continue
        said = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
        message = f"its frames have the sizes {said}"
        problems.append(Problem(rule="video.size", severity="error", message=message, column=name))
        how = "Reencoding" if name in inventory.cameras else "Encoding"
        remedies.append(f'"{name}": {how}(size={sizes.most_common(1)[0][0]})')
    if problems:
        advice = "scale them to one size, such as that of most episodes, with"
        raise PlanError(
            f"cameras differ in the size of their frames: {advice} .encode({{{', '.join(remedies)}}})",
            problems,
        )


def _frame_sizes(
    merged: MergedSources, inventory: Inventory, camera: str
) -> Counter[tuple[int, int]]:
    """The episodes by (width, height) of a camera's frames in pixels; of images, as declared."""
    facts = inventory.cameras.get(camera)
    if facts is not None:
        kinds = facts.stream[merged.rows]
        streams = [inventory.streams[kind] for kind in kinds[kinds >= 0].tolist()]
        return Counter((stream.width, stream.height) for stream in streams)
    declared = [source.model.info.features.get(camera) for source in merged.view.sources]
    found = [declared[number] for number in merged.source[merged.rows].tolist()]
    return Counter(frame_size(feature) for feature in found if feature is not None)


def as_images(feature: Feature) -> Feature:
    """The declaration of a video camera whose frames become images in the tables.

    Raises:
        PlanError: the camera holds depths.
    """
    spec = {k: v for k, v in feature.spec.items() if k not in ("info", v20.VIDEO_FACTS)}
    if feature.is_depth:
        raise PlanError(f"'{feature.name}' is a depth video, which cannot be turned into images")
    return replace(feature, dtype="image", spec={**spec, "dtype": "image"})


def as_video(
    merged: MergedSources, inventory: Inventory, feature: Feature, recode: Recode
) -> Feature:
    """The declaration of an encoded camera, with the facts that lerobot states about a video.

    Raises:
        PlanError: the camera cannot be encoded as asked.
    """
    _refuse(merged, inventory, feature, recode)
    width, height = _result_size(merged, inventory, feature, recode)
    shape = list(feature.shape)
    axes = _height_and_width_axes(feature)
    if axes is not None:
        shape[axes[0]], shape[axes[1]] = height, width
    fps = merged.view.new_fps or merged.model.info.fps
    facts: dict[str, Json] = {"video.height": height, "video.width": width}
    encoding = recode.single_encoding
    if recode.asked is None:
        facts |= _kept_facts(feature)
    if encoding is not None:
        facts["video.codec"] = canonical_codec(encoder_name(encoding.vcodec))
    if encoding is not None and encoding.pix_fmt is not None:
        facts["video.pix_fmt"] = encoding.pix_fmt
    facts["video.fps"] = fps.numerator if fps.denominator == 1 else float(fps)
    if encoding is not None:
        if encoding.pix_fmt is not None:
            facts["video.channels"] = channels(encoding.pix_fmt)
        facts |= {"has_audio": False, **describe(encoding)}
    facts.setdefault("is_depth_map", feature.is_depth)
    others = {
        k: v for k, v in feature.video_facts.items() if k not in facts and _survives_encoding(k)
    }
    spec: dict[str, Json] = {
        k: v for k, v in feature.spec.items() if k not in ("info", v20.VIDEO_FACTS)
    }
    spec |= {"dtype": "video", "shape": shape, "info": {**facts, **others}}
    encoded = Feature(name=feature.name, dtype="video", shape=tuple(shape), spec=spec)
    return replace(encoded, spec=_spelled(encoded, merged.version))


def _spelled(feature: Feature, version: FormatVersion) -> dict[str, Json]:
    """The feature's object in `info.json`, with the keys of a version."""
    return v20.feature_spec(feature) if version is FormatVersion.V20 else v30.feature_spec(feature)


def frame_size(feature: Feature) -> tuple[int, int]:
    """(width, height) of a camera's frames in pixels by its declaration; (0, 0) if that does not say."""
    axes = _height_and_width_axes(feature)
    return (0, 0) if axes is None else (feature.shape[axes[1]], feature.shape[axes[0]])


def _kept_facts(feature: Feature) -> dict[str, Json]:
    """Facts about a video that keeps its codec: all but the settings of its old encoder."""
    names = ("video.codec", "video.pix_fmt", "video.channels", "has_audio")
    return {name: feature.video_facts[name] for name in names if name in feature.video_facts}


def _survives_encoding(fact: str) -> bool:
    """False for facts that a new encoding changes: the encoder's settings and sound."""
    changed = (
        "g", "crf", "preset", "fast_decode", "video_backend", "extra_options", "is_depth_map"
    )  # fmt: skip
    return not fact.startswith("audio.") and fact not in {f"video.{name}" for name in changed}


def _refuse(merged: MergedSources, inventory: Inventory, feature: Feature, recode: Recode) -> None:
    """Raise `PlanError` if a camera cannot be encoded."""
    name, facts = feature.name, inventory.cameras.get(feature.name)
    if feature.is_depth and (name in merged.view.encodings or recode.from_tables.any()):
        raise PlanError(
            f"'{name}' is a depth camera: roboreel does not choose a video encoding for it"
        )
    if recode.asked is None and facts is not None:
        streams = sorted(set(facts.stream[merged.rows].tolist()))
        codecs = [inventory.streams[stream].codec for stream in streams]
        known = ("hvc1", "hev1") if feature.is_depth else recode.near
        unknown = [codec for codec in codecs if codec not in known]
        if unknown and feature.is_depth:
            raise PlanError(
                f"'{name}' is a depth camera in '{unknown[0]}', which roboreel cannot re-encode"
            )
        if unknown:
            raise PlanError(
                f"'{name}' must be re-encoded, but '{unknown[0]}' has no encoder here: pass {ADVICE}"
                " for another codec"
            )
    width, height = _result_size(merged, inventory, feature, recode)
    pix_fmts = {one.pix_fmt or "" for one in [*recode.near.values(), recode.asked] if one}
    if recode.from_tables.any() and "" in pix_fmts:
        raise PlanError(
            f"'{name}' has images in tables: name a pixel format for the video, such as yuv420p"
        )
    halved = next((one for one in sorted(pix_fmts) if "420" in one), None)
    if halved and (width % 2 or height % 2):
        raise PlanError(
            f"'{name}' has frames of {width}×{height}, but {halved} needs even sides:"
            " give a size, or another pixel format"
        )


def _result_size(
    merged: MergedSources, inventory: Inventory, feature: Feature, recode: Recode
) -> tuple[int, int]:
    """(width, height) of a camera's frames in the result, in pixels."""
    if recode.size is not None:
        return recode.size
    facts = inventory.cameras.get(feature.name)
    if facts is None or recode.from_tables[merged.rows].any():
        return frame_size(feature)
    stream = inventory.streams[int(facts.stream[merged.rows[0]])]
    return stream.width, stream.height


def _height_and_width_axes(feature: Feature) -> tuple[int, int] | None:
    """The axes of height and width in a camera's shape: by name, else those that aren't the channels."""
    names = feature.dimension_names or []
    if {"height", "width"} <= set(names) and len(names) == len(feature.shape):
        return names.index("height"), names.index("width")
    if len(feature.shape) == 2:
        return 0, 1
    if len(feature.shape) != 3:
        return None
    channels_first = feature.shape[0] in (1, 3, 4) and feature.shape[2] not in (1, 3, 4)
    return (1, 2) if channels_first else (0, 1)


def video_feature(
    merged: MergedSources,
    inventory: Inventory,
    feature: Feature,
    recode: Recode | None,
    problems: Problems,
) -> Feature:
    """The declaration of a video camera; differences from its files are reported if they stay."""
    facts = inventory.cameras[feature.name]
    kinds = sorted(set(facts.stream[merged.rows].tolist()))
    streams = [inventory.streams[kind] for kind in kinds]
    one_size = recode is not None and (
        recode.size is not None or len({(stream.width, stream.height) for stream in streams}) == 1
    )
    if recode is None or recode.single_encoding is None or not one_size:
        compare_video(feature, streams, problems)
    spec = _spelled(feature, merged.version)
    if merged.options.drop_audio and any(stream.audio for stream in streams):
        spec = {key: _without_audio(value) for key, value in spec.items()}
    return replace(feature, spec=spec)


def _without_audio(value: Json) -> Json:
    if not isinstance(value, Mapping) or "has_audio" not in value:
        return value
    kept = {key: item for key, item in value.items() if not key.startswith("audio.")}
    return {**kept, "has_audio": False}
