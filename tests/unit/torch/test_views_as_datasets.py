"""Views, view files and open datasets, opened as lerobot's dataset class."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import roboreel
from roboreel.edit.view import View
from roboreel.torch import LeRobotDataset, LeRobotDatasetMetadata, StreamingLeRobotDataset, v2
from roboreel.torch.dataset_tools import delete_episodes, modify_tasks


@pytest.fixture
def view(root: Path) -> View:
    """Two of three episodes in another order, one of them trimmed: 5 + 3 rows."""
    return (
        roboreel.open(root).reorder([2, 1, 0]).delete([2]).trim({1: (2, 7)}).rename({"action": "a"})
    )


@pytest.fixture(scope="session")
def written(made: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That view of v3.0, written."""
    out = tmp_path_factory.mktemp("written") / "it"
    dataset: Any = roboreel.open(made["v3.0"])
    view = dataset.reorder([2, 1, 0]).delete([2]).trim({1: (2, 7)}).rename({"action": "a"})
    roboreel.write(view, out=out)
    return out


def test_a_view_reads_as_what_it_would_be_written_as(view: View, written: Path) -> None:
    ours, theirs = LeRobotDataset(view), LeRobotDataset("me/it", root=written)
    assert (len(ours), ours.num_episodes, ours.fps) == (8, 2, 10)
    assert ours.features.keys() == theirs.features.keys()
    assert ours.meta.episodes["dataset_to_index"] == theirs.meta.episodes["dataset_to_index"]
    assert ours.meta.episodes["tasks"] == theirs.meta.episodes["tasks"]
    assert list(ours.meta.tasks.index) == list(theirs.meta.tasks.index)
    for mine, other in zip(ours[:], theirs[:], strict=True):
        assert mine.keys() == other.keys()
        for name, value in other.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(mine[name], value), name
            else:
                assert mine[name] == value, name


def test_the_statistics_of_a_view_are_those_of_its_rows(view: View, written: Path) -> None:
    ours = LeRobotDatasetMetadata(view).stats
    theirs = LeRobotDatasetMetadata("me/it", root=written).stats
    assert ours is not None
    assert theirs is not None
    assert ours.keys() == theirs.keys()
    for name in ("a", "observation.state", "timestamp", "index", "episode_index"):
        for key in ("min", "max", "mean", "std", "count"):
            assert np.allclose(ours[name][key], theirs[name][key]), (name, key)


@pytest.mark.parametrize("given", ["root", "repo_id"])
def test_a_view_file_opens(view: View, tmp_path: Path, given: str) -> None:
    file = tmp_path / "tidy.view.json"
    view.save(file)
    dataset = LeRobotDataset("x", root=file) if given == "root" else LeRobotDataset(str(file))
    assert (dataset.repo_id, dataset.root) == ("x" if given == "root" else "tidy", file)
    assert len(dataset) == 8
    assert dataset.hf_dataset["episode_index"][5] == 1
    assert "a" in dataset[0]


def test_windows_episodes_and_workers(view: View) -> None:
    dataset = LeRobotDataset("x", root=view, episodes=[1], delta_timestamps={"a": [-0.1, 0.0]})
    assert len(dataset) == 5
    assert dataset[0]["a_is_pad"].tolist() == [True, False]
    again = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(again[4]["a"], dataset[4]["a"])
    assert len(list(DataLoader(dataset, batch_size=2))) == 3
    assert len([*StreamingLeRobotDataset("x", root=view, shuffle=False)]) == 8
    assert v2.LeRobotDataset(view).episode_data_index["to"].tolist() == [3, 8]


def test_an_open_dataset_is_its_folder(root: Path) -> None:
    opened: Any = roboreel.open(root)
    for dataset in (LeRobotDataset(opened), LeRobotDataset("x", root=opened)):
        assert dataset.root == root
        assert len(dataset) == 15
    assert LeRobotDataset(opened).repo_id == root.name


def test_edits_of_a_view_are_new_datasets(view: View, tmp_path: Path) -> None:
    dataset = LeRobotDataset(view)
    assert len(delete_episodes(dataset, [0], output_dir=tmp_path / "out")) == 5


def test_nothing_is_written_into_a_view(
    view: View, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*"))
    dataset = LeRobotDataset(view)
    with pytest.raises(roboreel.UsageError, match="cannot be changed in place"):
        modify_tasks(dataset, new_task="push")
    with pytest.raises(roboreel.UsageError, match="cannot be recorded into"):
        LeRobotDataset.resume("x", root=view)  # type: ignore[arg-type]
    with pytest.raises(roboreel.UsageError, match="cannot be asked for files"):
        dataset.meta.get_data_file_path(0)
    with pytest.raises(roboreel.UsageError, match="a view cannot be changed"):
        dataset.meta.update_chunk_settings(chunks_size=5)
    with pytest.raises(roboreel.RoboreelError):
        dataset.push_to_hub()
    assert sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*")) == before
    assert not list(tmp_path.iterdir())


def test_a_missing_view_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(roboreel.StorageError, match=r"none\.view\.json"):
        LeRobotDataset("x", root=tmp_path / "none.view.json")


def test_a_changed_dataset_is_refused(made: dict[str, Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(made["v3.0"], tmp_path / "a"))
    dataset: Any = roboreel.open(root)
    dataset.delete([0]).save(tmp_path / "a.view.json")
    (root / "meta/info.json").write_text("{}")
    with pytest.raises(roboreel.RoboreelError):
        LeRobotDataset("x", root=tmp_path / "a.view.json")
