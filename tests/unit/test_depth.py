"""Statistics of depth cameras: of distances in their unit, whatever holds them."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.errors import VideoError
from roboreel.stats.camera_pixels import DeepPixels
from roboreel.stats.feature_stats import QUANTILES, Stats, quantile_name
from roboreel.stats.sampling import OWN
from roboreel.storage.video.still_images import decode_image
from roboreel.storage.video.tiff import float_tiff
from roboreel.testing import Camera, make_dataset

EYE = "observation.images.depth"
LENGTHS = (5, 3)
HEIGHT, WIDTH = 64, 160
DEPTH_INFO = {
    "video.codec": "hevc",
    "video.pix_fmt": "gray12le",
    "video.channels": 1,
    "is_depth_map": True,
    "video.depth_min": 0.01,
    "video.depth_max": 10.0,
    "video.shift": 3.5,
    "video.use_log": True,
}


def drawn_codes() -> npt.NDArray[np.uint16]:
    random = np.random.default_rng(0)
    return random.integers(0, 4096, (sum(LENGTHS), HEIGHT, WIDTH)).astype(np.uint16)


def write_codes(path: Path, codes: npt.NDArray[np.uint16], *, fps: int, gop: int) -> None:
    """A lossless HEVC video as lerobot 0.6 records depth."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx265", rate=fps)
        stream.width, stream.height, stream.pix_fmt = codes.shape[2], codes.shape[1], "gray12le"
        stream.options = {"x265-params": f"lossless=1:log-level=none:keyint={gop}"}
        for code in codes:
            frame = av.VideoFrame(codes.shape[2], codes.shape[1], "gray12le")
            plane: Any = frame.planes[0]
            rows = np.frombuffer(plane, np.uint16).reshape(-1, plane.line_size // 2)
            rows[:, : codes.shape[2]] = code
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def with_info(root: Path, **facts: Any) -> Path:
    document = json.loads((root / "meta/info.json").read_text("utf-8"))
    feature = document["features"][EYE]
    feature["shape"] = [HEIGHT, WIDTH, 1]
    feature["info"] = {**feature.get("info", {}), **facts}
    (root / "meta/info.json").write_text(json.dumps(document), "utf-8")
    return root


def depth_video(
    tmp_path: Path, *, gop: int = 250, **facts: Any
) -> tuple[Path, npt.NDArray[np.uint16]]:
    camera = {EYE: Camera(height=HEIGHT, width=WIDTH)}
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=LENGTHS, cameras=camera, fps=10)
    codes = drawn_codes()
    write_codes(next(root.rglob("*.mp4")), codes, fps=10, gop=gop)
    return with_info(root, **{**DEPTH_INFO, **facts}), codes


def depth_pictures(tmp_path: Path, pictures: Sequence[bytes]) -> Path:
    camera = {EYE: Camera(height=HEIGHT, width=WIDTH, storage="image")}
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=LENGTHS, cameras=camera)
    (path,) = (root / "data").rglob("*.parquet")
    table = pq.read_table(path)
    cells = [{"bytes": data, "path": f"frame-{at:06d}.tiff"} for at, data in enumerate(pictures)]
    at = table.schema.get_field_index(EYE)
    column = pa.array(cells, table.schema.field(EYE).type)
    pq.write_table(table.set_column(at, table.schema.field(EYE), column), path)
    return with_info(root, is_depth_map=True, depth_unit="m")


def tiff_of(numbers: npt.NDArray[np.floating], order: str = "<") -> bytes:
    """Uncompressed, in one strip, as Pillow writes mode F."""
    height, width = numbers.shape
    data = numbers.astype(f"{order}f{numbers.itemsize}").tobytes()
    entries = [
        (256, 4, width), (257, 4, height), (258, 3, 8 * numbers.itemsize), (259, 3, 1),
        (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(data)), (339, 3, 3),
    ]  # fmt: skip
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(data))
    fields = struct.pack(f"{order}H", len(entries))
    for tag, kind, value in entries:
        form = f"{order}HHIHH" if kind == 3 else f"{order}HHII"
        fields += struct.pack(form, tag, kind, 1, *((value, 0) if kind == 3 else (value,)))
    return head + data + fields + struct.pack(f"{order}I", 0)


def gray16(numbers: npt.NDArray[np.uint16]) -> bytes:
    encoder: Any = av.CodecContext.create("tiff", "w")
    encoder.width, encoder.height, encoder.pix_fmt = numbers.shape[1], numbers.shape[0], "gray16le"
    encoder.time_base = Fraction(1)
    frame = av.VideoFrame.from_ndarray(numbers, format="gray16le")
    return b"".join(bytes(packet) for packet in encoder.encode(frame))


def assert_described(root: Path, out: Path, values: npt.NDArray[np.float64]) -> None:
    """Each episode's statistics are numpy's of its (frames, H, W) values."""
    roboreel.write(roboreel.open(root).recompute([EYE], cameras="all"), out=out)
    stored: list[Stats] = [stats for _, stats in roboreel.open(out).episode_stats()]
    stop = 0
    for length, stats in zip(LENGTHS, stored, strict=True):
        start, stop = stop, stop + length
        own = values[start:stop].reshape(-1)
        wanted = {"min": own.min(), "max": own.max(), "mean": own.mean(), "std": own.std()}
        wanted |= {quantile_name(q): np.quantile(own, q) for q in QUANTILES}
        for key, value in wanted.items():
            assert stats[EYE][key].shape == (1, 1, 1)
            np.testing.assert_allclose(stats[EYE][key].item(), value, rtol=1e-9)
        assert stats[EYE]["count"].tolist() == [length]
    report = roboreel.check_stats(out, features=[EYE], cameras="all")
    assert report.differences == ()
    assert report.failed == ()


def in_metres(codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.float64]:
    """The inverse of `(ln(d + 3.5) - ln(0.01 + 3.5)) / (ln(10 + 3.5) - ln(0.01 + 3.5))`."""
    return np.asarray(3.51 * (13.5 / 3.51) ** (codes / 4095) - 3.5)


def test_codes_of_a_video_are_millimetres(tmp_path: Path) -> None:
    root, codes = depth_video(tmp_path, depth_unit="mm")
    assert_described(root, tmp_path / "b", np.rint(in_metres(codes) * 1000))


def test_or_metres(tmp_path: Path) -> None:
    root, codes = depth_video(tmp_path, depth_unit="m")
    assert_described(root, tmp_path / "b", in_metres(codes))


def test_on_a_linear_scale(tmp_path: Path) -> None:
    facts: dict[str, Any] = {
        "video.use_log": False,
        "video.depth_min": 1.0,
        "video.depth_max": 5.0,
    }
    root, codes = depth_video(tmp_path, depth_unit="m", **facts)
    assert_described(root, tmp_path / "b", 1.0 + 4.0 * codes / 4095)


def test_pictures_of_whole_numbers_are_as_they_are(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (8, HEIGHT, WIDTH)).astype(np.uint16)
    root = depth_pictures(tmp_path, [gray16(one) for one in values])
    assert_described(root, tmp_path / "b", values.astype(np.float64))


def test_pictures_of_metres_are_as_they_are(tmp_path: Path) -> None:
    values = np.random.default_rng(1).random((8, HEIGHT, WIDTH)).astype(np.float32) * 5
    root = depth_pictures(tmp_path, [tiff_of(one) for one in values])
    assert_described(root, tmp_path / "b", values.astype(np.float64))


def test_depth_without_statistics_gets_some(tmp_path: Path) -> None:
    root, codes = depth_video(tmp_path, depth_unit="mm", gop=1)
    meta = root / "meta/episodes/chunk-000/file-000.parquet"
    table = pq.read_table(meta)
    gone = [name for name in table.column_names if name.startswith(f"stats/{EYE}/")]
    assert gone
    pq.write_table(table.drop_columns(gone), meta)
    roboreel.write(roboreel.open(root).keep([1]), out=tmp_path / "b")
    ((_, stats),) = roboreel.open(tmp_path / "b").episode_stats()
    millimetres = np.rint(in_metres(codes[LENGTHS[0] :]) * 1000)
    np.testing.assert_allclose(stats[EYE]["mean"].item(), millimetres.mean(), rtol=1e-9)


@pytest.mark.parametrize(
    "facts",
    [
        {"video.pix_fmt": "yuv420p"},
        {"video.depth_min": 10.0},
        {"video.depth_max": "far"},
        {"video.shift": -1.0},
    ],
)
def test_what_is_not_known_is_not_measured(tmp_path: Path, facts: dict[str, Any]) -> None:
    root, _ = depth_video(tmp_path, **facts)
    view = roboreel.open(root).recompute()
    assert EYE not in view.recomputed
    with pytest.raises(roboreel.UsageError, match=r"does not say how this depth camera"):
        roboreel.open(root).recompute([EYE])


def test_a_video_that_holds_no_codes_costs_its_op(tmp_path: Path) -> None:
    camera = {EYE: Camera(height=HEIGHT, width=WIDTH)}
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=LENGTHS, cameras=camera)
    with_info(root, **DEPTH_INFO)
    with pytest.raises(roboreel.RunError, match="the video does not store depth"):
        roboreel.write(roboreel.open(root).recompute([EYE]), out=tmp_path / "b")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("type_", [np.float32, np.float64])
def test_floating_point_tiff(order: str, type_: type[np.floating]) -> None:
    numbers = np.random.default_rng(3).normal(size=(7, 5)).astype(type_)
    found = decode_image(tiff_of(numbers, order))
    assert found.dtype == type_
    assert (found[..., 0] == numbers).all()


def test_damaged_tiff_is_refused_not_obeyed() -> None:
    whole = tiff_of(np.ones((7, 5), np.float32))
    for size in range(8, len(whole) - 6):  # nothing needs what comes after the last field's value
        with pytest.raises(VideoError):
            float_tiff(whole[:size])
    random = np.random.default_rng(4)
    for _ in range(2000):
        data = bytearray(whole)
        for at in random.integers(4, len(data), 3):
            data[at] = random.integers(0, 256)
        try:
            found = float_tiff(bytes(data))
        except VideoError:
            continue
        assert found is None or found.nbytes <= len(data)


def test_more_pixels_than_are_kept_are_sketched() -> None:
    values = np.random.default_rng(5).gamma(2.0, 800.0, (40, 1000, 1))
    pixels = DeepPixels(kept_bytes=50_000)
    for part in values:
        pixels.add(part)
    stats = pixels.stats(OWN, images=40)
    own = values.reshape(-1)
    np.testing.assert_allclose(stats["mean"].item(), own.mean(), rtol=1e-12)
    np.testing.assert_allclose(stats["std"].item(), own.std(), rtol=1e-12)
    for q in QUANTILES:
        exact = np.quantile(own, q)
        np.testing.assert_allclose(stats[quantile_name(q)].item(), exact, rtol=2.0**-12)


def test_a_release_s_quantiles_of_depths_are_explained(tmp_path: Path) -> None:
    values = np.random.default_rng(6).integers(300, 9000, (8, HEIGHT, WIDTH)).astype(np.uint16)
    root = depth_pictures(tmp_path, [gray16(one) for one in values])
    view = roboreel.open(root).recompute([EYE], cameras="all", like="lerobot-0.6.1")
    roboreel.write(view, out=tmp_path / "b")
    report = roboreel.check_stats(tmp_path / "b", features=[EYE], cameras="all")
    assert [one for one in report.differences if one.why is None] == []
    assert any("histogram of 5,000 bins" in str(one.why) for one in report.differences)
