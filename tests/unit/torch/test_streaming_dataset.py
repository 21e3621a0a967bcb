"""`StreamingLeRobotDataset`: every item once, the items of `LeRobotDataset`, in orders that repeat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from roboreel.torch import LeRobotDataset, StreamingLeRobotDataset
from roboreel.torch.stream_order import split_evenly


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
