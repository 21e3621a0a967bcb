"""Videos that must be encoded again: near the quality and rate of the source, or as asked."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import roboreel
from roboreel import Reencoding
from roboreel.errors import PlanError, UsageError
from roboreel.executors.worker_options import ExecutorName
from roboreel.format.encoding import encoder_settings
from roboreel.plan.near_source import SourceRate, near_source
from roboreel.plan.plan import EncodeVideo
from roboreel.testing import Camera, make_dataset
from tests import oracle
from tests.mutate import episode_video

TOP = "observation.images.top"
FPS = Fraction(30)
H264 = SourceRate(codec="h264", bits_per_pixel=0.1, fps=FPS, gop=250)


def _stream(path: Path) -> tuple[str, list[int]]:
    """A video's codec, and the positions of its keyframes."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        keys = [packet.is_keyframe for packet in file.demux(stream) if packet.size]
        return stream.codec_context.name, [at for at, key in enumerate(keys) if key]


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.mp4"))


def _again(path: Path, codec: str, **options: str) -> None:
    """Encode a video file again."""
    aside = path.with_suffix(".aside.mp4")
    with av.open(str(path)) as old, av.open(str(aside), "w") as new:
        stream: Any = new.add_stream(codec, rate=30, options=options)
        source = old.streams.video[0]
        stream.width, stream.height, stream.pix_fmt = source.width, source.height, "yuv420p"
        for frame in old.decode(video=0):
            frame.pict_type = 0
            new.mux(stream.encode(frame))
        new.mux(stream.encode(None))
    aside.replace(path)


def _declare(folder: Path, **facts: object) -> None:
    """State facts of every camera's video, and no longer the settings that it had."""
    path = folder / "meta/info.json"
    info = json.loads(path.read_text("utf-8"))
    for feature in info["features"].values():
        if feature["dtype"] == "video":
            known = feature["info"]
            for name in ("crf", "g", "preset"):
                known.pop(f"video.{name}", None)
            known |= {f"video.{name}": value for name, value in facts.items()}
    path.write_text(json.dumps(info), "utf-8")


@pytest.fixture
def mpeg4(tmp_path: Path) -> Path:
    """A v2.1 dataset as OpenCV writes its videos."""
    camera = {TOP: Camera(height=32)}
    folder = make_dataset(tmp_path / "mpeg4", version="v2.1", episodes=(9, 6), cameras=camera)
    for number in (0, 1):
        _again(episode_video(folder, TOP, number), "mpeg4", g="5", qmin="2", qmax="3")
    _declare(folder, codec="mpeg4")
    return folder


def _frames(folder: Path, camera: str = TOP) -> list[list[int]]:
    reading = oracle.read(folder)
    return [[n[0] for n in reading.numbers(one, camera) if n] for one in reading.episodes]


# the rule


def test_the_source_s_own_settings_are_kept_where_they_are_stated() -> None:
    stated = near_source(replace(H264, crf=27, gop=2), Reencoding(), FPS)
    assert stated is not None
    assert (stated.vcodec, stated.crf, stated.g, stated.pix_fmt) == ("h264", 27, 2, None)
    assert encoder_settings(stated) == {
        "codec": "libx264", "g": "2", "crf": "27", "preset": "veryfast",
        "x264-params": "mbtree=0", "threads": "2",
    }  # fmt: skip


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "mpeg4"])
def test_more_bits_per_pixel_give_better_quality_within_bounds(codec: str) -> None:
    asked = Reencoding(vcodec="h264") if codec == "mpeg4" else Reencoding()
    found = []
    for bits in (0.0, 1e-6, 0.01, 0.1, 0.3, 100.0):
        near = near_source(replace(H264, codec=codec, bits_per_pixel=bits), asked, FPS)
        assert near is not None
        assert near.crf is not None
        found.append(near.crf)
    assert found[1:] == sorted(found[1:], reverse=True)
    assert found[1] - found[-1] >= 10
    assert 17 <= found[-1] <= found[1] <= 36


def test_keyframes_count_as_what_they_cost() -> None:
    often, seldom = (near_source(replace(H264, gop=gop), Reencoding(), FPS) for gop in (2, 250))
    assert often is not None
    assert seldom is not None
    assert (often.g, seldom.g) == (2, 30)
    assert (often.crf or 0) > (seldom.crf or 0)


@pytest.mark.parametrize(("codec", "more"), [("h264", 2), ("hevc", 2), ("av1", 0)])
def test_slower_frames_are_not_given_more_bits(codec: str, more: int) -> None:
    rate = replace(H264, codec=codec, crf=25)
    near, slower = (near_source(rate, Reencoding(), fps) for fps in (FPS, FPS / 2))
    assert near is not None
    assert slower is not None
    assert round((slower.crf or 0) - (near.crf or 0)) == more


def test_what_is_asked_for_counts() -> None:
    asked = Reencoding(vcodec="hevc", pix_fmt="yuv420p", g=7, crf=33, preset="fast")
    near = near_source(H264, asked, FPS)
    assert near is not None
    for name, value in asked.given.items():
        assert getattr(near, name) == value
    assert near_source(replace(H264, codec="mpeg4"), Reencoding(), FPS) is None
    with pytest.raises(UsageError, match="crf is 99"):
        Reencoding(crf=99)


# what is written


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"crf": "23", "g": "250"}),
        ("libx264", {"crf": "30", "g": "2", "preset": "veryfast"}),
        ("libsvtav1", {"crf": "30", "g": "2", "preset": "12"}),
    ],
    ids=["x264's defaults", "lerobot's h264", "lerobot's av1"],
)
@pytest.mark.parametrize("stated", [False, True])
def test_half_the_frames_take_about_half_the_bytes(
    tmp_path: Path, codec: str, options: dict[str, str], stated: bool
) -> None:
    camera = {TOP: Camera(width=320, height=256)}
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(90,), cameras=camera)
    (path,) = source.rglob("*.mp4")
    _again(path, codec, **options)
    name = {"libx264": "h264", "libsvtav1": "av1"}[codec]
    _declare(source, codec=name, **({"crf": int(options["crf"])} if stated else {}))
    roboreel.write(roboreel.open(source).resample(15), out=tmp_path / "out")
    assert _frames(tmp_path / "out") == [list(range(0, 90, 2))]
    (written,) = (tmp_path / "out").rglob("*.mp4")
    keys = _stream(written)[1]
    assert max(np.diff([*keys, 45])) <= min(int(options["g"]), 30)
    assert 0.3 < _bytes(tmp_path / "out") / _bytes(source) < 1.5  # h264 took 2.9 at crf 18, g 2
    facts = roboreel.open(tmp_path / "out").features[TOP].video_facts
    assert facts["video.codec"] == name
    assert facts["video.g"] <= min(int(options["g"]), 30)
    assert isinstance(facts["video.crf"], (int, float))
    assert roboreel.check(tmp_path / "out").problems == ()


@pytest.mark.parametrize("entry", ["h264", "av1"])
def test_every_executor_encodes_the_same_bytes(tmp_path: Path, entry: Any) -> None:
    camera = {TOP: Camera(codec=entry, height=32, gop=12)}
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(14, 9), cameras=camera)
    seen = []
    executors: tuple[ExecutorName, ...] = ("serial", "thread", "process")
    for executor in executors:
        view = roboreel.open(source).trim({0: (3, 12)}).resample(20)
        roboreel.write(view, out=tmp_path / executor, executor=executor, workers=2)
        seen.append(oracle.tree_digest(tmp_path / executor))
    assert seen[0] == seen[1] == seen[2]


def test_mpeg4_is_resampled_in_one_step(mpeg4: Path, tmp_path: Path) -> None:
    view = roboreel.open(mpeg4).resample(15)
    with pytest.raises(PlanError, match="'mp4v' has no encoder here: pass vcodec="):
        roboreel.plan_write(view, out=tmp_path / "out")
    view = view.with_target(reencoding=Reencoding(vcodec="h264"))
    roboreel.write(view, out=tmp_path / "out")
    assert _frames(tmp_path / "out") == [[0, 2, 4, 6, 8], [0, 2, 4]]
    assert [_stream(path)[0] for path in (tmp_path / "out").rglob("*.mp4")] == ["h264", "h264"]
    assert roboreel.open(tmp_path / "out").features[TOP].video_facts["video.codec"] == "h264"
    assert roboreel.check(tmp_path / "out").problems == ()


def test_mpeg4_is_cut_in_one_step(mpeg4: Path, tmp_path: Path) -> None:
    view = roboreel.open(mpeg4).trim({0: (2, 8)})
    out = tmp_path / "out"
    for allowed, advice in (
        (False, 'pass allow_reencode=True and vcodec="h264"'),
        (True, "pass vcodec="),
    ):
        with pytest.raises(PlanError, match=advice) as caught:
            roboreel.plan_write(view.with_target(allow_reencode=allowed), out=out)
        assert "'mp4v' has no encoder here" in str(caught.value.problems[0])
    asked = Reencoding(vcodec="h264", crf=20)
    with pytest.raises(PlanError, match="pass allow_reencode=True to re-encode"):
        roboreel.plan_write(view.with_target(reencoding=asked), out=out)
    roboreel.write(view.with_target(allow_reencode=True, reencoding=asked), out=out)
    assert _frames(out) == [[2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5]]
    # a camera's videos stay alike: the other episode is encoded too
    assert [_stream(path)[0] for path in out.rglob("*.mp4")] == ["h264", "h264"]
    assert roboreel.check(out).problems == ()


def test_a_cut_is_encoded_as_asked_and_the_others_are_copied(tmp_path: Path) -> None:
    camera = {TOP: Camera(height=32, gop=6)}
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(12, 9), cameras=camera)
    view = roboreel.open(source).trim({0: (2, 11)})
    asked = Reencoding(crf=21, g=3, preset="superfast")
    plan = roboreel.plan_write(
        view.with_target(allow_reencode=True, reencoding=asked), out=tmp_path / "out"
    )
    (op,) = (op for op in plan.ops if isinstance(op, EncodeVideo))
    assert {name: op.encoder[name] for name in ("codec", "crf", "g", "preset")} == {
        "codec": "libx264", "crf": "21", "g": "3", "preset": "superfast",
    }  # fmt: skip
    roboreel.run(plan)
    assert episode_video(tmp_path / "out", TOP, 1).read_bytes() == (
        episode_video(source, TOP, 1).read_bytes()
    )


def test_settings_without_effect_are_refused(tmp_path: Path) -> None:
    camera = {TOP: Camera(height=32)}
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(4, 3), cameras=camera)
    asked = Reencoding(vcodec="hevc", fast_decode=1)
    view = roboreel.open(source).delete([0]).with_target(reencoding=asked)
    says = r"--vcodec hevc --fast-decode 1 would have no effect.*`roboreel encode SRC --vcodec hevc"
    with pytest.raises(PlanError, match=says):
        roboreel.plan_write(view, out=tmp_path / "out")
    with pytest.raises(PlanError, match="would have no effect"):
        roboreel.plan_convert(source, to="v2.1", out=tmp_path / "out", reencoding=asked)
    allowed = view.with_target(allow_reencode=True, reencoding=asked)  # where it is needed
    assert roboreel.write(allowed, out=tmp_path / "out").frames_encoded == 0


def test_videos_of_two_codecs_each_keep_theirs(tmp_path: Path) -> None:
    parts = []
    codecs: tuple[Any, ...] = ("h264", "av1")
    for codec in codecs:
        camera = {TOP: Camera(codec=codec, height=32)}
        folder = make_dataset(tmp_path / codec, version="v3.0", episodes=(6,), cameras=camera)
        parts.append(roboreel.open(folder))
    out = tmp_path / "out"
    roboreel.write(roboreel.concat(parts).resample(15), out=out)
    assert _frames(out) == [[0, 2, 4], [0, 2, 4]]
    found = {_stream(path)[0] for path in out.rglob("*.mp4")}
    assert found == {"h264", "libdav1d"} or found == {"h264", "av1"}
    one = tmp_path / "one"
    asked = Reencoding(vcodec="h264")
    roboreel.write(roboreel.concat(parts).resample(15).with_target(reencoding=asked), out=one)
    assert {_stream(path)[0] for path in one.rglob("*.mp4")} == {"h264"}
    assert roboreel.check(one).problems == ()


def test_auto_is_resolved_before_planning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "roboreel.ops.inputs.encoder_that_works", lambda settings: len(settings) - 1
    )
    camera = {TOP: Camera(height=32)}
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(4,), cameras=camera)
    view = roboreel.open(source).resample(15).with_target(reencoding=Reencoding(vcodec="auto"))
    plan = roboreel.plan_write(view, out=tmp_path / "out")
    (op,) = (op for op in plan.ops if isinstance(op, EncodeVideo))
    assert op.encoder["codec"] == "libsvtav1"


def test_images_need_a_pixel_format(tmp_path: Path) -> None:
    camera = {TOP: Camera(height=32, storage="image")}
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(4,), cameras=camera)
    view = roboreel.open(source).encode({TOP: roboreel.Encoding(pix_fmt=None)})
    with pytest.raises(PlanError, match="name a pixel format"):
        roboreel.plan_write(view, out=tmp_path / "out")


def test_depth_stays_lossless_whatever_is_asked(tmp_path: Path) -> None:
    camera = {TOP: Camera(height=32, gop=2)}
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(4,), cameras=camera)
    (path,) = source.rglob("*.mp4")
    _again(path, "libx265", **{"x265-params": "log-level=none:lossless=1"})
    _declare(source, codec="hevc", is_depth_map=True)
    view = roboreel.open(source).resample(15)
    view = view.with_target(reencoding=Reencoding(vcodec="h264", crf=40))
    (op,) = (
        op
        for op in roboreel.plan_write(view, out=tmp_path / "out").ops
        if isinstance(op, EncodeVideo)
    )
    assert op.encoder["codec"] == "libx265"
    assert "lossless=1" in op.encoder["x265-params"]
