"""Pictures thinned before they are converted, against the same ones converted before they are thinned."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from roboreel.format.stats import QUANTILES
from roboreel.runner.kernels.pictures import Pixels, stride_of
from roboreel.storage.video.thin import Thinner

SIZES = [(640, 480), (424, 240), (848, 480), (1280, 720), (346, 260), (480, 640), (302, 180)]
SIZES += [(752, 480), (160, 128)]


def _frame(width: int, height: int, pix_fmt: str, space: int, spread: int) -> Any:
    frame: Any = av.VideoFrame(width, height, pix_fmt)
    frame.colorspace, frame.color_range = space, spread
    random = np.random.default_rng(width)
    for plane in frame.planes:
        samples = np.frombuffer(plane, np.uint8)
        samples[:] = random.integers(0, 256, len(samples), dtype=np.uint8)
    return frame


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv444p", "rgb24", "gray"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_thinned_picture_is_the_whole_one_thinned(size: tuple[int, int], pix_fmt: str) -> None:
    thinner = Thinner()
    for space, spread in [(1, 1), (2, 0), (5, 2)]:
        frame = _frame(*size, pix_fmt, space, spread)
        for stride in (1, 2, 3, 4, 8):
            found = thinner.picture(frame, stride)
            whole = frame.to_ndarray(format="gray" if pix_fmt == "gray" else "rgb24")
            wanted = whole[::stride, ::stride].reshape(found.shape)
            assert np.array_equal(found, wanted), (stride, space, spread)


def test_the_stride_is_the_reference_s() -> None:
    sizes = [(299, 200), (300, 200), (480, 640), (720, 1280), (640, 480), (1080, 1920)]
    assert [stride_of(*size) for size in sizes] == [1, 2, 4, 8, 4, 12]


@pytest.mark.parametrize("pictures", [1, 7, 8, 9, 20])
def test_statistics_of_pictures_are_numpy_s(pictures: int) -> None:
    random = np.random.default_rng(pictures)
    drawn = random.integers(0, 256, (pictures, 40, 60, 3), dtype=np.uint8)
    drawn[..., 1] //= 3
    pixels = Pixels()
    for picture in drawn:
        pixels.add(picture)
    found = pixels.stats(QUANTILES)
    assert found is not None
    values = drawn.reshape(-1, 3) / 255
    for key, wanted in {
        "min": values.min(0),
        "max": values.max(0),
        "mean": values.mean(0),
        "std": values.std(0),
        "q10": np.quantile(values, 0.1, axis=0),
    }.items():
        assert found[key].shape == (3, 1, 1)
        np.testing.assert_allclose(found[key].ravel(), wanted, rtol=1e-9)
    assert found["count"].tolist() == [pictures]
