"""Encoded images in tables: a struct of bytes and a path, or plain bytes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
"""The type of images in written tables."""


def encoded_image(cell: Any) -> tuple[bytes | None, str | None]:
    """(bytes, path) of an image in an Arrow scalar; None for a missing part."""
    if not cell.is_valid:
        return None, None
    if isinstance(cell, pa.StructScalar):
        return cell["bytes"].as_py(), cell["path"].as_py()
    value = cell.as_py()
    return (value, None) if isinstance(value, bytes) else (None, str(value))


def image_bytes(cell: Any) -> bytes:
    """The bytes of an image, from an Arrow scalar.

    Raises:
        ValueError: it has none, and why.
    """
    data, named = encoded_image(cell)
    if data is None:
        raise ValueError(
            "it only names an image file: store the images in the table first"
            if named
            else "is empty"
        )
    return data


def image_parts(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """(bytes, paths) of images; plain bytes have no paths."""
    if pa.types.is_struct(column.type):
        return pc.struct_field(column, "bytes"), pc.struct_field(column, "path")
    return column, pa.nulls(len(column), pa.string())


def as_structs(column: pa.ChunkedArray, type_: pa.StructType) -> pa.ChunkedArray:
    """Convert images from plain bytes to structs."""
    chunks = []
    for chunk in column.chunks:
        parts = dict(zip(("bytes", "path"), image_parts(chunk), strict=True))
        fields = [type_.field(at) for at in range(type_.num_fields)]
        made = [parts[item.name].cast(item.type) for item in fields]
        mask = chunk.is_null() if chunk.null_count else None
        chunks.append(pa.StructArray.from_arrays(made, fields=fields, mask=mask))
    return pa.chunked_array(chunks, type_)
