"""The drop-in `LeRobotDataset` from a Hub: it downloads what it needs, in every version."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from roboreel.torch import LeRobotDataset
from tests.hub_server import HubServer


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_chosen_episodes_are_downloaded_into_a_root_and_read_as_those_of_the_source(
    hub: HubServer,
    v21: Path,
    v30: Path,
    tmp_path: Path,
    version: str,
) -> None:
    source = v21 if version == "v2.1" else v30
    hub.add("user/name", source, tags=[version])
    theirs = LeRobotDataset("user/name", root=source, episodes=[0, 1])
    ours = LeRobotDataset("user/name", root=tmp_path / "own", episodes=[0, 1])
    assert len(ours) == len(theirs)
    for key, value in theirs[15].items():
        assert (
            torch.equal(ours[15][key], value) if torch.is_tensor(value) else ours[15][key] == value
        )
    assert not any(name.endswith(("episode_000003.mp4", "file-003.mp4")) for name in hub.fetched())
    hub.forget()
    assert len(LeRobotDataset("user/name", root=tmp_path / "own", episodes=[0, 1])) == 21
    assert hub.sent() == 0
