"""What the documents say of cameras that take another form: pictures that become videos, and others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from roboreel.errors import PlanError
from roboreel.format import v20, v30
from roboreel.format.encoding import Encoding, canonical_codec, channels, describe, encoder_name
from roboreel.format.feature import Feature
from roboreel.format.inventory import Inventory
from roboreel.format.version import FormatVersion
from roboreel.plan.compile_video import ADVICE
from roboreel.plan.merge_sources import MergedSources
from roboreel.types import Bools, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Recode:
    """How one camera is encoded; arrays are aligned with the united view's episodes."""

    how: Encoding | None
    """None where nobody asked for it, but its packets do not give the frames that are needed."""
    near: Mapping[str, Encoding] = field(default_factory=dict)
    """How its videos are encoded then, by the four characters of their sample entry; of depth nothing."""
    from_tables: Bools = field(repr=False)
    """(episodes,) True where the pictures are in the tables."""

    @property
    def alike(self) -> Encoding | None:
        """How all of the camera is encoded, where that is one way."""
        near = [*self.near.values()]
        return self.how or (near[0] if near and near.count(near[0]) == len(near) else None)


def as_images(feature: Feature) -> Feature:
    """The declaration of a video camera whose frames become pictures in the tables.

    Raises:
        PlanError: it holds depths.
    """
    spec = {k: v for k, v in feature.spec.items() if k not in ("info", v20.VIDEO_FACTS)}
    if feature.is_depth:
        raise PlanError(f"'{feature.name}' is a depth video: it does not become pictures")
    return replace(feature, dtype="image", spec={**spec, "dtype": "image"})


def as_video(
    view: MergedSources, inventory: Inventory, feature: Feature, recode: Recode
) -> Feature:
    """The declaration of a camera that is encoded, with the facts that lerobot states of a video.

    Raises:
        PlanError: it cannot be encoded as asked.
    """
    _refuse(view, inventory, feature, recode)
    width, height = _result_size(view, inventory, feature, recode)
    shape = list(feature.shape)
    at = _places(feature)
    if at is not None:
        shape[at[0]], shape[at[1]] = height, width
    fps = view.view.fps or view.model.info.fps
    facts: dict[str, Json] = {"video.height": height, "video.width": width}
    how = recode.alike
    if recode.how is None:
        facts |= _kept_facts(feature)
    if how is not None:
        facts["video.codec"] = canonical_codec(encoder_name(how.vcodec))
    if how is not None and how.pix_fmt is not None:
        facts["video.pix_fmt"] = how.pix_fmt
    facts["video.fps"] = fps.numerator if fps.denominator == 1 else float(fps)
    if how is not None:
        if how.pix_fmt is not None:
            facts["video.channels"] = channels(how.pix_fmt)
        facts |= {"has_audio": False, **describe(how)}
    facts.setdefault("is_depth_map", feature.is_depth)
    others = {k: v for k, v in feature.video_facts.items() if k not in facts and _lasting(k)}
    spec: dict[str, Json] = {
        k: v for k, v in feature.spec.items() if k not in ("info", v20.VIDEO_FACTS)
    }
    spec |= {"dtype": "video", "shape": shape, "info": {**facts, **others}}
    made = Feature(name=feature.name, dtype="video", shape=tuple(shape), spec=spec)
    spell = v20.feature_spec if view.version is FormatVersion.V20 else v30.feature_spec
    return replace(made, spec=spell(made))


def frame_size(feature: Feature) -> tuple[int, int]:
    """(width, height) of a camera's pictures by its declaration; (0, 0) where that says nothing."""
    at = _places(feature)
    return (0, 0) if at is None else (feature.shape[at[1]], feature.shape[at[0]])


def _kept_facts(feature: Feature) -> dict[str, Json]:
    """Facts of a video that keeps its codec; the encoder's settings are not those that it had."""
    names = ("video.codec", "video.pix_fmt", "video.channels", "has_audio")
    return {name: feature.video_facts[name] for name in names if name in feature.video_facts}


def _lasting(fact: str) -> bool:
    """False for what a new encoding changes: settings of the encoder, sound."""
    gone = ("g", "crf", "preset", "fast_decode", "video_backend", "extra_options", "is_depth_map")
    return not fact.startswith("audio.") and fact not in {f"video.{name}" for name in gone}


def _refuse(view: MergedSources, inventory: Inventory, feature: Feature, recode: Recode) -> None:
    """Raise `PlanError` where a camera cannot be encoded."""
    name, facts = feature.name, inventory.cameras.get(feature.name)
    if feature.is_depth and (recode.how is not None or recode.from_tables.any()):
        raise PlanError(
            f"'{name}' holds depths: roboreel does not choose a video encoding for them"
        )
    if recode.how is None and facts is not None:
        streams = sorted(set(facts.stream[view.rows].tolist()))
        codecs = [inventory.streams[stream].codec for stream in streams]
        known = ("hvc1", "hev1") if feature.is_depth else recode.near
        unknown = [codec for codec in codecs if codec not in known]
        if unknown and feature.is_depth:
            raise PlanError(
                f"'{name}' holds depths in '{unknown[0]}', which roboreel does not encode again"
            )
        if unknown:
            raise PlanError(
                f"'{name}' must be encoded again, and '{unknown[0]}' has no encoder here: pass {ADVICE}"
                " to encode it in another codec"
            )
    width, height = _result_size(view, inventory, feature, recode)
    pix_fmts = {one.pix_fmt or "" for one in [*recode.near.values(), recode.how] if one}
    if recode.from_tables.any() and "" in pix_fmts:
        raise PlanError(f"'{name}' has images in tables: give a pixel format, such as yuv420p")
    halved = next((one for one in sorted(pix_fmts) if "420" in one), None)
    if halved and (width % 2 or height % 2):
        raise PlanError(
            f"'{name}' has frames of {width}×{height}, and {halved} needs even sides:"
            " give a size, or another pixel format"
        )


def _result_size(
    view: MergedSources, inventory: Inventory, feature: Feature, recode: Recode
) -> tuple[int, int]:
    """(width, height) of a camera's pictures in the result."""
    if recode.how is not None and recode.how.size is not None:
        return recode.how.size
    facts = inventory.cameras.get(feature.name)
    if facts is None or recode.from_tables[view.rows].any():
        return frame_size(feature)
    stream = inventory.streams[int(facts.stream[view.rows[0]])]
    return stream.width, stream.height


def _places(feature: Feature) -> tuple[int, int] | None:
    """Where height and width stand in a camera's shape: by their names, else where channels are not."""
    names = feature.dimension_names or []
    if {"height", "width"} <= set(names) and len(names) == len(feature.shape):
        return names.index("height"), names.index("width")
    if len(feature.shape) == 2:
        return 0, 1
    if len(feature.shape) != 3:
        return None
    first = feature.shape[0] in (1, 3, 4) and feature.shape[2] not in (1, 3, 4)
    return (1, 2) if first else (0, 1)
