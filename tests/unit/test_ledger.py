"""The ledger of a run of very many ops: what it takes in memory, and where its lines end."""

from __future__ import annotations

import dataclasses
import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import roboreel
from roboreel.plan.plan import MeasureCamera, Op, Plan
from roboreel.runner import ledger as ledger_module
from roboreel.runner.fingerprint import fingerprint
from roboreel.runner.ledger import Ledger
from roboreel.runner.work import OpResult
from roboreel.stats.block import StatsBlock, blocks_of
from roboreel.storage.local import LocalRoot
from roboreel.testing import Camera, make_dataset

CAMERA, EPISODES = "top", 3
STATISTICS = ("min", "max", "mean", "std", "q01", "q10", "q50", "q90", "q99")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A plan whose ops all measure the camera."""
    folder = tmp_path_factory.mktemp("ledger")
    episodes = (2,) * EPISODES
    cameras = {CAMERA: Camera(height=32)}
    source = make_dataset(folder / "a", version="v2.0", episodes=episodes, cameras=cameras)
    made = roboreel.plan_convert(source, to="v2.1", out=folder / "out")
    ops = tuple(op for op in made.ops if isinstance(op, MeasureCamera))
    assert len(ops) == EPISODES
    return dataclasses.replace(made, ops=ops)


def _result(number: int) -> OpResult:
    stats = {key: np.full((3, 1, 1), number / 7) for key in STATISTICS}
    return OpResult(number=number, measured=1, stats=tuple(blocks_of([{CAMERA: stats}])))


def _ledger(plan: Plan, folder: Path, *, ops: int) -> Ledger:
    """A ledger in which that many ops are noted; they are the plan's, over and over."""
    folder.mkdir()
    many = tuple(plan.ops[number % EPISODES] for number in range(ops))
    ledger = Ledger(dataclasses.replace(plan, ops=many), LocalRoot(folder), LocalRoot(folder))
    ledger.begin()
    for number in range(ops):
        ledger.record(_result(number))
    return ledger


def _peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_ledger_is_never_whole_in_memory(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_READ_BYTES", 1 << 14)
    written = _ledger(plan, tmp_path / "x", ops=600)
    size = (tmp_path / "x/ledger.jsonl").stat().st_size
    anew = Ledger(written.plan, written.notes, written.root)
    assert _peak_bytes(anew.read) < size * 0.8
    assert anew.done == written.done
    assert _peak_bytes(anew.reopen) < size / 10


def test_statistics_in_memory_are_counted_with_what_holds_them(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_KEPT_BYTES", 60_000)
    few = _peak_bytes(lambda: _ledger(plan, tmp_path / "few", ops=200))
    many = _peak_bytes(lambda: _ledger(plan, tmp_path / "many", ops=600))
    assert many - few < 400_000


def test_statistics_come_from_memory_or_from_the_file(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(ledger: Ledger) -> list[tuple[int, float]]:
        parts = ledger.stats_of(range(EPISODES))
        return [(first, _mean(block)) for first, block in parts]

    written = _ledger(plan, tmp_path / "x", ops=EPISODES)
    expected = [(number, number / 7) for number in range(EPISODES)]
    assert found(written) == expected
    monkeypatch.setattr(ledger_module, "_KEPT_BYTES", 1)
    anew = Ledger(written.plan, written.notes, written.root)
    assert anew.read() == EPISODES
    assert found(anew) == expected


def _mean(block: StatsBlock) -> float:
    return float(block.of(0)[CAMERA]["mean"][0, 0, 0])


@pytest.mark.parametrize(
    "content", [b"", b"torn", b"\n", b"a\nlong line\nto", b"a\nb\n", b"ab\ncdefg"]
)
@pytest.mark.parametrize("read_bytes", [1, 2, 3, 100])
def test_a_torn_line_is_cut_off(
    content: bytes, read_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_READ_BYTES", read_bytes)
    end = ledger_module._end_of_lines(io.BytesIO(content), len(content))
    assert content[:end] == content.rpartition(b"\n")[0] + content.rpartition(b"\n")[1]


def test_every_part_of_an_op_is_told_apart(plan: Plan) -> None:
    op = plan.ops[0]
    assert isinstance(op, MeasureCamera)
    others: list[Op] = [
        dataclasses.replace(op, camera="another"),
        dataclasses.replace(op, episodes=dataclasses.replace(op.episodes, stop=2)),
        dataclasses.replace(op, from_tables=True),
        dataclasses.replace(op, profile=dataclasses.replace(op.profile, every_video_frame=True)),
        dataclasses.replace(op, backend="decord"),
    ]
    every: list[tuple[Op, ...]] = [(one,) for one in (op, *others)]
    every += [(op, op), (op, others[0]), (others[0], op), (op, others[0], op), (op, others[1])]
    plans = [dataclasses.replace(plan, ops=ops) for ops in every]
    assert len({fingerprint(one) for one in plans}) == len(plans)
