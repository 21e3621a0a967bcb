"""What becomes of cameras that are not copied: pictures into videos, videos anew, videos into pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from roboreel.format import v2, v30
from roboreel.format.declared import codec_name
from roboreel.format.encoding import canonical_codec, encoder_name, encoder_settings
from roboreel.format.feature import Feature
from roboreel.format.images import IMAGE
from roboreel.format.inventory import Inventory
from roboreel.format.layout import numbered
from roboreel.plan.compile_tables import Columns
from roboreel.plan.compile_video import DEPTH_ENCODER, CameraPlan, cut_inside
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.near_source import near_encodings
from roboreel.plan.pack import MIB, pack
from roboreel.plan.plan import EncodeVideo, EpisodeRange, Op
from roboreel.plan.recoded import Recode, as_images, as_video, frame_size
from roboreel.types import Bools, Int64

_FILES, _FEWEST, _MOST = 8, 500, 4000
"""A camera's frames are spread over so many files, of at least and at most so many frames each, give or take
an episode: a file is one op, and with fewer some cores would wait for others. Compacting joins them later."""
_FRAMES_PER_OP = 1000
"""Frames that one op encodes where each episode has a file."""
_BYTES_PER_PIXEL = 0.05
"""A guess of what a pixel of a picture takes in a video: about twice what AV1 at lerobot's settings needs."""


def recoded(view: MergedSources, inventory: Inventory, columns: Columns) -> dict[str, Recode]:
    """The cameras that must be encoded.

    Those for which it is asked; all videos where frames are chosen; and whole cameras of which an episode
    must be cut and encoded in another codec, so that a camera's videos stay alike.
    """
    declared = view.model.info.features
    found = {}
    for name, feature in declared.items():
        asked = name in view.view.encodings
        there = name in inventory.cameras or (feature.dtype == "image" and name in columns.types)
        copied = feature.is_video and not asked and name not in view.view.images
        chosen = copied and view.step != 1
        if there and (asked or chosen or (copied and _changes_codec(view, inventory, name))):
            near = {} if asked or feature.is_depth else near_encodings(view, inventory, name)
            found[name] = Recode(
                how=view.view.encodings.get(name), near=near, from_tables=_in_tables(view, name)
            )
    return found


def _changes_codec(view: MergedSources, inventory: Inventory, camera: str) -> bool:
    """True where episodes of a camera must be cut by encoding them, in another codec than they have."""
    vcodec, options = view.options.reencoding.vcodec, view.options
    cut = view.version.one_file_per_episode and options.allow_reencode and vcodec is not None
    if not cut or view.model.info.features[camera].is_depth:
        return False
    stream = inventory.cameras[camera].stream[view.rows]
    codecs = {inventory.streams[n].codec for n in stream[cut_inside(view, inventory, camera)]}
    wanted = canonical_codec(encoder_name(vcodec or ""))
    return any(codec_name(codec) != wanted for codec in codecs)


def stored_as(
    view: MergedSources,
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
    for name in view.view.images:
        if name in features and name in inventory.cameras:
            changed[name] = as_images(features[name])
            types[name] = pa.field(name, IMAGE)
    for name, recode in recodes.items():
        if name in features:
            changed[name] = as_video(view, inventory, features[name], recode)
    return replace(columns, types=types), changed


def compile_recode(
    view: MergedSources, inventory: Inventory, feature: Feature, recode: Recode
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
    one_each = view.version.one_file_per_episode
    info = view.model.info
    limit = view.options.video_file_mb or info.video_file_mb or v30.DEFAULT_VIDEO_FILE_MB
    spread = min(max(int(frames.sum()) // _FILES, _FEWEST), _MOST)
    most = _FRAMES_PER_OP if one_each else spread
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


def _op(
    view: MergedSources, inventory: Inventory, camera: str, recode: Recode, members: EpisodeRange
) -> EncodeVideo:
    row = int(view.rows[members.start])
    settings = _settings(view, inventory, camera, recode, row)
    said = " ".join(f"{key}={value}" for key, value in settings.items())
    pictures = bool(recode.from_tables[row])
    source = "pictures of the tables" if pictures else "frames"
    return EncodeVideo(
        camera=camera,
        episodes=members,
        files=len(members) if view.version.one_file_per_episode else 1,
        encoder=settings,
        size=recode.how.size if recode.how else None,
        from_tables=pictures,
        reason=f"{source} of {len(members)} episodes encoded ({said})",
    )


def _settings(
    view: MergedSources, inventory: Inventory, camera: str, recode: Recode, row: int
) -> Mapping[str, str]:
    if recode.how is not None:
        return encoder_settings(recode.how)
    codec = inventory.streams[int(inventory.cameras[camera].stream[row])].codec
    if view.model.info.features[camera].is_depth:
        return DEPTH_ENCODER
    return encoder_settings(recode.near[codec])


def _in_tables(view: MergedSources, camera: str) -> Bools:
    """(episodes,) True where a camera's pictures are in the tables of the episode's dataset."""
    features = [source.model.info.features.get(camera) for source in view.view.sources]
    images = np.array([f is not None and f.dtype == "image" for f in features], dtype=np.bool_)
    return images[view.source]


def _kinds(view: MergedSources, inventory: Inventory, camera: str, recode: Recode) -> Int64:
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


def _guessed_bytes(
    view: MergedSources, inventory: Inventory, feature: Feature, recode: Recode
) -> Int64:
    """(episodes,) what each may take: of videos what they take now, of pictures by their pixels."""
    frames = inventory.rows[view.rows]
    width, height = frame_size(feature)
    guessed = (frames * (width * height * _BYTES_PER_PIXEL)).astype(np.int64)
    facts = inventory.cameras.get(feature.name)
    if facts is None:
        return guessed
    known = facts.size_bytes[view.rows] * frames // np.maximum(view.row_range[view.rows], 1)
    return np.where(recode.from_tables[view.rows], guessed, known)
