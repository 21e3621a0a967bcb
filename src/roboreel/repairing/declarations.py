"""Correct what `info.json` declares of features by what the files hold."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from roboreel.checking.check import surveyed_anyway
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import dataset_below
from roboreel.errors import DatasetError, StorageError
from roboreel.format.declared import codec_name, fits, has_size, same_codec
from roboreel.format.encoding import channels
from roboreel.format.feature import (
    INDEX_DTYPES,
    Feature,
    dtype_of,
    feature_from_arrow,
    has_nested_names,
)
from roboreel.format.inventory import Inventory, StreamFacts
from roboreel.format.model import INFO, video_path
from roboreel.format.parse import Problems, parse_json
from roboreel.format.values import column_values
from roboreel.repairing.draft import Draft
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.video.decode import decode_frames

_FPS_TOLERANCE = 1e-3


def correct_declarations(draft: Draft) -> None:
    """Declare dtypes, codecs, frame rates and sizes as the files have them."""
    try:
        dataset = dataset_below(draft)
    except (DatasetError, StorageError):  # opening the repaired dataset reports it
        return
    inventory = surveyed_anyway(dataset, Problems())
    if inventory is None:
        return
    document: Any = parse_json(draft.read(INFO), INFO)
    before = json.dumps(document)
    for name, feature in dataset.features.items():
        spec = document["features"][name]
        _flatten_names(draft, feature, spec)
        if feature.is_video:
            _correct_camera(draft, dataset, feature, spec, _streams(inventory, name))
        elif name not in INDEX_DTYPES:
            _correct_column(draft, feature, spec, inventory)
            _correct_shape(draft, feature, spec, inventory)
    if json.dumps(document) != before:
        draft.put(INFO, json.dumps(document, indent=4, ensure_ascii=False).encode())


def _streams(inventory: Inventory, camera: str) -> list[StreamFacts]:
    facts = inventory.cameras.get(camera)
    if facts is None:
        return []
    return [inventory.streams[kind] for kind in sorted(set(facts.stream.tolist()) - {-1})]


def _correct_camera(
    draft: Draft,
    dataset: Dataset,
    feature: Feature,
    spec: dict[str, Any],
    streams: list[StreamFacts],
) -> None:
    key = next((key for key in ("info", "video_info") if spec.get(key)), None)
    if key is None and len(streams) == 1 and draft.changed:
        _describe(draft, dataset, feature, spec, streams[0])
        return
    facts = spec[key] if key is not None else {}
    codecs = {codec_name(stream.codec) for stream in streams}
    said = facts.get("video.codec")
    if isinstance(said, str) and len(codecs) == 1 and same_codec(said) not in codecs:
        facts["video.codec"] = next(iter(codecs))
        _told(draft, "video.codec", feature, said, facts["video.codec"])
    said, fps = facts.get("video.fps"), float(dataset.fps)
    if isinstance(said, (int, float)) and abs(said - fps) > _FPS_TOLERANCE * fps:
        facts["video.fps"] = dataset.model.info.fps_value
        _told(draft, "video.fps", feature, said, facts["video.fps"])
    sizes = {(stream.height, stream.width) for stream in streams}
    if len(sizes) == 1:
        _correct_size(draft, feature, spec, facts, *next(iter(sizes)))


def _describe(
    draft: Draft, dataset: Dataset, feature: Feature, spec: dict[str, Any], stream: StreamFacts
) -> None:
    """Describe the videos of a camera as recorders do, if nothing was said about them."""
    paths = set(dataset.episodes[video_path(feature.name)].to_pylist()) & set(dataset.files)
    try:
        ((_, frame),) = decode_frames(draft, min(paths), [0])
    except (StorageError, ValueError):
        return
    spec["info" if dataset.version.has_episode_stats else "video_info"] = {
        "video.height": stream.height,
        "video.width": stream.width,
        "video.codec": codec_name(stream.codec),
        "video.pix_fmt": frame.format.name,
        "video.fps": dataset.model.info.fps_value,
        "video.channels": channels(frame.format.name),
        "has_audio": stream.audio,
        "is_depth_map": feature.is_depth,
    }
    _told(draft, "video.codec", feature, "nothing", codec_name(stream.codec))


def _flatten_names(draft: Draft, feature: Feature, spec: dict[str, Any]) -> None:
    if has_nested_names(feature):
        spec["names"] = feature.dimension_names
        what = f"the names of '{feature.name}' were nested lists: flattened into one list"
        draft.repaired("feature.names", what, path=INFO)


def _correct_size(
    draft: Draft,
    feature: Feature,
    spec: dict[str, Any],
    facts: dict[str, Any],
    height: int,
    width: int,
) -> None:
    if has_size(feature, height, width) or len(feature.shape) != 3:
        return
    first = feature.shape[0] in (1, 3, 4) and feature.shape[2] not in (1, 3, 4)  # (C, H, W)
    channels = feature.shape[0] if first else feature.shape[2]
    spec["shape"] = [channels, height, width] if first else [height, width, channels]
    for key, value in (("video.height", height), ("video.width", width)):
        if key in facts:
            facts[key] = value
    _told(draft, "video.size", feature, list(feature.shape), spec["shape"])


def _correct_column(
    draft: Draft, feature: Feature, spec: dict[str, Any], inventory: Inventory
) -> None:
    types = {str(s.field(feature.name).type): s.field(feature.name).type
             for s in inventory.schemas.values() if feature.name in s.names}  # fmt: skip
    if len(types) != 1:
        return
    (type_,) = types.values()
    if pa.types.is_null(type_):
        return
    if not fits(feature, type_):
        made = feature_from_arrow(feature.name, type_, inventory.shapes.get(feature.name, ()))
        spec["dtype"], spec["shape"] = made.dtype, list(made.shape)
        _told(draft, "feature.type", feature, feature.dtype, made.dtype)
    elif feature.is_numeric and dtype_of(type_) != feature.dtype:
        spec["dtype"] = dtype_of(type_)
        _told(draft, "feature.dtype", feature, feature.dtype, spec["dtype"])


def _correct_shape(
    draft: Draft, feature: Feature, spec: dict[str, Any], inventory: Inventory
) -> None:
    """Declare the shape that all rows have, if it is not the declared one."""
    paths = [path for path, s in inventory.schemas.items() if feature.name in s.names]
    if not paths or not feature.is_numeric or spec["shape"] != list(feature.shape):
        return
    first = _shape_in(draft, paths[0], feature.name, rows=1)
    if first in (feature.shape, None) or (first == () and feature.shape == (1,)):
        return
    if all(_shape_in(draft, path, feature.name) == first for path in paths):
        spec["shape"] = list(first or (1,))
        _told(draft, "feature.shape", feature, list(feature.shape), spec["shape"])


def _shape_in(
    draft: Draft, path: str, name: str, rows: int | None = None
) -> tuple[int, ...] | None:
    """The shape of all values of a column, or of its first rows; None where they differ."""
    try:
        with TableFile(draft, path) as file:
            stop = file.footer.rows if rows is None else min(rows, file.footer.rows)
            values = column_values(file.rows(0, stop, [name])[name])
    except StorageError:
        return None
    return None if values is None else values.shape[1:]


def _told(draft: Draft, rule: str, feature: Feature, said: object, found: object) -> None:
    what = f"'{feature.name}' was declared with {said}, but its files have {found}: corrected"
    draft.repaired(rule, what, path=INFO)
