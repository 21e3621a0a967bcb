"""Batches of the reader as items of tensors, as lerobot's datasets give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from roboreel.torch.batches.batch_buffers import Buffers
from roboreel.torch.batches.batch_source import Batch
from roboreel.torch.items.frame_tensors import FrameTensors
from roboreel.types import JsonObject

Item = dict[str, Any]
"""By feature: a tensor, a string, or a list."""
_FRAMES_NDIM = 4


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

    @property
    def scaled(self) -> list[str]:
        """The cameras whose frames are divided by 255, as float32."""
        return [name for name, camera in self._cameras.items() if camera.is_scaled]

    def batch(self, batch: Mapping[str, Any], buffers: Buffers) -> Batch:
        """By feature (B, …) tensors of what a reader gives; lists stay.

        Args:
            batch: by feature (B, …) arrays or lists.
            buffers: where the tensors of frames are made.
        """
        return {name: self._column(name, values, buffers) for name, values in batch.items()}

    def _column(self, name: str, values: Any, buffers: Buffers) -> Any:
        if isinstance(values, list):
            return values
        camera = self._cameras.get(name)
        if camera is None:
            return number_tensor(values)
        windows = values.ndim > _FRAMES_NDIM
        frames = camera(values, buffers)
        if windows and camera.is_video and frames.shape[1] == 1:
            frames = frames.squeeze(1)
        return frames


def items_of(batch: Batch, count: int) -> list[Item]:
    """The items of a batch: number, vector, frame (C, H, W) or window (T, …) by feature.

    Args:
        batch: by feature (B, …) tensors or lists.
        count: B.
    """
    columns = {
        name: values if isinstance(values, list) else values.unbind(0)
        for name, values in batch.items()
    }
    return [{name: column[row] for name, column in columns.items()} for row in range(count)]


def number_tensor(values: npt.NDArray[Any]) -> torch.Tensor:
    """The tensor that torch makes of Python numbers: float32, int64 or bool."""
    kind = values.dtype.kind
    if kind == "f":
        return torch.from_numpy(np.asarray(values, dtype=np.float32))
    return torch.from_numpy(values if kind == "b" else np.asarray(values, dtype=np.int64))
