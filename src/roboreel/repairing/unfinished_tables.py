"""Repair table files that their writer did not finish: they have rows, but no footer."""

from __future__ import annotations

import pyarrow as pa

from roboreel.errors import StorageError, UsageError
from roboreel.format.model import Info
from roboreel.format.repairs import SKIP
from roboreel.format.table_schema import schema_of
from roboreel.repairing.draft import Draft
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import read_footer
from roboreel.storage.tables.tables_recover import recover_table

_MAGIC = b"PAR1"


def finish_tables(draft: Draft, info: Info) -> None:
    """Give unfinished tables below `data/` a footer; name those without a whole row group."""
    tables = [n for n in draft.list() if n.startswith("data/") and n.endswith(".parquet")]
    unfinished = [name for name in tables if is_unfinished(draft, name)]
    if not unfinished:
        return
    schema = _schema(draft, info, [name for name in tables if name not in unfinished])
    for name in unfinished:
        _finish(draft, info, name, schema)


def is_unfinished(root: Root, name: str) -> bool:
    """True if a parquet file begins as one and has no footer."""
    size = root.stat(name).size_bytes
    head, tail = root.ranges(name, [(0, 4), (max(size - 4, 0), 4)])
    return size == 0 or (head == _MAGIC[:size] and (size < 12 or tail != _MAGIC))


def _finish(draft: Draft, info: Info, name: str, schema: pa.Schema | None) -> None:
    shapes = {feature.name: feature.shape for feature in info.features.values()}
    size = draft.stat(name).size_bytes
    found = None
    if schema is not None:
        found = recover_table(draft, name, schema, into=draft.made, shapes=shapes)
    if found is None:
        what = f"the file has no footer, and no complete row group in its {size:,} bytes: its rows are lost"
        draft.leave("table.readable", what, path=name, choice=SKIP)
        return
    draft.take_made(name)
    groups = len(found.row_groups)
    rows = f"recovered {found.rows:,} rows in {groups:,} row group{'s' * (groups > 1)}"
    lost = (
        f"; its last {found.lost_bytes:,} bytes could not be recovered" if found.lost_bytes else ""
    )
    draft.repaired("table.readable", f"the file had no footer: {rows}{lost}", path=name)


def _schema(draft: Draft, info: Info, whole: list[str]) -> pa.Schema | None:
    """The columns that the writer was given: those of a whole table, else of the declared features."""
    for name in whole:
        try:
            return read_footer(draft, name).stored
        except StorageError:
            continue
    try:
        return schema_of(info.features)
    except UsageError:  # a feature with a type that only a whole table shows
        return None
