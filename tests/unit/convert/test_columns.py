"""Columns of tables: types that differ, values that are missing, what is declared and what is not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import roboreel
from roboreel.testing import Version, make_dataset
from tests.judge import differences, faults
from tests.mutate import (
    drop_columns,
    edit_json,
    edit_table,
    episode_table,
    set_column,
)
from tests.oracle import read
from tests.unit.convert.sources import (
    LENGTHS,
    rules_of,
)


def test_missing_index_columns_are_supplied(v21: Path, bases: Path, tmp_path: Path) -> None:
    names = ("timestamp", "frame_index", "episode_index", "index", "task_index")
    for episode in range(3):
        drop_columns(episode_table(v21, episode), *names)
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert {p.column for p in report.problems if p.rule == "table.index-columns"} == set(names)
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(bases / "v2.1"), result) == []


def _cast(root: Path, name: str, type_: pa.DataType) -> None:
    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        return table.set_column(at, name, table[name].cast(type_))

    edit_table(episode_table(root, 1), change)


def test_lists_of_two_kinds_keep_their_values(v21: Path, bases: Path, tmp_path: Path) -> None:
    _cast(v21, "action", pa.list_(pa.float32()))
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert "table.types" in rules_of(report)
    assert differences(read(bases / "v2.1"), read(tmp_path / "out")) == []


def test_narrow_and_wide_floats_become_wide(v21: Path, bases: Path, tmp_path: Path) -> None:
    _cast(v21, "action", pa.list_(pa.float64(), 6))
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    result = read(tmp_path / "out")
    for old, new in zip(read(bases / "v2.1").episodes, result.episodes, strict=True):
        assert new.rows["action"].type.value_type == pa.float64()
        assert new.rows["action"].to_pylist() == old.rows["action"].to_pylist()
    assert result.info["features"]["action"]["dtype"] == "float64"


def test_a_column_without_values_takes_the_others_type(v21: Path, tmp_path: Path) -> None:
    for episode, length in enumerate(LENGTHS):
        notes = pa.array(["note"] * length) if episode else pa.nulls(length)
        set_column(episode_table(v21, episode), "note", notes)
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    notes = [e.rows["note"].to_pylist() for e in read(tmp_path / "out").episodes]
    assert notes == [[None] * 5, ["note"], ["note"] * 8]


def test_types_that_fit_no_one_type_are_refused(v21: Path, tmp_path: Path) -> None:
    set_column(episode_table(v21, 1), "next.reward", pa.array(["much"]))
    with pytest.raises(roboreel.PlanError, match=r"next\.reward"):
        roboreel.convert(v21, to="v3.0", out=tmp_path / "out")


@pytest.mark.parametrize("name", ["timestamp", "frame_index", "task_index"])
def test_index_columns_of_text_are_refused(v21: Path, tmp_path: Path, name: str) -> None:
    for episode, length in enumerate(LENGTHS):
        set_column(episode_table(v21, episode), name, pa.array(["a"] * length))
    with pytest.raises(roboreel.RoboreelError, match=name):
        roboreel.convert(v21, to="v3.0", out=tmp_path / "out")


def test_undeclared_columns_are_declared_and_absent_ones_left_out(
    v21: Path, bases: Path, tmp_path: Path
) -> None:
    for episode, length in enumerate(LENGTHS):
        path = episode_table(v21, episode)
        set_column(path, "force", pa.array([[1.5, 2.5]] * length))
        set_column(path, "raw", pa.array([b"\x00\xff"] * length))
        set_column(path, "when", pa.array([1] * length, pa.timestamp("us")))
        set_column(path, "words", pa.array([[{"role": "user", "n": 1}]] * length))
        drop_columns(path, "next.reward")
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    declared = {p.column for p in report.problems if p.rule == "feature.undeclared"}
    assert declared == {"force", "raw", "when", "words"}
    assert [p.column for p in report.problems if p.rule == "feature.absent"] == ["next.reward"]
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(v21), result) == []
    assert result.info["features"]["force"] == {"dtype": "float64", "shape": [2], "names": None}


def test_nan_and_infinity_travel(v21: Path, tmp_path: Path) -> None:
    inconsistent = [float("nan"), float("inf"), -float("inf"), -0.0, 1e-45, 0.0]
    set_column(
        episode_table(v21, 0), "action", pa.array([inconsistent] * 5, pa.list_(pa.float32(), 6))
    )
    (v21 / "meta/episodes_stats.jsonl").unlink()
    for version in ("v2.0", "v2.1", "v3.0"):
        roboreel.convert(v21, to=version, out=tmp_path / version)
        assert differences(read(v21), read(tmp_path / version)) == []


def test_missing_values_travel(v21: Path, tmp_path: Path) -> None:
    # a plain list: pyarrow reads missing fixed-size ones only since release 26
    values = pa.array([[1.0] * 6, None] + [[2.0] * 6] * 3, pa.list_(pa.float32()))
    set_column(episode_table(v21, 0), "action", values)
    (v21 / "meta/episodes_stats.jsonl").unlink()
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert read(tmp_path / "out").episodes[0].rows["action"].to_pylist() == values.to_pylist()


@pytest.mark.parametrize("names", [None, ["a"] * 6, {"motors": ["a"] * 6}, "absent"])
def test_names_of_dimensions_stay_as_they_are(v21: Path, tmp_path: Path, names: object) -> None:
    def change(document: dict[str, dict[str, dict[str, object]]]) -> None:
        document["features"]["action"]["names"] = names
        if names == "absent":
            del document["features"]["action"]["names"]

    edit_json(v21 / "meta/info.json", change)
    roboreel.convert(v21, to="v3.0", out=tmp_path / "there")
    roboreel.convert(tmp_path / "there", to="v2.1", out=tmp_path / "back")
    for out in ("there", "back"):
        spec = read(tmp_path / out).info["features"]["action"]
        assert spec.get("names", "absent") == names


def _doubled(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_fixed_size_list(type_):
        return pa.list_(_doubled(type_.value_type), type_.list_size)
    return pa.float64() if pa.types.is_float32(type_) else type_


@pytest.mark.parametrize("to", ["v2.1", "v3.0"])
@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_doubles_where_float32_is_declared_are_taken_alike_in_every_version(
    tmp_path: Path, version: Version, to: str
) -> None:
    root = make_dataset(tmp_path / "a", version=version, episodes=(5, 4), cameras={})
    for path in root.glob("data/**/*.parquet"):
        edit_table(
            path,
            lambda table: table.cast(
                pa.schema([item.with_type(_doubled(item.type)) for item in table.schema])
            ),
        )
    found = roboreel.check(root).problems
    assert {(p.rule, p.severity) for p in found} == {("feature.dtype", "warning")}
    assert {p.column for p in found} == {"observation.state", "action", "next.reward", "timestamp"}
    roboreel.convert(root, to=to, out=tmp_path / "b")
    assert roboreel.diff(root, tmp_path / "b").same
