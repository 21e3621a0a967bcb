"""Rows of a batch are tensors like others, and all of them stack to the batch itself."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from roboreel.testing import Version
from roboreel.torch import LeRobotDataset
from roboreel.torch.items.row_tensor import RowTensor, rows_of
from tests.unit.torch.conftest import TOP, WRIST

Numbered = Callable[[Version], Path]


@pytest.fixture
def batch() -> torch.Tensor:
    return torch.arange(24.0).reshape(4, 2, 3)


def test_all_rows_in_order_stack_without_a_copy(batch: torch.Tensor) -> None:
    rows = rows_of(batch)
    assert torch.stack(rows) is batch
    assert default_collate(rows) is batch
    rows[2].mul_(2)
    assert torch.equal(torch.stack(rows)[2], rows[2])


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2, 3], [0, 0, 2, 3], [0, 1, 2, 3, 0]])
def test_other_rows_stack_as_usual(batch: torch.Tensor, order: list[int]) -> None:
    rows = rows_of(batch)
    found = torch.stack([rows[at] for at in order])
    assert type(found) is torch.Tensor
    assert torch.equal(found, batch[order])


def test_rows_of_several_batches_and_other_axes_stack_as_usual(batch: torch.Tensor) -> None:
    rows, others = rows_of(batch), rows_of(batch + 1)
    mixed = torch.stack([*rows[:2], *others[2:]])
    assert torch.equal(mixed, torch.cat([batch[:2], batch[2:] + 1]))
    assert torch.equal(torch.stack(rows, dim=1), batch.transpose(0, 1))
    out = torch.empty(4, 2, 3)
    assert torch.stack(rows, out=out) is out
    assert torch.equal(out, batch)
    plain = [batch[0], *rows[1:]]
    assert torch.equal(torch.stack(plain), batch)


def test_functions_give_plain_tensors(batch: torch.Tensor) -> None:
    row = rows_of(batch)[1]
    assert isinstance(row, torch.Tensor)
    for found in (row * 2, row[0], row.to(torch.float64), row.clone(), torch.cat([row, row])):
        assert type(found) is torch.Tensor
    assert repr(row) == repr(batch[1])
    for again in (copy.deepcopy(row), pickle.loads(pickle.dumps(row))):
        assert type(again) is torch.Tensor
        assert torch.equal(again, batch[1])


def test_batches_of_a_loader_are_the_memory_in_which_frames_were_made(numbered: Numbered) -> None:
    dataset = LeRobotDataset("me/a", numbered("v3.0"))
    items = dataset.__getitems__([4, 9, 2])
    assert all(type(item[TOP]) is RowTensor for item in items)
    assert default_collate(items)[TOP].data_ptr() == items[0][TOP].data_ptr()
    expected = torch.stack([dataset[at][TOP] for at in (4, 9, 2)])
    assert torch.equal(default_collate(items)[TOP], expected)
    assert type(dataset[4][TOP]) is torch.Tensor


def _plain_items(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return items


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("uint8", [False, True])
def test_workers_share_the_memory_of_frames(numbered: Numbered, uint8: bool) -> None:
    dataset = LeRobotDataset("me/a", numbered("v3.0"), return_uint8=uint8)
    whole = dataset[:]
    loader = DataLoader(dataset, batch_size=4, num_workers=1)
    found = list(loader)
    for name in (TOP, WRIST):
        assert torch.equal(
            torch.cat([batch[name] for batch in found]), torch.stack([one[name] for one in whole])
        )
        assert all(batch[name].is_shared() for batch in found)
    listed = DataLoader(dataset, batch_size=4, num_workers=1, collate_fn=_plain_items)
    items = [item for batch in listed for item in batch]
    assert all(torch.equal(a[TOP], b[TOP]) for a, b in zip(items, whole, strict=True))
