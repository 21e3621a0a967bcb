"""The drop-in `LeRobotDataset` from a Hub: it downloads what it needs, in every version."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import roboreel
from roboreel.testing import make_dataset
from roboreel.torch import LeRobotDataset
from roboreel.torch.sources.hub_calls import create_branch, create_lerobot_dataset_card
from tests.hub_server import HubServer, folder_files

# how the client itself uploads parts: httpx2 deprecates it
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


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


def test_push_to_hub_and_back(hub: HubServer, v30: Path, tmp_path: Path) -> None:
    theirs = LeRobotDataset("user/name", root=v30)
    theirs.push_to_hub(tags=["cups"], license="mit", dataset_description="Cups in a row.")
    repo = hub.repos["user/name"]
    assert repo.tags["v3.0"] == repo.branches["main"]
    card = repo.commits[repo.branches["main"]]["README.md"].decode()
    assert "license: mit" in card
    assert "- cups" in card
    assert "Cups in a row." in card
    ours = LeRobotDataset("user/name", root=tmp_path / "own")
    for key, value in theirs[15].items():
        assert (
            torch.equal(ours[15][key], value) if torch.is_tensor(value) else ours[15][key] == value
        )


def test_push_to_hub_of_a_part(hub: HubServer, v21: Path) -> None:
    dataset = LeRobotDataset("user/name", root=v21)
    dataset.push_to_hub(
        branch="meta", allow_patterns="meta/", tag_version=False, push_videos=False, private=False
    )
    repo = hub.repos["user/name"]
    pushed = set(repo.commits[repo.branches["meta"]]) - {".gitattributes"}
    assert pushed == {name for name in folder_files(v21) if name.startswith("meta/")}
    assert not repo.tags


def test_a_branch_is_made_anew(hub: HubServer, v21: Path) -> None:
    hub.add("user/name", {"a": b"1"})
    hub.add("user/name", {"b": b"2"}, branch="side")
    create_branch("user/name", branch="side", repo_type="dataset")
    repo = hub.repos["user/name"]
    assert repo.branches["side"] == repo.branches["main"]


def test_a_card_from_what_info_json_says() -> None:
    card = create_lerobot_dataset_card(
        tags=["so101"], dataset_info={"codebase_version": "v3.0"}, license="mit", paper="a paper"
    )
    assert card.data.license == "mit"
    assert card.data.tags == ["LeRobot", "so101"]
    assert '"codebase_version": "v3.0"' in card.text
    assert "a paper" in card.text


def test_convert_dataset_of_a_repository_pushes_what_changed(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_LEROBOT_HOME", str(tmp_path / "home"))
    source = make_dataset(tmp_path / "source", version="v2.0", episodes=(5, 6))
    before = hub.add("user/name", source, tags=["v2.0"])
    hub.forget()
    roboreel.convert_dataset("user/name", push_to_hub=True, num_workers=1, use_process_pool=False)
    repo = hub.repos["user/name"]
    after = repo.commits[repo.branches["main"]]
    changed = {n for n, data in after.items() if repo.commits[before].get(n) != data}
    assert not [name for name in changed if name.endswith(".mp4")]
    assert "meta/stats.json" not in after
    assert "meta/episodes_stats.jsonl" in after
    assert repo.tags == {"v2.0": before, "v2.1": repo.branches["main"]}
    assert roboreel.open("user/name").version == "v2.1"
