"""Statistics become columns of the table of episodes, block by block, as if all were there at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import roboreel
from roboreel.format import v2, v30_documents
from roboreel.format.model import Model
from roboreel.format.stats_columns import blocks_of_rows, with_stats
from roboreel.stats.block import StatsBlock, blocks_of
from roboreel.stats.feature_stats import Stats
from roboreel.testing import make_dataset

VECTOR, NESTED = pa.list_(pa.float64()), pa.list_(pa.list_(pa.list_(pa.float64())))


def stats_of(episode: int, *names: str) -> Stats:
    random = np.random.default_rng(episode)
    shapes = {"action": (4,), "top": (3, 1, 1), "deep": (2, 3)}
    count = np.array([episode + 1])
    return {name: {"mean": random.random(shapes[name]), "count": count} for name in names}


def test_columns_are_nested_lists_in_the_order_of_appearance() -> None:
    stats = [stats_of(e, "action", "top", "deep") for e in range(3)]
    (block,) = blocks_of(stats)
    table = with_stats(pa.table({"episode_index": [0, 1, 2]}), block)
    assert table.column_names == [
        "episode_index",
        *(f"stats/{n}/{k}" for n in ("action", "top", "deep") for k in ("mean", "count")),
    ]
    assert table.schema.field("stats/action/mean").type == VECTOR
    assert table.schema.field("stats/top/mean").type == NESTED
    assert table.schema.field("stats/top/count").type == pa.list_(pa.int64())
    for name in ("action", "top", "deep"):
        column = table[f"stats/{name}/mean"]
        expected = [one[name]["mean"].tolist() for one in stats]
        assert column.to_pylist() == expected
        assert column.combine_chunks().equals(pa.array(expected, column.type))


def test_missing_and_uneven_statistics_are_null_or_as_long_as_they_are() -> None:
    stats: list[Stats] = [{}, stats_of(1, "action"), {"action": {"mean": np.array([1.0, 2.0])}}]
    first, second = blocks_of(stats)
    parts = [
        with_stats(pa.table({"episode_index": [0, 1]}), first),
        with_stats(pa.table({"episode_index": [2]}), second),
    ]
    table = pa.concat_tables(parts, promote_options="default")
    assert table["stats/action/count"].to_pylist() == [None, [2], None]
    assert table["stats/action/mean"].to_pylist() == [
        None,
        stats[1]["action"]["mean"].tolist(),
        [1.0, 2.0],
    ]
    back = [one for block in blocks_of_rows(table) for one in block.each()]
    assert back[0] == {}
    assert back[1]["action"]["mean"].tolist() == stats[1]["action"]["mean"].tolist()


@pytest.fixture
def model(tmp_path: Path) -> Model:
    make_dataset(tmp_path / "a", version="v3.0", episodes=(1,) * 11, cameras={})
    return roboreel.open(tmp_path / "a").model


def tables_of(model: Model, stats: list[Stats], size: int = 11) -> list[tuple[str, pa.Table]]:
    def blocks() -> Iterator[StatsBlock]:
        for start in range(0, len(stats), size):
            yield from blocks_of(stats[start : start + size])

    found = v30_documents.documents(model, blocks(), dict, splits={})
    return [(n, t) for n, t in found if isinstance(t, pa.Table) and "episodes" in n]


def test_blocks_make_the_table_that_one_block_makes(model: Model) -> None:
    names = [("action",), (), (), (), ("top", "action"), ("deep",), ("action",), (), (), (), ()]
    stats = [stats_of(episode, *some) for episode, some in enumerate(names)]
    ((name, whole),) = tables_of(model, stats)
    assert whole["stats/top/count"].to_pylist() == [[5] if e == 4 else None for e in range(11)]
    for size in (1, 2, 3, 10, 11):
        ((same_name, blocks),) = tables_of(model, stats, size)
        assert (same_name, blocks.schema) == (name, whole.schema)
        assert blocks.equals(whole)


@pytest.mark.parametrize("limit", [1, 2000])
def test_files_end_where_they_are_full(
    model: Model, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(v30_documents, "_EPISODE_FILE_BYTES", limit)
    stats = [stats_of(episode, "action", "top") for episode in range(11)]
    files = tables_of(model, stats, 3)
    per_episode = 256 + (4 + 1 + 3 + 1) * 8 + 4 * 64  # numbers, and what their arrays take
    in_file = -(-limit // per_episode)
    assert [len(table) for _, table in files] == [
        min(in_file, 11 - start) for start in range(0, 11, in_file)
    ]
    numbers = [table["meta/episodes/file_index"].to_pylist() for _, table in files]
    assert numbers == [[n] * len(t) for n, (_, t) in enumerate(files)]
    episodes = [e for _, table in files for e in table["episode_index"].to_pylist()]
    assert episodes == list(range(11))
    means = [m for _, table in files for m in table["stats/action/mean"].to_pylist()]
    assert means == [one["action"]["mean"].tolist() for one in stats]


def test_lines_come_in_pieces_of_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    entries: list[dict[str, Any]] = [{"n": n, "text": "ü" * n} for n in range(50)]
    monkeypatch.setattr(v2, "_BLOCK_BYTES", 100)

    def told() -> Iterator[dict[str, Any]]:
        for entry in entries:
            taken.append(entry["n"])
            yield entry

    taken: list[int] = []
    slices = v2.json_lines(told())
    first = next(slices)
    assert len(taken) < 10
    rest = list(slices)
    assert len(rest) > 10
    assert all(span.endswith(b"\n") or not span for span in (first, *rest))
    lines = b"".join((first, *rest)).decode().splitlines()
    assert [json.loads(line) for line in lines] == entries
    assert "ü" in lines[1]
