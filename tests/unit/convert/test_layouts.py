"""Columns in a layout that other readers refuse: dictionaries (pandas categories), views, and large types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from tests.judge import faults
from tests.mutate import episode_table, set_column
from tests.oracle import read
from tests.unit.convert.sources import LENGTHS, require_written, rules_of

CATEGORY = pa.dictionary(pa.int8(), pa.string())
NOTES = [[f"note {episode}.{frame % 2}" for frame in range(n)] for episode, n in enumerate(LENGTHS)]
KINDS = [
    CATEGORY,
    pa.string_view(),
    pa.list_(CATEGORY),
    pa.list_view(pa.string_view()),
    pa.struct([("a", CATEGORY), ("b", pa.string_view())]),
]
VERBS: dict[str, Callable[[roboreel.Dataset], roboreel.View]] = {
    "keep": lambda dataset: dataset.keep([2, 0]),
    "trim": lambda dataset: dataset.trim({2: (2, 8)}),
    "delete": lambda dataset: dataset.delete([1]),
    "to v3.0": lambda dataset: dataset.with_target("v3.0"),
    "to v2.0": lambda dataset: dataset.with_target("v2.0"),
    "merge": lambda dataset: roboreel.concat([dataset, dataset]),
}


def noted(root: Path, type_: pa.DataType) -> Path:
    """The dataset with notes whose values differ from episode to episode."""
    require_written(type_)
    for episode, strings in enumerate(NOTES):
        values: list[object] = list(strings)
        if pa.types.is_struct(type_):
            values = [{"a": text, "b": text} for text in strings]
        elif pa.types.is_nested(type_):
            values = [[text] for text in strings]
        values[-1] = None if len(values) > 1 else values[-1]
        set_column(episode_table(root, episode), "note", pa.array(values, type_))
    return root


def stored_types(root: Path) -> set[str]:
    paths = (root / "data").rglob("*.parquet")
    return {str(pq.ParquetFile(path).schema_arrow.field("note").type) for path in paths}


@pytest.mark.parametrize("type_", KINDS, ids=str)
def test_values_are_written_plainly_and_it_is_said(
    v21: Path, tmp_path: Path, type_: pa.DataType
) -> None:
    """[`table.layout`]"""
    noted(v21, type_)
    before = [episode.rows["note"].to_pylist() for episode in read(v21).episodes]
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    (told,) = [problem for problem in report.problems if problem.rule == "table.layout"]
    assert told.column == "note"
    assert told.action is not None
    assert told.action.startswith("stored as ")
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert [episode.rows["note"].to_pylist() for episode in result.episodes] == before
    (stored,) = stored_types(tmp_path / "out")
    assert "dictionary" not in stored
    assert "view" not in stored
    assert roboreel.diff(v21, tmp_path / "out").same


@pytest.mark.sample(5)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("type_", [CATEGORY, pa.string_view()], ids=["category", "view"])
def test_every_verb_takes_them(v21: Path, tmp_path: Path, type_: pa.DataType, verb: str) -> None:
    noted(v21, type_)
    report = roboreel.write(VERBS[verb](roboreel.open(v21)), out=tmp_path / "out")
    assert "table.layout" in rules_of(report)
    assert stored_types(tmp_path / "out") == {"string"}
    found = [text for e in read(tmp_path / "out").episodes for text in e.rows["note"].to_pylist()]
    assert set(found) <= {None, *(text for strings in NOTES for text in strings)}
    assert "table.layout" not in {p.rule for p in roboreel.check(tmp_path / "out").problems}


@pytest.mark.parametrize("type_", KINDS, ids=str)
def test_a_check_and_statistics_read_them(v21: Path, type_: pa.DataType) -> None:
    noted(v21, type_)
    found = [p for p in roboreel.check(v21).problems if p.rule == "table.layout"]
    assert [(p.column, p.severity) for p in found] == [("note", "warning")]
    assert not roboreel.check_stats(v21).problems
    assert roboreel.diff(v21, v21).same


def test_dictionary_of_numbers_is_numbers(v21: Path, tmp_path: Path) -> None:
    require_written(pa.binary_view())
    for episode, length in enumerate(LENGTHS):
        column = pa.array([b"%d" % (n % 2) for n in range(length)], pa.binary_view())
        set_column(episode_table(v21, episode), "raw", column)
        codes = pa.array([float(n % 2 + episode) for n in range(length)], pa.float32())
        set_column(episode_table(v21, episode), "next.reward", codes.dictionary_encode())
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert {p.column for p in report.problems if p.rule == "table.layout"} == {"raw"}
    rows = read(tmp_path / "out").episodes[2].rows
    assert rows["next.reward"].to_pylist() == [float(n % 2 + 2) for n in range(LENGTHS[2])]


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (pa.string(), pa.large_string()),
        (pa.binary(), pa.large_binary()),
        (pa.list_(pa.string()), pa.large_list(pa.large_string())),
    ],
    ids=str,
)
def test_large_types_join_with_small_ones(
    v21: Path, tmp_path: Path, small: pa.DataType, large: pa.DataType
) -> None:
    for episode, strings in enumerate(NOTES):
        values: list[object] = list(strings)
        if pa.types.is_nested(small):
            values = [[text] for text in strings]
        column = pa.array(values, large if episode == 1 else small)
        set_column(episode_table(v21, episode), "note", column)
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert "table.types" in rules_of(report)
    before, after = read(v21).episodes, read(tmp_path / "out").episodes
    assert [e.rows["note"].to_pylist() for e in before] == [
        e.rows["note"].to_pylist() for e in after
    ]
    assert roboreel.diff(v21, tmp_path / "out").same
