"""Make `info.json` again, or the parts of it that are missing or wrong, from tables and videos."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from roboreel.errors import DatasetError, StorageError
from roboreel.format.feature import TIMESTAMP, feature_from_arrow, is_feature_name
from roboreel.format.fps import parse_fps
from roboreel.format.model import INFO
from roboreel.format.parse import is_whole, parse_json
from roboreel.format.v30_episodes import episode_files
from roboreel.format.version import FormatVersion
from roboreel.probes.table_columns import IndexColumn, undeclared_shapes
from roboreel.repairing.draft import Draft
from roboreel.storage.tables.tables import TableFile, read_table
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import PacketTable
from roboreel.types import Json

_V3_VIDEO = re.compile(r"videos/(?P<camera>.+)/chunk-\d+/file-\d+\.mp4")
_V2_VIDEO = re.compile(r"videos/chunk-\d+/(?P<camera>.+)/episode_\d+\.mp4")
_V3_TABLE = re.compile(r"data/chunk-\d+/file-\d+\.parquet")
_NEAR = 0.01
"""A rate this near to a whole number is that number: timestamps are rounded to float32."""


def rebuild_info(draft: Draft) -> None:
    """Make the parts of `info.json` again without which a dataset cannot be opened."""
    document = _document(draft)
    before = json.dumps(document)
    if not isinstance(document.get("codebase_version"), str):
        document["codebase_version"] = _version(draft).value
        _told(
            draft,
            "info.version",
            f"the version was missing: set to {document['codebase_version']}, as in the files",
        )
    _rebuild_features(draft, document)
    if not _is_rate(document.get("fps")):
        rate = _rate(draft, document)
        if rate is not None:
            document["fps"] = int(rate) if rate.denominator == 1 else float(rate)
            _told(
                draft,
                "info.fps",
                f"the frame rate was missing: set to {document['fps']}, as in the files",
            )
    if json.dumps(document) != before:
        draft.put(INFO, json.dumps(document, indent=4, ensure_ascii=False).encode())


def _document(draft: Draft) -> dict[str, Any]:
    rule = "document.missing"
    if INFO in draft.list():
        try:
            found = parse_json(draft.read(INFO), INFO)
        except DatasetError:
            found, rule = None, "document.readable"
        if isinstance(found, dict):
            return found
        draft.set_aside(INFO)
    _told(
        draft,
        rule,
        "rebuilt from the tables and videos; the robot type and the names of dimensions are lost",
    )
    return {}


def _told(draft: Draft, rule: str, what: str) -> None:
    draft.repaired(rule, what, path=INFO)


def _version(draft: Draft) -> FormatVersion:
    files = draft.list()
    if episode_files(files) or any(map(_V3_TABLE.fullmatch, files)):
        return FormatVersion.V30
    return FormatVersion.V21


def _is_rate(value: Json) -> bool:
    try:
        parse_fps(value)
    except ValueError:
        return False
    return True


def _rate(draft: Draft, document: Mapping[str, Json]) -> Fraction | None:
    """The rate of the videos, else of the timestamps; None where they differ or tell nothing."""
    videos = {_rate_of_video(table) for table in _first_videos(draft).values()}
    rates = videos - {None} or {_rate_of_rows(draft)}
    return next(iter(rates)) if len(rates) == 1 else None


def _rate_of_video(table: PacketTable) -> Fraction | None:
    steps = np.diff(np.sort(table.pts))
    if not len(steps) or steps.min() != steps.max() or not steps[0]:
        return None
    return Fraction(table.timescale, int(steps[0]))


def _rate_of_rows(draft: Draft) -> Fraction | None:
    for path in _tables(draft):
        try:
            table = read_table(draft, path, columns=[TIMESTAMP])
        except StorageError:
            continue
        if TIMESTAMP in table.column_names and len(table) > 1:
            steps = np.diff(IndexColumn(table[TIMESTAMP]).numbers(0, len(table)))
            step = float(np.median(steps))
            if not step > 0:
                return None
            near = round(1 / step)
            exact = abs(1 / step - near) <= _NEAR and near > 0
            return Fraction(near) if exact else Fraction(1 / step).limit_denominator(1001)
    return None


def _tables(draft: Draft) -> list[str]:
    return [n for n in draft.list() if n.startswith("data/") and n.endswith(".parquet")]


def _first_videos(draft: Draft) -> dict[str, PacketTable]:
    """The packets of the first readable video of each camera, by the folders below `videos/`."""
    found: dict[str, PacketTable] = {}
    for name in draft.list():
        match = _V2_VIDEO.fullmatch(name) or _V3_VIDEO.fullmatch(name)
        if match is not None and match["camera"] not in found:
            try:
                found[match["camera"]] = read_packet_table(draft, name)
            except StorageError:
                continue
    return found


def _rebuild_features(draft: Draft, document: dict[str, Any]) -> None:
    features = document.get("features")
    if isinstance(features, Mapping):
        wrong = [str(name) for name, spec in features.items() if not _is_declared(str(name), spec)]
        if not wrong:
            return
        made = _features(draft)
        document["features"] = {n: made.get(n, s) if n in wrong else s for n, s in features.items()}
        for name in set(wrong) & set(made):
            _told(
                draft,
                "feature.declaration",
                f"'{name}' had no valid declaration: declared as its files store it",
            )
        return
    document["features"] = _features(draft)
    count = len(document["features"])
    _told(
        draft,
        "info.features",
        f"no features were declared: {count} are declared as the files store them",
    )


def _is_declared(name: str, spec: Json) -> bool:
    if not isinstance(spec, Mapping) or not isinstance(spec.get("dtype"), str):
        return False
    shape = spec.get("shape")
    dims: Sequence[Json] = (
        [shape] if isinstance(shape, int) else shape if isinstance(shape, list) else [0]
    )
    return is_feature_name(name) and all(is_whole(dim) and dim > 0 for dim in dims)


def _features(draft: Draft) -> dict[str, Json]:
    """The declarations of all columns of the first readable table, and of the cameras with videos."""
    found: dict[str, Json] = {}
    for path in _tables(draft):
        try:
            with TableFile(draft, path) as file:
                shapes, schema = undeclared_shapes(file, ()), file.footer.schema
        except StorageError:
            continue
        made = [feature_from_arrow(f.name, f.type, shapes.get(f.name, ())) for f in schema]
        found = {feature.name: feature.spec for feature in made}
        break
    cameras = {
        camera: {
            "dtype": "video",
            "shape": [table.entry.height, table.entry.width, 3],
            "names": ["height", "width", "channels"],
        }
        for camera, table in _first_videos(draft).items()
    }
    return {**cameras, **found}
