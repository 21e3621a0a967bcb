"""Features: what a column or camera contains, as `info.json` declares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from roboreel.errors import UnknownNameError, listed
from roboreel.types import Json, JsonObject

TIMESTAMP, FRAME_INDEX, EPISODE_INDEX = "timestamp", "frame_index", "episode_index"
INDEX, TASK_INDEX = "index", "task_index"
INDEX_DTYPES: Mapping[str, str] = {
    TIMESTAMP: "float32",
    FRAME_INDEX: "int64",
    EPISODE_INDEX: "int64",
    INDEX: "int64",
    TASK_INDEX: "int64",
}
"""The five columns that every dataset has, in the order that lerobot appends them."""

SUBTASK_INDEX = "subtask_index"
"""Column that counts in `meta/subtasks.parquet` (lerobot 0.4.4 to 0.5.1)."""

SOURCE_TIMESTAMP = "source_timestamp"
"""Column that keeps recorded timestamps if `timestamp` was rewritten as k/fps."""

DECLARED_KEYS = frozenset({"dtype", "shape", "names", "info", "video_info", "fps"})
"""Keys of a feature's object in `info.json` that the format knows."""

_NUMERIC = {
    *(f"int{bits}" for bits in (8, 16, 32, 64)),
    *(f"uint{bits}" for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
    "bool",
}
_LEARNED = ("action", "actions", "observation.state", "state")
_ARROW_NAMES = {"halffloat": "float16", "float": "float32", "double": "float64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One declared feature. `spec` is its object in `info.json`, kept verbatim."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    spec: JsonObject = field(repr=False)

    @property
    def is_video(self) -> bool:
        """True for a camera stored as video files."""
        return self.dtype == "video"

    @property
    def is_camera(self) -> bool:
        """True for a camera, stored as video files or as images in the table."""
        return self.dtype in ("video", "image")

    @property
    def is_depth(self) -> bool:
        """True for a camera with depth values, by any of the keys that releases have used."""
        return any(self.video_facts.get(key) for key in ("is_depth_map", "video.is_depth_map"))

    @property
    def is_numeric(self) -> bool:
        """True if statistics of the values make sense."""
        return self.dtype in _NUMERIC

    @property
    def is_essential(self) -> bool:
        """True for what policies learn from: cameras, action, state, and parts of them (`action.arm`)."""
        named = any(self.name == one or self.name.startswith(f"{one}.") for one in _LEARNED)
        return self.is_camera or named

    @property
    def names(self) -> Json:
        """Names of the dimensions in the form that the document uses."""
        return self.spec.get("names")

    @property
    def dimension_names(self) -> list[str] | None:
        """Names of the dimensions as a flat list; None if there are none."""
        return dimension_names(self.names)

    @property
    def video_facts(self) -> JsonObject:
        """The document's description of the encoded video: `info`, or `video_info` in older documents."""
        for key in ("info", "video_info"):
            facts = self.spec.get(key)
            if isinstance(facts, Mapping) and facts:
                return facts
        return {}


class Features(dict[str, Feature]):
    """Features by name; an unknown name is answered with the known ones."""

    def __missing__(self, name: str) -> Feature:
        raise UnknownNameError(f"no feature {name!r}: the dataset has {listed([*self])}")


def with_index_features(features: Mapping[str, Feature]) -> Features:
    """Declared features, and the index columns that every dataset has and this one does not declare."""
    supplied = {
        name: Feature(
            name=name, dtype=dtype, shape=(1,), spec={"dtype": dtype, "shape": [1], "names": None}
        )
        for name, dtype in INDEX_DTYPES.items()
        if name not in features
    }
    return Features({**features, **supplied})


def dimension_names(names: Json) -> list[str] | None:
    """Names of dimensions as a flat list, whatever form the document uses; None if there are none.

    Documents use a list; nested lists; lists by group name (`motors`, `axes`); or positions by name.
    """
    if isinstance(names, Mapping):
        if names and all(type(value) is int for value in names.values()):
            return sorted(map(str, names), key=lambda name: int(names[name]))
        parts = [dimension_names(value) for value in names.values()]
        return [name for part in parts for name in part or []] or None
    if not isinstance(names, list) or not names:
        return None
    flat = [name for part in names for name in (part if isinstance(part, list) else [part])]
    whole = bool(flat) and all(isinstance(name, str) for name in flat)
    return [str(name) for name in flat] if whole else None


def has_nested_names(feature: Feature) -> bool:
    """True if the names of dimensions are lists in a list, which readers of the format do not expect."""
    names = feature.names
    nested = isinstance(names, list) and any(isinstance(part, list) for part in names)
    return nested and feature.dimension_names is not None


def feature_from_arrow(name: str, type_: pa.DataType, shape: tuple[int, ...]) -> Feature:
    """Make a feature declaration for an undeclared column from its Arrow type.

    Args:
        name: the column's name.
        type_: its Arrow type.
        shape: lengths of the nested lists; `()` for a plain column.
    """
    dtype = "image" if is_image(type_) else dtype_of(type_)
    dims = tuple(max(size, 1) for size in shape) or (1,)
    spec = {"dtype": dtype, "shape": list(dims), "names": None}
    return Feature(name=name, dtype=dtype, shape=dims, spec=spec)


def arrow_type(feature: Feature) -> pa.DataType:
    """The Arrow type of a feature's column of numbers or strings: plain for one value, else nested lists."""
    names = {name: text for text, name in _ARROW_NAMES.items()}
    type_ = pa.type_for_alias(names.get(feature.dtype, feature.dtype))
    if feature.shape in ((), (1,)):
        return type_
    if len(feature.shape) == 1:
        return pa.list_(type_, feature.shape[0])
    for _ in feature.shape:
        type_ = pa.list_(type_)
    return type_


def dtype_of(type_: pa.DataType) -> str:
    """The format's dtype name for an Arrow type's innermost values."""
    while is_list(type_):
        type_ = type_.value_type
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "string"
    text = str(type_)
    return _ARROW_NAMES.get(text, text)


def is_feature_name(name: str) -> bool:
    """True for names that can be part of a path: no empty, `.` or `..` part, no NUL."""
    return not {"", ".", ".."} & set(name.split("/")) and "\x00" not in name


def holds_numbers(type_: pa.DataType) -> bool:
    """True for numbers and booleans, also inside lists."""
    while is_list(type_):
        type_ = type_.value_type
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_boolean(type_)
    )


def is_list(type_: pa.DataType) -> bool:
    """True for Arrow's list types, of fixed or variable length."""
    return bool(
        pa.types.is_list(type_)
        or pa.types.is_fixed_size_list(type_)
        or pa.types.is_large_list(type_)
    )


def is_image(type_: pa.DataType) -> bool:
    """True for a struct of encoded bytes and a path, the type for images."""
    if not pa.types.is_struct(type_):
        return False
    return {type_.field(i).name for i in range(type_.num_fields)} == {"bytes", "path"}


def holds_images(type_: pa.DataType) -> bool:
    """True if a column of this type can hold encoded images: in that struct, or as plain bytes."""
    return is_image(type_) or pa.types.is_binary(type_) or pa.types.is_large_binary(type_)
