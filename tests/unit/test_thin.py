"""Pictures thinned before they are converted, against the same ones converted before they are thinned."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from roboreel.errors import VideoError
from roboreel.stats.camera_pixels import CameraPixels
from roboreel.stats.sampling import OWN, stride_of
from roboreel.storage.video.subsample import Subsampler

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


@pytest.mark.sample(15)
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv444p", "rgb24", "gray"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_thinned_picture_is_the_whole_one_thinned(size: tuple[int, int], pix_fmt: str) -> None:
    subsampler = Subsampler()
    for space, spread in [(1, 1), (2, 0), (5, 2)]:
        frame = _frame(*size, pix_fmt, space, spread)
        for stride in (1, 2, 3, 4, 8):
            found = subsampler.frame(frame, stride)
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
    pixels = CameraPixels(OWN, video=True)
    for picture in drawn:
        pixels.add(picture)
    found = pixels.stats()
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


@pytest.mark.parametrize("order", [[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 0]])
def test_grey_pictures_among_others_count_in_all_channels(order: list[int]) -> None:
    random = np.random.default_rng(7)
    kinds = [random.integers(0, 256, (20, 30, channels), dtype=np.uint8) for channels in (1, 3)]
    pixels = CameraPixels(OWN, video=True)
    for at in order:
        pixels.add(kinds[at])
    found = pixels.stats()
    assert found is not None
    values = np.concatenate(
        [np.broadcast_to(kinds[at], (20, 30, 3)).reshape(-1, 3) for at in order]
    )
    np.testing.assert_allclose(found["mean"].ravel(), (values / 255).mean(axis=0), rtol=1e-12)
    assert found["count"].tolist() == [4]


@pytest.mark.parametrize("first", [np.uint8, np.uint16])
def test_pictures_of_8_bits_and_more_do_not_mix(first: type[np.unsignedinteger]) -> None:
    other = np.uint16 if first == np.uint8 else np.uint8
    pixels = CameraPixels(OWN, video=True)
    pixels.add(np.zeros((4, 4, 1), first))
    with pytest.raises(VideoError, match="some of its images have 8 bits and others more"):
        pixels.add(np.zeros((4, 4, 1), other))
