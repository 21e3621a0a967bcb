"""Rows read from the beginning of a file to its end are those of the file, in whatever ranges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roboreel.errors import StorageError
from roboreel.storage.local import LocalRoot
from roboreel.storage.tables import tables_forward
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.tables.tables_forward import Forward

ROWS = 1000
RANGES = {
    "one after another": [(0, 100), (100, 101), (101, 470), (470, 1000)],
    "with gaps": [(3, 8), (50, 310), (311, 312), (930, 1000)],
    "overlapping": [(0, 400), (100, 500), (100, 120), (499, 505)],
    "backwards": [(600, 900), (10, 20), (899, 1000), (0, 1000)],
    "nothing": [(5, 5), (5, 7), (7, 7), (1000, 1000)],
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups of a hundred rows are large."""
    monkeypatch.setattr(tables_forward, "_LARGE_ROWS", 99)
    monkeypatch.setattr(tables_forward, "_PART_ROWS", 32)


def table() -> pa.Table:
    vectors = pa.array(np.arange(3 * ROWS, dtype=np.float32))
    return pa.table(
        {
            "text": [f"row {row}" for row in range(ROWS)],
            "vector": pa.FixedSizeListArray.from_arrays(vectors, 3),
            "number": pa.array([None if row % 7 == 0 else row for row in range(ROWS)]),
        }
    )


@pytest.fixture(params=[40, 300, ROWS])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TableFile]:
    pq.write_table(table(), tmp_path / "a.parquet", row_group_size=request.param)
    with TableFile(LocalRoot(tmp_path), "a.parquet") as opened:
        yield opened


@pytest.mark.parametrize("columns", [None, ["number"], ["vector", "text"]], ids=str)
@pytest.mark.parametrize("ranges", RANGES.values(), ids=RANGES)
def test_any_ranges(
    file: TableFile, ranges: list[tuple[int, int]], columns: list[str] | None
) -> None:
    forward = Forward(file, columns)
    for start, stop in ranges:
        wanted = table().slice(start, stop - start)
        found = forward.rows(start, stop)
        assert found.equals(wanted if columns is None else wanted.select(columns))


def test_ranges_that_are_none(file: TableFile) -> None:
    for start, stop in ((-1, 5), (900, 1001), (6, 5)):
        with pytest.raises(StorageError, match=r"of a file of 1000"):
            Forward(file, None).rows(start, stop)


def test_row_groups_from_one_on(file: TableFile) -> None:
    group, begin = file.group_of(620)
    parts = list(file.batches(["number"], rows=64, first_group=group))
    assert max(map(len, parts)) <= 64
    assert pa.concat_tables(parts).equals(table().select(["number"]).slice(begin))


def test_a_damaged_page_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(table(), path, compression="none", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[4:60] = bytes([255]) * 56
    path.write_bytes(data)
    with (
        TableFile(LocalRoot(tmp_path), "a.parquet") as opened,
        pytest.raises(StorageError, match=r"'a\.parquet': damaged parquet file"),
    ):
        Forward(opened, None).rows(0, 10)


def test_a_file_that_ends_early_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"x": np.arange(200_000)}), tmp_path / "a.parquet")
    whole = TableFile.batches

    def cut(self: TableFile, *args: Any, **options: Any) -> Iterator[pa.Table]:
        yield next(whole(self, *args, **options))

    monkeypatch.setattr(TableFile, "batches", cut)
    with TableFile(LocalRoot(tmp_path), "a.parquet") as file:
        forward = Forward(file, ["x"])
        assert len(forward.rows(0, 5)) == 5
        with pytest.raises(StorageError, match=r"'a\.parquet': the file ends before row 199990"):
            forward.rows(199_900, 199_990)


def test_a_row_group_of_other_rows_than_its_footer_says_is_damaged(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": np.arange(90)}), tmp_path / "a.parquet", row_group_size=30)
    with TableFile(LocalRoot(tmp_path), "a.parquet") as file:
        file.footer = replace(file.footer, row_group_rows=(30, 31, 29))
        with pytest.raises(StorageError, match="row group 1 has -1 rows more than its footer says"):
            list(file.batches(["x"], rows=8))
