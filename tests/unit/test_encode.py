"""Cameras encoded anew: every frame is still its row's, whatever form it takes."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel import Encoding, PlanError, Reencoding, UsageError
from roboreel.plan.plan import EncodeVideo
from roboreel.testing import Camera, make_dataset
from roboreel.testing.numbered_frames import draw_numbers, read_numbers
from tests import oracle

TOP, WRIST = "observation.images.top", "observation.images.wrist"
LENGTHS = (7, 1, 12)
VERSIONS = ("v2.0", "v2.1", "v3.0")
Frame = npt.NDArray[np.uint8]


def made(folder: Path, version: Any, *, storage: Any = "image", **camera: Any) -> Path:
    cameras = {TOP: Camera(storage=storage, **camera), WRIST: Camera()}
    return make_dataset(folder / "source", version=version, episodes=LENGTHS, cameras=cameras)


def written(view: roboreel.View, out: Path, **options: Any) -> oracle.Reading:
    """The result, sound by every rule of `check`."""
    roboreel.write(view, out=out, **options)
    assert [str(problem) for problem in roboreel.check(out).problems] == []
    return oracle.read(out)


def numbers(reading: oracle.Reading, camera: str) -> list[list[tuple[int, int, int] | None]]:
    return [list(reading.numbers(episode, camera)) for episode in reading.episodes]


def every(step: float = 1, camera: int = 0, rows: tuple[int, ...] = LENGTHS) -> list[Any]:
    """The numbers that pictures must carry where row `k` is row `k * step` of the source."""
    return [
        [(int(np.ceil(k * step - 0.5)), episode, camera) for k in range(count)]
        for episode, count in enumerate(rows)
    ]


def facts(out: Path, camera: str) -> dict[str, Any]:
    features = json.loads((out / "meta/info.json").read_text())["features"]
    found: dict[str, Any] = features[camera]
    return found


def stream(reading: oracle.Reading, camera: str) -> Any:
    with av.open(str(reading.root / reading.episodes[0].external_videos[camera].path)) as file:
        video = file.streams.video[0]
        keys = [packet.is_keyframe for packet in file.demux(video) if packet.size]
        return video.codec_context.name, video.pix_fmt, video.width, video.height, keys


@pytest.mark.parametrize("version", VERSIONS)
def test_pictures_become_a_video(version: str, tmp_path: Path) -> None:
    source = made(tmp_path, version)
    reading = written(roboreel.open(source).encode({TOP: Encoding()}), tmp_path / "out")
    assert numbers(reading, TOP) == every()
    assert numbers(reading, WRIST) == every(camera=1)
    assert all(TOP not in episode.rows.column_names for episode in reading.episodes)
    spec = facts(tmp_path / "out", TOP)
    assert (spec["dtype"], spec["shape"]) == ("video", [128, 160, 3])
    key = "video_info" if version == "v2.0" else "info"
    assert spec[key] == {
        "video.height": 128, "video.width": 160, "video.codec": "av1", "video.pix_fmt": "yuv420p",
        "video.fps": 30, "video.channels": 3, "has_audio": False, "video.g": 2, "video.crf": 30,
        "video.preset": 12, "video.fast_decode": 0, "video.video_backend": "pyav",
        "video.extra_options": {}, "is_depth_map": False,
    }  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_statistics_of_pictures_stay_those_of_the_video(version: str, tmp_path: Path) -> None:
    source = made(tmp_path, version)
    before = roboreel.open(source).stats()[TOP]
    written(roboreel.open(source).encode({TOP: Encoding()}), tmp_path / "out")
    after = roboreel.open(tmp_path / "out").stats()[TOP]
    for name in ("mean", "std", "min", "max"):
        np.testing.assert_allclose(after[name], before[name], atol=1e-6)


def test_pictures_without_statistics_are_measured(tmp_path: Path) -> None:
    source = made(tmp_path, "v2.1")
    path = source / "meta/episodes_stats.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    known = [line["stats"].pop(TOP) for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    written(roboreel.open(source).encode({TOP: Encoding()}), tmp_path / "out")
    text = (tmp_path / "out/meta/episodes_stats.jsonl").read_text()
    found = [json.loads(line)["stats"][TOP] for line in text.splitlines()]
    for old, new in zip(known, found, strict=True):
        np.testing.assert_allclose(new["mean"], old["mean"], atol=1e-6)
        np.testing.assert_allclose(new["max"], old["max"], atol=1e-6)


@pytest.mark.sample(2)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_video_becomes_the_pictures_that_it_decodes_to(
    version: str, b_frames: int, tmp_path: Path
) -> None:
    source = made(tmp_path, version, storage="video", gop=5, b_frames=b_frames)
    result = written(roboreel.open(source).decode(TOP), tmp_path / "out")
    before = oracle.read(source)
    for episode, old in zip(result.episodes, before.episodes, strict=True):
        cells = episode.rows[TOP].to_pylist()
        assert [cell["path"] for cell in cells] == [
            f"frame-{k:06d}.png" for k in range(episode.length)
        ]
        clip = old.external_videos[TOP]
        decoded = decoded_rgb(source / clip.path)[clip.start : clip.start + old.length]
        for cell, picture in zip(cells, decoded, strict=True):
            np.testing.assert_array_equal(png_pixels(cell["bytes"]), picture)
    spec = facts(tmp_path / "out", TOP)
    assert (spec["dtype"], "info" in spec, "video_info" in spec) == ("image", False, False)
    assert not list((tmp_path / "out").glob(f"videos/**/*{TOP}*"))


def decoded_rgb(path: Path) -> list[Frame]:
    with av.open(str(path)) as file:
        return [np.asarray(f.to_ndarray(format="rgb24"), np.uint8) for f in file.decode(video=0)]


def png_pixels(data: bytes) -> Frame:
    with av.open(io.BytesIO(data), "r") as file:
        return np.asarray(next(file.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_another_codec_gop_and_size(version: str, tmp_path: Path) -> None:
    source = made(tmp_path, version, storage="video")
    how = Encoding(vcodec="h264", crf=20, g=4, preset="veryfast", size=(320, 256))
    result = written(roboreel.open(source).encode({TOP: how}), tmp_path / "out")
    name, pix_fmt, width, height, keys = stream(result, TOP)
    assert (name, pix_fmt, width, height) == ("h264", "yuv420p", 320, 256)
    places = [k for k, key in enumerate(keys[: LENGTHS[0]]) if key]
    assert places[0] == 0
    assert 2 <= max(np.diff([*places, LENGTHS[0]])) <= 4  # a change of scene may give one sooner
    spec = facts(tmp_path / "out", TOP)
    assert spec["shape"] == [256, 320, 3]
    assert (spec["info"]["video.height"], spec["info"]["video.g"]) == (256, 4)
    for number, episode in enumerate(result.episodes):
        clip = episode.external_videos[TOP]
        frames = decoded_rgb(result.root / clip.path)[clip.start : clip.start + episode.length]
        shown = [read_numbers(frame[::2, ::2]) for frame in frames]
        assert [(s.frame, s.episode) for s in shown] == [(k, number) for k in range(len(shown))]


@pytest.mark.sample(1)
@pytest.mark.parametrize("vcodec", ["h264", "hevc", "av1"])
def test_less_crf_is_nearer_to_the_picture(vcodec: str, tmp_path: Path) -> None:
    source = made(tmp_path, "v3.0")
    errors = []
    for crf in (10, 45):
        how = Encoding(vcodec=vcodec, crf=crf)
        out = tmp_path / f"out{crf}"
        result = written(roboreel.open(source).encode({TOP: how}), out)
        frames = decoded_rgb(result.root / result.episodes[0].external_videos[TOP].path)
        drawn = draw_numbers(0, 3, 0, 160, 128).astype(float)
        errors.append(float(np.abs(frames[3] - drawn).mean()))
        assert numbers(result, TOP) == every()
    assert errors[0] < errors[1] < 12
    assert errors[0] < 3


@pytest.mark.sample(1)
@pytest.mark.parametrize("vcodec", ["h264", "hevc", "av1"])
def test_what_was_encoded_is_cut_without_encoding(vcodec: str, tmp_path: Path) -> None:
    source = made(tmp_path, "v3.0")
    how = Encoding(vcodec=vcodec, g=2)
    written(roboreel.open(source).encode({TOP: how}), tmp_path / "out")
    split = tmp_path / "v21"
    report = roboreel.convert(tmp_path / "out", to="v2.1", out=split)
    assert report.frames_encoded == 0
    assert numbers(oracle.read(split), TOP) == every()
    cut = roboreel.open(tmp_path / "out").trim({2: (4, 9)})
    report = roboreel.write(cut, out=tmp_path / "cut")
    assert report.frames_encoded == 0
    assert numbers(oracle.read(tmp_path / "cut"), TOP)[2] == [(k, 2, 0) for k in range(4, 9)]


@pytest.mark.sample(5)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("fps", [15, 10, 20, 45])
def test_rows_and_frames_are_chosen_together(
    version: str, b_frames: int, fps: int, tmp_path: Path
) -> None:
    source = made(tmp_path, version, storage="video", gop=6, b_frames=b_frames)
    result = written(roboreel.open(source).resample(fps), tmp_path / "out")
    step = 30 / fps
    rows = tuple(max(1, int(np.ceil(length / step))) for length in LENGTHS)
    wanted = every(step, rows=rows)
    assert [e.length for e in result.episodes] == list(rows)
    last = [[min(frame, LENGTHS[e] - 1) for frame, e, _ in episode] for episode in wanted]
    shown = [[n[0] for n in episode if n] for episode in numbers(result, TOP)]
    assert shown == last
    for number, episode in enumerate(result.episodes):
        stamps = np.array(episode.rows["action"].to_pylist())[:, 0]
        np.testing.assert_allclose((stamps - number) * 1024, last[number], atol=1e-3)
    assert result.info["fps"] == fps
    assert facts(tmp_path / "out", TOP)["video_info" if version == "v2.0" else "info"][
        "video.fps"
    ] == (fps)


def test_pictures_in_tables_are_resampled_and_encoded_at_once(tmp_path: Path) -> None:
    source = made(tmp_path, "v3.0")
    view = roboreel.open(source).resample(15).encode({TOP: Encoding(vcodec="h264")})
    result = written(view, tmp_path / "out")
    rows = (4, 1, 6)
    assert numbers(result, TOP) == every(2, rows=rows)
    assert numbers(result, WRIST) == every(2, camera=1, rows=rows)


def test_a_resampled_video_becomes_pictures(tmp_path: Path) -> None:
    source = made(tmp_path, "v3.0", storage="video")
    result = written(roboreel.open(source).resample(15).decode(TOP), tmp_path / "out")
    cells = result.episodes[2].rows[TOP].to_pylist()
    shown = [read_numbers(png_pixels(cell["bytes"])) for cell in cells]
    assert [(s.frame, s.episode) for s in shown] == [(k, 2) for k in range(0, 12, 2)]


def test_a_renamed_camera_of_some_trimmed_episodes_is_encoded(tmp_path: Path) -> None:
    source = made(tmp_path, "v3.0")
    view = roboreel.open(source).keep([2, 0]).trim({1: (4, 9)}).rename({TOP: "cam"})
    result = written(view.encode({"cam": Encoding(vcodec="h264")}), tmp_path / "out")
    assert numbers(result, "cam") == [
        [(k, 0, 0) for k in range(7)],
        [(k, 2, 0) for k in range(4, 9)],
    ]


@pytest.mark.sample(1)
@pytest.mark.parametrize("vcodec", ["h264", "hevc", "av1"])
def test_the_bytes_are_the_same_in_processes(vcodec: str, tmp_path: Path) -> None:
    source = made(tmp_path, "v2.1")
    view = roboreel.open(source).encode({TOP: Encoding(vcodec=vcodec)}).decode(WRIST)
    written(view, tmp_path / "a")
    written(view, tmp_path / "b", workers=2, executor="process")
    assert oracle.tree_digest(tmp_path / "a") == oracle.tree_digest(tmp_path / "b")


def test_files_hold_episodes_up_to_the_limit(tmp_path: Path) -> None:
    source = made(tmp_path, "v3.0")
    view = roboreel.open(source).encode({TOP: Encoding()})
    small = replace(view.options, video_file_mb=0.01)
    result = written(view.written_as(small), tmp_path / "out")
    paths = [episode.external_videos[TOP].path for episode in result.episodes]
    assert len(set(paths)) > 1
    assert numbers(result, TOP) == every()


def test_pictures_that_only_name_files_are_refused(tmp_path: Path) -> None:
    source = made(tmp_path, "v2.1")
    path = source / "data/chunk-000/episode_000002.parquet"
    table = pq.read_table(path)
    cells = [{"bytes": None, "path": cell["path"]} for cell in table[TOP].to_pylist()]
    place = table.column_names.index(TOP)
    field = table.schema.field(TOP)
    pq.write_table(table.set_column(place, field, pa.array(cells, field.type)), path)
    with pytest.raises(roboreel.RunError, match=f"{TOP}.*store the images in the table"):
        roboreel.write(roboreel.open(source).encode({TOP: Encoding()}), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_long_recordings_are_spread_over_files_for_cores_to_share(tmp_path: Path) -> None:
    source = make_dataset(
        tmp_path / "a",
        version="v3.0",
        episodes=(300,) * 4,
        cameras={TOP: Camera(width=160, height=32, storage="image")},
    )
    view = roboreel.open(source).encode({TOP: Encoding(vcodec="h264")})
    plan = roboreel.plan_write(view, out=tmp_path / "out")
    encodes = [op for op in plan.ops if isinstance(op, EncodeVideo)]
    assert [(op.episodes.start, op.episodes.stop) for op in encodes] == [
        (0, 1), (1, 2), (2, 3), (3, 4)
    ]  # fmt: skip
    result = written(view, tmp_path / "out")
    assert numbers(result, TOP) == every(rows=(300,) * 4)


def test_merged_images_of_other_sizes_do_not_become_one_camera(tmp_path: Path) -> None:
    small, large = (
        make_dataset(
            tmp_path / str(height),
            version="v3.0",
            episodes=(3,),
            cameras={TOP: Camera(height=height, storage="image")},
        )
        for height in (32, 64)
    )
    view = roboreel.concat([roboreel.open(small), roboreel.open(large)])
    with pytest.raises(PlanError, match=r"Encoding\(size=\(160, 32\)\)"):
        roboreel.plan_write(view.encode({TOP: Encoding()}), out=tmp_path / "out")
    scaled = view.encode({TOP: Encoding(size=(160, 32))})
    assert roboreel.write(scaled, out=tmp_path / "out").frames == 6
    with pytest.raises(UsageError, match="no video camera"):
        view.encode({TOP: Reencoding(size=(160, 32))})


def test_only_cameras_are_scaled(tmp_path: Path) -> None:
    source = roboreel.open(made(tmp_path, "v3.0", storage="video"))
    with pytest.raises(UsageError, match=r"View\.encode"):
        source.resample(15).with_target(reencoding=Reencoding(size=(64, 32)))
