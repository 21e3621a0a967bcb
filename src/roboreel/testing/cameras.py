"""Settings of a test dataset's camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from roboreel.testing.numbered_frames import Frame, check_size, draw_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """Size, codec and storage of one camera.

    Raises:
        ValueError: smaller than 160x32 (the size of the numbers), odd size for video, or `gop` < 1.
    """

    width: int = 160
    height: int = 128
    codec: Literal["h264", "av1"] = "h264"
    gop: int = 2
    """Frames from one keyframe to the next."""
    b_frames: int = 0
    """B-frames in a row. AV1 has none: any number > 0 allows references to later frames."""
    storage: Literal["video", "image"] = "video"
    """`image` stores PNGs in the table; codec, gop, b_frames and join are then unused."""
    join: Literal["packets", "encoded"] = "packets"
    """How v3.0 joins episodes in a file: `packets` encodes each by itself and appends its packets,
    `encoded` encodes all in one run, so that an episode may start inside a GOP."""

    def __post_init__(self) -> None:
        check_size(self.width, self.height)
        if self.storage == "video" and (self.width % 2 or self.height % 2):
            raise ValueError(
                f"video needs an even width and height, got {self.width}x{self.height}"
            )
        if self.gop < 1 or self.b_frames < 0:
            raise ValueError(
                f"expected gop >= 1 and b_frames >= 0, got {self.gop} and {self.b_frames}"
            )

    def draw_frames(self, *, episode: int, frames: int, number: int) -> Iterator[Frame]:
        """Yield the frames of an episode for the dataset's camera `number`."""
        for frame in range(frames):
            yield draw_numbers(episode, frame, number, self.width, self.height)
