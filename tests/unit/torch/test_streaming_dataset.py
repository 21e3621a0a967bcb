"""`StreamingLeRobotDataset`: every item once, the items of `LeRobotDataset`, in orders that repeat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from roboreel.torch import LeRobotDataset, StreamingLeRobotDataset
from roboreel.torch.streams.stream_order import split_evenly


def stream(root: Path, **options: Any) -> StreamingLeRobotDataset:
    return StreamingLeRobotDataset("me/a", root, **options)


def indices(items: Any) -> list[int]:
    return [int(index) for item in items for index in item["index"].reshape(-1)]


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return left.keys() == right.keys() and all(
        torch.equal(value, right[name]) if isinstance(value, torch.Tensor) else value == right[name]
        for name, value in left.items()
    )


def test_items_are_those_of_the_dataset(root: Path) -> None:
    camera = LeRobotDataset("me/a", root).meta.camera_keys[0]
    windows = {camera: [-0.1, 0.0], "action": [0.0, 0.1, 0.9]}
    dataset = LeRobotDataset("me/a", root, delta_timestamps=windows)
    found = list(stream(root, delta_timestamps=windows, buffer_size=4))
    assert all(same(item, dataset[int(item["index"])]) for item in found)
    assert sorted(indices(found)) == list(range(15))


def test_orders_differ_by_iteration_and_repeat_by_seed(root: Path) -> None:
    first = stream(root, seed=3, buffer_size=5)
    orders = [indices(first), indices(first)]
    assert orders[0] != orders[1]
    again = stream(root, seed=3, buffer_size=5)
    assert [indices(again), indices(again)] == orders
    given = stream(root, rng=np.random.default_rng(1))
    assert indices(given) == indices(stream(root, rng=np.random.default_rng(1)))


def test_without_shuffle_the_order_is_that_of_the_dataset(root: Path) -> None:
    assert indices(stream(root, shuffle=False)) == list(range(15))
    assert indices(stream(root, shuffle=False, episodes=[2, 0])) == [0, 1, 2, 3, 4, 12, 13, 14]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_workers_share_the_items_and_change_their_order(made: dict[str, Path]) -> None:
    loader = DataLoader(stream(made["v3.0"], max_num_shards=3), batch_size=2, num_workers=2)
    orders = [indices(loader), indices(loader)]
    assert [sorted(order) for order in orders] == [list(range(15))] * 2
    assert orders[0] != orders[1]


@pytest.mark.parametrize(
    ("bounds", "most", "parts"),
    [
        ([0, 5, 12, 15], 16, [range(5), range(5, 12), range(12, 15)]),
        ([0, 5, 12, 15], 2, [range(12), range(12, 15)]),
        ([0, 9], 4, [range(9)]),
    ],
)
def test_parts_are_whole_episodes(bounds: list[int], most: int, parts: list[range]) -> None:
    assert split_evenly(np.array(bounds), most) == parts


def test_a_global_shuffle_mixes_all_items(root: Path) -> None:
    whole = stream(root, buffer_size=None, seed=5)
    orders = [indices(whole), indices(whole)]
    assert [sorted(order) for order in orders] == [list(range(15))] * 2
    assert orders[0] != orders[1]
    assert [indices(again := stream(root, buffer_size=None, seed=5)), indices(again)] == orders


@pytest.mark.parametrize("options", [{"buffer_size": None}, {"buffer_size": 4}, {"shuffle": False}])
def test_ranks_share_the_items(made: dict[str, Path], options: dict[str, Any]) -> None:
    ranks = [stream(made["v3.0"], rank=rank, world_size=2, **options) for rank in range(2)]
    assert sorted(indices(ranks[0]) + indices(ranks[1])) == list(range(15))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_ranks_and_workers_share_the_items_evenly(made: dict[str, Path]) -> None:
    found = []
    for rank in range(2):
        own = stream(made["v2.1"], buffer_size=None, rank=rank, world_size=2)
        found.append(indices(DataLoader(own, batch_size=3, num_workers=2)))
    assert sorted(found[0] + found[1]) == list(range(15))
    assert [len(one) for one in found] == [8, 7]


@pytest.mark.parametrize("options", [{"buffer_size": None}, {"buffer_size": 4}, {"shuffle": False}])
def test_a_stream_goes_on_with_the_next_item(
    made: dict[str, Path], options: dict[str, Any]
) -> None:
    whole = stream(made["v2.1"], **options)
    expected = [indices(whole), indices(whole)]
    first = stream(made["v2.1"], **options)
    items = iter(first)
    begun = indices(next(items) for _ in range(4))
    state = first.state_dict()
    rest = stream(made["v2.1"], **options)
    rest.load_state_dict(state)
    assert rest.state_dict() == state
    assert [begun + indices(rest), indices(rest)] == expected
    done = stream(made["v2.1"], **options)
    assert indices(done) == expected[0]
    assert (done.state_dict()["epoch"], done.state_dict()["items"]) == (1, 0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_loader_goes_on_with_the_next_batch(made: dict[str, Path], workers: int) -> None:
    def batches(dataset: StreamingLeRobotDataset) -> Any:
        return iter(DataLoader(dataset, batch_size=2, num_workers=workers))

    whole = stream(made["v2.1"], buffer_size=None)
    expected, expected_next = ([indices([batch]) for batch in batches(whole)] for _ in range(2))
    first = stream(made["v2.1"], buffer_size=None)
    taken = batches(first)
    for _ in range(3):
        next(taken)
    state = first.state_after(3, batch_size=2, num_workers=workers)
    again = stream(made["v2.1"], buffer_size=None)
    again.load_state_dict(json.loads(json.dumps(state)))
    again.set_epoch(0)
    more = batches(again)
    assert [indices([next(more)]) for _ in range(2)] == expected[3:5]
    later = again.state_after(2, batch_size=2, num_workers=workers)
    last = stream(made["v2.1"], buffer_size=None)
    last.load_state_dict(later)
    assert [indices([batch]) for batch in batches(last)] == expected[5:]
    assert [indices([batch]) for batch in batches(last)] == expected_next


def test_a_state_of_another_stream_is_refused(made: dict[str, Path]) -> None:
    state = stream(made["v2.1"]).state_dict()
    with pytest.raises(ValueError, match=r"of another stream.*seed 42, now 7"):
        stream(made["v2.1"], seed=7).load_state_dict(state)
    with pytest.raises(ValueError, match="not a state of a stream"):
        stream(made["v2.1"]).load_state_dict({**state, "items": "x"})
    workers = stream(made["v2.1"])
    workers.load_state_dict({**state, "items": [2, 2], "workers": 2})
    loader = DataLoader(workers, batch_size=None, num_workers=0)
    assert len(indices(loader)) == 15  # without workers nothing was read
    other = stream(made["v2.1"])
    other.load_state_dict({**state, "items": [2], "workers": 0})
    other._position._slots[2, 0] = 3
    with pytest.raises(ValueError, match="num_workers=3"):
        next(iter(other))


def test_an_epoch_can_be_chosen(made: dict[str, Path]) -> None:
    one = stream(made["v2.1"], buffer_size=None)
    expected = [indices(one) for _ in range(3)]
    other = stream(made["v2.1"], buffer_size=None)
    other.set_epoch(2)
    assert indices(other) == expected[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 2, "world_size": 2}, "rank is 2"),
        ({"prefetch_mb": 0}, "prefetch_mb is 0"),
        ({"buffer_size": 0}, "buffer_size is 0"),
    ],
)
def test_numbers_that_make_no_stream_are_refused(
    made: dict[str, Path], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        stream(made["v2.1"], **options)
