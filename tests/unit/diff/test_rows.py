"""Rows: a change in one value of one column is found, at its place, and nothing else is."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import roboreel
from tests.mutate import (
    copied,
    drop_columns,
    edit_info,
    edit_json,
    edit_lines,
    edit_table,
    episode_table,
    set_column,
)
from tests.tamper import edit_values, flip_bit, swap_rows
from tests.unit.diff.bases import STILL, noted, places

Change = Callable[[npt.NDArray[Any]], object]


def test_a_copy_is_the_same_and_has_no_notes(first: Path, second: Path) -> None:
    report = roboreel.diff(first, second)
    assert report.same
    assert report.notes == ()
    assert report.compared.rows == 15
    assert report.compared.packets == 30


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_one_bit_of_one_float_is_found(
    first: Path, second: Path, second_v30: Path, version: str
) -> None:
    changed = second if version == "v2.1" else second_v30
    flip_bit(changed, 1, 2)
    report = roboreel.diff(first, changed)
    assert places(report) == [("values", 1, 2, "action")]
    assert report.differences[0].what.startswith("value 5: ")


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_two_rows_swapped_are_found(
    first: Path, second: Path, second_v30: Path, version: str
) -> None:
    changed = second if version == "v2.1" else second_v30
    swap_rows(changed, 2, 3)
    report = roboreel.diff(first, changed)
    assert places(report) == [("values", 2, 3, "action")]
    assert report.differences[0].count == 2


def _set(row: int, *at: int, value: object) -> Change:
    def change(values: npt.NDArray[Any]) -> None:
        values[(row, *at)] = value

    return change


VALUES: dict[str, tuple[str, int, Change, str]] = {
    "text": ("observation.note", 3, _set(3, value="anders"), "'anders'"),
    "matrix": ("observation.pose", 1, _set(1, 2, 3, value=-7), "value 2: value 3: "),
    "float64": ("observation.effort", 0, _set(0, 1, value=-7.5), "against -7.5"),
    "int64 beyond float64": (
        "observation.ticks",
        2,
        lambda v: v.__setitem__((2, 1), v[2, 1] + 1),
        f"{(1 << 53) + 2} against {(1 << 53) + 3}",
    ),
    "plain float": ("next.reward", 1, _set(1, value=0.5), "against 0.5"),
    "truth": ("next.done", 0, _set(0, value=True), "False against True"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_every_kind_of_column_is_found(first: Path, second: Path, name: str) -> None:
    column, row, change, says = VALUES[name]
    edit_values(second, 0, column, change)
    report = roboreel.diff(first, second)
    assert places(report) == [("values", 0, row, column)]
    assert says in report.differences[0].what


def _bits(pattern: int) -> float:
    return float(np.frombuffer(struct.pack("<Q", pattern), np.float64)[0])


def _pair(first: Path, folder: Path, values: tuple[list[object], list[object]], type_: Any) -> Any:
    """Two datasets whose first episode has these values in an extra column."""
    made = []
    for side, column in zip("ab", values, strict=True):
        root = copied(first, folder / side)
        for episode, rows in enumerate((6, 4, 5)):
            padded = (column * 6)[:rows] if episode == 0 else [column[0]] * rows
            set_column(episode_table(root, episode), "mine", pa.array(padded, type_))
        made.append(root)
    return roboreel.diff(*made)


@pytest.mark.parametrize(
    ("a", "b", "type_"),
    [
        ([1.0, 0.0], [1.0, -0.0], pa.float64()),
        ([1.0, 0.0], [1.0, -0.0], pa.float32()),
        ([1.0, 0.0], [1.0, -0.0], pa.float16()),
        ([1, None], [1, 0], pa.int32()),
        ([[1.0], [2.0, 3.0]], [[1.0], [2.0]], pa.list_(pa.float32())),
        ([[1.0], []], [[1.0], None], pa.list_(pa.float32())),
        ([[1.0], [None]], [[1.0], [0.0]], pa.list_(pa.float32())),
        ([["a"], ["b", "c"]], [["a"], ["b", "d"]], pa.list_(pa.string())),
        ([b"a", b"b"], [b"a", b"c"], pa.binary()),
        ([{"x": 1}, {"x": 2}], [{"x": 1}, {"x": 3}], pa.struct([("x", pa.int64())])),
        ([1, 2], [1, 3], pa.timestamp("us")),
        ([1, 2], [1, 3], pa.duration("ns")),
    ],
)
def test_values_that_compare_equal_or_nearly_are_told_apart(
    first: Path, tmp_path: Path, a: list[object], b: list[object], type_: Any
) -> None:
    report = _pair(first, tmp_path, (a, b), type_)
    assert places(report) == [("values", 0, 1, "mine")]
    assert _pair(first, tmp_path / "again", (a, a), type_).same


def test_nans_are_the_same_by_their_bits(first: Path, tmp_path: Path) -> None:
    quiet, payload = _bits(0x7FF8000000000000), _bits(0x7FF8000000000123)
    arrays = [np.array([1.0, x]) for x in (quiet, payload)]
    columns = [pa.array(x) for x in arrays]
    roots = []
    for side, column in zip("ab", columns, strict=True):
        root = copied(first, tmp_path / side)
        for episode, rows in enumerate((6, 4, 5)):
            set_column(episode_table(root, episode), "mine", column.take(pa.array([1] * rows)))
        roots.append(root)
    report = roboreel.diff(*roots)
    assert places(report) == [("values", 0, 0, "mine")]
    assert "7ff8000000000123" in report.differences[0].what
    assert roboreel.diff(roots[1], roots[1]).same


def test_a_missing_row_is_found(first: Path, second: Path) -> None:
    edit_table(episode_table(second, 1), lambda table: table.slice(0, 3))
    kinds = {kind for kind, *_ in places(roboreel.diff(first, second))}
    assert kinds == {"rows", "places"}
    found = roboreel.diff(first, second, first_only=True).differences
    assert [(d.kind, d.episode, d.row, d.what) for d in found] == [
        ("rows", 1, 3, "4 against 3 rows")
    ]


def test_columns_that_one_side_lacks_are_found(first: Path, second: Path) -> None:
    drop_columns(episode_table(second, 0), "next.reward")
    set_column(episode_table(second, 2), "more", pa.array([1.5] * 5))
    assert places(roboreel.diff(first, second)) == [
        ("columns", 0, 0, "next.reward"),
        ("columns", 2, 0, "more"),
    ]


def test_an_empty_column_is_no_more_than_none(first: Path, second: Path) -> None:
    set_column(episode_table(second, 2), "more", pa.nulls(5, pa.float64()))
    report = roboreel.diff(first, second)
    assert report.same
    assert noted(report) == {"columns"}


def test_another_type_is_a_difference_though_the_values_are_equal(
    first: Path, second: Path
) -> None:
    for episode in range(3):
        edit_table(episode_table(second, episode), _widened)
    report = roboreel.diff(first, second)
    assert places(report) == [("columns", 0, None, "next.reward")]
    assert report.differences[0].what == "float against double"


def test_a_wider_type_is_a_note_where_the_first_has_both(first: Path, tmp_path: Path) -> None:
    mixed, wide = copied(first, tmp_path / "a"), copied(first, tmp_path / "b")
    edit_table(episode_table(mixed, 1), _widened)
    for episode in range(3):
        edit_table(episode_table(wide, episode), _widened)
    edit_json(
        wide / "meta/info.json",
        lambda info: info["features"]["next.reward"].update(dtype="float64"),
    )
    report = roboreel.diff(mixed, wide)
    assert report.same
    assert noted(report) == {"columns", "features"}
    edit_values(wide, 0, "next.reward", _set(4, value=0.123456789))
    assert places(roboreel.diff(mixed, wide)) == [("values", 0, 4, "next.reward")]


def _widened(table: pa.Table) -> pa.Table:
    at = table.column_names.index("next.reward")
    return table.set_column(at, "next.reward", table["next.reward"].cast(pa.float64()))


def test_list_types_do_not_matter(first: Path, second: Path) -> None:
    for kind in (pa.list_(pa.float32()), pa.large_list(pa.float32())):
        path = episode_table(second, 0)
        set_column(path, "action", pq.ParquetFile(path).read()["action"].cast(kind))
        assert roboreel.diff(first, second).same


def test_lists_of_one_are_plain_values(first: Path, second: Path) -> None:
    for episode in range(3):
        edit_table(episode_table(second, episode), _wrapped)
    for pair in ((first, second), (second, first)):
        report = roboreel.diff(*pair)
        assert report.same
        assert [note.count for note in report.notes] == [3]
    edit_values(second, 1, "next.reward", lambda values: values.__setitem__((2, 0), 9))
    assert places(roboreel.diff(first, second)) == [("values", 1, 2, "next.reward")]


def _wrapped(table: pa.Table) -> pa.Table:
    values = table["next.reward"].combine_chunks()
    ends = pa.array(np.arange(len(values) + 1, dtype=np.int32))
    at = table.column_names.index("next.reward")
    return table.set_column(at, "next.reward", pa.ListArray.from_arrays(ends, values))


def test_one_byte_of_a_picture_in_the_table_is_found(first: Path, second: Path) -> None:
    _edit_picture(second, 1, 3, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    report = roboreel.diff(first, second)
    assert places(report) == [("images", 1, 3, STILL)]


def test_the_path_beside_a_picture_is_a_note(first: Path, second: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        pictures = table[STILL].combine_chunks()
        names = pa.array(["else.png"] * len(table))
        made = pa.StructArray.from_arrays(
            [pc.struct_field(pictures, "bytes"), names], names=["bytes", "path"]
        )
        return table.set_column(table.column_names.index(STILL), STILL, made)

    edit_table(episode_table(second, 1), change)
    report = roboreel.diff(first, second)
    assert report.same
    assert noted(report) == {"images"}


def _edit_picture(root: Path, episode: int, row: int, change: Callable[[bytes], bytes]) -> None:
    def edited(table: pa.Table) -> pa.Table:
        cells = table[STILL].to_pylist()
        cells[row]["bytes"] = change(cells[row]["bytes"])
        at = table.column_names.index(STILL)
        return table.set_column(at, STILL, pa.array(cells, table.schema.field(at).type))

    edit_table(episode_table(root, episode), edited)


@pytest.mark.parametrize("name", ["frame_index", "episode_index", "index"])
def test_counts_that_are_wrong_in_the_second_are_found(
    first: Path, second: Path, name: str
) -> None:
    edit_values(second, 1, name, _set(2, value=77))
    assert places(roboreel.diff(first, second)) == [("index", 1, 2, name)]


@pytest.mark.parametrize("name", ["frame_index", "episode_index", "index"])
def test_counts_that_are_right_in_the_second_are_a_note(
    first: Path, second: Path, name: str
) -> None:
    edit_values(second, 1, name, _set(2, value=77))
    report = roboreel.diff(second, first)
    assert report.same
    assert noted(report) == {"index"}
    assert roboreel.diff(second, second).notes == ()


@pytest.mark.parametrize("name", ["frame_index", "index", "timestamp", "episode_index"])
def test_an_index_column_may_be_supplied_but_not_be_left_out(
    first: Path, second: Path, name: str
) -> None:
    for episode in range(3):
        drop_columns(episode_table(second, episode), name)
    assert roboreel.diff(second, first).same
    report = roboreel.diff(first, second)
    assert places(report) == [("index", 0, None, name)]
    assert report.differences[0].episodes == 3


def test_episode_index_of_renumbered_episodes_must_follow(first: Path, second: Path) -> None:
    gapped = _gapped(second)
    report = roboreel.diff(gapped, first)
    assert report.same
    assert noted(report) == {"episodes", "index"}
    stale = copied(first, second.parent / "stale")
    edit_values(stale, 2, "episode_index", _set(slice(None), value=7))  # type: ignore[arg-type]
    assert places(roboreel.diff(gapped, stale)) == [("index", 2, 0, "episode_index")]


def _gapped(root: Path) -> Path:
    """The dataset with its last episode numbered 7, and statistics left out."""
    edit_lines(
        root / "meta/episodes.jsonl", lambda lines: [*lines[:2], {**lines[2], "episode_index": 7}]
    )
    edit_lines(
        root / "meta/episodes_stats.jsonl",
        lambda lines: [*lines[:2], {**lines[2], "episode_index": 7}],
    )
    edit_values_of = episode_table(root, 2)
    edit_table(
        edit_values_of,
        lambda table: table.set_column(
            table.column_names.index("episode_index"), "episode_index", pa.array([7] * 5)
        ),
    )
    for path in sorted(root.rglob("episode_000002.*")):
        path.rename(path.with_name(path.name.replace("000002", "000007")))
    return root


def _clocked(root: Path) -> None:
    """Timestamps of a wall clock."""
    for episode in range(3):
        edit_values(root, episode, "timestamp", lambda values: values.__iadd__(0.25))


def test_lost_timestamps_are_found(first: Path, second: Path) -> None:
    _clocked(second)
    report = roboreel.diff(second, first)
    assert places(report) == [("timestamps", 0, 0, "timestamp")]
    assert "not kept" in report.differences[0].what
    assert report.differences[0].count == 15


def test_timestamps_that_are_neither_the_first_s_nor_regular_are_found(
    first: Path, second: Path
) -> None:
    edit_values(second, 2, "timestamp", _set(3, value=0.1001))
    assert places(roboreel.diff(first, second)) == [("timestamps", 2, 3, "timestamp")]


def test_regular_timestamps_with_the_originals_beside_are_a_note(first: Path, second: Path) -> None:
    kept = copied(first, second.parent / "kept")
    _clocked(second)
    for episode in range(3):
        clock = _column(episode_table(second, episode), "timestamp")
        set_column(episode_table(kept, episode), "source_timestamp", clock)
    report = roboreel.diff(second, kept)
    assert report.same
    assert "timestamps" in noted(report)
    edit_values(kept, 1, "source_timestamp", _set(2, value=5))
    assert places(roboreel.diff(second, kept)) == [("values", 1, 2, "source_timestamp")]


def _column(path: Path, name: str) -> pa.Array:
    return pq.ParquetFile(path).read()[name].combine_chunks()


def test_timestamps_within_a_tenth_of_a_millisecond_may_be_regular(
    first: Path, second: Path
) -> None:
    edit_values(second, 1, "timestamp", lambda values: values.__iadd__(0.00005))
    report = roboreel.diff(second, first)
    assert report.same
    assert noted(report) == {"timestamps"}


def test_another_task_of_a_row_is_found(first: Path, second: Path) -> None:
    edit_values(second, 1, "task_index", _set(3, value=0))
    report = roboreel.diff(first, second)
    assert places(report) == [("row-tasks", 1, 3, "task_index")]
    assert "pick up the red cube" in report.differences[0].what


def test_tasks_may_have_other_indexes(first: Path, second: Path) -> None:
    def turned(lines: list[Any]) -> list[Any]:
        top = len(lines) - 1
        return [{**line, "task_index": top - line["task_index"]} for line in lines]

    edit_lines(second / "meta/tasks.jsonl", turned)
    assert {kind for kind, *_ in places(roboreel.diff(first, second))} == {"row-tasks"}
    for episode in range(3):
        edit_values(
            second, episode, "task_index", lambda values: values.__setitem__(..., 3 - values)
        )
    report = roboreel.diff(first, second)
    assert report.same
    assert noted(report) == {"tasks"}


def test_without_a_task_list_an_index_stands_for_one_listed_text(first: Path, second: Path) -> None:
    other = copied(second, second.parent / "other")
    edit_values(other, 1, "task_index", _set(3, value=0))
    for root in (second, other):
        (root / "meta/tasks.jsonl").unlink()
    assert roboreel.diff(second, first).same
    assert places(roboreel.diff(other, first)) == [("row-tasks", 1, 3, "task_index")]


def test_a_table_that_cannot_be_read_is_named_with_its_side(first: Path, second: Path) -> None:
    episode_table(second, 1).write_bytes(b"no table")
    report = roboreel.diff(first, second)
    assert places(report) == [("broken", 1, None, None)]
    assert "the second" in report.differences[0].what
    assert report.compared.rows == 11
    assert "the first" in roboreel.diff(second, first).differences[0].what


def test_rows_away_from_where_v30_documents_say_are_found(
    first_v30: Path, second_v30: Path
) -> None:
    path = second_v30 / "meta/episodes/chunk-000/file-000.parquet"
    set_column(path, "dataset_from_index", pa.array([0, 5, 10]))
    report = roboreel.diff(first_v30, second_v30)
    assert ("places", 1, None, None) in places(report)
    assert roboreel.diff(second_v30, first_v30).same
    assert roboreel.diff(second_v30, second_v30).same


def test_ranges_of_the_whole_dataset_count(first_v30: Path, second_v30: Path) -> None:
    path = second_v30 / "meta/episodes/chunk-000/file-000.parquet"
    set_column(path, "dataset_from_index", pa.array([1000, 1006, 1010]))
    set_column(path, "dataset_to_index", pa.array([1006, 1010, 1015]))
    assert places(roboreel.diff(first_v30, second_v30)) == [("places", None, None, None)]


def test_rows_of_no_episode_are_found(first_v30: Path, second_v30: Path) -> None:
    edit_table(
        second_v30 / "data/chunk-000/file-000.parquet",
        lambda table: pa.concat_tables([table, _numbered(table.slice(0, 2), 9)]),
    )
    report = roboreel.diff(first_v30, second_v30)
    assert places(report) == [("places", None, None, None)]
    assert "2 rows" in report.differences[0].what
    assert roboreel.diff(second_v30, first_v30).same


def _numbered(table: pa.Table, episode: int) -> pa.Table:
    at = table.column_names.index("episode_index")
    return table.set_column(at, "episode_index", pa.array([episode] * len(table)))


@pytest.mark.parametrize("turned", [False, True])
def test_damage_inside_a_table_is_named_with_its_side(
    first: Path, second: Path, turned: bool
) -> None:
    path = episode_table(second, 1)
    data = bytearray(path.read_bytes())
    data[4:3000] = bytes(2996)
    path.write_bytes(bytes(data))
    pair = (second, first) if turned else (first, second)
    report = roboreel.diff(*pair)
    assert places(report) == [("broken", 1, None, None)]
    assert ("the first" if turned else "the second") in report.differences[0].what
    assert report.compared.rows == 11


def test_two_columns_of_one_judged_name_are_refused(first: Path, second: Path) -> None:
    features = json.loads((second / "meta/info.json").read_text("utf-8"))["features"]
    del features["next.reward"]  # its column stays
    edit_info(second, features=features)
    with pytest.raises(roboreel.UsageError, match="get the same name"):
        roboreel.diff(first, second, renamed={"next.done": "next.reward"})


def test_the_first_difference_is_that_of_the_first_row(first: Path, second: Path) -> None:
    flip_bit(second, 2, 1)
    flip_bit(second, 1, 3)
    edit_values(second, 1, "next.reward", _set(2, value=7))
    report = roboreel.diff(first, second, first_only=True)
    assert places(report) == [("values", 1, 2, "next.reward")]


def test_features_can_be_renamed(first: Path, second: Path) -> None:
    for episode in range(3):
        edit_table(
            episode_table(second, episode),
            lambda table: table.rename_columns(
                ["deed" if name == "action" else name for name in table.column_names]
            ),
        )
    features = json.loads((second / "meta/info.json").read_text("utf-8"))["features"]
    edit_info(second, features={("deed" if k == "action" else k): v for k, v in features.items()})
    assert not roboreel.diff(first, second).same
    report = roboreel.diff(first, second, renamed={"deed": "action"})
    assert report.same
    flip_bit(second, 1, 2, "deed")
    report = roboreel.diff(first, second, renamed={"deed": "action"})
    assert places(report) == [("values", 1, 2, "action")]
