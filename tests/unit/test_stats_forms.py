"""Forms of stored statistics are those of the arrays that parsing would make."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from roboreel.errors import DatasetError
from roboreel.format.stats_shape import StatsShapes, add_lines, add_rows
from roboreel.stats.feature_stats import BASE, Stats, parse_stats, shape_of

NUMBERS = st.one_of(
    st.floats(width=32),
    st.integers(-5, 5),
    st.booleans(),
    st.sampled_from([1 << 53, -(1 << 60), 10**400, float("nan"), float("inf")]),
)
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.text(max_size=3), st.just("1.5"), st.just({}), st.just([])
)
VALUES = st.one_of(
    st.lists(NUMBERS, min_size=1, max_size=3),
    st.lists(
        st.lists(st.lists(NUMBERS, min_size=1, max_size=1), min_size=1, max_size=1), max_size=3
    ),
    NUMBERS,
    ODD,
    st.lists(st.one_of(NUMBERS, ODD), max_size=3),
    st.lists(st.lists(NUMBERS, max_size=2), max_size=2),
)
SOUND = st.fixed_dictionaries(
    {key: st.just([[[0.5]], [[1]], [[0.25]]]) for key in ("min", "max", "mean", "std")}
    | {"count": st.one_of(st.just([7]), VALUES)},
    optional={"q01": VALUES, "note": VALUES},
)
PARTS = st.one_of(SOUND, st.dictionaries(st.sampled_from([*BASE, "q50"]), VALUES), ODD)
STATS = st.dictionaries(st.sampled_from(["action", "state", "top"]), PARTS, max_size=3)

Found = list[tuple[int, str, int, int]]


def listed(forms: StatsShapes) -> Found:
    names = list(forms.names)
    features = [names[number] for number in forms.features]
    return list(zip(forms.episodes, features, forms.counts, forms.dims, strict=True))


def expected(rows: list[tuple[int, Any]]) -> Found:
    found = []
    for episode, stats in rows:
        for name, parsed in parse_stats(stats).items():
            form = shape_of(parsed)
            found.append((episode, name, form.counted, form.dims))
    return found


@given(st.lists(st.tuples(st.integers(0, 9), STATS), max_size=4))
def test_lines_have_the_forms_of_their_arrays(rows: list[tuple[int, Any]]) -> None:
    text = "\n".join(json.dumps({"episode_index": e, "stats": s}) for e, s in rows)
    forms = StatsShapes()
    add_lines(forms, text.encode())
    assert listed(forms) == expected(rows)


def test_an_episode_number_beyond_all_sense_is_passed_over() -> None:
    forms = StatsShapes()
    add_lines(forms, json.dumps({"episode_index": 1 << 80, "stats": {"a": {"min": [1]}}}).encode())
    assert listed(forms) == []


def test_a_line_that_is_no_object_is_an_error() -> None:
    with pytest.raises(DatasetError, match="line 2"):
        add_lines(StatsShapes(), b'{"episode_index": 0, "stats": {}}\n[]\n')


FLAT = pa.list_(pa.float64())
TYPES: dict[str, tuple[pa.DataType, Any]] = {
    "vector": (FLAT, st.lists(st.floats(width=32), min_size=2, max_size=2)),
    "ragged": (FLAT, st.lists(st.floats(width=32), max_size=2)),
    "fixed": (pa.list_(pa.float32(), 2), st.lists(st.floats(width=32), min_size=2, max_size=2)),
    "scalar": (pa.float64(), st.floats(width=32)),
    "camera": (pa.list_(pa.list_(FLAT)), st.just([[[1.0]], [[2.0]], [[3.0]]])),
    "count": (pa.list_(pa.int64()), st.lists(st.integers(-1, 1 << 60), min_size=1, max_size=1)),
    "count as float": (FLAT, st.sampled_from([[2.5], [float("nan")], [9.0]])),
    "holes": (FLAT, st.lists(st.one_of(st.none(), st.just(1.0)), min_size=2, max_size=2)),
    "text": (pa.string(), st.just("1.5")),
    "nothing": (pa.null(), st.none()),
    "flag": (pa.list_(pa.bool_()), st.just([True, False])),
}
USUAL = {"min": "vector", "max": "vector", "mean": "vector", "std": "vector", "count": "count"}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 4))
    columns: dict[str, pa.Array] = {"episode_index": pa.array(range(rows), pa.int64())}
    for feature in draw(st.lists(st.sampled_from(["a", "b/c"]), unique=True)):
        kinds = dict(USUAL)
        kinds |= draw(st.dictionaries(st.sampled_from([*BASE, "q01"]), st.sampled_from([*TYPES])))
        for statistic, kind in kinds.items():
            type_, values = TYPES[kind]
            drawn = [draw(st.one_of(values, values, values, st.none())) for _ in range(rows)]
            columns[f"stats/{feature}/{statistic}"] = pa.array(drawn, type_)
    names = draw(st.permutations(list(columns)))
    return pa.table({name: columns[name] for name in names})


def _stats_of_row(row: dict[str, Any]) -> Stats:
    nested: dict[str, dict[str, Any]] = {}
    for name, value in row.items():
        numbers = value is not None and not isinstance(value, str)
        if name.startswith("stats/") and numbers:
            feature, _, statistic = name.removeprefix("stats/").rpartition("/")
            nested.setdefault(feature, {})[statistic] = value
    return parse_stats(nested)


@given(tables())
def test_rows_have_the_forms_of_their_arrays(table: pa.Table) -> None:
    forms = StatsShapes()
    add_rows(forms, table)
    found: Found = []
    for row in table.to_pylist():
        for name, stats in _stats_of_row(row).items():
            form = shape_of(stats)
            found.append((row["episode_index"], name, form.counted, form.dims))
    assert listed(forms) == found


def test_whole_statistics_of_many_rows_are_sound() -> None:
    """The usual table is understood column by column, and says what its arrays would."""
    rows = 50
    columns = {f"stats/state/{key}": pa.array([[0.5, 1.0]] * rows, FLAT) for key in BASE[:4]}
    columns["stats/state/count"] = pa.array([[n + 1] for n in range(rows)], pa.list_(pa.int64()))
    forms = StatsShapes()
    add_rows(forms, pa.table({"episode_index": np.arange(rows), **columns}))
    assert listed(forms) == [(n, "state", n + 1, 1) for n in range(rows)]
