"""Store images as structs of bytes and a path, where tables have plain bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from roboreel.errors import StorageError
from roboreel.format.images import IMAGE, as_structs
from roboreel.format.model import Info
from roboreel.repairing.draft import Draft
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.tables.tables_write import write_batches

_ROWS_AT_ONCE = 256


def wrap_images(draft: Draft, info: Info) -> None:
    """Write tables with plain bytes of images again, with image structs."""
    images = [name for name, feature in info.features.items() if feature.dtype == "image"]
    tables = [n for n in draft.list() if n.startswith("data/") and n.endswith(".parquet")]
    changed = [name for name in tables if images and _wrap(draft, name, images)]
    if changed:
        what = f"images were plain bytes in {len(changed):,} tables: stored as structs of bytes and path"
        draft.repaired("table.plain-images", what, path=changed[0])


def _wrap(draft: Draft, name: str, images: Sequence[str]) -> bool:
    try:
        with TableFile(draft, name) as file:
            schema = file.footer.schema
            plain = [n for n in images if n in schema.names and is_plain(schema.field(n).type)]
            if not plain:
                return False
            for column in plain:
                schema = schema.set(schema.names.index(column), pa.field(column, IMAGE))
            batches = _batches(file, plain, schema)
            write_batches(draft.made, name, batches, schema=schema, plain_columns=plain)
    except StorageError:  # opening the repaired dataset reports it
        return False
    draft.take_made(name)
    return True


def is_plain(type_: pa.DataType) -> bool:
    """True for plain bytes."""
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def _batches(
    file: TableFile, plain: Sequence[str], schema: pa.Schema
) -> Iterator[tuple[pa.Table, Sequence[int]]]:
    for part in file.batches(None, rows=_ROWS_AT_ONCE):
        for column in plain:
            at = part.column_names.index(column)
            part = part.set_column(at, schema.field(at), as_structs(part[column], IMAGE))
        yield part.cast(schema), [len(part)]
