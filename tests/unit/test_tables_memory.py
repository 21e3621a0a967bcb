"""What reading tables takes in memory: columns with dots in their names, and columns of more than a chunk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.errors import StorageError
from roboreel.storage.local import LocalRoot
from roboreel.storage.tables import tables_memory, tables_write
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.tables.tables_forward import Forward
from roboreel.storage.tables.tables_memory import take_ascending
from roboreel.storage.tables.tables_write import write_batches
from roboreel.testing import make_dataset
from roboreel.testing.made_features import STILL

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
TOP, DEPTH = "observation.images.top", "observation.images.top.depth"
SCHEMA = pa.schema(
    [
        (DEPTH, PICTURE),
        (TOP, PICTURE),
        ("a", pa.struct([("b", pa.binary()), ("c", pa.map_(pa.string(), pa.int64()))])),
        ("a.b", pa.binary()),
        ("action", pa.list_(pa.field("element", pa.float32()), 4)),
    ]
)
SIZES = {DEPTH: 3_000, TOP: 10_000, "a": 500, "a.b": 1_000, "action": 16}
"""Bytes of a row, about."""


def rows_of(count: int, *, start: int = 0) -> pa.Table:
    """Rows that differ from one another in every column."""
    random = np.random.default_rng(start)
    return pa.Table.from_pydict(
        {
            DEPTH: [{"bytes": random.bytes(3_000), "path": f"d{n}"} for n in range(count)],
            TOP: [{"bytes": random.bytes(10_000), "path": f"t{n}"} for n in range(count)],
            "a": [{"b": random.bytes(500), "c": [("k", n)]} for n in range(count)],
            "a.b": [random.bytes(1_000) for _ in range(count)],
            "action": [[float(n)] * 4 for n in range(count)],
        },
        schema=SCHEMA,
    )


@pytest.fixture
def whole() -> pa.Table:
    return rows_of(120)


@pytest.fixture
def root(tmp_path: Path, whole: pa.Table) -> LocalRoot:
    pq.write_table(whole, tmp_path / "t.parquet", row_group_size=50)
    return LocalRoot(tmp_path)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 2 GiB scaled down to some kilobytes: no test can have as much memory."""
    monkeypatch.setattr(tables_memory, "LARGE_BYTES", 100_000)
    monkeypatch.setattr(tables_memory, "PART_BYTES", 60_000)
    monkeypatch.setattr(tables_memory, "CHUNK_BYTES", 100_000)
    monkeypatch.setattr(tables_memory, "_TAKE_BYTES", 60_000)


@pytest.mark.parametrize("name", SIZES)
def test_a_row_is_as_large_as_its_columns(root: LocalRoot, name: str) -> None:
    with TableFile(root, "t.parquet") as file:
        assert SIZES[name] <= file.row_bytes([name]) <= 1.1 * SIZES[name] + 50
        assert file.row_bytes() >= sum(SIZES.values())
        assert file.row_bytes([]) == 1


@pytest.mark.parametrize("name", [TOP, DEPTH, "a", "a.b"])
def test_a_column_is_read_without_those_that_begin_like_it(
    root: LocalRoot, whole: pa.Table, name: str
) -> None:
    with TableFile(root, "t.parquet") as file:
        assert file.read([name]).column_names == [name]
        assert file.rows(30, 70, [name]).equals(whole.slice(30, 40).select([name]))
        cells = [value for part in file.cells(name, 30, 70, rows=16) for value in part.to_pylist()]
        assert cells == whole[name].slice(30, 40).to_pylist()


def test_the_bound_of_memory_sees_columns_with_dots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 1 << 20
    names = ["observation.state", "observation.more"]
    table = pa.table([pa.array(np.zeros(rows, dtype=np.int64))] * 2, names=names)
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd", row_group_size=rows)
    monkeypatch.setattr(tables_memory, "MOST_BYTES", 12 * rows)
    with TableFile(LocalRoot(tmp_path), "a.parquet") as file:
        with pytest.raises(StorageError, match="write it with smaller row groups"):
            file.rows(0, 1)
        assert file.rows(0, 1, names[:1]).num_rows == 1


def test_large_row_groups_are_read_in_parts(
    root: LocalRoot, whole: pa.Table, small_chunks: None
) -> None:
    with TableFile(root, "t.parquet") as file:
        assert file.is_large()
        assert not file.is_large(["action"])
        assert file.read().equals(whole)
        found = file.rows(30, 110)
        assert found.equals(whole.slice(30, 80))
        assert max(len(chunk) for chunk in found[TOP].chunks) * SIZES[TOP] <= 60_000
        forward = Forward(file, [TOP, "action"])
        assert forward.rows(10, 45).equals(whole.slice(10, 35).select([TOP, "action"]))
        assert forward.rows(45, 120).equals(whole.slice(45, 75).select([TOP, "action"]))


def test_few_values_that_are_repeated_are_read_in_parts(
    root: LocalRoot, whole: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The footer tells what a dictionary takes, not what its values take where each is there often."""
    asked: list[int] = []
    with TableFile(root, "t.parquet") as file:
        read = file._file.iter_batches

        def at_most_twenty(rows: int, **given: object) -> object:
            asked.append(rows)
            if rows > 20:  # as Arrow does where a part of nested values passes 2 GiB
                raise pa.ArrowNotImplementedError("Nested data conversions not implemented")
            return read(rows, **given)

        def never(*_: object, **given: object) -> object:
            raise pa.ArrowNotImplementedError("Nested data conversions not implemented")

        monkeypatch.setattr(file._file, "iter_batches", at_most_twenty)
        monkeypatch.setattr(file._file, "read_row_groups", never)
        assert file.rows(0, 120).equals(whole)
        assert asked[0] == 120


def test_rows_are_taken_of_large_tables(whole: pa.Table, small_chunks: None) -> None:
    rows = np.array([0, 0, 3, 7, 7, 7, 60, 61, 119, 119])
    assert take_ascending(whole, rows).equals(whole.take(pa.array(rows)))
    many = np.repeat(np.arange(120), 3)
    found = take_ascending(whole, many)
    assert found.equals(whole.take(pa.array(many)))
    assert found[TOP].num_chunks > 1
    assert len(take_ascending(whole, np.zeros(0, dtype=np.int64))) == 0


def test_an_episode_that_no_chunk_holds_has_several_row_groups(
    tmp_path: Path, whole: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables_write, "_MOST_GROUP_BYTES", 500_000)
    root = LocalRoot(tmp_path)
    episodes = [rows_of(40), whole]
    assert write_batches(root, "a.parquet", ((e, [len(e)]) for e in episodes), schema=SCHEMA) == 160
    with TableFile(root, "a.parquet") as file:
        assert file.footer.row_group_rows == (32,) * 5
        assert file.read().equals(pa.concat_tables(episodes))


@pytest.fixture
def pictured(tmp_path: Path) -> Path:
    """A dataset with a camera of PNG pictures in its tables, all in one file."""
    made = make_dataset(
        tmp_path / "v3", version="v3.0", episodes=(20, 15, 18), features="rich", cameras={}
    )
    (path,) = (made / "data").rglob("*.parquet")
    table = pq.ParquetFile(path).read()
    pq.write_table(table, path, row_group_size=len(table))
    return made


def test_tables_of_large_pictures_go_through_every_command(
    pictured: Path, tmp_path: Path, small_chunks: None
) -> None:
    dataset = roboreel.open(pictured)
    assert dataset.features[STILL].dtype == "image"
    views = {
        "v2.1": dataset.with_target("v2.1"),
        "kept": dataset.keep([2, 0]),
        "faster": dataset.resample(60).with_target(timestamps="regular"),
    }
    for name, view in views.items():
        roboreel.write(view, out=tmp_path / name)
        assert roboreel.check(tmp_path / name, decode=True).problems == ()
    assert roboreel.diff(pictured, tmp_path / "v2.1", decode=True).same
    assert roboreel.check(pictured, decode=True).problems == ()
    measured = roboreel.check_stats(pictured, cameras="all")
    assert measured.problems == ()
