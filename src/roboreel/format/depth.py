"""Depth cameras: what the pixel values of their frames mean.

A depth video stores 12-bit codes for distances between a nearest and a farthest one, on a logarithmic or a
linear scale (lerobot's `depth_utils.py`; fields and defaults of its `DepthEncoderConfig`). Depth frames in
tables store the distances themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from roboreel.format.feature import Feature
from roboreel.types import Floats, Json

DepthUnit: TypeAlias = Literal["m", "mm"]
CODES = 1 << 12
PIXEL_FORMATS = ("gray12le", "gray12be")
"""The pixel formats with codes in a plane."""
_MM, _FARTHEST_MM = 1000.0, 65535.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthScale:
    """The scale that converts codes of a depth video to distances, in metres; the defaults are lerobot's."""

    nearest: float = 0.01
    farthest: float = 10.0
    shift: float = 3.5
    logarithmic: bool = True
    unit: DepthUnit = "mm"
    """The unit of the statistics and of the recorded frames."""

    @property
    def distances(self) -> Floats:
        """(4096,) the distance for each code, in `unit`; whole numbers for millimetres."""
        share = np.arange(CODES, dtype=np.float64) / (CODES - 1)
        if self.logarithmic:
            low, high = math.log(self.nearest + self.shift), math.log(self.farthest + self.shift)
            metres = np.exp(low + (high - low) * share) - self.shift
        else:
            metres = self.nearest + (self.farthest - self.nearest) * share
        metres = np.clip(metres, self.nearest, self.farthest)
        if self.unit == "m":
            return metres
        return np.clip(np.rint(metres * _MM), 0.0, _FARTHEST_MM)

    def codes(self, depths: npt.NDArray[np.generic]) -> npt.NDArray[np.uint16]:
        """The code of each depth, from 0 to 4095, with lerobot's arithmetic; not a number becomes 0.

        Args:
            depths: in `unit`; those outside the scale become its first or last code.
        """
        factor = 1.0 if self.unit == "m" else _MM
        low, high, offset = (
            np.float32(metres * factor) for metres in (self.nearest, self.farthest, self.shift)
        )
        values = depths.astype(np.float32)
        if self.logarithmic:
            first, last = math.log(float(low + offset)), math.log(float(high + offset))
            with np.errstate(invalid="ignore", divide="ignore"):
                share = (np.log(values + offset) - first) / (last - first)
        else:
            share = (values - low) / (high - low)
        share = np.nan_to_num(share, nan=0.0, neginf=0.0)
        codes: npt.NDArray[np.uint16] = (
            np.rint(share * (CODES - 1)).clip(0, CODES - 1).astype(np.uint16)
        )
        return codes


def depth_scale(feature: Feature) -> DepthScale | None:
    """The scale of a depth camera's video; None if its declared values are invalid."""
    facts = feature.video_facts
    default = DepthScale()
    scale = DepthScale(
        nearest=_number(facts, "depth_min", default.nearest),
        farthest=_number(facts, "depth_max", default.farthest),
        shift=_number(facts, "shift", default.shift),
        logarithmic=facts.get("video.use_log") is not False,
        unit="m" if facts.get("depth_unit") == "m" else "mm",
    )
    ordered = 0 <= scale.nearest < scale.farthest < math.inf
    sound = not scale.logarithmic or scale.nearest + scale.shift > 0
    return scale if ordered and sound and math.isfinite(scale.shift) else None


def has_camera_stats(feature: Feature) -> bool:
    """True for cameras whose statistics can be computed: depth videos only with a valid scale."""
    if not feature.is_camera or not feature.is_depth or not feature.is_video:
        return feature.is_camera
    return feature.video_facts.get("video.pix_fmt") in PIXEL_FORMATS and (
        depth_scale(feature) is not None
    )


def _number(facts: Mapping[str, Json], name: str, default: float) -> float:
    value = facts.get(f"video.{name}")
    if value is None:
        return default
    return float(value) if isinstance(value, (int, float)) else math.nan
