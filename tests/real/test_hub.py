"""Real datasets, pulled from a Hub on this machine by the real client: whole, and two episodes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import roboreel
from tests.hub_client import only_hub
from tests.hub_server import HubServer, folder_files

NAMES = [
    "by_lerobot/v2.0-from-0.3.3-h264",
    "by_lerobot/v2.1-lerobot-0.3.3-av1",
    "by_lerobot/v3.0-lerobot-0.4.4-av1-many-files",
    "by_lerobot/v3.0-lerobot-0.4.4-merged",
    "by_lerobot/v3.0-lerobot-0.6.1-av1-many-files",
    "by_lerobot/v3.0-lerobot-0.6.1-deleted",
    "by_lerobot/v3.0-lerobot-0.6.1-image",
    "gr00t_robot_sim_PickNPlace_v20",
    "koch_screwdriver_v21_novideo",
    "pusht_image_slice_v30",
    "so101_rosbag_v30",
    "sweep_franka_v20_h264",
]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with only_hub(monkeypatch, tmp_path) as server:
        yield server


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_pull_has_the_bytes_of_the_source(
    hub: HubServer, untouched: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    files = folder_files(untouched(name))
    hub.add("user/name", files)
    roboreel.pull("user/name", tmp_path / "out")
    pulled = folder_files(tmp_path / "out")
    assert {n: d for n, d in pulled.items() if not n.startswith(".cache/")} == files


@pytest.mark.parametrize("name", NAMES)
def test_two_pulled_episodes_read_offline_as_those_of_the_source(
    hub: HubServer,
    untouched: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    source = untouched(name)
    hub.add("user/name", source)
    whole = roboreel.open(source)
    numbers = whole.episodes["episode_index"].to_pylist()
    wanted = [numbers[0], numbers[-1]] if len(numbers) > 1 else numbers
    report = roboreel.pull("user/name", tmp_path / "out", episodes=wanted)
    assert report.fetched_bytes == hub.sent()
    hub.forget()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    part = roboreel.open(tmp_path / "out")
    cameras = [name for name in whole.cameras if name not in whole.missing_cameras]
    ours, theirs = (
        roboreel.reader(
            one.keep(wanted), cameras=None if len(cameras) == len(whole.cameras) else cameras
        )
        for one in (part, whole)
    )
    assert len(ours) == len(theirs)
    for row in {0, len(ours) // 2, len(ours) - 1}:
        for key, value in theirs[row].items():
            np.testing.assert_array_equal(ours[row][key], value)
    assert not hub.asked
