"""Parquet files by row ranges, and row groups of whole episodes."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roboreel.errors import StorageError
from roboreel.storage.local import LocalRoot
from roboreel.storage.remote.remote import FsspecRoot
from roboreel.storage.tables.tables import TableFile, read_footer, read_table
from roboreel.storage.tables.tables_write import (
    ROW_GROUP_BYTES,
    episode_bytes,
    write_batches,
    write_table,
)

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
# parquet calls the items of a list so, whatever Arrow called them
NUMBERS = pa.list_(pa.field("element", pa.int8()))
SCHEMA = pa.schema(
    [
        ("index", pa.int64()),
        ("action", pa.list_(pa.field("element", pa.float32()), 3)),
        ("note", pa.list_(pa.field("element", pa.string()))),
        ("observation.images.top", PICTURE),
        ("observation.state", pa.struct([("x.y", pa.float64()), ("z", NUMBERS)])),
        ("task", pa.string()),
    ],
    metadata={"huggingface": '{"info": {}}'},
)


def write_rows(root: LocalRoot, name: str, episodes: Iterable[pa.Table], **options: Any) -> int:
    """Write one batch per episode."""
    return write_batches(root, name, ((each, [len(each)]) for each in episodes), **options)


def rows_of(start: int, count: int, *, picture_bytes: int = 10) -> pa.Table:
    """Rows that differ from one another in every column."""
    numbers = range(start, start + count)
    return pa.Table.from_pydict(
        {
            "index": list(numbers),
            "action": [[n, n + 0.5, -n] for n in numbers],
            "note": [[str(n)] * (n % 3) for n in numbers],
            "observation.images.top": [
                {"bytes": n.to_bytes(4, "big") + bytes(picture_bytes - 4), "path": f"{n}.png"}
                for n in numbers
            ],
            "observation.state": [{"x.y": n / 7, "z": [n % 100]} for n in numbers],
            "task": [f"täsk {n % 2}" for n in numbers],
        },
        schema=SCHEMA,
    )


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1000 rows in groups of 0, 1, 99, 300, 0, 600 rows."""
    path = tmp_path_factory.mktemp("tables") / "a.parquet"
    table = rows_of(0, 1000)
    with pq.ParquetWriter(path, SCHEMA) as writer:
        at = 0
        for count in (0, 1, 99, 300, 0, 600):
            writer.write_table(table.slice(at, count), row_group_size=max(count, 1))
            at += count
    return path


@pytest.fixture(scope="module")
def opened(grouped: Path) -> Iterator[TableFile]:
    with TableFile(LocalRoot(grouped.parent), grouped.name) as file:
        yield file


@given(st.data())
def test_row_ranges_are_slices_of_the_whole(opened: TableFile, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, 1000))
    stop = data.draw(st.integers(start, 1000))
    assert opened.rows(start, stop).equals(rows_of(start, stop - start))


@pytest.mark.parametrize("edge", [0, 1, 99, 100, 101, 399, 400, 401, 999, 1000])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_row_ranges_at_the_edges_of_groups(opened: TableFile, edge: int, count: int) -> None:
    start = min(edge, 1000 - count)
    assert opened.rows(start, start + count).equals(rows_of(start, count))


@pytest.mark.parametrize("wanted", [(-1, 3), (3, 2), (0, 1001), (1001, 1001), (-2, -1)])
def test_rows_that_are_not_there_are_refused(opened: TableFile, wanted: tuple[int, int]) -> None:
    with pytest.raises(StorageError, match=r"'a\.parquet': rows .* of a file of 1000"):
        opened.rows(*wanted)


def test_columns_that_a_file_lacks_are_left_out(grouped: Path) -> None:
    table = read_table(LocalRoot(grouped.parent), grouped.name, columns=["task", "none", "index"])
    assert sorted(table.column_names) == ["index", "task"]
    assert read_table(LocalRoot(grouped.parent), grouped.name, columns=["none"]).num_columns == 0


def test_footer_tells_rows_groups_and_schema(grouped: Path) -> None:
    footer = read_footer(LocalRoot(grouped.parent), grouped.name)
    assert footer.rows == 1000
    assert len([rows for rows in footer.row_group_rows if rows]) == 4
    assert sum(footer.row_group_rows) == 1000
    assert footer.schema.equals(SCHEMA, check_metadata=True)


def test_table_of_a_remote_store_is_read(grouped: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe("/tables/x/a.parquet", grouped.read_bytes())
    with TableFile(FsspecRoot("memory://tables"), "x/a.parquet") as file:
        assert file.rows(95, 105).equals(rows_of(95, 10))
    store.rm("/tables", recursive=True)


def test_row_groups_hold_whole_episodes_of_a_mebibyte(tmp_path: Path) -> None:
    lengths = [1, 40, 3, 90, 2, 200, 1, 1, 60]
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    episodes = [
        rows_of(start, length, picture_bytes=20_000)
        for start, length in zip(starts, lengths, strict=True)
    ]
    root = LocalRoot(tmp_path)
    written = write_rows(
        root,
        "data/a.parquet",
        iter(episodes),
        schema=SCHEMA,
        plain_columns=["observation.images.top"],
    )
    assert written == sum(lengths)
    footer = read_footer(root, "data/a.parquet")
    assert footer.schema.equals(SCHEMA, check_metadata=True)
    assert read_table(root, "data/a.parquet").equals(rows_of(0, sum(lengths), picture_bytes=20_000))
    ends, at = {0, *np.cumsum(lengths).tolist()}, 0
    for number, rows in enumerate(footer.row_group_rows):
        at += rows
        assert at in ends
        group = [e for e, start in zip(episodes, starts, strict=True) if at - rows <= start < at]
        if number < len(footer.row_group_rows) - 1:
            assert sum(e.nbytes for e in group) >= ROW_GROUP_BYTES
        assert sum(e.nbytes for e in group[:-1]) < ROW_GROUP_BYTES
    assert len(footer.row_group_rows) == 3


def test_slices_count_by_their_own_rows(tmp_path: Path) -> None:
    whole = pa.concat_tables([rows_of(0, 400, picture_bytes=1000)]).combine_chunks()
    parts = iter(
        [whole.slice(at, 10) for at in range(0, 400, 10)]
    )  # each shares 400 rows of memory
    write_rows(LocalRoot(tmp_path), "a.parquet", parts, schema=SCHEMA)
    assert len(read_footer(LocalRoot(tmp_path), "a.parquet").row_group_rows) == 1


def _encodings(path: Path) -> dict[str, set[str]]:
    metadata: Any = pq.ParquetFile(path).metadata
    columns = [metadata.row_group(0).column(i) for i in range(metadata.num_columns)]
    return {column.path_in_schema: set(column.encodings) for column in columns}


def test_pictures_have_no_dictionary_and_others_do(tmp_path: Path) -> None:
    parts = iter([rows_of(0, 50)])
    plain = ["observation.images.top"]
    write_rows(LocalRoot(tmp_path), "a.parquet", parts, schema=SCHEMA, plain_columns=plain)
    with_dictionary = {
        path
        for path, encodings in _encodings(tmp_path / "a.parquet").items()
        if "RLE_DICTIONARY" in encodings
    }
    paths = set(_encodings(tmp_path / "a.parquet"))
    assert with_dictionary == {
        path for path in paths if not path.startswith("observation.images.top")
    }


def test_column_that_begins_like_a_picture_keeps_its_dictionary(tmp_path: Path) -> None:
    schema = pa.schema([("top", PICTURE), ("top.x", pa.string()), ("topping", pa.string())])
    table = pa.table({"top": [None] * 9, "top.x": ["a"] * 9, "topping": ["b"] * 9}, schema=schema)
    write_rows(
        LocalRoot(tmp_path), "a.parquet", iter([table]), schema=schema, plain_columns=["top"]
    )
    encodings = _encodings(tmp_path / "a.parquet")
    assert "RLE_DICTIONARY" in encodings["topping"]
    assert "RLE_DICTIONARY" not in encodings["top.bytes"]


_PAIRS, _STRUCTS = (
    pa.list_(pa.list_(pa.float32(), 2), 3),
    pa.list_(pa.struct([("n", pa.int8())]), 2),
)
_VALUES = {str(_PAIRS): [[1.0, 2.0]] * 3, str(_STRUCTS): [{"n": 1}] * 2}
"""Values of the types that pyarrow reads only since release 26 where they are missing."""


@pytest.mark.parametrize(
    "type_",
    [
        pa.bool_(),
        pa.float16(),
        pa.uint8(),
        pa.timestamp("us"),
        pa.large_string(),
        _PAIRS,
        pa.large_list(pa.string()),
        pa.map_(pa.string(), pa.int32()),
        pa.dictionary(pa.int32(), pa.string()),
        pa.struct([("a.b", pa.list_(PICTURE))]),
        _STRUCTS,
        pa.null(),
    ],
    ids=str,
)
def test_columns_of_every_type_survive(tmp_path: Path, type_: pa.DataType) -> None:
    schema = pa.schema([pa.field("c.d", type_, metadata={"k": "v"})], metadata={"m": "n"})
    value = _VALUES.get(str(type_))
    table = pa.table([pa.array([value] * 5, type_)], schema=schema)
    root = LocalRoot(tmp_path)
    assert write_rows(root, "a.parquet", iter([table, table]), schema=schema) == 10
    found = read_table(root, "a.parquet")
    assert found.column_names == ["c.d"]
    plain = type_.value_type if pa.types.is_dictionary(type_) else type_
    assert found.schema.field(0).type == plain
    assert found["c.d"].to_pylist() == [value] * 10


def test_no_episodes_are_a_file_without_rows(tmp_path: Path) -> None:
    root = LocalRoot(tmp_path)
    assert write_rows(root, "a.parquet", iter([]), schema=SCHEMA) == 0
    assert read_table(root, "a.parquet").schema.equals(SCHEMA)
    with TableFile(root, "a.parquet") as file:
        assert len(file.rows(0, 0)) == 0


def test_failure_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def episodes() -> Any:
        yield rows_of(0, 5)
        raise RuntimeError("the source failed")

    with pytest.raises(RuntimeError, match="the source failed"):
        write_rows(LocalRoot(tmp_path), "a.parquet", episodes(), schema=SCHEMA)
    other = iter([rows_of(0, 5).drop_columns(["task"])])
    with pytest.raises(ValueError, match="schema"):
        write_rows(LocalRoot(tmp_path), "a.parquet", other, schema=SCHEMA)
    assert LocalRoot(tmp_path).list() == ()


def test_small_table_keeps_its_schema(tmp_path: Path) -> None:
    write_table(LocalRoot(tmp_path), "meta/tasks.parquet", rows_of(0, 7))
    found = read_table(LocalRoot(tmp_path), "meta/tasks.parquet")
    assert found.equals(rows_of(0, 7), check_metadata=True)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-LFS pointer"),
        (b"hello", "not a readable parquet file"),
        (b"PAR1" + bytes(100), "not a readable parquet file"),
        (b"PAR1PAR1", "not a readable parquet file"),
        (bytes(4096), "not a readable parquet file"),
        (b"PAR1" + b"\xff\xff\xff\x7fPAR1", "not a readable parquet file"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.parquet").write_bytes(data)
    for read in (read_table, read_footer):
        with pytest.raises(StorageError, match=rf"'a\.parquet': .*{message}"):
            read(LocalRoot(tmp_path), "a.parquet")


def test_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.parquet").mkdir()
    for name in ("nothing.parquet", "folder.parquet"):
        with pytest.raises(StorageError, match=name):
            read_table(LocalRoot(tmp_path), name)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    write_table(LocalRoot(tmp_path), "a.parquet", rows_of(0, 20))
    data = (tmp_path / "a.parquet").read_bytes()
    for length in [*range(0, len(data), 61), *range(len(data) - 12, len(data))]:
        (tmp_path / "b.parquet").write_bytes(data[:length])
        with pytest.raises(StorageError, match=r"'b\.parquet'"):
            read_table(LocalRoot(tmp_path), "b.parquet")


def test_flipped_bits_are_refused_or_read(tmp_path: Path) -> None:
    write_table(LocalRoot(tmp_path), "a.parquet", rows_of(0, 20))
    data = (tmp_path / "a.parquet").read_bytes()
    choose, refused = random.Random(8), 0
    for _ in range(200):
        damaged = bytearray(data)
        damaged[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
        (tmp_path / "b.parquet").write_bytes(damaged)
        try:
            with TableFile(LocalRoot(tmp_path), "b.parquet") as file:
                file.rows(0, min(5, file.footer.rows))
                file.read(["index"])
        except StorageError as error:
            assert "'b.parquet'" in str(error)  # noqa: PT017
            refused += 1
    assert 10 < refused < 190


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs a list of open files")
def test_closed_tables_leave_no_file_open(grouped: Path) -> None:
    root = LocalRoot(grouped.parent)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    files = [TableFile(root, grouped.name) for _ in range(5)]
    for file in files:
        file.rows(0, 5)
        file.close()
    assert len(os.listdir("/proc/self/fd")) == before
    (grouped.parent / "bad.parquet").write_bytes(b"PAR1" + bytes(50))
    errors = []
    for _ in range(5):
        with pytest.raises(StorageError) as caught:
            TableFile(root, "bad.parquet")
        errors.append(str(caught.value))
    del caught
    assert len(errors) == 5
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_measured_numbers_have_no_dictionary_and_repeated_ones_have(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(numbers.reshape(-1)), 2)
    table = pa.table({"v": vectors, "few": pa.array(np.tile([0.5, 1.5], 1500)), "n": range(3000)})
    write_rows(LocalRoot(tmp_path), "a.parquet", iter([table]), schema=table.schema)
    group = pq.read_metadata(tmp_path / "a.parquet").row_group(0)
    by_name = {group.column(at).path_in_schema: group.column(at) for at in range(3)}
    assert not by_name["v.list.element"].has_dictionary_page
    assert by_name["few"].has_dictionary_page
    assert pq.read_table(tmp_path / "a.parquet").equals(table)


def test_bytes_of_episodes_are_those_of_their_values() -> None:
    table = pa.table(
        {"a": pa.array(range(10)), "b": pa.array([[1.0, 2.0]] * 10, pa.list_(pa.float32(), 2))}
    )
    assert episode_bytes(table, [3, 7]) == [48, 112]
    strings = table.append_column("t", pa.array(["x" * n for n in range(10)]))
    parts = [strings.slice(0, 3), strings.slice(3, 7)]
    assert episode_bytes(strings, [3, 7]) == [part.nbytes for part in parts]
