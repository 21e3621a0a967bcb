"""Statistics of many episodes at once are those of the episodes one by one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import roboreel
from roboreel.ops import write as ops
from roboreel.plan.plan import DECLARED_ROWS, ROWS, Plan
from roboreel.runner.resolve_stats import resolved_stats
from roboreel.stats.block import (
    StatsBlock,
    block_to_json,
    blocks_of,
    each,
    joined,
    parse_block,
)
from roboreel.stats.feature_stats import QUANTILES, Stats
from roboreel.stats.merge import StatsMerger
from roboreel.stats.numeric import episodes_stats
from roboreel.stats.sampling import SamplingProfile
from roboreel.testing import make_dataset
from tests.merging import features_stats, merge_stats

SHAPES: dict[str, tuple[int, ...]] = {"plain": (), "vector": (3,), "matrix": (2, 2)}
lengths = st.lists(st.integers(1, 9), min_size=1, max_size=8)


def values_of(rows: int, seed: int) -> dict[str, npt.NDArray[Any]]:
    random = np.random.default_rng(seed)
    return {n: random.normal(5, 100, (rows, *s)).astype(np.float32) for n, s in SHAPES.items()}


def plain(stats: Stats) -> dict[str, dict[str, Any]]:
    return {name: {k: v.tolist() for k, v in parts.items()} for name, parts in stats.items()}


@given(
    lengths,
    st.sampled_from([["plain"], ["vector"], list(SHAPES)]),
    st.sampled_from([(), QUANTILES, (0.25,)]),
)
@settings(max_examples=60, deadline=None)
def test_numbers_are_those_of_each_episode(
    rows: list[int], names: list[str], quantiles: tuple[float, ...]
) -> None:
    values = {n: v for n, v in values_of(sum(rows), len(rows)).items() if n in names}
    block = episodes_stats(values, np.array(rows), SamplingProfile(quantiles=quantiles))
    stop = 0
    for at, count in enumerate(rows):
        start, stop = stop, stop + count
        own = {name: v[start:stop] for name, v in values.items()}
        wanted = features_stats(own, quantiles=quantiles)
        assert [(n, *parts) for n, parts in block.of(at).items()] == [
            (n, *parts) for n, parts in wanted.items()
        ]
        for name, parts in wanted.items():
            for key, exact in parts.items():
                slack = 1e-12 * np.abs(own[name]).max() if key in ("mean", "std") else 0.0
                np.testing.assert_allclose(block.of(at)[name][key], exact, rtol=0, atol=slack)
        assert list(block.of(at)["plain" if "plain" in names else "vector"])[:2] == ["min", "max"]


def some_stats(seed: int, *, shapes: bool = False) -> list[Stats]:
    """Episodes that lack features, statistics, or, with `shapes`, have them in another shape."""
    random = np.random.default_rng(seed)
    found: list[Stats] = []
    for _ in range(random.integers(1, 12)):
        rows = int(random.integers(1, 9))
        values = values_of(rows, int(random.integers(1 << 30)))
        if shapes and random.random() < 0.3:
            values["vector"] = values["vector"][:, :2]
        one = features_stats(values, quantiles=QUANTILES if random.random() < 0.7 else ())
        for name in [name for name in one if random.random() < 0.2]:
            del one[name]
        found.append(one)
    return found


@given(st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_blocks_hold_what_was_put_in(seed: int) -> None:
    stats = some_stats(seed, shapes=True)
    blocks = blocks_of(stats)
    assert [plain(one) for block in blocks for one in block.each()] == [plain(s) for s in stats]
    assert [row for block in blocks for row in block.json_rows()] == [plain(s) for s in stats]
    back = [parse_block(json.loads(json.dumps(block_to_json(block)))) for block in blocks]
    assert [plain(one) for block in back for one in block.each()] == [plain(s) for s in stats]
    first = np.cumsum([0, *(block.episodes for block in blocks)]).tolist()
    parts = list(zip(first, blocks, strict=False))
    assert [plain(one) for one in each(parts, len(stats))] == [plain(one) for one in stats]
    whole = joined(parts, len(stats) + 1)
    if whole is None:
        assert len(blocks) > 1
    else:
        assert [plain(one) for one in whole.each()] == [*map(plain, stats), {}]


def test_numbers_survive_the_ledger_to_the_bit() -> None:
    inconsistent = np.array([[np.nan, -0.0, np.inf, 5e-324, 1 / 3]])
    (block,) = blocks_of([{"x": {"mean": inconsistent[0], "count": np.array([(1 << 52) + 1])}}])
    back = parse_block(json.loads(json.dumps(block_to_json(block))))
    assert back.columns["x", "mean"].values.tobytes() == inconsistent.tobytes()
    assert back.columns["x", "count"].values.tolist() == [[(1 << 52) + 1]]


@given(st.integers(0, 10_000), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_blocks_merge_as_their_episodes_do(seed: int, size: int) -> None:
    stats = some_stats(seed, shapes=True)
    merger = StatsMerger()
    for start in range(0, len(stats), size):
        for block in blocks_of(stats[start : start + size]):
            merger.add(block)
    found, expected = merger.result(), merge_stats(stats)
    assert {n: set(parts) for n, parts in found.items()} == {
        n: set(parts) for n, parts in expected.items()
    }
    for name, parts in expected.items():
        for key, value in parts.items():
            np.testing.assert_allclose(found[name][key], value, rtol=1e-12, atol=1e-10)


def test_what_is_the_same_in_all_episodes_merges_exactly() -> None:
    one = features_stats({"x": np.full((1, 2), 0.1)}, quantiles=QUANTILES)
    merger = StatsMerger()
    for block in blocks_of([one] * 1000):
        merger.add(block)
    merged = merger.result()["x"]
    assert merged["mean"].tolist() == merged["q50"].tolist() == [0.1, 0.1]
    assert merged["std"].tolist() == [0.0, 0.0]
    assert merged["count"].tolist() == [1000]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Of eleven episodes without cameras; the third is a part of its episode."""
    folder = tmp_path_factory.mktemp("settled")
    make_dataset(folder / "a", version="v3.0", episodes=range(3, 14), cameras={})
    view = roboreel.open(folder / "a").trim({2: (1, 4)})
    return ops.plan_write(view, out=folder / "b")


def stats_for(plan: Plan, seed: int, *, inconsistent: bool) -> list[Stats]:
    """Such as an episode may have: right, of other rows, lacking something, or, if odd, in other shapes."""
    random = np.random.default_rng(seed)
    found: list[Stats] = []
    whole = zip(plan.inputs[ROWS].to_pylist(), plan.inputs[DECLARED_ROWS].to_pylist(), strict=True)
    for count in [max(pair) for pair in whole]:
        one: Stats = {}
        for name in plan.stats.features:
            if random.random() < 0.2:
                continue
            rows = count if random.random() < 0.8 else count + 1
            wide = 3 if inconsistent and random.random() < 0.2 else 2
            numbers = np.arange(rows * wide, dtype=np.float64).reshape(rows, wide)
            numbers += random.integers(0, 3)
            shares = QUANTILES if random.random() < 0.5 else ()
            parts = features_stats({name: numbers}, quantiles=shares)[name]
            for key in [key for key in parts if random.random() < 0.03]:
                del parts[key]
            one[name] = parts
        found.append(one)
    return found


@pytest.mark.sample(16)
@pytest.mark.parametrize("inconsistent", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_settling_at_once_is_settling_one_by_one(
    plan: Plan, seed: int, inconsistent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = stats_for(plan, seed, inconsistent=inconsistent)
    new = [
        {n: p for n, p in one.items() if {"min", "max", "mean", "std", "count"} <= p.keys()}
        for one in stats_for(plan, seed + 1000, inconsistent=inconsistent)
    ]

    def resolved() -> list[Stats]:
        def part(stats: list[Stats]) -> list[tuple[int, StatsBlock]]:
            blocks = blocks_of(stats)
            first = np.cumsum([0, *(block.episodes for block in blocks)]).tolist()
            return list(zip(first, blocks, strict=False))

        blocks = resolved_stats(
            plan,
            lambda _, episodes: blocks_of([old[e] for e in episodes.tolist()]),
            lambda episodes: part(new[episodes.start : episodes.stop]),
        )
        return [one for block in blocks for one in block.each()]

    at_once = resolved()
    assert len(at_once) == len(plan.inputs)
    monkeypatch.setattr("roboreel.stats.resolve.joined", lambda *_: None)
    one_by_one = resolved()
    assert [plain(one) for one in at_once] == [plain(one) for one in one_by_one]
    assert any(at_once)


def test_settled_statistics_are_alike_however_many_are_settled_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dataset(tmp_path / "a", version="v3.0", episodes=range(3, 14), cameras={})
    view = roboreel.open(tmp_path / "a").delete([4]).shuffle(seed=2)
    tables = []
    for size in (2048, 3):
        monkeypatch.setattr("roboreel.runner.resolve_stats._BLOCK_EPISODES", size)
        ops.write(view, out=tmp_path / f"b{size}")
        stored = roboreel.open(tmp_path / f"b{size}").stored_stats()
        tables.append([(episode, plain(stats)) for episode, stats in stored.entries()])
    assert tables[0] == tables[1]
    assert len(tables[0]) == 10


def test_statistics_of_a_plan_are_those_of_the_rows(plan: Plan) -> None:
    assert plan.out is not None
    report = ops.run(replace(plan, out=plan.out + "-run"))
    found = roboreel.open(report.out)
    rows = pq.read_table(Path(report.out) / "data/chunk-000/file-000.parquet")
    numbers = np.array(rows["episode_index"].to_pylist())
    for episode, stats in found.episode_stats():
        here = numbers == episode
        for name in ("index", "frame_index", "timestamp", "episode_index", "task_index"):
            values = np.array(rows[name].to_pylist(), dtype=np.float64)[here]
            np.testing.assert_allclose(stats[name]["mean"], values.mean(), rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(stats[name]["max"], values.max(), rtol=1e-5, atol=1e-5)
            assert stats[name]["count"].tolist() == [here.sum()]
