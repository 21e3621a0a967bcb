"""Every real dataset is repaired, or there is nothing to repair; rows and frames stay what they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import roboreel
from roboreel import RepairChoices
from tests.judge import differences, sound
from tests.mutate import copied
from tests.oracle import Reading, read
from tests.real.test_conversion import ADDED, BY_LEROBOT, FOUND_IN_PUBLIC, WITHOUT_VIDEOS
from tests.unit.repair.damage import killed

SOUND = {
    "pusht_image_slice_v30",
    "by_lerobot/v2.0-from-0.3.3-h264",
    "by_lerobot/v2.1-lerobot-0.3.3-av1",
    "by_lerobot/v2.1-lerobot-0.3.3-h264",
    "by_lerobot/v3.0-lerobot-0.6.1-av1",
    "by_lerobot/v3.0-lerobot-0.6.1-av1-many-files",
    "by_lerobot/v3.0-lerobot-0.6.1-h264",
    "by_lerobot/v3.0-lerobot-0.6.1-image",
}
"""Sets of which nothing can be repaired."""
NAMES = (*FOUND_IN_PUBLIC, *(f"by_lerobot/{name}" for name in BY_LEROBOT))
LEFT = {
    "gr00t_robot_sim_PickNPlace_v20": {"feature.component", "task.rows"},
    "sweep_franka_v20_h264": {"task.duplicate", "task.rows", "table.list-of-one"},
    "so101_rosbag_v30": {"feature.frozen"},
    "by_lerobot/v3.0-lerobot-0.4.4-merged": {"episode.duplicate"},
    "by_lerobot/v3.0-lerobot-0.6.1-merged": {"episode.duplicate"},
}
"""Rules of what nobody can repair unasked."""


@pytest.mark.parametrize("name", NAMES)
def test_a_repaired_dataset_has_no_error_and_the_same_content(
    untouched: Callable[[str], Path],
    reading: Callable[[str], Reading],
    tmp_path: Path,
    name: str,
) -> None:
    choices = RepairChoices(drop_missing_cameras=True)
    report = roboreel.repair(untouched(name), out=tmp_path / "out", choices=choices)
    assert report.ok
    assert {step.rule for step in report.left} == LEFT.get(name, set())
    assert (report.out is None) == (name in SOUND)
    if report.out is not None:
        assert (
            differences(reading(name), read(sound(tmp_path / "out")), added=ADDED.get(name, ()))
            == []
        )


def test_a_set_without_its_videos_is_refused_with_the_choice(
    untouched: Callable[[str], Path], tmp_path: Path
) -> None:
    root = untouched(WITHOUT_VIDEOS)
    with pytest.raises(roboreel.DatasetError, match="the videos are missing"):
        roboreel.repair(root, out=tmp_path / "out")
    assert not list(tmp_path.iterdir())
    report = roboreel.repair(
        root, out=tmp_path / "out", choices=RepairChoices(drop_missing_cameras=True)
    )
    assert report.ok
    assert roboreel.open(tmp_path / "out").cameras == ()


@pytest.mark.parametrize("torn", [0, 40])
@pytest.mark.parametrize(
    "name", [n for n in BY_LEROBOT if n.startswith("v3.0-lerobot-0.6.1") and "deleted" not in n]
)
def test_what_a_killed_recorder_leaves_of_it_comes_back(
    untouched: Callable[[str], Path], tmp_path: Path, name: str, torn: int
) -> None:
    source = untouched(f"by_lerobot/{name}")
    root = killed(copied(source, tmp_path / "killed"), torn=torn)
    report = roboreel.repair(root, out=tmp_path / "out")
    assert report.ok
    whole = len(roboreel.open(tmp_path / "out").episodes)
    assert whole == len(roboreel.open(source).episodes) - (1 if torn else 0)
    pairs = [(number, number) for number in range(whole)]
    assert roboreel.diff(source, tmp_path / "out", episodes=pairs).same
