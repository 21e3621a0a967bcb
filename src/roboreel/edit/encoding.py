"""How a camera is to be encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """Settings of a video encoder, by the names and defaults of lerobot's `VideoEncoderConfig`."""

    vcodec: str = "libsvtav1"
    pix_fmt: str = "yuv420p"
    g: int | None = 2
    """Frames from keyframe to keyframe."""
    crf: float | None = 30
    """Quality: less is better and larger."""
    preset: int | str | None = None
    """The encoder's own speed setting; None takes 12 for `libsvtav1`, else the encoder's default."""
    fast_decode: int = 0
    extra_options: Mapping[str, str | int | float] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    """(width, height) in pixels to scale pictures to; None leaves them as they are."""
