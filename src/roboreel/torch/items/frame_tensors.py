"""Frames of cameras as tensors: channels first, colours in [0, 1], depths in a unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from roboreel.format.depth import depth_scale
from roboreel.torch.batches.batch_buffers import Buffers
from roboreel.torch.batches.batch_source import planes
from roboreel.torch.constants import DEPTH_METER_UNIT, DEPTH_MILLIMETER_UNIT
from roboreel.torch.depth_utils import MM_PER_METRE, dequantize_depth
from roboreel.torch.errors import ArgumentError
from roboreel.torch.features.feature_facts import feature_of, is_depth_map
from roboreel.types import JsonObject

_COLOURS = 3


def require_depth_unit(unit: str) -> str:
    """The unit of depths.

    Raises:
        ArgumentError: it is neither `m` nor `mm`.
    """
    if unit not in (DEPTH_METER_UNIT, DEPTH_MILLIMETER_UNIT):
        raise ArgumentError(f"depth_output_unit must be 'm' or 'mm', got {unit!r}")
    return unit


class FrameTensors:
    """Turns frames of one camera into tensors."""

    def __init__(self, name: str, spec: JsonObject, *, uint8: bool, depth_unit: str) -> None:
        """Look at a camera's declaration.

        Args:
            name: the camera.
            spec: its declaration in `info.json`.
            uint8: True leaves frames of videos as they are decoded; images become floats all the same.
            depth_unit: `m` or `mm`.
        """
        self.is_video, self.is_depth = spec["dtype"] == "video", is_depth_map(spec)
        self._uint8 = uint8 and self.is_video
        self.is_scaled = not self.is_depth and not self._uint8
        self._unit = depth_unit
        self._feature = feature_of(name, spec)
        facts: Mapping[str, Any] = spec.get("info") or {}
        self._factor = _factor(facts.get("depth_unit"), depth_unit)

    def __call__(self, frames: npt.NDArray[Any], buffers: Buffers) -> torch.Tensor:
        """(…, C, H, W) of (…, H, W, C) frames: float32, or uint8 where that is asked for.

        Colours are divided by 255. Depths of a video are in the chosen unit; those of images too where their
        own unit is recorded.

        Args:
            frames: as a reader gives them.
            buffers: where the tensor is made.
        """
        if self.is_depth and frames.shape[-1] != _COLOURS:
            return self._depths(frames)
        if frames.dtype == np.uint8:
            return torch.from_numpy(planes(frames, buffers, uint8=self._uint8))
        return torch.from_numpy(np.asarray(planes(frames, buffers, uint8=True), dtype=np.float32))

    def _depths(self, frames: npt.NDArray[Any]) -> torch.Tensor:
        codes = np.moveaxis(frames, -1, -3)
        if not self.is_video:
            values = torch.from_numpy(np.ascontiguousarray(codes, dtype=np.float32))
            return values if self._factor == 1 else values.mul_(self._factor)
        scale = depth_scale(self._feature)
        if scale is None:
            raise ArgumentError(
                f"camera '{self._feature.name}' has no valid depth range in its 'info' in meta/info.json"
            )
        metres: torch.Tensor = dequantize_depth(
            codes,
            depth_min=scale.nearest,
            depth_max=scale.farthest,
            shift=scale.shift,
            use_log=scale.logarithmic,
            output_unit=self._unit,
        )
        return metres


def _factor(recorded: object, wanted: str) -> float:
    """By what depths in a recorded unit are multiplied; 1 where none is recorded."""
    if recorded not in (DEPTH_METER_UNIT, DEPTH_MILLIMETER_UNIT) or recorded == wanted:
        return 1
    return MM_PER_METRE if recorded == DEPTH_METER_UNIT else 1 / MM_PER_METRE
