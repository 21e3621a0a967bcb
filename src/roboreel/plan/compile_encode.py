"""Cameras that are not copied: images become videos, videos are re-encoded or become images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from roboreel.format import v2, v30
from roboreel.format.declared import codec_name
from roboreel.format.encoding import Encoding, canonical_codec, encoder_name, encoder_settings
from roboreel.format.feature import Feature
from roboreel.format.images import IMAGE
from roboreel.format.inventory import Inventory
from roboreel.format.layout import numbered
from roboreel.plan.camera_features import Recode, as_images, as_video, frame_size
from roboreel.plan.columns import Columns
from roboreel.plan.compile_video import DEPTH_ENCODER, CameraPlan, cut_inside
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.near_source import near_encodings
from roboreel.plan.pack import MIB, pack
from roboreel.plan.plan import EncodeVideo, EpisodeRange, Op
from roboreel.types import Bools, Int64

_FILES, _FEWEST, _MOST = 8, 500, 4000
"""Files per camera, and the fewest and most frames of a file (rounded to whole episodes). A file is one op;
with fewer files some cores would be idle. Compacting joins them later."""
_FRAMES_PER_OP = 1000
"""Frames that one op encodes if each episode has its own file."""
_BYTES_PER_PIXEL = 0.05
"""Estimated size of an encoded pixel: about twice what AV1 at lerobot's settings needs."""


def cameras_to_encode(
    merged: MergedSources, inventory: Inventory, columns: Columns
) -> dict[str, Recode]:
    """The cameras that must be encoded, by name.

    These are the cameras that the user asked to encode; all videos if the frame rate changes; and a whole
    camera if one of its episodes must be cut and encoded in another codec, so that its videos stay uniform.
    """
    found = {}
    for name, feature in merged.model.info.features.items():
        asked = merged.view.encodings.get(name)
        exists = name in inventory.cameras or (feature.dtype == "image" and name in columns.types)
        copied = feature.is_video and asked is None and name not in merged.view.images
        must = copied and (merged.is_resampled or _changes_codec(merged, inventory, name))
        if exists and (asked is not None or must):
            whole = asked if isinstance(asked, Encoding) else None
            near = {} if whole or feature.is_depth else near_encodings(merged, inventory, name)
            found[name] = Recode(asked=whole, near=near, from_tables=_in_tables(merged, name))
    return found


def _changes_codec(merged: MergedSources, inventory: Inventory, camera: str) -> bool:
    """True if episodes of a camera must be cut and encoded in another codec than theirs."""
    vcodec, options = merged.options.reencoding.vcodec, merged.options
    cut = merged.version.one_file_per_episode and options.allow_reencode and vcodec is not None
    if not cut or merged.model.info.features[camera].is_depth:
        return False
    stream = inventory.cameras[camera].stream[merged.rows]
    codecs = {inventory.streams[n].codec for n in stream[cut_inside(merged, inventory, camera)]}
    wanted = canonical_codec(encoder_name(vcodec or ""))
    return any(codec_name(codec) != wanted for codec in codecs)


def with_changed_cameras(
    merged: MergedSources,
    inventory: Inventory,
    columns: Columns,
    features: Mapping[str, Feature],
    recodes: Mapping[str, Recode],
) -> tuple[Columns, dict[str, Feature]]:
    """Columns and features of the result: re-encoded cameras, and videos that become images.

    Raises:
        PlanError: a camera cannot be encoded as asked.
    """
    changed = dict(features)
    types = dict(columns.types)
    for name in merged.view.images:
        if name in features and name in inventory.cameras:
            changed[name] = as_images(features[name])
            types[name] = pa.field(name, IMAGE)
    for name, recode in recodes.items():
        if name in features:
            changed[name] = as_video(merged, inventory, features[name], recode)
    return replace(columns, types=types), changed


def compile_recode(
    merged: MergedSources, inventory: Inventory, feature: Feature, recode: Recode
) -> CameraPlan:
    """The files of a camera that is encoded, and the ops that write them.

    In v3.0 a file holds several episodes, up to an estimated size and a number of frames. Episodes from
    tables and from videos never share a file, nor do videos with different sample entries, whose colours may
    differ.
    """
    rows = merged.rows
    frames = inventory.rows[rows]
    kinds = _kinds(merged, inventory, feature.name, recode)
    sizes = _estimated_bytes(merged, inventory, feature, recode)
    one_each = merged.version.one_file_per_episode
    info = merged.model.info
    limit = merged.options.video_file_mb or info.video_file_mb or v30.DEFAULT_VIDEO_FILE_MB
    spread = min(max(int(frames.sum()) // _FILES, _FEWEST), _MOST)
    most = _FRAMES_PER_OP if one_each else spread
    by_frames = frames * int(limit * MIB) // most
    weights = by_frames if one_each else np.maximum(sizes, by_frames)
    groups = pack(weights, limit_mb=limit, kind=kinds)
    none = np.zeros(len(rows), dtype=np.int64)
    start = none.copy()
    paths: list[str] = []
    ops: list[Op] = []
    for number, members in enumerate(groups):
        ops.append(_op(merged, inventory, feature.name, recode, members))
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


def _op(
    merged: MergedSources, inventory: Inventory, camera: str, recode: Recode, members: EpisodeRange
) -> EncodeVideo:
    row = int(merged.rows[members.start])
    settings = _settings(merged, inventory, camera, recode, row)
    listed = " ".join(f"{key}={value}" for key, value in settings.items())
    from_tables = bool(recode.from_tables[row])
    what = "encoded from the images in the tables" if from_tables else "re-encoded"
    return EncodeVideo(
        camera=camera,
        episodes=members,
        files=len(members) if merged.version.one_file_per_episode else 1,
        encoder=settings,
        size=recode.size,
        from_tables=from_tables,
        reason=f"{what} ({listed})",
    )


def _settings(
    merged: MergedSources, inventory: Inventory, camera: str, recode: Recode, row: int
) -> Mapping[str, str]:
    if recode.asked is not None:
        return encoder_settings(recode.asked)
    codec = inventory.streams[int(inventory.cameras[camera].stream[row])].codec
    if merged.model.info.features[camera].is_depth:
        return DEPTH_ENCODER
    return encoder_settings(recode.near[codec])


def _in_tables(merged: MergedSources, camera: str) -> Bools:
    """(episodes,) True where the episode's dataset has the camera as images in its tables."""
    features = [source.model.info.features.get(camera) for source in merged.view.sources]
    images = np.array([f is not None and f.dtype == "image" for f in features], dtype=np.bool_)
    return images[merged.source]


def _kinds(merged: MergedSources, inventory: Inventory, camera: str, recode: Recode) -> Int64:
    """(episodes,) equal numbers for episodes that may share an encoded file."""
    seen: dict[object, int] = {}
    kinds = []
    facts = inventory.cameras.get(camera)
    for row in merged.rows.tolist():
        key: object = int(merged.source[row])
        if facts is not None and not recode.from_tables[row]:
            stream = inventory.streams[int(facts.stream[row])]
            key = stream.identity or (stream.codec, stream.width, stream.height)
        kinds.append(seen.setdefault(key, len(seen)))
    return np.array(kinds, dtype=np.int64)


def _estimated_bytes(
    merged: MergedSources, inventory: Inventory, feature: Feature, recode: Recode
) -> Int64:
    """(episodes,) estimated bytes of each: for videos their present size, for images by their pixels."""
    frames = inventory.rows[merged.rows]
    width, height = frame_size(feature)
    by_pixels = (frames * (width * height * _BYTES_PER_PIXEL)).astype(np.int64)
    facts = inventory.cameras.get(feature.name)
    if facts is None:
        return by_pixels
    known = facts.size_bytes[merged.rows] * frames // np.maximum(merged.row_range[merged.rows], 1)
    return np.where(recode.from_tables[merged.rows], by_pixels, known)
