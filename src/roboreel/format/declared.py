"""Compare what `info.json` declares with what the files contain: names, types, and videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from roboreel.errors import Problem
from roboreel.format.feature import (
    INDEX_DTYPES,
    Feature,
    feature_from_arrow,
    holds_images,
    holds_numbers,
    is_feature_name,
    is_image,
    is_list,
)
from roboreel.format.inventory import Inventory, StreamFacts
from roboreel.format.model import DATA_PATH, EPISODE, Model
from roboreel.format.parse import Problems

_CODECS = {
    "avc1": "h264", "avc3": "h264", "hvc1": "hevc", "hev1": "hevc", "av01": "av1", "vp09": "vp9",
    "mp4v": "mpeg4",
}  # fmt: skip
_SAME_CODEC = {"libdav1d": "av1", "libsvtav1": "av1", "libx264": "h264", "libx265": "hevc"}


def codec_name(entry: str) -> str:
    """The codec's name, such as `h264`, from the four characters of a sample entry."""
    return _CODECS.get(entry, entry)


def same_codec(name: str) -> str:
    """The codec's name from a declaration, which may name an encoder or decoder instead."""
    return _SAME_CODEC.get(name, name)


def compare_names(
    features: Mapping[str, Feature],
    columns: Mapping[str, pa.Field],
    inventory: Inventory,
    problems: Problems,
) -> None:
    """Report features without a column, and columns that are not declared.

    Args:
        features: the declared features.
        columns: the columns of all tables together.
        inventory: tells which cameras have files, and the shapes of undeclared columns.
        problems: the reports are added to it.
    """
    for name, feature in features.items():
        if not feature.is_video and name not in columns and name not in INDEX_DTYPES:
            message = "it is declared in info.json, but no table has this column"
            problems.add(
                "feature.absent",
                message,
                column=name,
                action="left out when the dataset is written",
            )
    for name, item in columns.items():
        if name in features and features[name].is_video and name in inventory.cameras:
            message = "the tables have a column with the name of a video camera"
            problems.add(
                "table.columns",
                message,
                column=name,
                action="the column is left out when the dataset is written",
            )
        elif name in features and not features[name].is_video:
            continue
        elif not is_feature_name(name):
            message = "the tables have a column with a name that no feature can have"
            problems.add(
                "table.columns", message, column=name, action="left out when the dataset is written"
            )
        elif name not in INDEX_DTYPES:
            made = feature_from_arrow(name, item.type, inventory.shapes.get(name, ()))
            message = f"the tables have a column that info.json does not declare ({item.type})"
            action = f"it is written as {made.dtype} {list(made.shape)}"
            problems.add("feature.undeclared", message, column=name, action=action)


def lacking_columns(
    model: Model, schemas: Mapping[str, pa.Schema], rows: Sequence[int]
) -> dict[int, list[Problem]]:
    """Find episodes whose table lacks a declared column that others have; return their problems by row.

    Args:
        model: the dataset.
        schemas: schemas by table file.
        rows: the episodes to check, as rows of `Model.episodes`.
    """
    names = set(model.info.features) - set(INDEX_DTYPES)
    present = {path: set(schema.names) for path, schema in schemas.items()}
    anywhere = names & set().union(*present.values()) if present else set()
    lacking: dict[int, list[Problem]] = {}
    if all(anywhere <= own for own in present.values()):
        return lacking
    paths = model.episodes[DATA_PATH].to_pylist()
    numbers = model.episodes[EPISODE].to_pylist()
    for row in rows:
        for name in sorted(anywhere - present.get(paths[row], anywhere)):
            problem = Problem(
                rule="table.columns",
                severity="error",
                message="its table lacks this column, which the other episodes have",
                path=paths[row],
                episode=numbers[row],
                column=name,
            )
            lacking.setdefault(row, []).append(problem)
    return lacking


def fits(feature: Feature, type_: pa.DataType | None) -> bool:
    """True if a column's type can hold what is declared: numbers, images, or anything else."""
    if type_ is None or feature.is_video:
        return type_ is None
    if feature.dtype == "image":
        return holds_images(type_)
    return holds_numbers(type_) or pa.types.is_null(type_) or not feature.is_numeric


def is_single_list(feature: Feature, type_: pa.DataType) -> bool:
    """True if a feature of shape (1,) is stored as lists of one, which v3.0 readers refuse."""
    if feature.name in INDEX_DTYPES or feature.shape != (1,) or not feature.is_numeric:
        return False
    return is_list(type_) and not is_list(type_.value_type)


def has_size(feature: Feature, height: int, width: int) -> bool:
    """True if a camera is declared with this size, whether its shape is (H, W, C) or (C, H, W)."""
    return any(feature.shape[at : at + 2] == (height, width) for at in (0, 1))


def compare_video(feature: Feature, streams: Sequence[StreamFacts], problems: Problems) -> None:
    """Report a camera whose files have a different size or codec than declared."""
    sizes = sorted({(stream.height, stream.width) for stream in streams})
    if not any(has_size(feature, *size) for size in sizes) or len(sizes) > 1:
        found = ", ".join(f"{height}×{width}" for height, width in sizes)
        message = f"declared as {'×'.join(map(str, feature.shape))}, but its frames are {found}"
        problems.add(
            "video.size",
            message,
            column=feature.name,
            action="the declaration is kept when the dataset is written",
        )
    codecs = sorted({codec_name(stream.codec) for stream in streams})
    said = feature.video_facts.get("video.codec")
    if isinstance(said, str) and [same_codec(said)] != codecs:
        message = f"declared as {said}, but the video files have {', '.join(codecs)}"
        problems.add(
            "video.codec",
            message,
            column=feature.name,
            action="the declaration is kept when the dataset is written",
        )


def joined_type(known: pa.Field, item: pa.Field) -> tuple[pa.DataType | None, Problem | None]:
    """The type that can hold a column's values from two tables, and the problem if their types differ.

    If no type can hold both exactly, the type is None and the problem is an error.
    """
    joined = wider(known.type, item.type)
    if known.type.equals(item.type) or pa.types.is_null(known.type) or pa.types.is_null(item.type):
        return joined, None
    return joined, Problem(
        rule="table.types",
        severity="warning" if joined is not None else "error",
        message=f"its type is {known.type} in some tables and {item.type} in others",
        column=item.name,
        action=f"converted to {joined} when the dataset is written" if joined is not None else None,
    )


def wider(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """A type that can hold the values of both exactly, or None."""
    if a.equals(b) or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    if is_list(a) and is_list(b):
        inner = wider(a.value_type, b.value_type)
        if inner is None:
            return None
        fixed = [t.list_size for t in (a, b) if pa.types.is_fixed_size_list(t)]
        same = len(set(fixed)) == 1 and len(fixed) == 2
        return pa.list_(inner, fixed[0]) if same else pa.list_(inner)
    if pa.types.is_struct(a) and pa.types.is_struct(b):
        return _wider_struct(a, b)
    for image, other in ((a, b), (b, a)):
        if is_image(image) and holds_images(other):
            return image
    for kinds in (
        (pa.float16(), pa.float32(), pa.float64()),
        (pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        (pa.string(), pa.large_string()),
        (pa.binary(), pa.large_binary()),
    ):
        if a in kinds and b in kinds:
            return max(a, b, key=kinds.index)
    return None


def _wider_struct(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    names = [a.field(i).name for i in range(a.num_fields)]
    if names != [b.field(i).name for i in range(b.num_fields)]:
        return None
    types = [wider(a.field(i).type, b.field(i).type) for i in range(a.num_fields)]
    if None in types:
        return None
    return pa.struct(list(zip(names, types, strict=True)))
