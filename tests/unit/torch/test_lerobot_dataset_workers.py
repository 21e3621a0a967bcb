"""`LeRobotDataset` in worker processes, and pickled."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, get_worker_info

from roboreel.testing import Version
from roboreel.torch import LeRobotDataset
from tests.unit.torch.conftest import TOP, WRIST

Numbered = Callable[[Version], Path]
WINDOWS = {TOP: [-0.1, 0.0], "action": [0.0, 0.2]}


class CountedThreads(LeRobotDataset):
    """Items with the number of threads that decode them; 0 for all processors."""

    def __getitems__(self, indices: list[int]) -> list[dict[str, object]]:
        items = super().__getitems__(indices)
        threads = self.reader.threads or 0
        return [{**item, "threads": threads} for item in items]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.sample(1)
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_give_the_same_items_and_decode_in_one_thread(
    numbered: Numbered, start: str
) -> None:
    dataset = CountedThreads("me/a", numbered("v3.0"), delta_timestamps=WINDOWS)
    mine = dataset.__getitems__(list(range(20)))
    assert mine[0]["threads"] == 0
    loader = DataLoader(dataset, batch_size=5, num_workers=1, multiprocessing_context=start)
    for number, batch in enumerate(loader):
        own = mine[5 * number : 5 * number + 5]
        assert batch["threads"].tolist() == [1] * 5
        for name in (TOP, WRIST, "action", f"{TOP}_is_pad", "index"):
            assert torch.equal(batch[name], torch.stack([item[name] for item in own]))  # type: ignore[misc]
        assert batch["task"] == [item["task"] for item in own]


def test_a_pickled_dataset_gives_the_same_items(numbered: Numbered) -> None:
    dataset = LeRobotDataset("me/a", numbered("v2.1"), episodes=[2], delta_timestamps=WINDOWS)
    before = dataset[3]
    data = pickle.dumps(dataset)
    again = pickle.loads(data)
    assert torch.equal(again[3][TOP], before[TOP])
    assert torch.equal(again[3]["action"], before["action"])
    assert len(data) < 100_000
    assert get_worker_info() is None
