"""Rows of a batch that `torch.stack` puts together without a copy.

A `DataLoader` asks a dataset for the items of a batch and stacks them again. Frames of a batch are made in
one tensor, so stacking its rows would only copy it, into memory that is new in each batch: that takes as long
as decoding. `torch.stack` of all rows of one tensor, in order, gives that tensor itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


class RowTensor(torch.Tensor):
    """A row of a batch. All functions of torch treat it as a tensor, and give tensors."""

    _batch: torch.Tensor
    _row: int

    @classmethod
    def __torch_function__(
        cls,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch; `stack` of a whole batch gives the batch."""
        if func is torch.stack:
            whole = _whole(*args, **(kwargs or {}))
            if whole is not None:
                return whole
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _same, (_plain(self),)

    def __deepcopy__(self, memo: Any) -> torch.Tensor:
        return _plain(self).clone()

    def __repr__(self) -> str:  # type: ignore[override]
        return repr(_plain(self))


def rows_of(batch: torch.Tensor) -> list[torch.Tensor]:
    """(B,) rows of a tensor (B, …), which share its memory."""
    rows: list[torch.Tensor] = []
    for number, row in enumerate(batch.unbind(0)):
        found = row.as_subclass(RowTensor)
        found._batch, found._row = batch, number
        rows.append(found)
    return rows


def _whole(tensors: Any, dim: int = 0, *, out: torch.Tensor | None = None) -> torch.Tensor | None:
    """The batch whose rows these are, all of them and in order; None for anything else.

    `out` is memory that a worker would share with its `DataLoader`: it stays unused if the batch is shared.
    """
    if dim != 0 or not all(type(one) is RowTensor for one in tensors):
        return None
    batch: torch.Tensor = tensors[0]._batch
    if len(batch) != len(tensors):
        return None
    if out is not None and not batch.is_shared():  # type: ignore[no-untyped-call]
        return None
    ordered = all(one._batch is batch and one._row == at for at, one in enumerate(tensors))
    return batch if ordered else None


def _plain(row: torch.Tensor) -> torch.Tensor:
    with torch._C.DisableTorchFunctionSubclass():
        return row.as_subclass(torch.Tensor)


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor
