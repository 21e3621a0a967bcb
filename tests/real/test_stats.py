"""Every statistic of the real datasets is that of the values, or differs for a known reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import roboreel

StatsKey = Callable[[str], Path]

FOUND = (
    *("cr5_v21_av1_first20", "gr00t_robot_sim_PickNPlace_v20", "koch_screwdriver_v21_novideo"),
    *("pusht_image_slice_v30", "so101_rosbag_v30", "sweep_franka_v20_h264"),
)
RECORDED = tuple(
    f"by_lerobot/{name}"
    for name in (
        "v2.0-from-0.3.3-h264",
        "v2.1-lerobot-0.3.3-av1",
        "v2.1-lerobot-0.3.3-h264",
        "v3.0-lerobot-0.4.4-av1",
        "v3.0-lerobot-0.4.4-av1-many-files",
        "v3.0-lerobot-0.4.4-deleted",
        "v3.0-lerobot-0.4.4-image",
        "v3.0-lerobot-0.4.4-merged",
        "v3.0-lerobot-0.6.1-av1",
        "v3.0-lerobot-0.6.1-av1-many-files",
        "v3.0-lerobot-0.6.1-deleted",
        "v3.0-lerobot-0.6.1-h264",
        "v3.0-lerobot-0.6.1-image",
        "v3.0-lerobot-0.6.1-merged",
    )
)
WITHOUT_VIDEO = "koch_screwdriver_v21_novideo"


@pytest.mark.parametrize("name", [*FOUND, *RECORDED])
def test_every_difference_is_explained(untouched: StatsKey, name: str) -> None:
    cameras = "none" if name == WITHOUT_VIDEO else "sample"
    report = roboreel.check_stats(untouched(name), cameras=cameras)  # type: ignore[arg-type]
    assert [one for one in report.differences if one.why is None] == []
    assert report.failed == ()
    assert report.ok
    features = roboreel.open(untouched(name)).features
    numeric = {n for n, f in features.items() if f.is_numeric}
    assert {"action"} & numeric <= set(report.compared)
    assert len(numeric & set(report.compared)) >= len(numeric) - 1  # a column that no table has


@pytest.mark.parametrize("name", [n for n in RECORDED if "0.4.4" in n])
def test_the_camera_std_of_044_is_named(untouched: StatsKey, name: str) -> None:
    report = roboreel.check_stats(untouched(name))
    named = [one for one in report.differences if one.rule == "stats.camera-overflow"]
    cameras = {n for n, f in roboreel.open(untouched(name)).features.items() if f.is_camera}
    episodes = roboreel.open(untouched(name)).total_episodes
    for camera in cameras:
        own = [one for one in named if one.feature == camera]
        assert sorted(len(one.episodes or ()) for one in own) == [0, episodes]
        assert all("0.4.0 to 0.5.1" in str(one.why) for one in own)
    assert {one.feature for one in named} == cameras


@pytest.mark.parametrize("name", [n for n in RECORDED if n.endswith(("merged", "deleted"))])
def test_numbers_from_before_an_edit_are_named(untouched: StatsKey, name: str) -> None:
    report = roboreel.check_stats(untouched(name))
    numbered = {one.feature for one in report.differences if one.rule == "stats.numbering"}
    assert {"index", "episode_index"} <= numbered <= {"index", "episode_index", "task_index"}


@pytest.mark.parametrize("name", [n for n in RECORDED if n.endswith(("0.6.1-av1", "0.4.4-av1"))])
def test_like_lerobot_is_like_lerobot(untouched: StatsKey, tmp_path: Path, name: str) -> None:
    source = roboreel.open(untouched(name))
    view = source.recompute(cameras="none", like="lerobot-0.6.1")
    roboreel.write(view, out=tmp_path / "out")
    result = roboreel.open(tmp_path / "out")
    pairs = [(source.stats(), result.stats())]
    own = zip(source.episode_stats(), result.episode_stats(), strict=True)
    pairs += [(before, after) for (_, before), (_, after) in own]
    numeric = [n for n, f in source.features.items() if f.is_numeric]
    assert len(pairs) == 7
    for before, after in pairs:
        for feature in numeric:
            assert before[feature].keys() == after[feature].keys()
            # the recorder has timestamps in float64, the table has them in float32
            far = 1e-4 if feature == "timestamp" else 1e-6
            for key, values in before[feature].items():
                np.testing.assert_allclose(
                    after[feature][key], values, rtol=far, atol=far, err_msg=f"{feature} {key}"
                )


def test_videos_that_are_missing_are_a_failure(untouched: StatsKey) -> None:
    report = roboreel.check_stats(untouched(WITHOUT_VIDEO), cameras="sample")
    assert not report.ok
    assert report.failed
    assert "action" in report.compared


@pytest.mark.parametrize("name", ["by_lerobot/v3.0-lerobot-0.4.4-av1", "pusht_image_slice_v30"])
def test_recomputed_ones_differ_no_more(untouched: StatsKey, tmp_path: Path, name: str) -> None:
    source = roboreel.open(untouched(name))
    roboreel.write(source.recompute(), out=tmp_path / "out")
    report = roboreel.check_stats(tmp_path / "out", cameras="sample")
    assert report.differences == ()
    assert report.ok
    assert roboreel.diff(untouched(name), tmp_path / "out").differences == ()


@pytest.mark.parametrize("name", [n for n in RECORDED if "v3.0" in n])
def test_wrong_stds_are_told_when_they_are_carried(
    untouched: StatsKey, tmp_path: Path, name: str
) -> None:
    dataset = roboreel.open(untouched(name))
    cameras = {n for n, f in dataset.features.items() if f.is_camera}
    views = [dataset.as_view(), dataset.delete([0]), roboreel.concat([dataset, dataset])]
    for at, view in enumerate(views):
        found = roboreel.plan_write(view, out=tmp_path / f"{at}").problems
        told = [p for p in found if p.rule == "stats.camera-overflow"]
        assert {p.column for p in told} == (cameras if "0.4.4" in name else set())
        both = ",".join(sorted(cameras))
        assert all(f"--recompute --features {both} --in-place" in str(p.action) for p in told)
