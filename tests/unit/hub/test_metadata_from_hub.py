"""Metadata of datasets that only the Hub has, by the real client."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from roboreel.hub.versions import BackwardCompatibilityError
from roboreel.testing import Version, make_dataset
from roboreel.torch import dataset_metadata
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata
from tests.hub_server import HubServer, folder_files


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(dataset_metadata, "HF_LEROBOT_HOME", tmp_path / "home")
    monkeypatch.setattr(dataset_metadata, "HF_LEROBOT_HUB_CACHE", tmp_path / "home/hub")
    return tmp_path / "home"


def _put(hub: HubServer, folder: Path, version: Version, tags: Iterable[str]) -> None:
    made = make_dataset(folder / "source", version=version, episodes=(2, 3), cameras={})
    hub.add("user/name", folder_files(made), tags=tags)


@pytest.mark.parametrize(
    ("version", "tags", "revision"),
    [
        ("v3.0", ["v3.0", "v2.1"], "v3.0"),
        ("v2.1", ["v2.1", "v2.0"], "v2.1"),
        ("v3.0", [], "main"),
    ],
)
def test_the_newest_readable_version_is_taken(
    version: Version, tags: list[str], revision: str, hub: HubServer, home: Path, tmp_path: Path
) -> None:
    _put(hub, tmp_path, version, tags)
    meta = LeRobotDatasetMetadata("user/name")
    assert meta.revision == revision
    assert meta.root.is_relative_to(home / "hub")
    assert meta.episodes["length"] == [2, 3]
    assert not (meta.root / "data").exists()


def test_a_folder_of_the_users_is_filled_and_then_enough(
    hub: HubServer, home: Path, tmp_path: Path
) -> None:
    _put(hub, tmp_path, "v2.1", ["v2.1"])
    LeRobotDatasetMetadata("user/name", root=tmp_path / "own")
    hub.forget()
    again = LeRobotDatasetMetadata("user/name", root=tmp_path / "own")
    assert (again.total_episodes, again.revision) == (2, "v2.1")
    assert not hub.asked


def test_a_version_that_was_asked_for_and_is_not_there_is_refused(
    hub: HubServer, home: Path, tmp_path: Path
) -> None:
    _put(hub, tmp_path, "v2.1", ["v2.1"])
    with pytest.raises(BackwardCompatibilityError, match=r"v2\.1, which is older than requested"):
        LeRobotDatasetMetadata("user/name", revision="v3.0")
