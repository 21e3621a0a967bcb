"""Frames as RGB: the same values whatever the order in memory of the array that they go into."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from roboreel.storage.video.rgb import RgbConverter


def noise(pixel_format: str, height: int, width: int) -> Any:
    frame = av.VideoFrame(width, height, pixel_format)
    random = np.random.default_rng(1)
    for plane in frame.planes:
        plane.update(random.integers(0, 256, plane.buffer_size, np.uint8).tobytes())
    return frame


@pytest.mark.parametrize("size", [None, (24, 40)])
@pytest.mark.parametrize("colorspace", [1, 2, 5])
@pytest.mark.parametrize("color_range", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(48, 64), (50, 70), (34, 162)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_planes_have_the_values_of_packed_frames(
    pixel_format: str,
    height: int,
    width: int,
    color_range: int,
    colorspace: int,
    size: tuple[int, int] | None,
) -> None:
    frame = noise(pixel_format, height, width)
    frame.color_range, frame.colorspace = color_range, colorspace
    converter, shape = RgbConverter(), size or (height, width)
    packed = np.zeros((*shape, 3), np.uint8)
    converter.convert(frame, size, packed)
    planes = np.zeros((3, *shape), np.uint8)
    converter.convert(frame, size, planes.transpose(1, 2, 0))
    assert packed.any()
    assert np.array_equal(planes.transpose(1, 2, 0), packed)


def test_planes_are_taken_where_they_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    converter, frame = RgbConverter(), noise("yuv420p", 48, 64)
    out = np.zeros((3, 48, 64), np.uint8)
    converter.convert(frame, None, out.transpose(1, 2, 0))
    assert list(converter._as_planes.values()) == [True]
    other = RgbConverter()
    monkeypatch.setattr(other, "_same_as_planes", lambda _: False)
    again = np.zeros_like(out)
    other.convert(frame, None, again.transpose(1, 2, 0))
    assert np.array_equal(out, again)
