"""Rows in blocks: every row once, GOPs together, as random as stated."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from roboreel.errors import UsageError
from roboreel.reading.block_order import BlockOrder, block_order
from roboreel.types import Int64


def _order(lengths: list[int], **options: Any) -> BlockOrder:
    stops = np.cumsum(np.array(lengths, dtype=np.int64))
    return block_order(stops - np.array(lengths, dtype=np.int64), stops, **options)


def _neighbor_share(rows: Int64) -> float:
    return float((np.diff(rows) == 1).mean())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gop_frames": 7},
        {"gop_frames": 7, "run_frames": 3, "block_frames": 10},
        {"gop_frames": 2, "run_frames": 5, "buffer_blocks": 1},
        {"run_frames": 1, "block_frames": 1, "buffer_blocks": 3},
        {"gop_frames": 1000, "buffer_blocks": 1000},
    ],
)
def test_an_epoch_has_every_row_once(options: dict[str, int]) -> None:
    order = _order([40, 1, 33, 128, 2], **options)

    assert sorted(order.rows(3).tolist()) == list(range(204))
    assert order.count == 204


def test_rows_of_a_gop_stay_together_in_order() -> None:
    rows = _order([40, 33], gop_frames=5, block_frames=10).rows(0)

    for first in range(0, 40, 5):
        at = int(np.flatnonzero(rows == first)[0])
        assert rows[at : at + 5].tolist() == list(range(first, first + 5))


def test_gops_are_counted_from_the_first_row_of_an_episode() -> None:
    order = block_order(np.array([13]), np.array([38]), origins=np.array([10]), gop_frames=10)

    cuts = sorted(zip(order.starts.tolist(), order.stops.tolist(), strict=True))
    assert cuts == [(13, 20), (20, 30), (30, 38)]


def test_runs_shorter_than_a_gop_never_cross_a_keyframe() -> None:
    order = _order([64], gop_frames=8, run_frames=3, block_frames=8)

    assert (order.starts // 8 == (order.stops - 1) // 8).all()


def test_blocks_hold_whole_gops() -> None:
    order = _order([300], gop_frames=12, block_frames=50, buffer_blocks=2)

    first_of_block = order.starts[np.flatnonzero(np.diff(order.block, prepend=-1))]
    assert first_of_block.tolist() == [0, 60, 120, 180, 240]


def test_an_order_depends_on_seed_and_epoch_alone() -> None:
    lengths = [50, 60, 70]
    first = _order(lengths, seed=1).rows(0)

    assert (_order(lengths, seed=1).rows(0) == first).all()
    assert (_order(lengths, seed=1).rows(1) != first).any()
    assert (_order(lengths, seed=2).rows(0) != first).any()


def test_ranks_share_an_epoch_equally_and_disjointly() -> None:
    order = _order([50, 60, 73], block_frames=8)

    shares = [order.rows(0, rank=rank, world_size=4).tolist() for rank in range(4)]

    assert [len(share) for share in shares] == [45] * 4
    assert list(itertools.chain(*shares)) == order.rows(0)[:180].tolist()


@pytest.mark.parametrize("gop", [1, 2, 6])
def test_neighbors_are_as_rare_as_stated(gop: int) -> None:
    order = _order([400] * 50, gop_frames=gop, block_frames=60, buffer_blocks=16)

    measured = np.mean([_neighbor_share(order.rows(epoch)) for epoch in range(5)])

    assert measured == pytest.approx(order.mixing(32).neighbor_share, abs=0.01)


@pytest.mark.parametrize("buffer", [12, 16, 40])
def test_a_batch_has_as_many_blocks_as_stated(buffer: int) -> None:
    order = _order([400] * 50, gop_frames=2, block_frames=40, buffer_blocks=buffer)
    rows = order.rows(0)
    batches = rows[: len(rows) // 32 * 32].reshape(-1, 32)

    measured = np.mean([len(np.unique(batch // 40)) for batch in batches])

    assert measured == pytest.approx(order.mixing(32).blocks_per_batch, rel=0.05)


def test_a_batch_within_a_long_run_has_one_block() -> None:
    order = _order([250] * 20, gop_frames=250)

    assert order.mixing(32).blocks_per_batch == pytest.approx(1, abs=0.01)


def test_a_block_spans_as_many_rows_as_stated() -> None:
    order = _order([400] * 50, gop_frames=2, block_frames=40, buffer_blocks=16)
    when = np.argsort(order.rows(0)).reshape(-1, 40)

    spans = when.max(axis=1) - when.min(axis=1)

    assert np.median(spans) == pytest.approx(order.mixing(32).span_rows, rel=0.1)


def test_the_order_of_blocks_is_uniform() -> None:
    order = _order([40] * 10, block_frames=40, buffer_blocks=2)

    means = np.mean(
        [np.argsort(order.rows(epoch)).reshape(10, 40).mean(axis=1) for epoch in range(400)], axis=0
    )

    assert means == pytest.approx(np.full(10, 199.5), abs=25)


def test_as_many_blocks_are_mixed_at_the_ends_of_an_epoch_as_in_the_middle() -> None:
    order = _order([400] * 50, gop_frames=2, block_frames=40, buffer_blocks=16)
    blocks = order.rows(0) // 40

    counts = [len(np.unique(part)) for part in (blocks[:128], blocks[9936:10064], blocks[-128:])]

    assert min(counts) >= 14


@pytest.mark.parametrize(
    "options", [{"gop_frames": -1}, {"block_frames": 0}, {"buffer_blocks": 0}, {"run_frames": -2}]
)
def test_numbers_below_one_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(options))} is .* expected 1 or more"):
        _order([10], **options)


def test_no_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="every episode is empty"):
        _order([])
