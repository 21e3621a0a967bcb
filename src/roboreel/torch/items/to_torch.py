"""Rows and images of tables as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from roboreel.torch.constants import LANGUAGE_COLUMNS
from roboreel.types import Json

UINT16_PIL_MODES = {"I;16", "I;16B", "I;16L"}
_AS_THEY_ARE = {"task", *LANGUAGE_COLUMNS}


def pil_to_chw_tensor(img: Any) -> torch.Tensor:
    """(C, H, W) float32 of a PIL image: 8 bits in [0, 1], depths in their own unit."""
    array = np.array(img)
    planes = array[None] if array.ndim == 2 else np.moveaxis(array, 2, 0)
    values = torch.from_numpy(np.ascontiguousarray(planes, dtype=np.float32))
    return values / 255 if array.dtype == np.uint8 else values


def hf_transform_to_torch(items_dict: Mapping[str, Sequence[Json]]) -> dict[str, list[Any]]:
    """Columns of a batch of rows with tensors for numbers, lists and images; texts stay.

    Args:
        items_dict: (rows,) values by column.
    """
    return {
        name: list(values) if name in _AS_THEY_ARE else [_tensor(value) for value in values]
        for name, values in items_dict.items()
    }


def item_to_torch(item: dict[str, Any]) -> dict[str, Any]:
    """The item, with tensors for arrays, lists and images; numbers, texts and tensors stay."""
    for name, value in item.items():
        if name not in _AS_THEY_ARE and (isinstance(value, np.ndarray | list) or _is_pil(value)):
            item[name] = _tensor(value)
    return item


def _tensor(value: Any) -> Any:
    if value is None or isinstance(value, str | torch.Tensor):
        return value
    if _is_pil(value):
        return pil_to_chw_tensor(value)
    if isinstance(value, list) and value and isinstance(value[0], str | dict):
        return value
    return torch.tensor(value)


def _is_pil(value: object) -> bool:
    return any(cls.__module__ == "PIL.Image" for cls in type(value).__mro__)
