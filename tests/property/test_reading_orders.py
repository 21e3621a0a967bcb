"""Whatever the numbers: orders of reading use every row once, and divide it among processes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from roboreel.reading.block_order import block_order
from roboreel.reading.mixture_order import mixture_rows, shares_of

LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(lambda each: sum(each) > 0)
SMALL = st.integers(1, 15)


@given(LENGTHS, st.none() | SMALL, st.none() | SMALL, SMALL, SMALL, st.integers(0, 9), SMALL, SMALL)
def test_blocks_use_every_row_once(
    lengths: list[int],
    gop: int | None,
    run: int | None,
    block: int,
    buffer: int,
    skipped: int,
    epoch: int,
    world_size: int,
) -> None:
    origins = np.cumsum([0, *lengths[:-1]]) + skipped * np.arange(len(lengths))
    starts = origins + skipped  # rows at the start of an episode that are not read
    order = block_order(
        starts,
        starts + np.array(lengths),
        origins=origins,
        gop_frames=gop,
        run_frames=run,
        block_frames=block,
        buffer_blocks=buffer,
    )
    wanted = [
        row
        for start, n in zip(starts.tolist(), lengths, strict=True)
        for row in range(start, start + n)
    ]

    assert sorted(order.rows(epoch).tolist()) == wanted
    shares = [order.rows(epoch, rank=k, world_size=world_size) for k in range(world_size)]
    assert {len(share) for share in shares} == {len(wanted) // world_size}
    assert len(set(np.concatenate(shares).tolist())) == sum(map(len, shares))
    assert (np.diff(order.block) >= 0).all()


@given(LENGTHS, st.integers(1, 60), st.integers(1, 5), st.data())
def test_a_mixture_uses_rows_evenly(
    sizes: list[int], total: int, epochs: int, data: st.DataObject
) -> None:
    weights = [data.draw(st.floats(0, 5)) if size else 0.0 for size in sizes]
    if sum(weights) <= 0:
        weights[int(np.argmax(sizes))] = 1.0
    counts = shares_of(total, weights)
    used = np.zeros(sum(sizes), dtype=np.int64)
    for epoch in range(epochs):
        np.add.at(used, mixture_rows(sizes, counts, seed=1, epoch=epoch), 1)

    assert sum(counts) == total
    ends = np.cumsum(sizes)
    for size, count, end in zip(sizes, counts, ends.tolist(), strict=True):
        own = used[end - size : end]
        assert own.sum() == count * epochs
        assert not size or own.max() - own.min() <= 1
