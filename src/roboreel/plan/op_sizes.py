"""The size of what each op reads, from the survey."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from roboreel.format.inventory import Inventory
from roboreel.plan.compile_rows import table_bytes
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.plan import (
    CopyFile,
    CopyTables,
    CopyVideos,
    EncodeVideo,
    Op,
    RemuxVideo,
    WriteTables,
)
from roboreel.types import Int64


def op_sizes(
    merged: MergedSources, inventory: Inventory, ops: Iterable[Op]
) -> tuple[int | None, ...]:
    """Bytes of tables, packets or files that each op reads; None for statistics and images of tables.

    A result that is copied has about this size. The size of an encoded one is not known before it is encoded.
    """
    tables = table_bytes(merged, inventory)
    packets = {name: facts.size_bytes[merged.rows] for name, facts in inventory.cameras.items()}
    return tuple(_size(op, tables, packets, inventory) for op in ops)


def _size(op: Op, tables: Int64, packets: dict[str, Int64], inventory: Inventory) -> int | None:
    match op:
        case WriteTables() | CopyTables():
            return int(np.sum(tables[op.episodes.start : op.episodes.stop]))
        case RemuxVideo() | CopyVideos():
            return int(np.sum(packets[op.camera][op.episodes.start : op.episodes.stop]))
        case EncodeVideo(from_tables=False):
            return int(np.sum(packets[op.camera][op.episodes.start : op.episodes.stop]))
        case CopyFile():
            return inventory.files[op.source].size_bytes
        case _:
            return None
