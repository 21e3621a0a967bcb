"""Depths as codes of 12 bits, as lerobot's depth videos have them, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from roboreel.format.depth import DepthScale
from roboreel.storage.video.encode import depth_frame
from roboreel.torch.errors import ArgumentError
from roboreel.torch.media.encoder_configs import (
    DEFAULT_DEPTH_MAX,
    DEFAULT_DEPTH_MIN,
    DEFAULT_DEPTH_PIX_FMT,
    DEFAULT_DEPTH_SHIFT,
    DEFAULT_DEPTH_UNIT,
    DEFAULT_DEPTH_USE_LOG,
    DEPTH_METER_UNIT,
    DEPTH_MILLIMETER_UNIT,
    DEPTH_QMAX,
    infer_depth_unit,
)

MM_PER_METRE = 1000.0
_UNITS = (DEPTH_METER_UNIT, DEPTH_MILLIMETER_UNIT)
_FARTHEST_MM = 65535.0


def squeeze_single_channel(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(H, W) of (1, H, W) or (H, W, 1); other arrays as they are."""
    if array.ndim != 3:
        return array
    if array.shape[0] == 1:
        return np.asarray(array[0])
    return np.asarray(array[..., 0]) if array.shape[-1] == 1 else array


def quantize_depth(
    depth: Any,
    depth_min: float = DEFAULT_DEPTH_MIN,
    depth_max: float = DEFAULT_DEPTH_MAX,
    shift: float = DEFAULT_DEPTH_SHIFT,
    use_log: bool = DEFAULT_DEPTH_USE_LOG,
    pix_fmt: str = DEFAULT_DEPTH_PIX_FMT,
    video_backend: str | None = "pyav",
    input_unit: str = "auto",
) -> Any:
    """The codes of depths, from 0 to 4095.

    Args:
        depth: (H, W), (1, H, W) or (H, W, 1) array or tensor.
        depth_min: metres of code 0; what is nearer becomes it.
        depth_max: metres of code 4095; what is farther becomes it.
        shift: metres added before the logarithm.
        use_log: True for a logarithmic scale, False for a linear one.
        pix_fmt: `gray12le`.
        video_backend: `pyav` for a PyAV frame; anything else for an array.
        input_unit: `m`, `mm`, or `auto`: metres for floating point, else millimetres.

    Returns:
        (H, W) uint16, or the PyAV frame of it.

    Raises:
        ArgumentError: an unknown unit or pixel format, or a logarithm of what is not positive.
    """
    if input_unit not in ("auto", *_UNITS):
        raise ArgumentError(f"input_unit must be 'auto', 'm' or 'mm', got {input_unit!r}")
    array = depth.detach().cpu().numpy() if isinstance(depth, torch.Tensor) else np.asarray(depth)
    array = squeeze_single_channel(array)
    unit = infer_depth_unit(array.dtype) if input_unit == "auto" else input_unit
    if use_log:
        _require_logarithm(depth_min, shift)
    scale = DepthScale(
        nearest=depth_min,
        farthest=depth_max,
        shift=shift,
        logarithmic=use_log,
        unit="m" if unit == DEPTH_METER_UNIT else "mm",
    )
    codes = scale.codes(array)
    return _frame(codes, pix_fmt) if video_backend == "pyav" else codes


def _frame(codes: npt.NDArray[np.uint16], pix_fmt: str) -> Any:
    if pix_fmt != DEFAULT_DEPTH_PIX_FMT:
        raise ArgumentError(
            f"pix_fmt of depth frames must be {DEFAULT_DEPTH_PIX_FMT}, got {pix_fmt}"
        )
    return depth_frame(codes)


def dequantize_depth(
    quantized: Any,
    depth_min: float = DEFAULT_DEPTH_MIN,
    depth_max: float = DEFAULT_DEPTH_MAX,
    shift: float = DEFAULT_DEPTH_SHIFT,
    use_log: bool = DEFAULT_DEPTH_USE_LOG,
    pix_fmt: str = DEFAULT_DEPTH_PIX_FMT,
    output_unit: str = DEFAULT_DEPTH_UNIT,
    output_tensor: bool = True,
    output_channel_last: bool = False,
) -> Any:
    """The depths of codes.

    Args:
        quantized: (…, 1, H, W), (…, H, W, 1) or (H, W) array or tensor, or a PyAV frame.
        depth_min: as for `quantize_depth`, and so `depth_max`, `shift` and `use_log`.
        depth_max: metres of code 4095.
        shift: metres added before the logarithm.
        use_log: True for a logarithmic scale.
        pix_fmt: how to read a PyAV frame.
        output_unit: `m`, or `mm` for whole millimetres.
        output_tensor: True for a tensor, False for an array.
        output_channel_last: True for (…, H, W, 1), False for (…, 1, H, W).

    Returns:
        float32; an array of millimetres is uint16.

    Raises:
        ArgumentError: an unknown unit, or a logarithm of what is not positive.
    """
    if output_unit not in _UNITS:
        raise ArgumentError(f"output_unit must be 'm' or 'mm', got {output_unit!r}")
    codes = _codes(quantized, pix_fmt)
    if codes.ndim >= 3:
        codes = codes.squeeze(-3) if codes.shape[-3] == 1 else codes.squeeze(-1)
    metres = codes.to(torch.float32, copy=True)
    if use_log:
        _require_logarithm(depth_min, shift)
        first, last = math.log(depth_min + shift), math.log(depth_max + shift)
        metres.mul_((last - first) / DEPTH_QMAX).add_(first).exp_().sub_(shift)
    else:
        metres.mul_((depth_max - depth_min) / DEPTH_QMAX).add_(depth_min)
    metres = metres.clamp_(depth_min, depth_max).unsqueeze(-1 if output_channel_last else -3)
    if output_unit == DEPTH_METER_UNIT:
        return metres if output_tensor else metres.cpu().numpy()
    millimetres = metres.mul_(MM_PER_METRE).round_().clamp_(0.0, _FARTHEST_MM)
    return millimetres if output_tensor else millimetres.cpu().numpy().astype(np.uint16)


def _codes(quantized: Any, pix_fmt: str) -> torch.Tensor:
    if isinstance(quantized, torch.Tensor):
        return quantized
    array = quantized.to_ndarray(format=pix_fmt) if hasattr(quantized, "planes") else quantized
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _require_logarithm(depth_min: float, shift: float) -> None:
    if depth_min + shift <= 0:
        raise ArgumentError(
            f"logarithmic depth needs depth_min + shift above 0, got {depth_min} + {shift}"
        )
