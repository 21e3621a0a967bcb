"""Rows of many episodes at once: each stands where its episode is, whatever is done to it on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.edit.view import View
from roboreel.errors import RunError, StorageError
from roboreel.ops import write as ops
from roboreel.plan.plan import CopyTables, Plan, TableProgram, WriteTables
from roboreel.runner.kernels import table_inputs as inputs
from roboreel.runner.kernels.result_rows import transformed
from roboreel.runner.kernels.table_inputs import Batch, Members
from roboreel.stats.feature_stats import QUANTILES
from roboreel.stats.sampling import OWN
from roboreel.storage.tables.tables import TableFile
from roboreel.testing import make_dataset
from tests.merging import features_stats

LENGTHS = (5, 3, 8, 1, 6, 4, 7)
INDEXES = ("timestamp", "frame_index", "episode_index", "index", "task_index")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven episodes in three files."""
    folder = tmp_path_factory.mktemp("rows") / "a"
    return make_dataset(
        folder, version="v3.0", episodes=LENGTHS, cameras={}, data_episodes_per_file=3
    )


def rows_of(folder: str | Path) -> pa.Table:
    """All rows of a v3.0 dataset, its files in order."""
    return pa.concat_tables([pq.read_table(p) for p in sorted(Path(folder).glob("data/*/*"))])


def states_of(folder: str | Path) -> dict[int, list[Any]]:
    """`observation.state` of every episode, by its number in the table of episodes."""
    table = rows_of(folder)
    found: dict[int, list[Any]] = {}
    numbers, states = table["episode_index"].to_pylist(), table["observation.state"].to_pylist()
    for number, state in zip(numbers, states, strict=True):
        found.setdefault(number, []).append(state)
    return found


def written(view: View, out: Path) -> Plan:
    plan = ops.plan_write(view, out=out)
    ops.run(plan)
    return plan


def assert_index_columns(folder: Path, lengths: list[int], fps: int = 30) -> None:
    table = rows_of(folder)
    assert table["episode_index"].to_pylist() == [
        e for e, n in enumerate(lengths) for _ in range(n)
    ]
    assert table["frame_index"].to_pylist() == [k for n in lengths for k in range(n)]
    assert table["index"].to_pylist() == list(range(sum(lengths)))
    seconds = np.array([k / fps for n in lengths for k in range(n)], dtype=np.float32)
    np.testing.assert_array_equal(table["timestamp"].to_numpy(), seconds)


@pytest.mark.parametrize("batch_bytes", [1, 600, 8 << 20])
@pytest.mark.parametrize(
    ("order", "regroup"),
    [((0, 2, 3, 6), False), ((6, 1, 5, 0, 3, 2, 4), False), ((4, 3, 2, 1, 0), True)],
)
def test_rows_follow_their_episodes(
    source: Path,
    tmp_path: Path,
    order: tuple[int, ...],
    regroup: bool,
    batch_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inputs, "_BATCH_BYTES", batch_bytes)
    view = roboreel.open(source).keep(order)
    view = view.reorder(np.argsort(np.argsort(order)).tolist())
    if regroup:
        view = view.written_as(replace(view.options, regroup=True))
    plan = written(view, tmp_path / "b")
    assert any(isinstance(op, WriteTables) for op in plan.ops)
    before, after = states_of(source), states_of(tmp_path / "b")
    assert [after[e] for e in range(len(order))] == [before[e] for e in order]
    assert_index_columns(tmp_path / "b", [LENGTHS[e] for e in order])


def test_batches_change_no_statistics(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = roboreel.open(source).trim({2: (1, 6), 0: (0, 4)}).delete([1])
    found = []
    for size in (1, 700, 8 << 20):
        monkeypatch.setattr(inputs, "_BATCH_BYTES", size)
        written(view, tmp_path / str(size))
        stored = roboreel.open(tmp_path / str(size)).stored_stats().entries()
        plain = [
            (e, {n: {k: v.tolist() for k, v in p.items()} for n, p in s.items()}) for e, s in stored
        ]
        found.append((rows_of(tmp_path / str(size)), plain))
    assert found[0][0].equals(found[1][0])
    assert found[0][0].equals(found[2][0])
    assert found[0][1] == found[1][1] == found[2][1]
    table, stats = found[0][0], dict(found[0][1])
    numbers = table["episode_index"].to_numpy()
    states = np.array(table["observation.state"].to_pylist(), dtype=np.float32)
    for episode in (0, 1):  # both were cut: computed anew
        expected = features_stats({"x": states[numbers == episode]}, quantiles=QUANTILES)["x"]
        assert {k: v.tolist() for k, v in expected.items()} == stats[episode]["observation.state"]


def test_resampled_rows_are_the_nearest_in_time(source: Path, tmp_path: Path) -> None:
    written(roboreel.open(source).resample(12), tmp_path / "b")
    before, after = states_of(source), states_of(tmp_path / "b")
    step = Fraction(30, 12)
    for episode, count in enumerate(LENGTHS):
        wanted = []
        k = 0
        while k * step < count:
            least = min(range(count), key=lambda row: (abs(row - k * step), row))
            wanted.append(before[episode][least])
            k += 1
        assert after[episode] == wanted
    assert_index_columns(tmp_path / "b", [len(after[e]) for e in range(len(LENGTHS))], fps=12)


def test_supplied_values_go_with_their_rows(source: Path, tmp_path: Path) -> None:
    values = np.arange(sum(LENGTHS), dtype=np.float32) * 10
    view = roboreel.open(source).add("reward", values, dtype="float32", shape=(1,))
    view = view.trim({2: (3, 6)}).delete([0, 5]).reorder([4, 0, 2, 1, 3])
    written(view, tmp_path / "b")
    begins = np.cumsum([0, *LENGTHS])
    kept = [6, 1, 3, 2, 4]
    expected = [
        v
        for e in kept
        for v in values[
            begins[e] + (3 if e == 2 else 0) : begins[e] + (6 if e == 2 else LENGTHS[e])
        ]
    ]
    assert rows_of(tmp_path / "b")["reward"].to_pylist() == expected


def test_columns_of_no_use_are_not_read(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []
    rows = TableFile.rows

    def noted(self: Any, start: int, stop: int, columns: Any = None) -> pa.Table:
        read.append(columns)
        return rows(self, start, stop, columns)

    plan = ops.plan_write(roboreel.open(source).remove("action"), out=tmp_path / "b")
    monkeypatch.setattr(TableFile, "rows", noted)
    work = ops.run(plan)
    assert work.frames == sum(LENGTHS)
    of_tables = [columns for columns in read if columns and "frame_index" in columns]
    assert of_tables
    assert all("action" not in columns for columns in of_tables)
    assert "action" not in rows_of(tmp_path / "b").column_names


def test_copied_tables_are_measured_where_stored_statistics_are_wrong(
    source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "a"
    make_dataset(folder, version="v3.0", episodes=LENGTHS, cameras={}, data_episodes_per_file=3)
    path = folder / "meta/episodes/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    for name in ("index", "episode_index"):
        column = f"stats/{name}/mean"
        wrong = pa.array([[77.0]] * len(table), table[column].type)
        table = table.set_column(table.column_names.index(column), column, wrong)
    pq.write_table(table, path)
    plan = written(roboreel.open(folder).delete([6]), tmp_path / "b")
    assert any(isinstance(op, CopyTables) for op in plan.ops)
    stats = dict(roboreel.open(tmp_path / "b").episode_stats())
    begins = np.cumsum([0, *LENGTHS])
    for episode, count in enumerate(LENGTHS[:-1]):
        found = stats[episode]
        assert found["episode_index"]["mean"].tolist() == [episode]
        assert found["index"]["mean"].tolist() == [begins[episode] + (count - 1) / 2]
        assert found["frame_index"]["max"].tolist() == [count - 1]
        np.testing.assert_allclose(found["timestamp"]["max"], [(count - 1) / 30], rtol=1e-6)
    first = "data/chunk-000/file-000.parquet"
    assert (tmp_path / "b" / first).read_bytes() == (folder / first).read_bytes()


def batch_of(columns: Mapping[str, Any], rows: list[int]) -> Batch:
    count = len(rows)
    zeros = np.zeros(count, dtype=np.int64)
    members = Members(
        at=np.arange(count),
        episode=np.arange(count) + 4,
        rows=np.array(rows),
        first_index=np.cumsum([100, *rows[:-1]]),
        default_task=np.arange(count) + 7,
        task_map=np.arange(count) % 2,
        whole=np.ones(count, dtype=np.bool_),
        source=zeros,
        file=zeros,
        row=np.cumsum([0, *rows[:-1]]),
        row_range=np.array(rows),
        first_frame=zeros,
    )
    return Batch(members, pa.table(dict(columns)))


def program_for(fields: list[pa.Field], **changes: Any) -> tuple[TableProgram, pa.Schema]:
    schema = pa.schema(fields)
    known: dict[str, Any] = {
        "schema_ipc": schema.serialize().to_pybytes(),
        "fps": Fraction(10),
        "regular_timestamps": True,
        "source_timestamp": None,
        "steps": (Fraction(1),),
        "task_maps": ({}, {0: 5, 1: 6}),
        "measured": (),
        "measurable": (),
        "per_last_axis": (),
        "filled": (),
        "masks": {},
        "shapes": {},
        "decoded": (),
        "images": (),
        "depths": (),
        "profile": OWN,
    }
    return TableProgram(**{**known, **changes}), schema


def test_tasks_change_by_each_episodes_map() -> None:
    batch = batch_of({"task_index": pa.array([0, 1, 1, 0, 1])}, [2, 2, 1])
    program, schema = program_for([pa.field("task_index", pa.int64())])
    table = transformed(batch, program, schema, {})
    assert table["task_index"].to_pylist() == [0, 1, 6, 5, 1]
    without = replace(batch, rows=pa.table({"x": pa.array([0.0] * 5)}))
    table = transformed(without, program, schema, {})
    assert table["task_index"].to_pylist() == [7, 7, 8, 8, 9]


def test_recorded_timestamps_are_kept_beside() -> None:
    seconds = pa.array([0.0, 0.3, 0.05], pa.float32())
    fields = [pa.field("timestamp", pa.float32()), pa.field("was", pa.float32())]
    program, schema = program_for(fields, source_timestamp="was")
    table = transformed(batch_of({"timestamp": seconds}, [2, 1]), program, schema, {})
    assert table["was"].to_pylist() == seconds.to_pylist()
    expected = np.array([0.0, 0.1, 0.0], dtype=np.float32).tolist()
    assert table["timestamp"].to_pylist() == expected


def test_what_an_input_lacks_is_filled() -> None:
    matrix = pa.list_(pa.list_(pa.float64(), 3), 2)
    fields = [
        pa.field("number", pa.int32()),
        pa.field("vector", pa.list_(pa.float32(), 2)),
        pa.field("loose", pa.list_(pa.float32())),
        pa.field("matrix", matrix),
        pa.field("text", pa.string()),
        pa.field("left", pa.int8()),
    ]
    names = ("number", "vector", "loose", "matrix", "text")
    program, schema = program_for(fields, filled=names, shapes={"loose": (3,)})
    table = transformed(batch_of({"x": pa.array([1.0, 2.0])}, [1, 1]), program, schema, {})
    assert table["number"].to_pylist() == [0, 0]
    assert table["vector"].to_pylist() == [[0.0, 0.0]] * 2
    assert table["loose"].to_pylist() == [[0.0, 0.0, 0.0]] * 2
    assert table["matrix"].to_pylist() == [[[0.0] * 3] * 2] * 2
    assert table["text"].to_pylist() == ["", ""]
    assert table["left"].to_pylist() == [None, None]
    program, _ = program_for(fields, filled=names)
    with pytest.raises(StorageError, match="loose"):
        transformed(batch_of({"x": pa.array([1.0, 2.0])}, [1, 1]), program, schema, {})


@pytest.mark.parametrize("target", [pa.list_(pa.float32(), 4), pa.list_(pa.float32())])
def test_shorter_vectors_are_padded_and_masked(target: pa.DataType) -> None:
    short = pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float32(), 2))
    fields = [pa.field("v", target), pa.field("v_mask", pa.list_(pa.bool_(), 4))]
    program, schema = program_for(fields, filled=("v",), masks={"v": "v_mask"}, shapes={"v": (4,)})
    table = transformed(batch_of({"v": short}, [1, 2]), program, schema, {})
    assert table["v"].to_pylist() == [[a, b, 0.0, 0.0] for a, b in short.to_pylist()]
    assert table["v_mask"].to_pylist() == [[True, True, False, False]] * 3
    table = transformed(batch_of({"x": pa.array([1, 2, 3])}, [1, 2]), program, schema, {})
    assert table["v"].to_pylist() == [[0.0] * 4] * 3
    assert table["v_mask"].to_pylist() == [[False] * 4] * 3
    long = pa.array([[1.0] * 4] * 3, pa.list_(pa.float32()))
    table = transformed(batch_of({"v": long}, [1, 2]), program, schema, {})
    assert table["v_mask"].to_pylist() == [[True] * 4] * 3
    known = {"v": short, "v_mask": pa.array([[False, True]] * 3)}
    table = transformed(batch_of(known, [1, 2]), program, schema, {})
    assert table["v_mask"].to_pylist() == [[False, True, False, False]] * 3


def test_a_plain_column_is_masked_as_a_whole() -> None:
    fields = [pa.field("n", pa.float32()), pa.field("n_mask", pa.bool_())]
    program, schema = program_for(fields, filled=("n",), masks={"n": "n_mask"})
    values = pa.array([1.0, None, 3.0], pa.float32())
    table = transformed(batch_of({"n": values}, [3]), program, schema, {})
    assert table["n_mask"].to_pylist() == [True, False, True]
    table = transformed(batch_of({"x": pa.array([1])}, [1]), program, schema, {})
    assert (table["n"].to_pylist(), table["n_mask"].to_pylist()) == ([0.0], [False])


def test_decoded_pictures_take_the_place_of_a_column() -> None:
    program, schema = program_for([pa.field("top", pa.int64())], decoded=("top",))
    batch = batch_of({"x": pa.array([1, 2])}, [1, 1])
    table = transformed(batch, program, schema, {"top": pa.array([8, 9])})
    assert table["top"].to_pylist() == [8, 9]


def test_a_table_that_changed_since_is_refused(tmp_path: Path) -> None:
    make_dataset(tmp_path / "a", version="v3.0", episodes=LENGTHS, cameras={})
    plan = ops.plan_write(roboreel.open(tmp_path / "a").delete([1]), out=tmp_path / "b")
    path = tmp_path / "a/data/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(RunError, match="changed since the plan was made"):
        ops.run(plan)
    assert not (tmp_path / "b").exists()
