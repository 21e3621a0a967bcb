"""Statistics like a release's: its sample, pixels, shapes and quantiles, computed here once more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import roboreel
from roboreel.edit.stats_profile import not_followed
from roboreel.errors import Problem
from roboreel.format.feature import Feature
from roboreel.stats.feature_stats import Stats
from roboreel.stats.histogram_quantiles import quantiles_of_counts, quantiles_of_histogram
from roboreel.stats.pixel_counts import PixelCounter
from roboreel.testing import Camera, make_dataset
from tests.mutate import set_column
from tests.oracle import read

LENGTHS = (13, 1, 8, 110)
LARGE, TABLE = "observation.images.large", "observation.images.table"
CAMERAS = {
    LARGE: Camera(width=320, height=302, gop=4),
    TABLE: Camera(width=302, height=160, storage="image"),
}
SHARES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
SAMPLES = (13, 1, 8, 100)
Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A dataset of each version, with a matrix, bools, and large pictures in a video and in the tables."""
    folder = tmp_path_factory.mktemp("sources")
    return {
        version: make_dataset(
            folder / version, version=version, episodes=LENGTHS, cameras=CAMERAS, features="rich"
        )
        for version in ("v2.0", "v3.0")
    }


def sample(frames: int) -> list[int]:
    """Which frames lerobot takes: all up to 100, then n^0.75 of them, spread evenly."""
    wanted = frames if frames <= 100 else max(100, int(frames**0.75))
    return [round(at * (frames - 1) / max(1, wanted - 1)) for at in range(wanted)]


def videos(path: Path) -> list[Pixels]:
    """(frames, H, W, 3) of each episode."""
    found = []
    for episode in read(path).episodes:
        clip = episode.external_videos[LARGE]
        with av.open(str(path / clip.path)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        found.append(np.stack(frames[clip.start : clip.start + episode.length]).astype(np.uint8))
    return found


def tables(path: Path) -> list[Pixels]:
    """(frames, H, W, 3) of each episode's pictures in the table."""
    found = []
    for episode in read(path).episodes:
        pictures = []
        for cell in episode.rows[TABLE].to_pylist():
            frames = av.CodecContext.create("png", "r").decode(av.Packet(cell["bytes"]))
            pictures.append(frames[0].to_ndarray(format="rgb24"))
        found.append(np.stack(pictures).astype(np.uint8))
    return found


def rows_of(path: Path, column: str) -> list[npt.NDArray[Any]]:
    return [np.array(e.rows[column].to_pylist()) for e in read(path).episodes]


def stored(path: Path) -> list[Stats]:
    return [stats for _, stats in roboreel.open(path).episode_stats()]


def their_quantiles(values: npt.NDArray[Any], shares: Sequence[float]) -> list[float]:
    """Off a histogram of 5,000 bins between the bounds, in float32 unless the values are wider."""
    kind = np.result_type(values.dtype, np.float32).type
    levels, often = np.unique(values.astype(kind), return_counts=True)
    low, high = kind(levels[0] - kind(1e-10)), kind(levels[-1] + kind(1e-10))
    step = kind(kind(high - low) / kind(5000))
    edges = [*(kind(kind(kind(at) * step) + low) for at in range(5000)), high]
    bins = np.array([max(at for at in range(5000) if edges[at] <= level) for level in levels])
    found = []
    for share in shares:
        rank, below = share * len(values), 0
        for at in sorted(set(bins.tolist())):
            here = int(often[bins == at].sum())
            if below + here >= rank:
                part = (rank - below) / here if at else 0.0
                found.append(float(edges[at]) + part * float(kind(edges[at + 1] - edges[at])))
                break
            below += here
    return found


def assert_pixels(stats: Any, pixels: npt.NDArray[np.generic], pictures: int) -> None:
    """The statistics of (n, 3) pixels, without quantiles."""
    values = pixels.reshape(-1, 3).astype(np.float64) / 255
    for key, wanted in {
        "min": values.min(axis=0),
        "max": values.max(axis=0),
        "mean": values.mean(axis=0),
        "std": values.std(axis=0),
    }.items():
        assert stats[key].shape == (3, 1, 1)
        np.testing.assert_allclose(stats[key].ravel(), wanted, rtol=1e-9, atol=1e-12)
    assert stats["count"].tolist() == [pictures]


@pytest.mark.slow
def test_like_033_every_pixel_of_the_sample_counts(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    path = sources["v2.0"]
    view = roboreel.open(path).recompute(like="lerobot-0.3.3")
    roboreel.write(view.with_target("v2.1"), out=tmp_path / "b")
    found = stored(tmp_path / "b")
    for stats, frames, count in zip(found, videos(path), SAMPLES, strict=True):
        assert_pixels(stats[LARGE], frames[sample(len(frames))], count)
    for stats, frames, length in zip(found, tables(path), LENGTHS, strict=True):
        assert_pixels(stats[TABLE], frames, length)
    for name, shape in [("observation.pose", (3, 4)), ("next.done", (1,)), ("action", (6,))]:
        for stats, rows in zip(found, rows_of(path, name), strict=True):
            assert stats[name].keys() == {"min", "max", "mean", "std", "count"}
            assert stats[name]["count"].tolist() == [len(rows)]
            assert stats[name]["std"].shape == shape
            wanted = rows.astype(np.float64).std(axis=0).reshape(shape)
            np.testing.assert_allclose(stats[name]["std"], wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("cameras", ["sample", "all"])
def test_like_061_pixels_are_thinned_and_quantiles_binned(
    sources: dict[str, Path], tmp_path: Path, cameras: Any
) -> None:
    path = sources["v3.0"]
    view = roboreel.open(path).recompute(cameras=cameras, like="lerobot-0.6.1", quantiles=[0.25])
    roboreel.write(view, out=tmp_path / "b")
    found = stored(tmp_path / "b")
    for name, pictures in ((LARGE, videos(path)), (TABLE, tables(path))):
        for stats, frames in zip(found, pictures, strict=True):
            taken = frames[sample(len(frames)) if cameras == "sample" else slice(None)]
            thin = taken[:, ::2, ::2].reshape(-1, 3)
            assert_pixels(stats[name], thin, len(taken))
            wanted = [their_quantiles(thin[:, at], [*SHARES.values(), 0.25]) for at in range(3)]
            for key, cut in zip([*SHARES, "q25"], np.transpose(wanted) / 255, strict=True):
                np.testing.assert_allclose(stats[name][key].ravel(), cut, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_like_061_matrices_are_described_by_their_last_axis(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    path = sources["v3.0"]
    view = roboreel.open(path).recompute(cameras="none", like="lerobot-0.6.1")
    roboreel.write(view, out=tmp_path / "b")
    found = stored(tmp_path / "b")
    episodes = rows_of(path, "observation.pose")
    for stats, rows in zip(found, episodes, strict=True):
        flat = rows.astype(np.float32).reshape(-1, 4)
        own = stats["observation.pose"]
        assert own["count"].tolist() == [len(rows)]
        np.testing.assert_allclose(own["mean"], flat.mean(axis=0, dtype=np.float64), rtol=1e-12)
        wanted = [their_quantiles(flat[:, at], [*SHARES.values()]) for at in range(4)]
        for key, cut in zip(SHARES, np.transpose(wanted), strict=True):
            np.testing.assert_allclose(own[key], cut, rtol=1e-12)
    whole = json.loads((tmp_path / "b/meta/stats.json").read_text("utf-8"))
    for name in ("observation.pose", "action", "next.done", "index"):
        weighted = [
            stats[name]["q90"] * length for stats, length in zip(found, LENGTHS, strict=True)
        ]
        np.testing.assert_allclose(
            whole[name]["q90"], np.sum(weighted, axis=0) / sum(LENGTHS), rtol=1e-12
        )


def test_a_single_row_is_its_own_quantiles_and_bounds(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    view = roboreel.open(sources["v3.0"]).recompute(["action"], like="lerobot-0.6.1")
    roboreel.write(view, out=tmp_path / "b")
    own = stored(tmp_path / "b")[1]["action"]
    for key in ("min", "max", *SHARES):
        assert own[key].tolist() == own["mean"].tolist()


@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(1, 40)), min_size=1, max_size=30),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_quantiles_of_counts_are_those_of_the_values(
    drawn: list[tuple[int, int]], shares: list[float]
) -> None:
    values = np.repeat(*np.array(drawn, dtype=np.int64).T).astype(np.uint8)
    counts = np.bincount(values, minlength=256)[None]
    found = quantiles_of_counts(counts, shares)
    assert found.tolist() == quantiles_of_histogram(values[:, None], shares).tolist()


@pytest.mark.sample(6)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("pixels", [1, 2, 500, 65535, 65537, 600001])
def test_pixels_are_counted(pixels: int, channels: int) -> None:
    random = np.random.default_rng(pixels)
    drawn = (random.integers(0, 256, (pixels, channels)) // [1, 2, 5, 9][:channels]).astype(
        np.uint8
    )
    counter = PixelCounter()
    for one in (drawn, np.asfortranarray(drawn), drawn[::2]):
        counts = counter.counts(one)
        assert counts.tolist() == [[int((c == v).sum()) for v in range(256)] for c in one.T]


def noted(features: dict[str, Feature], like: Any, lengths: list[int], **how: Any) -> list[Problem]:
    return list(not_followed(like, features, np.array(lengths, dtype=np.int64), **how))


def feature(name: str, dtype: str, *shape: int) -> dict[str, Feature]:
    return {name: Feature(name=name, dtype=dtype, shape=shape, spec={})}


def test_episodes_whose_frames_are_wrong_are_listed() -> None:
    top = feature("top", "video", 4, 4, 3)
    frames, _ = noted(top, "lerobot-0.3.3", [5, 6, 5, 4, 9], sampled=True)
    assert (frames.rule, frames.severity, frames.column) == ("stats.like", "note", "top")
    assert frames.message.endswith("longer than the first (5): 2 of 5 episodes, the first 1")
    for lengths, sampled in (([5, 5, 2], True), ([5, 9, 1], False)):
        (sums,) = noted(top, "lerobot-0.3.3", lengths, sampled=sampled)
        assert sums.message.endswith("sums pixels in float32, which loses digits: all episodes")


@pytest.mark.parametrize(
    ("like", "dtype", "said"),
    [
        ("lerobot-0.3.3", "float32", ["sums in float32"]),
        ("lerobot-0.3.3", "float64", ["rounds float64 to float32"]),
        ("lerobot-0.3.3", "int64", []),
        ("lerobot-0.3.3", "bool", []),
        ("lerobot-0.6.1", "float32", ["E[x²] − E[x]² in float32, and sums in it"]),
        ("lerobot-0.6.1", "bool", ["E[x²] − E[x]² in float32, and sums in it"]),
        ("lerobot-0.6.1", "int16", ["E[x²] − E[x]² in float32, and sums in it"]),
        ("lerobot-0.6.1", "int32", ["E[x²] − E[x]² in float64"]),
        ("lerobot-0.6.1", "float64", ["E[x²] − E[x]² in float64"]),
    ],
)
def test_sums_that_lose_digits_are_listed(like: str, dtype: str, said: list[str]) -> None:
    found = noted(feature("x", dtype, 2), like, [3, 3], sampled=True)
    assert len(found) == len(said)
    assert all(text in one.message for text, one in zip(said, found, strict=True))


def test_what_stops_a_release_is_listed() -> None:
    top = feature("top", "video", 4, 4, 3)
    single, _ = noted(top, "lerobot-0.3.3", [5, 1, 1], sampled=True)
    assert single.message.endswith("fails on a video of one frame: 2 of 3 episodes, the first 1")


def test_what_a_release_cannot_merge_is_listed() -> None:
    _, single = noted(feature("x", "float32", 2, 3), "lerobot-0.6.1", [3, 1, 4], sampled=True)
    assert single.message.endswith("cannot merge it: 1 of 3 episodes, the first 1")


def test_only_an_index_far_from_zero_loses_digits() -> None:
    index = feature("index", "int64", 1)
    assert noted(index, "lerobot-0.6.1", [300] * 100, sampled=True) == []
    (far,) = noted(index, "lerobot-0.6.1", [300] * 100_000, sampled=True)
    assert far.message.endswith("episodes, the first 28868")


def grey_png(picture: npt.NDArray[np.uint8]) -> bytes:
    encoder: Any = av.CodecContext.create("png", "w")
    encoder.height, encoder.width = picture.shape
    encoder.pix_fmt, encoder.time_base = "gray", Fraction(1)
    frame = av.VideoFrame.from_ndarray(picture, format="gray")
    return b"".join(bytes(part) for part in [*encoder.encode(frame), *encoder.encode(None)])


@pytest.mark.parametrize(
    ("like", "channels", "stride"), [("lerobot-0.3.3", 1, 1), ("lerobot-0.6.1", 3, 2)]
)
def test_grey_pictures_of_tables(tmp_path: Path, like: Any, channels: int, stride: int) -> None:
    camera = {TABLE: CAMERAS[TABLE]}
    path = make_dataset(tmp_path / "a", version="v2.1", episodes=(4,), cameras=camera)
    drawn = np.random.default_rng(4).integers(0, 200, (4, 160, 302), dtype=np.uint8)
    cells = [{"bytes": grey_png(one), "path": f"{n}.png"} for n, one in enumerate(drawn)]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    set_column(path / "data/chunk-000/episode_000000.parquet", TABLE, pa.array(cells, kind))
    roboreel.write(roboreel.open(path).recompute([TABLE], like=like), out=tmp_path / "b")
    own = stored(tmp_path / "b")[0][TABLE]
    values = drawn[:, ::stride, ::stride] / 255
    assert own["mean"].shape == (channels, 1, 1)
    for key, wanted in {"mean": values.mean(), "std": values.std(), "max": values.max()}.items():
        np.testing.assert_allclose(own[key].ravel(), [wanted] * channels, rtol=1e-9)


@pytest.mark.slow
def test_pictures_that_were_a_video_are_measured_as_pictures(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    view = roboreel.open(sources["v2.0"]).keep([3]).decode(LARGE)
    view = view.recompute([LARGE], like="lerobot-0.3.3")
    roboreel.write(view.with_target("v2.1"), out=tmp_path / "b")
    assert_pixels(stored(tmp_path / "b")[0][LARGE], videos(sources["v2.0"])[3], LENGTHS[3])
