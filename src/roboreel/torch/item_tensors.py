"""Batches of the reader as items of tensors, as lerobot's datasets give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from roboreel.torch.frame_tensors import FrameTensors
from roboreel.types import JsonObject

Item = dict[str, Any]
"""By feature: a tensor, a string, or a list."""


class ItemTensors:
    """Turns batches of arrays into items of tensors."""

    def __init__(self, features: Mapping[str, JsonObject], *, uint8: bool, depth_unit: str) -> None:
        """Look at the declarations of a dataset's features.

        Args:
            features: declarations in `info.json`, by name.
            uint8: True for frames of videos as uint8.
            depth_unit: `m` or `mm`, the unit of depths.
        """
        self._cameras = {
            name: FrameTensors(name, spec, uint8=uint8, depth_unit=depth_unit)
            for name, spec in features.items()
            if spec["dtype"] in ("video", "image")
        }

    def items(self, batch: Mapping[str, Any], count: int) -> list[Item]:
        """The items of a batch: number, vector, frame (C, H, W) or window (T, …) by feature.

        Args:
            batch: by feature (B, …) arrays or lists, as a reader gives them.
            count: B.
        """
        columns = {name: _rows(self.column(name, values)) for name, values in batch.items()}
        return [{name: column[row] for name, column in columns.items()} for row in range(count)]

    def column(self, name: str, values: Any) -> Any:
        """(B, …) tensor of a feature's values in a batch; strings stay a list."""
        if isinstance(values, list):
            return values
        camera = self._cameras.get(name)
        if camera is None:
            return number_tensor(values)
        windows = values.ndim > 4
        frames = camera(values)
        if windows and camera.is_video and frames.shape[1] == 1:
            frames = frames.squeeze(1)
        return frames


def _rows(column: Any) -> Sequence[Any]:
    rows: Sequence[Any] = column if isinstance(column, list) else column.unbind(0)
    return rows


def number_tensor(values: npt.NDArray[Any]) -> torch.Tensor:
    """The tensor that torch makes of Python numbers: float32, int64 or bool."""
    kind = values.dtype.kind
    if kind == "f":
        return torch.from_numpy(np.asarray(values, dtype=np.float32))
    return torch.from_numpy(values if kind == "b" else np.asarray(values, dtype=np.int64))
