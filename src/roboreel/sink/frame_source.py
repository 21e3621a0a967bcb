"""The frames of a camera as a worker has them: a video, arrays, or image files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeAlias

from roboreel.writing.episode_input import ImageArray, VideoInput

ImageSource: TypeAlias = str | os.PathLike[str] | bytes | ImageArray
"""One image: the path or the bytes of an image file, or (H, W, 3) uint8 RGB."""
VideoSource: TypeAlias = (
    str | os.PathLike[str] | bytes | ImageArray | Iterable[ImageSource] | VideoInput
)
"""A camera's frames: the path of a video, the bytes of one, (n, H, W, 3) uint8 RGB, images one by one, or
what `roboreel.writing` takes."""
