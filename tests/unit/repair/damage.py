"""Damage to datasets: what killed recorders leave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def unfinished(path: Path, *, torn: int = 0) -> None:
    """Let a table file be what a killed writer of a row group per episode leaves: without a footer.

    Args:
        path: the table.
        torn: bytes that are missing at the end of its last row group.
    """
    table = pq.ParquetFile(path).read()
    numbers = table["episode_index"].to_numpy()
    writer = pq.ParquetWriter(path, schema=table.schema, compression="snappy", use_dictionary=True)
    for number in np.unique(numbers):
        writer.write_table(table.filter(pa.array(numbers == number)))
    written = path.read_bytes()
    writer.close()
    path.write_bytes(written[: len(written) - torn])


def killed(root: Path, *, torn: int = 0) -> Path:
    """Let a v3.0 dataset be what a killed lerobot leaves: tables without footers, and no entry written."""
    unfinished(max(root.glob("data/*/*.parquet")), torn=torn)
    for path in root.glob("meta/episodes/*/*.parquet"):
        path.write_bytes(b"PAR1")
    return root
