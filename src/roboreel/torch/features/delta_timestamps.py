"""Windows of frames around a row, asked for in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roboreel.torch.errors import ArgumentError


def get_delta_indices(
    delta_timestamps: Mapping[str, Sequence[float]], fps: float
) -> dict[str, list[int]]:
    """Frame offsets by feature for offsets in seconds."""
    return {
        name: [round(float(delta) * fps) for delta in deltas]
        for name, deltas in delta_timestamps.items()
    }


def check_delta_timestamps(
    delta_timestamps: Mapping[str, Sequence[float]],
    fps: float,
    tolerance_s: float,
    raise_value_error: bool = True,
) -> bool:
    """True where all offsets are multiples of 1/fps.

    Args:
        delta_timestamps: offsets in seconds by feature.
        fps: frames per second.
        tolerance_s: how far from a multiple an offset may be, in seconds.
        raise_value_error: True raises where an offset is none.

    Raises:
        ArgumentError: an offset is not a multiple, and `raise_value_error`.
    """
    outside = {
        name: [
            delta
            for delta in map(float, deltas)
            if abs(delta * fps - round(delta * fps)) / fps > tolerance_s
        ]
        for name, deltas in delta_timestamps.items()
    }
    found = {name: deltas for name, deltas in outside.items() if deltas}
    if found and raise_value_error:
        raise ArgumentError(
            f"delta_timestamps must be multiples of 1/fps = {1 / fps:g} s, with a tolerance of"
            f" {tolerance_s:g} s. These are not: {found}"
        )
    return not found
