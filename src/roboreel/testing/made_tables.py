"""Convert rows to Arrow tables with the types and metadata of HF `datasets`."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from roboreel.testing.numbered_frames import Frame, png_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from roboreel.testing.made_features import Columns, MadeFeature

VectorType = Literal["Sequence", "List"]
"""The name of a fixed-size vector in HF `datasets` before and from release 4."""


def table_schema(features: Iterable[MadeFeature], *, vector_type: VectorType) -> pa.Schema:
    """Return the schema of the data files: every feature but video, in the declared order."""
    stored = [feature for feature in features if feature.dtype != "video"]
    info: dict[str, object] = {
        "info": {"features": {f.name: _hf_type(f, vector_type) for f in stored}}
    }
    if vector_type == "List":
        content = json.dumps(info).encode()
        info["fingerprint"] = hashlib.blake2b(content, digest_size=8).hexdigest()
    fields = [_field(feature) for feature in stored]
    return pa.schema(fields, metadata={"huggingface": json.dumps(info)})


def table_of(
    schema: pa.Schema, columns: Columns, images: Mapping[str, Sequence[object]]
) -> pa.Table:
    """Return one episode's rows; `images` holds the cells of the image columns."""
    arrays = [
        pa.array(images[field.name], field.type)
        if field.name in images
        else _array(columns[field.name], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def image_cells(images: Iterable[Frame], *, name: str) -> list[dict[str, object]]:
    """Return the cells of an image column: PNG bytes, and `name` formatted with the frame index as path."""
    return [
        {"bytes": png_bytes(image), "path": name.format(frame=index)}
        for index, image in enumerate(images)
    ]


def _field(feature: MadeFeature) -> pa.Field:
    metadata = None
    if len(feature.shape) == 2:
        metadata = {
            "ARROW:extension:metadata": json.dumps([list(feature.shape), feature.dtype]),
            "ARROW:extension:name": "datasets.features.features.Array2DExtensionType",
        }
    return pa.field(feature.name, _arrow_type(feature), metadata=metadata)


def _arrow_type(feature: MadeFeature) -> pa.DataType:
    if feature.dtype == "image":
        return pa.struct({"bytes": pa.binary(), "path": pa.string()})
    if feature.dtype == "string":
        return pa.string()
    value = pa.from_numpy_dtype(np.dtype(feature.dtype))
    if feature.shape == (1,):
        return value
    return pa.list_(value, feature.shape[0]) if len(feature.shape) == 1 else _nested(value, 2)


def _nested(value: pa.DataType, depth: int) -> pa.DataType:
    return pa.list_(_nested(value, depth - 1)) if depth else value


def _array(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values.tolist() if values.dtype.kind == "U" else values, kind)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), type=kind)
    return pa.array(values.tolist(), kind)


def _hf_type(feature: MadeFeature, vector_type: VectorType) -> dict[str, object]:
    if feature.dtype == "image":
        return {"_type": "Image"}
    if len(feature.shape) == 2:
        return {"shape": list(feature.shape), "dtype": feature.dtype, "_type": "Array2D"}
    value: dict[str, object] = {"dtype": feature.dtype, "_type": "Value"}
    if feature.shape == (1,):
        return value
    return {"feature": value, "length": feature.shape[0], "_type": vector_type}
