"""Uids of datasets that lerobot wrote, deleted from, merged and encoded itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import roboreel


@pytest.mark.parametrize("release", ["0.4.4", "0.6.1"])
def test_lerobots_own_edits_keep_the_derived_uids(
    untouched: Callable[[str], Path], release: str
) -> None:
    uids = {
        name: roboreel.open(untouched(f"by_lerobot/v3.0-lerobot-{release}-{name}")).uids()
        for name in ("av1", "av1-many-files", "image", "deleted", "merged")
    }
    assert uids["av1-many-files"] == uids["image"] == uids["av1"]
    assert set(uids["deleted"]) < set(uids["av1"])
    assert set(uids["merged"]) > set(uids["av1"])


@pytest.mark.parametrize(
    "name", ["cr5_v21_av1_first20", "gr00t_robot_sim_PickNPlace_v20", "so101_rosbag_v30"]
)
def test_a_written_view_file_keeps_uids(
    untouched: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    dataset = roboreel.open(untouched(name))
    dataset.delete([0]).trim({1: (2, None)}).save(tmp_path / "a.view.json")
    view = roboreel.open_view(tmp_path / "a.view.json").with_target(
        allow_reencode=True, allow_missing=dataset.missing_cameras
    )
    roboreel.write(view, out=tmp_path / "out", workers=2)
    made = roboreel.open(tmp_path / "out")
    assert made.uids() == view.uids() == dataset.uids()[1:]
    rows = made.lineage().to_pylist()
    assert [row["source_episode"] for row in rows] == list(range(1, dataset.total_episodes))
    assert rows[1]["source_start"] == 2
