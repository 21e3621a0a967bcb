"""What becomes of cameras that are not copied: pictures into videos, videos anew, videos into pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from roboreel.edit.compile_tables import Columns
from roboreel.edit.compile_video import DEPTH_ENCODER, ENCODERS, CameraPlan
from roboreel.edit.encoding import (
    Encoding,
    canonical_codec,
    channels,
    describe,
    encoder_settings,
)
from roboreel.edit.pack import MIB, pack
from roboreel.edit.plan import EncodeVideo, EpisodeRange, Op
from roboreel.edit.unite import United
from roboreel.errors import PlanError
from roboreel.format import v2, v20, v30
from roboreel.format.feature import Feature
from roboreel.format.inventory import Bools, Int64, Inventory
from roboreel.format.json_types import Json, JsonObject
from roboreel.format.layout import numbered
from roboreel.format.version import FormatVersion

PICTURE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
_FRAMES_PER_FILE = 4000
"""Frames that one op encodes into a file of several episodes: with more, some cores would wait for one."""
_FRAMES_PER_OP = 1000
"""Frames that one op encodes where each episode has a file."""
_BYTES_PER_PIXEL = 0.05
"""A guess of what a pixel of a picture takes in a video: about twice what AV1 at lerobot's settings needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recode:
    """How one camera is encoded; arrays are aligned with the united view's episodes."""

    how: Encoding | None
    """None where it keeps its codec: its frames are chosen anew, and its packets do not give them."""
    from_tables: Bools = field(repr=False)
    """(episodes,) True where the pictures are in the tables."""


def recoded(view: United, inventory: Inventory, columns: Columns) -> dict[str, Recode]:
    """The cameras that must be encoded: where it is asked for, and all videos where frames are chosen."""
    declared = view.model.info.features
    found = {}
    for name, feature in declared.items():
        asked = name in view.view.encodings
        there = name in inventory.cameras or (feature.dtype == "image" and name in columns.types)
        chosen = feature.is_video and view.step != 1 and name not in view.view.pictures
        if there and (asked or chosen):
            found[name] = Recode(
                how=view.view.encodings.get(name), from_tables=_in_tables(view, name)
            )
    return found


def stored_as(
    view: United,
    inventory: Inventory,
    columns: Columns,
    features: Mapping[str, Feature],
    recodes: Mapping[str, Recode],
) -> tuple[Columns, dict[str, Feature]]:
    """Columns and features as the result has them: cameras in their new form.

    Raises:
        PlanError: a camera cannot be encoded as asked.
    """
    changed = dict(features)
    types = dict(columns.types)
    for name in view.view.pictures:
        if name in features and name in inventory.cameras:
            changed[name] = _as_pictures(features[name])
            types[name] = pa.field(name, PICTURE)
    for name, recode in recodes.items():
        if name in features:
            changed[name] = _as_video(view, inventory, features[name], recode)
    return replace(columns, types=types), changed


def compile_recode(
    view: United, inventory: Inventory, feature: Feature, recode: Recode
) -> CameraPlan:
    """Where a camera's encoded frames land, and the ops that make them.

    Files hold several episodes where the target has such, by a guess of their size and up to a number of
    frames. Episodes from the tables, and from videos whose colours may be meant otherwise, have files of
    their own.
    """
    rows = view.rows
    frames = inventory.rows[rows]
    kinds = _kinds(view, inventory, feature.name, recode)
    sizes = _guessed_bytes(view, inventory, feature, recode)
    one_each = view.target.version.one_file_per_episode
    info = view.model.info
    limit = view.target.video_file_mb or info.video_file_mb or v30.DEFAULT_VIDEO_FILE_MB
    most = _FRAMES_PER_OP if one_each else _FRAMES_PER_FILE
    by_frames = frames * int(limit * MIB) // most
    filled = by_frames if one_each else np.maximum(sizes, by_frames)
    groups = pack(filled, limit_mb=limit, kind=kinds)
    none = np.zeros(len(rows), dtype=np.int64)
    start = none.copy()
    paths: list[str] = []
    ops: list[Op] = []
    for number, members in enumerate(groups):
        ops.append(_op(view, inventory, feature.name, recode, members))
        if one_each:
            continue
        here = slice(members.start, members.stop)
        start[here] = np.cumsum(frames[here]) - frames[here]
        path = numbered(v30.VIDEO_TEMPLATE, number, info.chunks_size, camera=feature.name)
        paths += [path] * len(members)
    if one_each:
        numbers = range(len(rows))
        paths = v2.paths_of_episodes(v2.VIDEO_TEMPLATE, numbers, info.chunks_size, feature.name)
    return CameraPlan(paths, start, none, np.zeros(len(rows), dtype=np.bool_), ops)


def picture_size(feature: Feature) -> tuple[int, int]:
    """(width, height) of a camera's pictures by its declaration; (0, 0) where that says nothing."""
    at = _places(feature)
    return (0, 0) if at is None else (feature.shape[at[1]], feature.shape[at[0]])


def _op(
    view: United, inventory: Inventory, camera: str, recode: Recode, members: EpisodeRange
) -> EncodeVideo:
    row = int(view.rows[members.start])
    settings = _settings(view, inventory, camera, recode, row)
    said = " ".join(f"{key}={value}" for key, value in settings.items())
    pictures = bool(recode.from_tables[row])
    source = "pictures of the tables" if pictures else "frames"
    return EncodeVideo(
        camera=camera,
        episodes=members,
        files=len(members) if view.target.version.one_file_per_episode else 1,
        encoder=settings,
        size=recode.how.size if recode.how else None,
        from_tables=pictures,
        reason=f"{source} of {len(members)} episodes encoded ({said})",
    )


def _settings(
    view: United, inventory: Inventory, camera: str, recode: Recode, row: int
) -> Mapping[str, str]:
    if recode.how is not None:
        return encoder_settings(recode.how)
    codec = inventory.streams[int(inventory.cameras[camera].stream[row])].codec
    if view.model.info.features[camera].is_depth:
        return DEPTH_ENCODER
    return ENCODERS[codec]


def _in_tables(view: United, camera: str) -> Bools:
    """(episodes,) True where a camera's pictures are in the tables of the episode's dataset."""
    features = [source.model.info.features.get(camera) for source in view.view.sources]
    images = np.array([f is not None and f.dtype == "image" for f in features], dtype=np.bool_)
    return images[view.source]


def _kinds(view: United, inventory: Inventory, camera: str, recode: Recode) -> Int64:
    """(episodes,) equal numbers where encoded episodes may share a file."""
    seen: dict[object, int] = {}
    kinds = []
    facts = inventory.cameras.get(camera)
    for row in view.rows.tolist():
        key: object = int(view.source[row])
        if facts is not None and not recode.from_tables[row]:
            stream = inventory.streams[int(facts.stream[row])]
            key = stream.identity or (stream.codec, stream.width, stream.height)
        kinds.append(seen.setdefault(key, len(seen)))
    return np.array(kinds, dtype=np.int64)


def _guessed_bytes(view: United, inventory: Inventory, feature: Feature, recode: Recode) -> Int64:
    """(episodes,) what each may take: of videos what they take now, of pictures by their pixels."""
    frames = inventory.rows[view.rows]
    width, height = picture_size(feature)
    guessed = (frames * (width * height * _BYTES_PER_PIXEL)).astype(np.int64)
    facts = inventory.cameras.get(feature.name)
    if facts is None:
        return guessed
    known = facts.size_bytes[view.rows] * frames // np.maximum(view.stretch[view.rows], 1)
    return np.where(recode.from_tables[view.rows], guessed, known)


def _as_pictures(feature: Feature) -> Feature:
    """The declaration of a video camera whose pictures are in the tables."""
    spec = {k: v for k, v in feature.spec.items() if k not in ("info", v20.VIDEO_FACTS)}
    if feature.is_depth:
        raise PlanError(f"'{feature.name}' is a depth video: it does not become pictures")
    return replace(feature, dtype="image", spec={**spec, "dtype": "image"})


def _as_video(view: United, inventory: Inventory, feature: Feature, recode: Recode) -> Feature:
    """The declaration of a camera that is encoded, with the facts that lerobot states of a video."""
    _refuse(view, inventory, feature, recode)
    width, height = _result_size(view, inventory, feature, recode)
    shape = list(feature.shape)
    at = _places(feature)
    if at is not None:
        shape[at[0]], shape[at[1]] = height, width
    fps = view.view.fps or view.model.info.fps
    facts: dict[str, Json] = {"video.height": height, "video.width": width}
    if recode.how is not None:
        codec = encoder_settings(recode.how)["codec"]
        facts["video.codec"] = canonical_codec(codec)
        facts["video.pix_fmt"] = recode.how.pix_fmt
    else:
        facts |= _kept_facts(feature)
    facts["video.fps"] = fps.numerator if fps.denominator == 1 else float(fps)
    if recode.how is not None:
        facts |= {"video.channels": channels(recode.how.pix_fmt), "has_audio": False}
        facts |= describe(recode.how)
    facts.setdefault("is_depth_map", feature.is_depth)
    others = {k: v for k, v in feature.video_facts.items() if k not in facts and _lasting(k)}
    spec: dict[str, Json] = {
        k: v for k, v in feature.spec.items() if k not in ("info", v20.VIDEO_FACTS)
    }
    spec |= {"dtype": "video", "shape": shape, "info": {**facts, **others}}
    made = Feature(name=feature.name, dtype="video", shape=tuple(shape), spec=spec)
    spell = v20.feature_spec if view.target.version is FormatVersion.V20 else v30.feature_spec
    return replace(made, spec=spell(made))


def _kept_facts(feature: Feature) -> JsonObject:
    """Facts of a video that keeps its codec; the encoder's settings are not those that it had."""
    names = ("video.codec", "video.pix_fmt", "video.channels", "has_audio")
    return {name: feature.video_facts[name] for name in names if name in feature.video_facts}


def _lasting(fact: str) -> bool:
    """False for what a new encoding changes: settings of the encoder, sound."""
    gone = ("g", "crf", "preset", "fast_decode", "video_backend", "extra_options", "is_depth_map")
    return not fact.startswith("audio.") and fact not in {f"video.{name}" for name in gone}


def _refuse(view: United, inventory: Inventory, feature: Feature, recode: Recode) -> None:
    """Raise `PlanError` where a camera cannot be encoded."""
    name, facts = feature.name, inventory.cameras.get(feature.name)
    if feature.is_depth and (recode.how is not None or recode.from_tables.any()):
        raise PlanError(
            f"'{name}' holds depths: roboreel does not choose a video encoding for them"
        )
    if recode.how is None and facts is not None:
        streams = sorted(set(facts.stream[view.rows].tolist()))
        codecs = [inventory.streams[stream].codec for stream in streams]
        known = ("hvc1", "hev1") if feature.is_depth else ENCODERS
        unknown = [codec for codec in codecs if codec not in known]
        if unknown:
            raise PlanError(
                f"'{name}' must be encoded again, and '{unknown[0]}' has no encoder here:"
                " say how to encode it"
            )
    width, height = _result_size(view, inventory, feature, recode)
    if recode.how is not None and "420" in recode.how.pix_fmt and (width % 2 or height % 2):
        raise PlanError(
            f"'{name}' has pictures of {width}×{height}, and {recode.how.pix_fmt} needs even sides:"
            " give a size, or another pixel format"
        )


def _result_size(
    view: United, inventory: Inventory, feature: Feature, recode: Recode
) -> tuple[int, int]:
    """(width, height) of a camera's pictures in the result."""
    if recode.how is not None and recode.how.size is not None:
        return recode.how.size
    facts = inventory.cameras.get(feature.name)
    if facts is None or recode.from_tables[view.rows].any():
        return picture_size(feature)
    stream = inventory.streams[int(facts.stream[view.rows[0]])]
    return stream.width, stream.height


def _places(feature: Feature) -> tuple[int, int] | None:
    """Where height and width stand in a camera's shape: by their names, else where channels are not."""
    names = feature.names
    if isinstance(names, list) and {"height", "width"} <= set(map(str, names)):
        return names.index("height"), names.index("width")
    if len(feature.shape) == 2:
        return 0, 1
    if len(feature.shape) != 3:
        return None
    first = feature.shape[0] in (1, 3, 4) and feature.shape[2] not in (1, 3, 4)
    return (1, 2) if first else (0, 1)
