"""lerobot's dataset tools: what they write, where, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import roboreel
from roboreel.testing import Camera
from roboreel.torch import constants
from roboreel.torch import dataset_tools as tools
from tests.unit.torch.opened import Opened, made, states

TOP = "observation.images.top"
NO_PAIR: Any = np.zeros(25)
REWARD = {"dtype": "float32", "shape": (1,), "names": None}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return made(tmp_path_factory.mktemp("tools") / "source")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_LEROBOT_HOME", tmp_path / "home")
    return tmp_path / "home"


def _kept(folder: Path) -> list[str]:
    return [one.name for one in roboreel.kept_versions(folder)]


def test_delete_keeps_the_other_episodes(source: Opened, home: Path) -> None:
    result = tools.delete_episodes(source, [3, 1, 1])

    assert (result.repo_id, result.root) == ("me/source_modified", home / "me" / "source_modified")
    assert result.meta.total_episodes == 3
    assert result.column("episode_index") == [0] * 6 + [1] * 5 + [2] * 7
    before = states(source)
    assert (states(result) == np.concatenate([before[:6], before[10:15], before[18:]])).all()


def test_a_result_is_opened_like_its_source(source: Opened, tmp_path: Path) -> None:
    result = tools.delete_episodes(source, [0], output_dir=tmp_path / "out", repo_id="you/less")

    assert type(result) is Opened
    assert (result.repo_id, result.root, result.tolerance_s) == ("you/less", tmp_path / "out", 0.01)


def test_windows_of_removed_features_are_dropped(source: Opened, tmp_path: Path) -> None:
    windows = {"action": [0.0, 0.1], "next.reward": [0.0]}
    dataset = Opened("me/source", root=source.root, delta_timestamps=windows)

    fewer = tools.remove_feature(dataset, "next.reward", output_dir=tmp_path / "a")
    none = tools.remove_feature(fewer, "action", output_dir=tmp_path / "b")

    assert fewer.delta_timestamps == {"action": [0.0, 0.1]}
    assert none.delta_timestamps is None


@pytest.mark.parametrize(
    ("episodes", "message"),
    [
        ([], "No episodes to delete"),
        ([1, 9, -1], r"Invalid episode indices: \[-1, 9\]\. The dataset has episodes 0 to 4"),
        ([0, 1, 2, 3, 4], "Cannot delete all episodes"),
    ],
)
def test_what_cannot_be_deleted_is_refused(
    source: Opened, home: Path, episodes: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tools.delete_episodes(source, episodes)
    assert not home.exists()


def test_an_output_folder_that_is_in_use_is_refused(source: Opened, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="exists and is not empty"):
        tools.delete_episodes(source, [0], output_dir=source.root)


@pytest.mark.parametrize(
    ("splits", "sizes"),
    [
        ({"train": 0.6, "val": 0.4}, {"train": [6, 4, 5], "val": [3, 7]}),
        ({"train": 0.5, "val": 0.25}, {"train": [6, 4], "val": [5, 3, 7]}),
        ({"train": [4, 0], "val": [2]}, {"train": [6, 7], "val": [5]}),
        ({"train": 0.5, "val": 0.5, "test": 0.0}, {"train": [6, 4], "val": [5, 3]}),
        ({"train": 1}, {"train": [6, 4, 5, 3, 7]}),
        ({"none": 0.1}, {}),
    ],
)
def test_splits_are_those_of_lerobot(
    source: Opened, tmp_path: Path, splits: dict[str, Any], sizes: dict[str, list[int]]
) -> None:
    # as lerobot 0.6.1 divides; `1` is an error there
    parts = tools.split_dataset(source, splits, output_dir=tmp_path / "parts")

    lengths = {
        name: roboreel.open(part.root).episodes["length"].to_pylist()
        for name, part in parts.items()
    }
    assert lengths == sizes
    assert all(part.root == tmp_path / "parts" / name for name, part in parts.items())
    assert all(part.repo_id == f"me/source_{name}" for name, part in parts.items())


def test_splits_are_beside_each_other_by_default(source: Opened, home: Path) -> None:
    parts = tools.split_dataset(source, {"a": [0], "b": [1]})

    assert [part.root for part in parts.values()] == [
        home / "me" / "source_a",
        home / "me" / "source_b",
    ]
    assert sorted(path.name for path in (home / "me").iterdir()) == ["source_a", "source_b"]


def test_a_fraction_of_no_episodes_is_left_out_with_a_warning(
    source: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert [*tools.split_dataset(source, {"a": 0.5, "b": 0.0}, output_dir=tmp_path / "p")] == ["a"]
    assert "split 'b' is left out" in caplog.text


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({}, "No splits provided"),
        ({"a": 0.7, "b": 0.5}, r"Split fractions must sum to <= 1.0, got 1.2"),
        ({"a": -0.1}, "must be 0 or more"),
        ({"a": [0, 1], "b": [1]}, "Episodes cannot appear in multiple splits"),
        ({"a": [0], "b": [9]}, "Invalid episode indices"),
        ({"a": [0], "b": []}, "Split 'b' has no episodes"),
        ({"a": [0], "b": 0.5}, "for every split"),
        ({"../a": [0]}, "cannot be the name of a part"),
    ],
)
def test_splits_that_contradict_are_refused(
    source: Opened, tmp_path: Path, splits: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tools.split_dataset(source, splits, output_dir=tmp_path / "parts")
    assert not (tmp_path / "parts").exists()


def test_nothing_is_split_where_one_folder_is_in_use(source: Opened, tmp_path: Path) -> None:
    made(tmp_path / "parts" / "b")
    with pytest.raises(FileExistsError):
        tools.split_dataset(source, {"a": [0], "b": [1]}, output_dir=tmp_path / "parts")
    assert not (tmp_path / "parts" / "a").exists()


def test_merge_puts_episodes_one_after_another(source: Opened, tmp_path: Path, home: Path) -> None:
    other = made(tmp_path / "other", episodes=(2, 3), version="v2.1", seed=1)

    result = tools.merge_datasets([source, other], "me/both")

    assert (result.repo_id, result.root) == ("me/both", home / "me" / "both")
    assert result.meta.total_episodes == 7
    assert (states(result) == np.concatenate([states(source), states(other)])).all()


def test_added_features_may_be_arrays_tensors_and_functions(source: Opened, tmp_path: Path) -> None:
    rows = range(25)

    result = tools.add_features(
        source,
        {
            "array": (np.arange(25.0).reshape(25, 1), REWARD),
            "tensor": (
                torch.arange(50).reshape(25, 2),
                {"dtype": "int64", "shape": [2], "names": ["x", "y"]},
            ),
            "function": (lambda row, episode, frame: float(episode * 10 + frame), REWARD),
            "of tensor": (lambda row, episode, frame: torch.tensor(row["index"]), REWARD),
        },
        output_dir=tmp_path / "out",
    )

    episodes, frames = result.column("episode_index"), result.column("frame_index")
    assert result.column("array") == result.column("of tensor") == [float(k) for k in rows]
    assert result.column("tensor") == [[2 * k, 2 * k + 1] for k in rows]
    assert result.column("function") == [
        10.0 * e + f for e, f in zip(episodes, frames, strict=True)
    ]
    assert result.meta.features["array"] == REWARD
    assert result.meta.features["tensor"]["names"] == ["x", "y"]
    assert result.meta.stats is not None
    assert result.meta.stats["array"]["mean"].tolist() == [12.0]


def test_features_are_added_and_removed_in_one_pass(source: Opened, home: Path) -> None:
    result = tools.modify_features(
        source, add_features={"reward": (np.zeros(25), REWARD)}, remove_features="next.done"
    )

    assert "reward" in result.meta.features
    assert "next.done" not in result.meta.features
    assert result.root == home / "me" / "source_modified"


def test_removed_features_are_gone_from_the_statistics(source: Opened, tmp_path: Path) -> None:
    result = tools.remove_feature(
        source, ["observation.state", "next.done"], output_dir=tmp_path / "out"
    )

    assert not {"observation.state", "next.done"} & set(result.meta.features)
    assert result.meta.stats is not None
    assert "observation.state" not in result.meta.stats


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: tools.modify_features(d), "at least one of add_features or remove_features"),
        (lambda d: tools.add_features(d, {}), "No features provided"),
        (
            lambda d: tools.add_features(d, {"action": (np.zeros(25), REWARD)}),
            "Feature 'action' already exists",
        ),
        (
            lambda d: tools.add_features(d, {"r": (np.zeros(25), {"dtype": "float32"})}),
            "feature_info of 'r' needs the keys dtype and shape: .'shape'. missing",
        ),
        (lambda d: tools.add_features(d, {"r": NO_PAIR}), "'r': expected a pair"),
        (
            lambda d: tools.add_features(d, {"r": (np.zeros(25), {**REWARD, "dtype": "video"})}),
            "'r' has dtype video",
        ),
        (
            lambda d: tools.add_features(d, {"r": (np.zeros(3), REWARD)}),
            "'r' has 3 values for 25 rows",
        ),
        (lambda d: tools.remove_feature(d, "nope"), "Feature 'nope' not found"),
        (lambda d: tools.remove_feature(d, "timestamp"), "Cannot remove required features"),
    ],
)
def test_features_that_cannot_be_changed_are_refused(
    source: Opened, home: Path, edit: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        edit(source)
    assert not home.exists()


def test_tasks_change_in_place_and_the_original_is_kept(tmp_path: Path) -> None:
    dataset = made(tmp_path / "set")
    old = dataset.tasks

    result = tools.modify_tasks(
        dataset,
        new_task="rest",
        episode_tasks={0: "zero", 1: "one"},
        task_replacements={old[2][0]: "two", old[1][0]: "never"},
    )

    assert result is dataset
    assert result.tasks == [["zero"], ["one"], ["two"], ["rest"], ["rest"]]
    assert result.meta.total_tasks == 4
    assert result.tolerance_s == 0.01
    (kept,) = _kept(tmp_path / "set")
    assert Opened("me/set", root=tmp_path / kept).tasks == old


def test_tasks_that_nothing_names_stay(tmp_path: Path) -> None:
    dataset = made(tmp_path / "set")
    old = dataset.tasks

    tools.modify_tasks(dataset, episode_tasks={2: "new"})

    assert dataset.tasks == [old[0], old[1], ["new"], old[3], old[4]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "at least one of new_task, episode_tasks, or task_replacements"),
        ({"new_task": "", "episode_tasks": {}}, "at least one of new_task"),
        ({"episode_tasks": {10: "a"}}, "Invalid episode indices"),
        ({"task_replacements": {"nope": "a"}}, "tasks that the dataset does not have: .'nope'"),
        ({"episode_tasks": {0: " "}}, "a task must be a string"),
    ],
)
def test_tasks_that_cannot_be_changed_are_refused(
    source: Opened, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tools.modify_tasks(source, **arguments)
    assert not _kept(source.root)


def test_statistics_are_recomputed_in_place(tmp_path: Path) -> None:
    dataset = made(tmp_path / "set")
    (tmp_path / "set" / "meta" / "stats.json").write_text("{}", encoding="utf-8")

    assert tools.recompute_stats(dataset) is dataset

    assert dataset.meta.stats is not None
    assert dataset.meta.stats["action"]["count"].tolist() == [25]
    assert len(_kept(tmp_path / "set")) == 1


@pytest.mark.parametrize("skip", [True, False])
def test_statistics_of_cameras_are_recomputed_only_where_asked(tmp_path: Path, skip: bool) -> None:
    dataset = made(tmp_path / "set", cameras={TOP: Camera(height=32)}, version="v2.1")
    path = tmp_path / "set" / "meta" / "episodes_stats.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line["stats"][TOP]["max"] = [[[7.0]]] * 3
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")

    tools.recompute_stats(dataset, skip_image_video=skip)

    assert dataset.meta.stats is not None
    assert bool(dataset.meta.stats[TOP]["max"].ravel()[0] == 7.0) is skip


def test_relative_actions_are_described_from_the_state_of_their_chunk(tmp_path: Path) -> None:
    dataset = made(tmp_path / "set", episodes=(6,))
    state, action = states(dataset), np.array(dataset.column("action"))
    expected = np.concatenate([action[s : s + 4] - state[s] for s in range(3)]).mean(axis=0)

    tools.recompute_stats(dataset, relative_action=True, relative_exclude_joints=[], chunk_size=4)

    assert dataset.meta.stats is not None
    assert dataset.meta.stats["action"]["mean"] == pytest.approx(expected, abs=1e-6)
