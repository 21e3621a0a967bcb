"""Numbers of index columns by row ranges are those of the rows, whatever type they have."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from roboreel.probes.table_columns import IndexColumn, distinct

WHOLE = st.integers(-(1 << 62), 1 << 62)
KINDS: dict[str, tuple[pa.DataType, Any]] = {
    "int64": (pa.int64(), st.one_of(st.integers(-9, 9), WHOLE)),
    "int32": (pa.int32(), st.integers(-9, 9)),
    "uint64": (pa.uint64(), st.integers(0, (1 << 64) - 1)),
    "float32": (pa.float32(), st.floats(width=32)),
    "float64": (pa.float64(), st.floats(-1e6, 1e6)),
}


@st.composite
def columns(draw: st.DrawFn) -> tuple[pa.ChunkedArray, list[float | None]]:
    type_, values = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    holes = draw(st.booleans())
    rows = draw(st.lists(st.one_of(values, st.none()) if holes else values, max_size=8))
    cut = draw(st.integers(0, len(rows)))
    listed = draw(st.booleans())
    form = pa.list_(type_) if listed else type_
    wrapped = [[row] for row in rows] if listed else rows
    return pa.chunked_array([pa.array(part, form) for part in (wrapped[:cut], wrapped[cut:])]), rows


@given(columns(), st.data())
def test_numbers_are_those_of_the_rows(
    made: tuple[pa.ChunkedArray, list[float | None]], data: st.DataObject
) -> None:
    column, rows = made
    start = data.draw(st.integers(0, len(rows)))
    stop = data.draw(st.integers(start, len(rows)))
    wanted = [math.nan if row is None else float(row) for row in rows[start:stop]]
    index = IndexColumn(column)
    np.testing.assert_array_equal(index.numbers(start, stop), np.array(wanted, dtype=np.float64))
    exact = [int(n) if abs(n) < 1 << 53 else -1 for n in wanted]
    assert index.whole_numbers(start, stop).tolist() == exact


def test_lists_of_none_or_two_shift_only_their_own_rows() -> None:
    index = IndexColumn(pa.chunked_array([pa.array([[], [1], [2, 3], [4]], pa.list_(pa.int64()))]))
    assert index.whole_numbers(0, 2).tolist() == [1]
    assert index.whole_numbers(1, 3).tolist() == [1, 2, 3]
    assert index.whole_numbers(3, 4).tolist() == [4]


@given(st.lists(st.integers(-3, 3)))
def test_distinct_values_ascend(values: list[int]) -> None:
    assert distinct(np.array(values, dtype=np.int64)) == sorted(set(values))


@pytest.mark.parametrize(
    ("type_", "holds"),
    [
        (pa.int8(), True),
        (pa.list_(pa.float32()), True),
        (pa.bool_(), False),
        (pa.string(), False),
        (pa.list_(pa.string()), False),
    ],
)
def test_what_holds_numbers(type_: pa.DataType, holds: bool) -> None:
    assert IndexColumn(pa.chunked_array([], type_)).holds_numbers is holds
