"""Quantiles of all rows from sketches that the ops make: the same in any process, and after a resumed run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

import roboreel
from roboreel.checking import recomputed as fresh
from roboreel.executors.worker_options import ExecutorName
from roboreel.plan.plan import CopyTables, Plan, WriteTables
from roboreel.runner.row_sketches import WholeSketches, sketched_features
from roboreel.runner.whole_quantiles import with_whole_quantiles
from roboreel.runner.work import work_of
from roboreel.runner.worker import execute
from roboreel.stats import quantiles
from roboreel.stats.quantiles import SKETCH_ERROR
from roboreel.storage.local import LocalRoot
from roboreel.testing import make_dataset
from tests.mutate import set_column
from tests.oracle import read

LENGTHS = (13, 1, 8, 150, 40)
SHARES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
DATA = "data/chunk-000/file-{:03d}.parquet"
STATS = "meta/stats.json"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_dataset(
        tmp_path / "a",
        version="v3.0",
        episodes=LENGTHS,
        cameras={},
        features="rich",
        data_episodes_per_file=2,
    )


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget that nothing fits, and processes for any amount of work."""
    monkeypatch.setattr(quantiles, "BUDGET_BYTES", 64)
    monkeypatch.setattr(fresh, "_WORTH_PROCESSES", 0)
    monkeypatch.setattr(fresh, "_PORTION_ROWS", 20)


def planned(path: Path, out: Path, *, rewrite: bool = False) -> Plan:
    view = roboreel.open(path).recompute(cameras="none")
    return roboreel.plan_write(view.keep([0, 2, 3, 4]) if rewrite else view, out=out)


def stored(root: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((root / STATS).read_text("utf-8"))
    return found


def rows_of(root: Path, name: str, width: int) -> npt.NDArray[np.float64]:
    rows = [np.array(e.rows[name].to_pylist(), np.float64) for e in read(root).episodes]
    return np.concatenate([values.reshape(-1, width) for values in rows])


@pytest.mark.usefixtures("tight")
@pytest.mark.parametrize("rewrite", [False, True])
def test_they_are_near_and_the_same_wherever_ops_run(
    path: Path, tmp_path: Path, rewrite: bool
) -> None:
    every: dict[str, bytes] = {}
    runs: list[tuple[ExecutorName, int]] = [("serial", 1), ("thread", 2), ("process", 2)]
    for executor, workers in runs:
        plan = planned(path, tmp_path / executor, rewrite=rewrite)
        kinds = {type(op) for op in plan.ops if isinstance(op, CopyTables | WriteTables)}
        assert (WriteTables in kinds) == rewrite
        roboreel.run(plan, executor=executor, workers=workers)
        every[executor] = (tmp_path / executor / STATS).read_bytes()
    assert len(set(every.values())) == 1
    numeric = [n for n, f in roboreel.open(path).features.items() if f.is_numeric]
    assert set(sketched_features(plan)) == set(numeric)
    for name in numeric:
        found = stored(tmp_path / "serial")[name]
        rows = rows_of(tmp_path / "serial", name, np.size(found["mean"]))
        ordered = np.sort(rows, axis=0)
        for key, share in SHARES.items():
            rank = share * (len(rows) - 1)
            pair = np.abs([ordered[int(np.floor(rank))], ordered[int(np.ceil(rank))]]).max(axis=0)
            off = np.abs(np.ravel(found[key]) - np.quantile(rows, share, axis=0))
            assert (off <= pair * (SKETCH_ERROR + 1e-12)).all()


@pytest.mark.usefixtures("tight")
@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_what_an_earlier_run_did_is_read_again(path: Path, tmp_path: Path, done: int) -> None:
    plan = planned(path, tmp_path / "b")
    (tmp_path / "staged").mkdir()
    staged = LocalRoot(tmp_path / "staged")
    results = [execute(work) for work in work_of(plan, str(staged.path))]
    results = [result for result in results if result.sketches]
    assert len(results) == 3
    sketches, fewer = WholeSketches(), WholeSketches()
    for result in results:
        sketches.take(result.number, result.sketches)
    again = [execute(work) for work in work_of(plan, str(staged.path))]
    for result in [one for one in again if one.sketches][done:]:
        fewer.take(result.number, result.sketches)
    merged = roboreel.open(path).stats()
    wanted = with_whole_quantiles(staged, plan, merged, sketches)
    found = with_whole_quantiles(staged, plan, merged, fewer)
    for name, parts in wanted.items():
        for key, value in parts.items():
            assert found[name][key].tobytes() == value.tobytes()
    roboreel.run(plan)
    for name in sketched_features(plan):
        for key in SHARES:
            assert (
                np.ravel(stored(tmp_path / "b")[name][key]).tolist()
                == np.ravel(wanted[name][key]).tolist()
            )


@pytest.mark.parametrize("budget", [64, 64 << 20])
def test_where_values_are_missing_the_episodes_are_averaged(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    monkeypatch.setattr(quantiles, "BUDGET_BYTES", budget)
    column = read(path).episodes[2].rows["next.reward"]
    both = [*column.to_pylist(), *read(path).episodes[3].rows["next.reward"].to_pylist()]
    set_column(path / DATA.format(1), "next.reward", pa.array([None, *both[1:]], column.type))
    roboreel.write(roboreel.open(path).recompute(cameras="none"), out=tmp_path / "b")
    own = [
        (float(stats["next.reward"]["q90"][0]), int(stats["next.reward"]["count"][0]))
        for _, stats in roboreel.open(tmp_path / "b").episode_stats()
        if "next.reward" in stats
    ]
    assert [count for _, count in own] == [13, 1, 150, 40]
    mean = sum(q * count for q, count in own) / sum(count for _, count in own)
    assert stored(tmp_path / "b")["next.reward"]["q90"][0] == pytest.approx(mean, rel=1e-12)


def test_what_fits_is_not_sketched(path: Path, tmp_path: Path) -> None:
    plan = planned(path, tmp_path / "b")
    assert sketched_features(plan) == {}
    assert not any(execute(work).sketches for work in work_of(plan, str(tmp_path)))
    profile = replace(plan.table.profile, histogram_quantiles=True)
    assert sketched_features(replace(plan, table=replace(plan.table, profile=profile))) == {}


@pytest.mark.usefixtures("tight")
def test_checks_in_processes_find_the_same(path: Path, tmp_path: Path) -> None:
    roboreel.write(roboreel.open(path).recompute(cameras="none"), out=tmp_path / "b")
    document = stored(tmp_path / "b")
    document["action"]["mean"][0] += 0.5
    document["action"]["q50"][1] += 0.5
    (tmp_path / "b" / STATS).write_text(json.dumps(document), "utf-8")
    reports = [roboreel.check_stats(tmp_path / "b", workers=workers) for workers in (1, 2)]
    assert reports[0].to_json() == reports[1].to_json()
    (found,) = [one for one in reports[0].differences if one.why is None]
    assert (found.feature, found.episodes, found.statistics) == ("action", None, ("mean", "q50"))
    table = tmp_path / "b" / DATA.format(1)
    broken = bytearray(table.read_bytes())
    broken[4:400] = bytes(396)
    table.write_bytes(broken)
    reports = [roboreel.check_stats(tmp_path / "b", workers=workers) for workers in (1, 2)]
    assert reports[0].to_json() == reports[1].to_json()
    assert any(DATA.format(1) in line for line in reports[0].failed)
