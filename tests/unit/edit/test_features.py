"""Other names, fewer and more features: what they become, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import roboreel
from roboreel.edit.view import View
from roboreel.testing import make_dataset
from tests.mutate import set_column
from tests.unit.edit.conftest import LENGTHS, TOP

ROWS = sum(LENGTHS)
INDEX = ["timestamp", "frame_index", "episode_index", "index", "task_index"]


def _names(view: View) -> list[str]:
    return [name for name in view.model.info.features if name not in INDEX]


def _column(view: View, name: str) -> pa.ChunkedArray:
    return view.sources[0].supplied[name]


def test_features_may_change_names_with_each_other(dataset: roboreel.Dataset) -> None:
    view = dataset.rename({"action": "observation.state", "observation.state": "action"})
    assert _names(view)[:2] == ["action", "observation.state"]
    assert view.sources[0].renamed == {
        "action": "observation.state",
        "observation.state": "action",
    }


def test_names_that_come_back_are_no_change(dataset: roboreel.Dataset) -> None:
    view = dataset.rename({"action": "a"}).rename({"a": "b"})
    assert view.sources[0].renamed == {"action": "b"}
    assert view.rename({"b": "action"}).sources[0].renamed == {}


def test_a_name_that_was_given_up_can_be_taken(dataset: roboreel.Dataset) -> None:
    view = dataset.rename({"action": "old"}).rename({"observation.state": "action"})
    assert view.sources[0].renamed == {"action": "old", "observation.state": "action"}
    assert view.remove("old").sources[0].removed == {"action"}
    again = dataset.remove("action").add("action", np.arange(ROWS))
    assert again.sources[0].removed == {"action"}
    assert again.remove("action").sources[0].removed == {"action"}
    other = again.rename({"action": "b"})
    assert (other.sources[0].renamed, list(other.sources[0].supplied)) == ({}, ["b"])


def test_a_camera_takes_the_places_of_its_videos_along(dataset: roboreel.Dataset) -> None:
    view = dataset.rename({TOP: "front"})
    assert view.model.info.cameras == ("front",)
    columns = view.model.episodes.column_names
    assert "videos/front/path" in columns
    assert not [name for name in columns if TOP in name]


ADDED: dict[str, tuple[Any, dict[str, Any], tuple[str, list[int]], pa.DataType]] = {
    "numbers": (np.arange(ROWS), {}, ("int64", [1]), pa.int64()),
    "a list of numbers": ([0.5] * ROWS, {}, ("float64", [1]), pa.float64()),
    "truths": (np.arange(ROWS) % 2 == 0, {}, ("bool", [1]), pa.bool_()),
    "texts": ([f"n{row}" for row in range(ROWS)], {}, ("string", [1]), pa.string()),
    "columns of one": (np.ones((ROWS, 1), np.float32), {}, ("float32", [1]), pa.float32()),
    "vectors": (
        np.ones((ROWS, 3), np.float32),
        {"names": ["x", "y", "z"], "shape": (3,)},
        ("float32", [3]),
        pa.list_(pa.float32(), 3),
    ),
    "matrices": (
        np.ones((ROWS, 2, 3), np.int16),
        {"names": ["row", "column"]},
        ("int16", [2, 3]),
        pa.list_(pa.list_(pa.int16())),
    ),
    "another dtype": (np.arange(ROWS), {"dtype": "float32"}, ("float32", [1]), pa.float32()),
    "bytes the other way": (np.arange(ROWS, dtype=">i4"), {}, ("int32", [1]), pa.int32()),
    "an Arrow array": (pa.array(range(ROWS), pa.uint8()), {}, ("uint8", [1]), pa.uint8()),
    "Arrow lists": (
        pa.chunked_array([pa.array([[1, 2]] * ROWS, pa.list_(pa.int64()))]),
        {},
        ("int64", [2]),
        pa.list_(pa.int64(), 2),
    ),
    "Arrow texts": (pa.array(["a"] * ROWS, pa.large_string()), {}, ("string", [1]), pa.string()),
}


@pytest.mark.parametrize(("values", "more", "declared", "type_"), ADDED.values(), ids=ADDED)
def test_a_new_feature_is_declared_by_its_values(
    dataset: roboreel.Dataset,
    values: Any,
    more: dict[str, Any],
    declared: tuple[str, list[int]],
    type_: pa.DataType,
) -> None:
    view = dataset.add("new", values, **more)
    spec = view.model.info.features["new"].spec
    assert (spec["dtype"], spec["shape"], spec["names"]) == (*declared, more.get("names"))
    column = _column(view, "new")
    assert column.type == type_
    given = values.to_pylist() if isinstance(values, pa.Array | pa.ChunkedArray) else values
    wanted = np.asarray(given).reshape(ROWS, -1).tolist()
    assert np.asarray(column.to_pylist()).reshape(ROWS, -1).tolist() == wanted


def test_values_of_an_edited_view_go_to_its_rows(dataset: roboreel.Dataset) -> None:
    view = dataset.reorder([3, 1, 0, 2]).trim({0: (5, 15), 1: (0, 4)}).delete([3])
    column = _column(view.add("new", np.arange(10 + 4 + 12)), "new").to_pylist()
    begin = [0, 12, 21, 22]
    assert column[begin[3] + 5 : begin[3] + 15] == list(range(10))
    assert column[begin[1] : begin[1] + 4] == [10, 11, 12, 13]
    assert column[begin[0] : begin[0] + 12] == list(range(14, 26))
    assert sum(value is None for value in column) == ROWS - 26


Edit = Callable[[Any], object]
N = np.arange(ROWS)
REFUSED: dict[str, tuple[Edit, str]] = {
    "rename an unknown": (
        lambda d: d.rename({"x": "y"}),
        r"no feature 'x': the dataset has 'observation",
    ),
    "rename an index column": (
        lambda d: d.rename({"index": "i"}),
        r"every dataset has 'index': index columns cannot be",
    ),
    "rename to a taken name": (
        lambda d: d.rename({"action": "next.done"}),
        r"'action' cannot be renamed to 'next.done'",
    ),
    "rename two to one": (
        lambda d: d.rename({"action": "a", "next.done": "a"}),
        r"cannot be renamed to 'a'",
    ),
    "rename to an index column": (
        lambda d: d.rename({"action": "index"}),
        r"cannot be renamed to 'index'",
    ),
    "rename to a path": (lambda d: d.rename({"action": "a/b"}), r"'a/b' cannot be the name"),
    "rename to nothing": (lambda d: d.rename({"action": ""}), r"'' cannot be the name"),
    "rename to a line": (lambda d: d.rename({"action": "a\nb"}), r"'a\\nb' cannot be the name"),
    "rename to a number": (lambda d: d.rename({"action": 3}), r"3 cannot be the name"),
    "remove unknown ones": (lambda d: d.remove("x", "y"), r"no feature 'x', 'y': the dataset has"),
    "remove an index column": (
        lambda d: d.remove("timestamp"),
        r"every dataset has 'timestamp': index columns cannot be",
    ),
    "remove all": (lambda d: d.remove(*_names(d.as_view())), r"no feature would be left"),
    "remove twice": (lambda d: d.remove("action").remove("action"), r"no feature 'action'"),
    "add a taken name": (lambda d: d.add("action", N), r"a feature 'action' exists already"),
    "add an index column": (
        lambda d: d.add("index", N),
        r"'index' is an index column",
    ),
    "add too few": (lambda d: d.add("n", N[1:]), r"'n' has 36 values for 37 rows"),
    "add too many for a view": (lambda d: d.delete([0]).add("n", N), r"37 values for 25 rows"),
    "add one value": (lambda d: d.add("n", 3), r"got a single value"),
    "add objects": (lambda d: d.add("n", [{}] * ROWS), r"got values of type object"),
    "add complex numbers": (lambda d: d.add("n", N * 1j), r"type complex128"),
    "add times": (lambda d: d.add("n", N.astype("M8[s]")), r"type datetime64"),
    "add bytes": (lambda d: d.add("n", [b"a"] * ROWS), r"type \|S1"),
    "add lists of different lengths": (
        lambda d: d.add("n", [[1], *[[1, 2]] * (ROWS - 1)]),
        r"different shapes",
    ),
    "add nothing in each": (lambda d: d.add("n", np.ones((ROWS, 0))), r"are empty"),
    "add what lacks values": (
        lambda d: d.add("n", pa.array([None, *N[1:]])),
        r"values are missing",
    ),
    "add ragged Arrow lists": (
        lambda d: d.add("n", pa.array([[1], *[[1, 2]] * (ROWS - 1)])),
        r"rows have different lengths",
    ),
    "add Arrow structs": (lambda d: d.add("n", pa.array([{"a": 1}] * ROWS)), r"unsupported type"),
    "add a missing text": (
        lambda d: d.add("n", pa.array([None, *"a" * (ROWS - 1)])),
        r"1 row without",
    ),
    "add tables of texts": (lambda d: d.add("n", [["a", "b"]] * ROWS), r"one string for each row"),
    "another shape": (lambda d: d.add("n", N, shape=(2,)), r"values have shape \[1\], not \[2\]"),
    "no shape": (lambda d: d.add("n", N, shape=3), r"3 is not a shape"),
    "an unknown dtype": (lambda d: d.add("n", N, dtype="int7"), r"'int7' is not a supported dtype"),
    "a camera's dtype": (
        lambda d: d.add("n", N, dtype="video"),
        r"'video' is not a supported dtype",
    ),
    "text as numbers": (lambda d: d.add("n", ["a"] * ROWS, dtype="int8"), r"are string, not int8"),
    "numbers as text": (lambda d: d.add("n", N, dtype="string"), r"are int64, not string"),
    "what does not fit": (lambda d: d.add("n", N * 10, dtype="int8"), r"are not all int8"),
    "what would be cut": (lambda d: d.add("n", N / 2, dtype="int64"), r"are not all int64"),
    "too few names": (
        lambda d: d.add("n", np.ones((ROWS, 3)), names=["x", "y"]),
        r"2 names for shape \[3\]",
    ),
    "a name twice": (
        lambda d: d.add("n", np.ones((ROWS, 2)), names=["x", "x"]),
        r"different strings",
    ),
    "names that are none": (
        lambda d: d.add("n", np.ones((ROWS, 2)), names=[1, 2]),
        r"different strings",
    ),
    "names in a text": (
        lambda d: d.add("n", np.ones((ROWS, 2)), names="xy"),
        r"not a list of names",
    ),
    "add after resampling": (lambda d: d.resample(10).add("n", N), r"before resampling"),
}


@pytest.mark.parametrize(("edit", "says"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_message(dataset: roboreel.Dataset, edit: Edit, says: str) -> None:
    with pytest.raises(roboreel.UsageError, match=says):
        edit(dataset)


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.rename({"next.reward": "secret"}),
        lambda d: d.add("secret", np.ones(5, np.float32)),
    ],
    ids=["renamed", "added"],
)
def test_a_column_that_is_not_declared_is_never_replaced(tmp_path: Path, edit: Edit) -> None:
    folder = make_dataset(tmp_path / "a", version="v3.0", episodes=(3, 2), cameras={})
    (table,) = (folder / "data").rglob("*.parquet")
    set_column(table, "secret", pa.array([7.0] * 5, pa.float32()))
    view: Any = edit(roboreel.open(folder))
    with pytest.raises(roboreel.PlanError, match=r"column 'secret' that info\.json does not"):
        roboreel.write(view, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0.0, 1.0, 2.0], "bool"),
        ([0.0, 1.0, np.nan], "bool"),
        ([0, 1, -1], "bool"),
        ([0.0, 1.0, 1e300], "float32"),
        ([0, 1, 70000], "float16"),
    ],
)
def test_a_cast_that_changes_more_than_precision_is_refused(
    dataset: roboreel.Dataset, values: list[float], dtype: str
) -> None:
    every = np.resize(np.array(values), ROWS)
    with pytest.raises(roboreel.UsageError, match=f"the values are not all {dtype}"):
        dataset.add("more", every, dtype=dtype)


def test_a_cast_may_lose_precision_and_keeps_what_is_no_number(dataset: roboreel.Dataset) -> None:
    values = np.resize(np.array([1 / 3, np.nan, np.inf]), ROWS)
    column = _column(dataset.add("more", values, dtype="float32"), "more")
    np.testing.assert_array_equal(column.to_numpy(), values.astype(np.float32))
    truths = np.resize(np.array([0.0, 1.0]), ROWS)
    column = _column(dataset.add("more", truths, dtype="bool"), "more")
    assert column.to_pylist() == truths.astype(bool).tolist()
