"""What is odd about the real datasets is in their reports, and nothing is in those of sound ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import roboreel
from roboreel.errors import Severity
from tests.real.test_conversion import MISSING

StatsKey = Callable[[str], Path]

TOP, WRIST = "observation.images.top", "observation.images.wrist"
CLEAN = (
    "pusht_image_slice_v30",
    "by_lerobot/v2.0-from-0.3.3-h264",
    "by_lerobot/v2.1-lerobot-0.3.3-av1",
    "by_lerobot/v2.1-lerobot-0.3.3-h264",
    "by_lerobot/v3.0-lerobot-0.6.1-av1",
    "by_lerobot/v3.0-lerobot-0.6.1-av1-many-files",
    "by_lerobot/v3.0-lerobot-0.6.1-h264",
    "by_lerobot/v3.0-lerobot-0.6.1-image",
)
RECORDED_BY_044 = (
    "by_lerobot/v3.0-lerobot-0.4.4-av1",
    "by_lerobot/v3.0-lerobot-0.4.4-av1-many-files",
    "by_lerobot/v3.0-lerobot-0.4.4-image",
)
EDITED = (
    "by_lerobot/v3.0-lerobot-0.4.4-deleted",
    "by_lerobot/v3.0-lerobot-0.4.4-merged",
    "by_lerobot/v3.0-lerobot-0.6.1-deleted",
    "by_lerobot/v3.0-lerobot-0.6.1-merged",
)


class Oddity(NamedTuple):
    """A problem that a report must have."""

    severity: Severity
    rule: str
    says: str


GR00T, SWEEP = "gr00t_robot_sim_PickNPlace_v20", "sweep_franka_v20_h264"
CR5, SO101, KOCH = "cr5_v21_av1_first20", "so101_rosbag_v30", "koch_screwdriver_v21_novideo"
ODDITIES = {
    GR00T: [
        Oddity("error", "table.timestamps", "0.05 s away"),
        Oddity("error", "info.path-template", "chunk-{episode_index:03d}"),
        Oddity("error", "video.missing", "observation.images.egoview"),
        Oddity("warning", "info.totals", "'total_videos' is 2"),
        Oddity("warning", "info.totals", "'total_chunks' is 0"),
        Oddity("warning", "info.splits", "0:100"),
        Oddity("warning", "table.index-columns", "frame_index"),
        Oddity("warning", "stats.missing", "observation.images.ego_view"),
        Oddity("note", "task.rows", "'valid'"),
        Oddity("note", "feature.component", "action"),
        Oddity("note", "feature.component", "observation.state"),
    ],
    SWEEP: [
        Oddity("warning", "info.totals", "'total_frames' is 181814"),
        Oddity("warning", "info.splits", "None"),
        Oddity("warning", "feature.undeclared", "state.gripper"),
        Oddity("warning", "task.duplicate", "[0, 1]"),
        Oddity("warning", "task.unlisted", "broom"),
        Oddity("note", "task.rows", "broom"),
        Oddity("warning", "task.rows", "which the episode does not list"),
        Oddity("warning", "table.list-of-one", "action.gripper"),
        Oddity("warning", "table.index-columns", "frame_index"),
        Oddity("warning", "stats.agree", "larger dataset"),
        Oddity("warning", "stats.numbering", "(index)"),
        Oddity("warning", "stats.missing", "video.base_view"),
    ],
    CR5: [Oddity("error", "table.timestamps", "away from k / fps (k: frame number) (episode 0")],
    SO101: [
        Oddity("warning", "feature.frozen", "(observation.state)"),
        Oddity("warning", "feature.frozen", "(action)"),
        Oddity("error", "stats.camera-overflow", "observation.images.wrist"),
        Oddity("warning", "stats.std-rounding", "(observation.state)"),
        Oddity("warning", "stats.std-rounding", "(action)"),
    ],
    KOCH: [
        Oddity("error", "video.missing", f"observation.images.{camera}")
        for camera in ("screwdriver", "side", "top")
    ]
    + [Oddity("warning", "info.totals", "'total_videos' is 15")],
}


@pytest.mark.parametrize("name", CLEAN)
def test_sound_datasets_have_no_problem_by_pictures_neither(untouched: StatsKey, name: str) -> None:
    report = roboreel.check(untouched(name), decode=True)
    assert report.problems == ()
    assert report.ok
    assert report.rows > 0
    assert report.pictures > 0


@pytest.mark.parametrize("name", ODDITIES)
def test_what_is_odd_is_said_and_nothing_else(untouched: StatsKey, name: str) -> None:
    found = [(p.severity, p.rule, str(p)) for p in roboreel.check(untouched(name)).problems]
    for severity, rule, says in ODDITIES[name]:
        assert any((s, r) == (severity, rule) and says in text for s, r, text in found), says
    assert {(s, r) for s, r, _ in found} == {(o.severity, o.rule) for o in ODDITIES[name]}


def test_every_episode_with_a_clock_of_its_own_is_named(untouched: StatsKey) -> None:
    found = roboreel.check(untouched(CR5)).problems
    assert [p.episode for p in found] == list(range(20))


@pytest.mark.parametrize("name", RECORDED_BY_044)
def test_the_camera_std_of_044_is_named_and_nothing_else(untouched: StatsKey, name: str) -> None:
    report = roboreel.check(untouched(name), decode=True)
    cameras = (TOP,) if name.endswith("image") else (TOP, WRIST)
    wanted = [(c, e) for c in cameras for e in (None, *range(6))]
    found = [(p.column, p.episode) for p in report.problems]
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert {(p.rule, p.severity) for p in report.problems} == {("stats.camera-overflow", "error")}
    assert "0.4.0 to 0.5.1" in str(report.problems[0])


@pytest.mark.parametrize("name", EDITED)
def test_edited_sets_have_the_bugs_of_their_tools_only(untouched: StatsKey, name: str) -> None:
    report = roboreel.check(untouched(name), decode=True)
    wanted = {"stats.numbering"}
    wanted |= {"stats.camera-overflow"} if "0.4.4" in name else set()
    wanted |= {"episode.duplicate"} if name.endswith("merged") else set()
    assert {p.rule for p in report.problems} == wanted
    numbered = {p.column for p in report.problems if p.rule == "stats.numbering"}
    assert {"index", "episode_index"} <= numbered <= {"index", "episode_index", "task_index"}
    assert report.ok == ("0.6.1" in name)


@pytest.mark.parametrize("name", [GR00T, SWEEP, CR5, SO101, *CLEAN])
def test_what_a_conversion_repairs_is_repaired(
    untouched: StatsKey, tmp_path: Path, name: str
) -> None:
    """What is left is what a conversion does not touch: the numbers and what they are said to be."""
    lacks = MISSING.get(name, ())
    roboreel.convert(untouched(name), to="v3.0", out=tmp_path / "out", allow_missing=lacks)
    left = {
        SO101: {"feature.frozen", "stats.camera-overflow", "stats.std-rounding"},
        GR00T: {"feature.component", "task.rows"},
        SWEEP: {"task.duplicate", "task.rows"},
    }
    report = roboreel.check(tmp_path / "out", decode=True)
    assert {p.rule for p in report.problems} == left.get(name, set())
