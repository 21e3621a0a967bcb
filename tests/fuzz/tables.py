"""Mutations of parquet files: their bytes, columns, rows and types."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz.blobs import flipped, mutate_bytes
from tests.fuzz.odd import NUMBERS, TEXTS

Change = Callable[[pa.Table, random.Random], pa.Table]


def mutate_table(root: Path, choose: random.Random) -> str:
    """Change one parquet file of the dataset; says what was done."""
    found = sorted(p for p in root.rglob("*.parquet") if p.is_file() and not p.is_symlink())
    if not found:
        return "no table is left"
    path = choose.choice(found)
    data = path.read_bytes()
    if len(data) < 12:
        return f"{path.name} is short already"
    if choose.randrange(3) == 0:
        done, data = _damaged(data, choose)
        path.write_bytes(data)
        return f"{path.name}: {done}"
    if choose.randrange(12) == 0:
        other = choose.choice(found)
        path.write_bytes(other.read_bytes())
        other.write_bytes(data)
        return f"{path.name} and {other.name} swapped"
    change = choose.choice(_CHANGES)
    try:
        table = pq.ParquetFile(path).read()
        if not table.num_columns:
            return f"{path.name}: no column is left"
        pq.write_table(
            change(table, choose),
            path,
            row_group_size=choose.choice((None, None, 1, 3)),
            use_dictionary=choose.choice((True, False)),
            compression=choose.choice(("snappy", "none", "zstd", "gzip")),
            data_page_version=choose.choice(("1.0", "2.0")),
        )
    except (pa.ArrowException, ValueError, TypeError, OverflowError, LookupError, OSError) as error:
        path.write_bytes(data)
        return f"{path.name}: {change.__name__} came to nothing ({type(error).__name__})"
    return f"{path.name}: {change.__name__}"


def _damaged(data: bytes, choose: random.Random) -> tuple[str, bytes]:
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = footer if 0 < footer < len(data) else len(data) // 2
    kind = choose.randrange(6)
    if kind == 0:
        places = (
            0,
            1,
            4,
            footer - 1,
            footer,
            footer + 1,
            len(data) - 8,
            len(data) - 4,
            len(data) - 1,
        )
        at = choose.choice(places)
        return f"cut at {at}", data[:at]
    if kind == 1:
        flips = choose.choice((1, 1, 2, 5))
        return "bits of the footer flipped", flipped(data, [(footer, len(data) - 8)], flips, choose)
    if kind == 2:
        flips = choose.choice((1, 2, 9))
        return "bits of the pages flipped", flipped(data, [(4, footer)], flips, choose)
    if kind == 3:
        claimed = choose.choice((0, 1, len(data), 0x7FFFFFFF, 0xFFFFFFFF))
        return f"a footer of {claimed}", data[:-8] + claimed.to_bytes(4, "little") + data[-4:]
    if kind == 4:
        return mutate_bytes(data, choose, span=(footer, len(data)))
    return mutate_bytes(data, choose)


def _column(table: pa.Table, choose: random.Random) -> str:
    name: str = choose.choice(table.column_names)
    return name


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _dropped(table: pa.Table, choose: random.Random) -> pa.Table:
    return table.drop_columns([_column(table, choose)])


def _renamed(table: pa.Table, choose: random.Random) -> pa.Table:
    old = _column(table, choose)
    text = choose.choice(TEXTS).encode("utf-8", "replace").decode()
    return table.rename_columns([text if name == old else name for name in table.column_names])


def _twin_names(table: pa.Table, choose: random.Random) -> pa.Table:
    name = _column(table, choose)
    return table.append_column(name, table[name])


def _added(table: pa.Table, choose: random.Random) -> pa.Table:
    text = choose.choice(TEXTS).encode("utf-8", "replace").decode()
    return table.append_column(text, _odd_array(len(table), choose))


def _retyped(table: pa.Table, choose: random.Random) -> pa.Table:
    return _with(table, _column(table, choose), _odd_array(len(table), choose))


def _cast(table: pa.Table, choose: random.Random) -> pa.Table:
    types = (pa.int8(), pa.int32(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.string(),
             pa.large_string(), pa.timestamp("ns"), pa.duration("us"), pa.bool_())  # fmt: skip
    name = _column(table, choose)
    return _with(table, name, table[name].cast(choose.choice(types), safe=False))


def _nulled(table: pa.Table, choose: random.Random) -> pa.Table:
    name = _column(table, choose)
    keep = pa.array([choose.randrange(2) == 0 for _ in range(len(table))])
    if choose.randrange(2):
        return _with(table, name, pa.nulls(len(table), table[name].type))
    taken = pa.array([at if kept else None for at, kept in enumerate(keep.to_pylist())], pa.int64())
    return _with(table, name, table[name].take(taken))


def _odd_numbers(table: pa.Table, choose: random.Random) -> pa.Table:
    plain = [
        f.name for f in table.schema if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)
    ]
    name = choose.choice(plain)
    type_ = table[name].type
    values = table[name].to_pylist()
    for _ in range(choose.choice((1, 2, len(values)))):
        value = choose.choice(NUMBERS)
        values[choose.randrange(len(values))] = (
            float(value) if pa.types.is_floating(type_) else value
        )
    return _with(table, name, pa.array(values, type_))


def _strings(table: pa.Table, choose: random.Random) -> pa.Table:
    text = choose.choice(TEXTS).encode("utf-8", "replace").decode()
    plain = [f.name for f in table.schema if pa.types.is_string(f.type)]
    return _with(table, choose.choice(plain), pa.array([text] * len(table)))


def _wrapped(table: pa.Table, choose: random.Random) -> pa.Table:
    name = _column(table, choose)
    lists = [[value] * choose.choice((1, 1, 0, 2)) for value in table[name].to_pylist()]
    type_ = choose.choice((pa.list_, pa.large_list))(table[name].type)
    return _with(table, name, pa.array(lists, type_))


def _rows_taken(table: pa.Table, choose: random.Random) -> pa.Table:
    rows = list(range(len(table)))
    kind = choose.randrange(6)
    if kind == 0:
        choose.shuffle(rows)
    elif kind == 1:
        rows = rows[: choose.randrange(len(rows) + 1)]
    elif kind == 2:
        rows = rows + rows[: choose.randrange(len(rows) + 1)]
    elif kind == 3:
        rows = rows[1:]
    elif kind == 4:
        rows = rows * choose.choice((2, 50))
    else:
        rows = []
    return table.take(pa.array(rows, pa.int64()))


def _dictionaries(table: pa.Table, choose: random.Random) -> pa.Table:
    name = _column(table, choose)
    return _with(table, name, table[name].combine_chunks().dictionary_encode())


def _metadata(table: pa.Table, choose: random.Random) -> pa.Table:
    payload = choose.choice(
        (b"{", b"null", pickle.dumps(Exploding()), b'{"info": {"features": 3}}', b"\xff" * 9,
         b'{"index_columns": ["../../x"], "columns": [{"field_name": 1}]}', b"[" * 5000)
    )  # fmt: skip
    key = choose.choice((b"huggingface", b"pandas", b"ARROW:schema", b"lerobot", b"\xff"))
    if choose.randrange(2):
        return table.replace_schema_metadata({key: payload})
    name = _column(table, choose)
    marks = {
        choose.choice(
            (b"ARROW:extension:name", b"roboreel.form", b"PARQUET:field_id")
        ): choose.choice(
            (b"arrow.py_extension_type", b"json", b"arrow.fixed_shape_tensor", b"999999999999")
        ),
        b"ARROW:extension:metadata": payload,
    }
    field = table.schema.field(name).with_metadata(marks)
    return table.cast(table.schema.set(table.column_names.index(name), field))


_CHANGES: tuple[Change, ...] = (
    _dropped, _renamed, _twin_names, _added, _retyped, _retyped, _cast, _nulled, _odd_numbers,
    _odd_numbers, _strings, _wrapped, _rows_taken, _rows_taken, _dictionaries, _metadata,
)  # fmt: skip


class Exploding:
    """What must never be unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.system, ("touch unpickled",)


_PAIR = pa.struct([("a", pa.int64()), ("b", pa.list_(pa.int64()))])
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _odd_array(rows: int, choose: random.Random) -> pa.Array:
    """A column of a kind that nobody expects."""
    numbers = list(range(rows))
    deep = pa.int64()
    for _ in range(choose.choice((3, 30))):
        deep = pa.list_(deep)
    made: tuple[Callable[[], pa.Array], ...] = (
        lambda: pa.nulls(rows),
        lambda: pa.array([str(n) for n in numbers]),
        lambda: pa.array([b"\x00\xff"] * rows),
        lambda: pa.array([pickle.dumps(Exploding())] * rows),
        lambda: pa.array([{"a": n, "b": [n]} for n in numbers], _PAIR),
        lambda: pa.array([{"bytes": b"\x89PNG", "path": None}] * rows, _PICTURE),
        lambda: pa.array([{"bytes": None, "path": "/etc/passwd"}] * rows, _PICTURE),
        lambda: pa.array([[("k", n)] for n in numbers], pa.map_(pa.string(), pa.int64())),
        lambda: pa.array(numbers, pa.decimal128(20, 3)),
        lambda: pa.array(numbers, pa.date32()),
        lambda: pa.array(numbers, pa.time64("us")),
        lambda: pa.array(numbers, pa.timestamp("us", tz="Europe/Berlin")),
        lambda: pa.array(numbers, pa.duration("ns")),
        lambda: pa.array([1 << 63] * rows, pa.uint64()),
        lambda: pa.array(np.full(rows, np.nan, dtype=np.float16)),
        lambda: pa.array([[]] * rows, pa.list_(pa.float32())),
        lambda: pa.array([[float(n)] * (n % 3) for n in numbers], pa.list_(pa.float32())),
        lambda: pa.array([[1, 2]] * rows, pa.list_(pa.int32(), 2)),
        lambda: pa.array([[]] * rows, pa.list_(pa.int32(), 0)),
        lambda: pa.nulls(rows, deep),
        lambda: pa.array([[None, 1.0]] * rows, pa.list_(pa.float64())),
        lambda: pa.array([True] * rows),
    )  # fmt: skip
    return choose.choice(made)()
