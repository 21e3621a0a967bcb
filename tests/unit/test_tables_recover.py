"""Rows of a parquet file without a footer come back: whole row groups, and nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roboreel.format.images import IMAGE
from roboreel.storage.local import LocalRoot
from roboreel.storage.tables.tables_recover import recover_table
from roboreel.storage.tables.thrift import ThriftReader, written

SHAPES = {"matrix": (2, 2)}
ROWS = (50, 33, 120)


def _rows(count: int, seed: int) -> pa.Table:
    chance = random.Random(seed)
    return pa.table(
        {
            "state": pa.array([[chance.random(), 2.0]] * count, pa.list_(pa.float32(), 2)),
            "done": pa.array([chance.random() < 0.5 for _ in range(count)]),
            "same": pa.array([True] * count),
            "matrix": pa.array([[[1.0, 2.0], [3.0, chance.random()]]] * count),
            "words": pa.array([["a"] * (n % 3) for n in range(count)]),
            "image": pa.array(
                [{"bytes": chance.randbytes(20_000), "path": f"{n}.png"} for n in range(count)],
                IMAGE,
            ),
            "index": pa.array(range(count)),
        }
    )


@pytest.mark.parametrize("compression", ["snappy", "none", "zstd"])
def test_whole_row_groups_come_back_wherever_the_file_ends(
    tmp_path: Path, compression: str
) -> None:
    parts = [_rows(count, seed) for seed, count in enumerate(ROWS)]
    path = tmp_path / "a.parquet"
    writer = pq.ParquetWriter(path, parts[0].schema, compression=compression)
    ends = [4]
    for part in parts:
        writer.write_table(part)
        ends.append(path.stat().st_size)
    data = path.read_bytes()
    writer.close()
    root, out = LocalRoot(tmp_path), LocalRoot(tmp_path / "out")
    for stop in (0, 4, 99, ends[1] - 1, ends[1], ends[2] - 5, ends[2] + 7, ends[3]):
        path.write_bytes(data[:stop])
        found = recover_table(root, "a.parquet", parts[0].schema, into=out, shapes=SHAPES)
        whole = sum(end <= stop for end in ends[1:])
        assert (() if found is None else found.row_groups) == ROWS[:whole], stop
        if found is not None:
            assert found.lost_bytes == stop - ends[whole]
            assert pq.read_table(tmp_path / "out/a.parquet").equals(pa.concat_tables(parts[:whole]))


def test_a_file_that_was_zeroed_by_a_power_cut_gives_what_is_before(tmp_path: Path) -> None:
    part = _rows(20, 1)
    path = tmp_path / "a.parquet"
    writer = pq.ParquetWriter(path, part.schema)
    writer.write_table(part)
    end = path.stat().st_size
    writer.write_table(part)
    data = path.read_bytes()
    writer.close()
    path.write_bytes(data[:end] + bytes(len(data) - end))
    found = recover_table(
        LocalRoot(tmp_path), "a.parquet", part.schema, into=LocalRoot(tmp_path / "o"), shapes=SHAPES
    )
    assert found is not None
    assert found.row_groups == (20,)


def test_structures_are_written_as_they_were_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(_rows(20, 1), path)
    data = path.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - size : -8]
    assert written(ThriftReader(footer).struct()) == footer


def test_bytes_that_are_no_structure_are_refused() -> None:
    chance = random.Random(0)
    refused = 0
    for _ in range(2000):
        try:
            ThriftReader(chance.randbytes(chance.randrange(40))).struct()
        except ValueError:
            refused += 1
    assert refused > 1000
    with pytest.raises(ValueError, match="too deep"):
        ThriftReader(b"\x1c" * 100).struct()
