"""`MultiLeRobotDataset`: lerobot's interface over several datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import roboreel.torch
from roboreel.torch.multi_dataset import MultiLeRobotDataset
from tests.unit.torch.items import Items

MADE: dict[str, dict[str, Any]] = {
    "me/a": {"frames": 5, "shapes": {"state": (3,), "x": (1,)}},
    "me/b": {"frames": 7, "shapes": {"state": (3,)}},
    "me/slow": {"frames": 7, "shapes": {"state": (3,)}, "fps": 10},
    "me/other": {"frames": 7, "shapes": {"pose": (3,)}},
}


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments with which datasets are made."""
    found: list[dict[str, Any]] = []

    def made(repo_id: str, **arguments: Any) -> Items:
        found.append(arguments)
        return Items(repo_id, **MADE[repo_id])

    monkeypatch.setitem(vars(roboreel.torch), "LeRobotDataset", made)
    return found


def test_datasets_are_read_one_after_another(caplog: pytest.LogCaptureFixture) -> None:
    multi = MultiLeRobotDataset(["me/a", "me/b"])

    assert (len(multi), multi.num_frames, multi.num_episodes) == (12, 12, 2)
    assert set(multi[6]) == {"state", "index", "task", "dataset_index"}
    assert (int(multi[6]["dataset_index"]), int(multi[6]["index"])) == (1, 1)
    assert [item["task"] for item in multi.__getitems__([11, 0])] == ["me/b", "me/a"]
    assert multi.disabled_features == {"x"}
    assert "left out because not all datasets have them: x" in caplog.text


def test_its_properties_are_those_of_lerobot() -> None:
    multi = MultiLeRobotDataset(["me/a", "me/b"])

    assert multi.repo_id_to_index == {"me/a": 0, "me/b": 1}
    assert multi.repo_index_to_id == {0: "me/a", 1: "me/b"}
    assert (multi.fps, multi.video, multi.camera_keys, multi.video_frame_keys) == (
        30,
        False,
        [],
        [],
    )
    assert multi.tolerance_s == pytest.approx(1 / 30 - 1e-4)
    assert multi.stats["state"]["count"].tolist() == [12]
    assert list(multi.features) == ["state", "index"]
    assert "num_frames=12" in repr(multi)


def test_arguments_reach_each_dataset(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    multi = MultiLeRobotDataset(
        ["me/a", "me/b"],
        tmp_path,
        {"me/b": [3]},
        tolerances_s={"me/a": 1e-3},
        download_videos=False,
    )

    assert [one["root"] for one in calls] == [tmp_path / "me" / "a", tmp_path / "me" / "b"]
    assert [one["episodes"] for one in calls] == [None, [3]]
    assert [one["tolerance_s"] for one in calls] == [1e-3, 1e-4]
    assert not any(one["download_videos"] for one in calls)
    assert multi.tolerances_s == {"me/a": 1e-3, "me/b": 1e-4}


def test_transforms_change_in_all_datasets() -> None:
    multi = MultiLeRobotDataset(["me/a", "me/b"])
    multi.set_image_transforms(abs)
    assert [one.transforms for one in multi._datasets] == [abs, abs]
    multi.clear_image_transforms()
    assert multi.image_transforms is None


def test_different_frame_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="'me/a' has 30 fps and 'me/slow' 10"):
        MultiLeRobotDataset(["me/a", "me/slow"])


def test_nothing_in_common_is_a_runtime_error() -> None:
    told = r"no feature in common.*MixedDataset\(\[a, b\], features='pad'\)"
    with pytest.raises(RuntimeError, match=told):
        MultiLeRobotDataset(["me/a", "me/other"])


def test_no_datasets_are_refused() -> None:
    with pytest.raises(ValueError, match="no datasets"):
        MultiLeRobotDataset([])
