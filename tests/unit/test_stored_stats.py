"""Statistics of episodes are found where they lie, whatever the form of the document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roboreel.dataset import stored_stats
from roboreel.dataset.stored_stats import StoredStats, open_stored_stats
from roboreel.errors import DatasetError
from roboreel.format.version import FormatVersion
from roboreel.stats.feature_stats import Stats
from roboreel.storage.local import LocalRoot

LINES = "meta/episodes_stats.jsonl"
TABLES = "meta/episodes/chunk-000/file-{:03d}.parquet"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few episodes, so that a handful of them spans several."""
    monkeypatch.setattr(stored_stats, "_BLOCK_BYTES", 700)
    monkeypatch.setattr(stored_stats, "_BLOCK_ROWS", 3)


def plain(stats: Stats) -> dict[str, dict[str, Any]]:
    return {name: {k: v.tolist() for k, v in parts.items()} for name, parts in stats.items()}


def wanted(episode: int) -> dict[str, dict[str, Any]]:
    """Different numbers in every place of every episode, two features of different shape."""
    random = np.random.default_rng(episode)
    vector = {key: random.random(3).tolist() for key in ("min", "max", "mean", "std")}
    camera = {key: random.random((3, 1, 1)).tolist() for key in ("min", "max", "mean", "std")}
    return {"action": {**vector, "count": [episode + 1]}, "top": {**camera, "count": [7]}}


def line(episode: int, **other: Any) -> str:
    return json.dumps({"episode_index": episode, "stats": wanted(episode), **other}) + "\n"


def in_blocks(stored: StoredStats) -> Iterator[tuple[int, Stats]]:
    for episodes, block in stored.in_blocks():
        yield from zip(episodes, block.each(), strict=True)


def from_lines(root: Path, text: str | bytes) -> StoredStats:
    path = root / LINES
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return open_stored_stats(LocalRoot(root), FormatVersion.V21, [LINES])


def from_tables(root: Path, *tables: pa.Table, row_group_size: int = 2) -> StoredStats:
    names = [TABLES.format(number) for number in range(len(tables))]
    for name, table in zip(names, tables, strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, root / name, row_group_size=row_group_size)
    return open_stored_stats(LocalRoot(root), FormatVersion.V30, names)


def table_of(episodes: list[int]) -> pa.Table:
    columns: dict[str, Any] = {"episode_index": episodes, "length": [1] * len(episodes)}
    for name, parts in wanted(0).items():
        for key in parts:
            columns[f"stats/{name}/{key}"] = [wanted(e)[name][key] for e in episodes]
    return pa.table(columns)


@pytest.fixture(params=["lines", "tables", "one row group"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoredStats]:
    """Episodes 0 to 19, in this order."""
    if request.param == "lines":
        yield from_lines(tmp_path, "".join(line(episode) for episode in range(20)))
    else:
        size = 2 if request.param == "tables" else 100
        first, second = table_of(list(range(11))), table_of(list(range(11, 20)))
        yield from_tables(tmp_path, first, second, row_group_size=size)


def test_every_episode_is_found_in_any_order(stored: StoredStats) -> None:
    order = [*range(20), 19, 0, 7, 6, 8, *range(0, 20, 3)]
    for episode in order:
        assert plain(stored.of(episode)) == wanted(episode)
    assert stored.of(20) == stored.of(-1) == {}


def test_entries_are_all_episodes_in_file_order(stored: StoredStats) -> None:
    entries = [(episode, plain(stats)) for episode, stats in stored.entries()]
    assert entries == [(episode, wanted(episode)) for episode in range(20)]


def test_statistics_have_the_types_of_the_algebra(stored: StoredStats) -> None:
    stats = stored.of(3)
    assert {part.dtype for key, part in stats["top"].items() if key != "count"} == {
        np.dtype(np.float64)
    }
    assert stats["top"]["count"].dtype == np.int64
    assert stats["top"]["mean"].shape == (3, 1, 1)


def test_a_version_without_them_has_none(tmp_path: Path) -> None:
    stored = open_stored_stats(LocalRoot(tmp_path), FormatVersion.V20, [LINES, TABLES.format(0)])
    assert list(stored.entries()) == []
    assert stored.of(0) == {}


ODD_LINES = {
    "blank lines": "\n" + line(0) + " \n\r\n" + line(1),
    "carriage returns": (line(0) + line(1)).replace("\n", "\r\n"),
    "only carriage returns": (line(0) + line(1)).replace("\n", "\r"),
    "no newline at the end": (line(0) + line(1)).rstrip("\n"),
    "byte order mark": b"\xef\xbb\xbf" + (line(0) + line(1)).encode(),
    "statistics first": "".join(
        json.dumps({"stats": wanted(e), "episode_index": e}) + "\n" for e in (0, 1)
    ),
    "spaces": line(0).replace('{"episode_index": 0', '  { "episode_index"\t:  0 ') + line(1),
    "twice, the last counts": line(0, stats=wanted(9)) + line(1) + line(0),
    "without statistics": line(0) + line(1) + '{"episode_index": 0}\n',
    "number twice in a line": line(1, stats=wanted(0)).replace(
        '{"episode_index": 1', '{"episode_index": 1, "episode_index": 0'
    )
    + line(1),
}


@pytest.mark.parametrize("text", ODD_LINES.values(), ids=ODD_LINES)
def test_odd_lines_are_read_as_whole_documents_are(tmp_path: Path, text: str | bytes) -> None:
    stored = from_lines(tmp_path, text)
    assert plain(stored.of(1)) == wanted(1)
    assert plain(stored.of(0)) == wanted(0)
    assert stored.of(2) == {}
    entries = {episode: plain(stats) for episode, stats in stored.entries()}
    assert entries == {0: wanted(0), 1: wanted(1)}
    assert [(e, plain(s)) for e, s in in_blocks(stored)] == [
        (e, plain(s)) for e, s in stored.entries()
    ]


@pytest.mark.parametrize("broken", ["[1]", '{"episode_index": 1, "stats": }', "rubbish"])
def test_a_line_that_is_no_object_is_named(tmp_path: Path, broken: str) -> None:
    stored = from_lines(tmp_path, line(0) + "\n" + broken + "\n")
    with pytest.raises(DatasetError, match=r"episodes_stats\.jsonl, line 3"):
        list(stored.entries())
    before: list[tuple[int, dict[str, dict[str, Any]]]] = []
    with pytest.raises(DatasetError, match=r"episodes_stats\.jsonl, line 3"):
        before.extend((episode, plain(stats)) for episode, stats in in_blocks(stored))
    assert before == [(0, wanted(0))]
    with pytest.raises(DatasetError, match=r"episodes_stats\.jsonl, line 3"):
        stored.of(1)


def _odd_table() -> pa.Table:
    """Values of several forms in one column, and columns that hold no statistics."""
    return pa.table(
        {
            "episode_index": [0, 1, 2],
            "stats/a/mean": pa.array([[1.0], None, [2.0, None, 3.0]]),
            "stats/a/count": pa.array([[1], [2], [1 << 60]]),
            "stats/b/mean": pa.array([1.5, 2.5, 3.5]),
            "stats/b/max": pa.array([[True, False]] * 3),
            "stats/c/d/mean": pa.array([[1], [2], [3]], pa.list_(pa.int16(), 1)),
            "stats/e/mean": pa.array(["1", "2", "3"]),
            "stats/f/mean": pa.array([[], [], []], pa.list_(pa.float32())),
        }
    )


def test_odd_columns_are_taken_value_by_value(tmp_path: Path) -> None:
    stored = from_tables(tmp_path, _odd_table(), row_group_size=9)
    same: dict[str, dict[str, Any]] = {"b": {"max": [1.0, 0.0]}, "f": {"mean": []}}
    assert plain(stored.of(0)) == {
        "a": {"mean": [1.0], "count": [1]},
        "b": {"mean": [1.5], **same["b"]},
        "c/d": {"mean": [1.0]},
        "f": same["f"],
    }
    assert plain(stored.of(1)) == {
        "a": {"count": [2]},
        "b": {"mean": [2.5], **same["b"]},
        "c/d": {"mean": [2.0]},
        "f": same["f"],
    }
    np.testing.assert_equal(plain(stored.of(2))["a"], {"mean": [2.0, float("nan"), 3.0]})


def test_an_episode_in_two_tables_has_the_statistics_of_the_last(tmp_path: Path) -> None:
    first = table_of([0, 1])
    second = table_of([2, 3]).set_column(0, "episode_index", pa.array([1, 2]))
    stored = from_tables(tmp_path, first, second)
    assert plain(stored.of(1)) == wanted(2)
    assert plain(stored.of(0)) == wanted(0)
