"""Whatever the dataset: every kept frame exactly once, and its numbers right, there and back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import strategies as st

import roboreel
from roboreel.testing import Camera, Version, make_dataset
from tests.examples import examples
from tests.judge import differences, faults, sound
from tests.oracle import Reading, read, tree_digest

VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")
FPS = (30, 29.97, 10, 30.0)
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=5).map(tuple)
SMALL_MB = st.sampled_from([None, 0.0005, 0.004])


@st.composite
def cameras(draw: st.DrawFn, *, encoded: bool = False) -> dict[str, Camera]:
    """One or two small cameras."""
    count = draw(st.integers(1, 2))
    return {
        f"observation.images.{name}": Camera(
            height=draw(st.sampled_from([32, 48])),
            codec=draw(st.sampled_from(["h264", "h264", "av1"])),
            gop=250 if encoded else draw(st.sampled_from([1, 2, 5, 250])),
            b_frames=draw(st.sampled_from([0, 2])),
            join="encoded" if encoded else "packets",
        )
        for name in ("top", "wrist")[:count]
    }


@st.composite
def arguments(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `make_dataset`."""
    version = draw(st.sampled_from(VERSIONS))
    chosen: dict[str, Any] = {
        "version": version,
        "episodes": draw(LENGTHS),
        "cameras": draw(cameras()),
        "fps": draw(st.sampled_from(FPS)),
        "features": draw(st.sampled_from(["basic", "rich"])),
        "tasks_per_episode": draw(st.integers(1, 2)),
        "chunks_size": draw(st.sampled_from([1, 2, 1000])),
        "seed": draw(st.integers(0, 3)),
    }
    if version == "v3.0":
        chosen["data_episodes_per_file"] = draw(st.sampled_from([None, 1, 2]))
        chosen["video_episodes_per_file"] = draw(st.sampled_from([None, 1, 2]))
    return chosen


def _numbered(reading: Reading, features: dict[str, Camera]) -> list[str]:
    """Rows whose pictures say another frame, episode or camera than theirs."""
    return [
        f"episode {at}, {camera}"
        for at, episode in enumerate(reading.episodes)
        for number, camera in enumerate(features)
        if reading.numbers(episode, camera)
        != [(frame, at, number) for frame in episode.rows["frame_index"].to_pylist()]
    ]


@examples(short=6, long=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    made=arguments(),
    chain=st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=2),
    data_mb=SMALL_MB,
    video_mb=SMALL_MB,
)
def test_any_chain_of_versions_and_back_keeps_everything(
    made: dict[str, Any], chain: list[Version], data_mb: float | None, video_mb: float | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = make_dataset(Path(folder) / "source", **made)
        source, before, place = read(root), tree_digest(root), root
        for step, version in enumerate([*chain, made["version"]]):
            out = Path(folder) / f"{step}-{version}"
            report = roboreel.convert(
                place, to=version, out=out, data_file_mb=data_mb, video_file_mb=video_mb
            )
            # v2.0 as made here has statistics of the drawn pictures, not of the encoded ones
            assert {problem.rule for problem in report.problems} <= {"stats.agree"}
            assert report.frames_encoded == 0
            result = read(sound(out))
            assert faults(result) == []
            assert differences(source, result) == []
            assert _numbered(result, made["cameras"]) == []
            place = out
        event(f"{made['version']} through {len(chain)}")
        assert tree_digest(root) == before


@examples(short=3, long=15, suppress_health_check=[HealthCheck.too_slow])
@given(
    episodes=LENGTHS,
    chosen=cameras(encoded=True),
    fps=st.sampled_from(FPS),
    per_file=st.sampled_from([None, 2]),
    video_mb=st.sampled_from([0.0002, 0.002, None]),
)
def test_cuts_inside_gops_are_lossless_in_v30_and_refused_in_v2(
    episodes: tuple[int, ...],
    chosen: dict[str, Camera],
    fps: float,
    per_file: int | None,
    video_mb: float | None,
) -> None:
    chosen = {**chosen, "plain": Camera(height=32)}
    with tempfile.TemporaryDirectory() as folder:
        root = make_dataset(
            Path(folder) / "source",
            version="v3.0",
            episodes=episodes,
            cameras=chosen,
            fps=fps,
            video_episodes_per_file=per_file,
        )
        source = read(root)
        place = root
        for step in range(2):  # what stays hidden in a file must not grow into episodes
            out = Path(folder) / f"{step}"
            roboreel.convert(place, to="v3.0", out=out, video_file_mb=video_mb)
            assert faults(read(out)) == []
            assert differences(source, read(out)) == []
            place = out
        _check_v2(source, place, Path(folder) / "v2.1", chosen)


def _check_v2(source: Reading, place: Path, out: Path, chosen: dict[str, Camera]) -> None:
    """Where episodes start inside GOPs: refused with all of them named, or re-encoded, they only."""
    try:
        report = roboreel.convert(place, to="v2.1", out=out)
        cut: set[tuple[int, str]] = set()
        assert report.frames_encoded == 0
    except roboreel.PlanError as error:
        cut = {(p.episode or 0, p.column or "") for p in error.problems}
        assert not out.exists()
        report = roboreel.convert(place, to="v2.1", out=out, allow_reencode=True)
    assert "plain" not in {camera for _, camera in cut}
    assert report.frames_encoded == sum(source.episodes[at].length for at, _ in cut)
    result = read(sound(out))
    assert faults(result) == []
    assert differences(source, result, reencoded=cut) == []
    assert _numbered(result, chosen) == []


def test_every_camera_that_is_cut_inside_gops_is_named(tmp_path: Path) -> None:
    long = Camera(height=32, gop=250, join="encoded")
    root = make_dataset(
        tmp_path / "a", version="v3.0", episodes=(4, 3), cameras={"left": long, "right": long}
    )
    with pytest.raises(roboreel.PlanError, match="allow_reencode=True") as caught:
        roboreel.convert(root, to="v2.1", out=tmp_path / "out")
    assert {problem.column for problem in caught.value.problems} == {"left", "right"}
