"""Make a batch of items, as lerobot's `lerobot_collate_fn`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.utils.data import default_collate

from roboreel.torch.constants import LANGUAGE_COLUMNS
from roboreel.torch.errors import ArgumentError

_LISTS = ("messages", "message_streams", "target_message_indices", *LANGUAGE_COLUMNS)
"""Keys whose values stay a list."""


def lerobot_collate_fn(batch: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """The batch of items: tensors are stacked; messages and language columns stay lists.

    Args:
        batch: items; None is left out.

    Returns:
        The batch; None where there is no item.

    Raises:
        ArgumentError: only some items have messages or a language column.
    """
    items = [item for item in batch if item is not None]
    if not items:
        return None
    lists: dict[str, list[Any]] = {}
    for name in _LISTS:
        having = sum(name in item for item in items)
        if having not in (0, len(items)):
            raise ArgumentError(
                f"only {having} of {len(items)} items have '{name}': either all or none must have it"
            )
        if having:
            lists[name] = [item[name] for item in items]
    others = [{k: v for k, v in item.items() if k not in _LISTS} for item in items]
    found: dict[str, Any] = default_collate(others)
    return {**found, **lists}
