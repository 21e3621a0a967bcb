"""Imports, attributes and arguments that people know from lerobot, answered with what to use."""

from __future__ import annotations

import importlib
import logging
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import roboreel
import roboreel.torch
from roboreel.torch import LeRobotDataset, LeRobotDatasetMetadata, Loader, v2
from roboreel.torch.compat.lazy_names import OF_MODULES
from roboreel.torch.dataset_tools import delete_episodes, modify_tasks
from roboreel.torch.factory import resolve_delta_timestamps
from roboreel.torch.items import table_rows
from roboreel.torch.metadata.episode_list import EpisodeList
from roboreel.torch.metadata.task_list import TaskList


@pytest.fixture
def dataset(made: dict[str, Path]) -> LeRobotDataset:
    return LeRobotDataset("me/it", root=made["v3.0"])


@pytest.mark.parametrize("name", OF_MODULES)
def test_names_of_modules_are_in_the_package_too(name: str) -> None:
    home = importlib.import_module(f"roboreel.torch.{OF_MODULES[name]}")
    assert getattr(roboreel.torch, name) is getattr(home, name)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("from roboreel import LeRobotDataset", "from roboreel.torch import LeRobotDataset"),
        ("from roboreel import merge_datasets", "from roboreel.torch import merge_datasets"),
        ("from roboreel.datasets.lerobot_dataset import LeRobotDataset", "roboreel.torch here"),
        (
            "from roboreel.common.datasets.lerobot_dataset import LeRobotDataset",
            "roboreel.torch.v2",
        ),
        ("from roboreel.torch import make_dataset", "roboreel.torch.LeRobotDataset"),
        ("from roboreel.torch import ImageTransforms", "any function of a frame"),
    ],
)
def test_an_import_says_where_the_name_is(line: str, message: str) -> None:
    with pytest.raises(ImportError, match=re.escape(message)) as raised:
        exec(line)
    assert raised.value.__context__ is None


def test_names_that_roboreel_points_at_are_in_torch() -> None:
    for name in roboreel.torch.HOMES:
        assert getattr(roboreel.torch, name)
        if name not in roboreel.__all__:
            with pytest.raises(ImportError, match=f"from roboreel.torch import {name}$"):
                getattr(roboreel, name)
    with pytest.raises(AttributeError, match=r"no 'merge': use roboreel\.concat"):
        _ = roboreel.merge
    assert not hasattr(roboreel, "nothing")
    assert not hasattr(roboreel.torch, "nothing")


@pytest.mark.parametrize("line", ["from roboreel.torch.v2 import LeRobotDataset"])
def test_without_torch_one_error_names_the_extra(line: str) -> None:
    code = f"import sys; sys.modules['torch'] = None\n{line}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.rstrip().endswith(
        "the package 'torch' is needed by roboreel.torch: pip install 'roboreel[torch]'"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("episode_data_index", "from roboreel.torch.v2 import LeRobotDataset"),
        ("consolidate", "save_episode writes complete episodes"),
        ("encode_videos", "leave this call out"),
        ("stats", "dataset.meta.stats"),
        ("filter", "rows are in dataset.hf_dataset"),
    ],
)
def test_old_attributes_of_datasets(dataset: LeRobotDataset, name: str, message: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}': .*{re.escape(message)}"):
        getattr(dataset, name)


@pytest.mark.parametrize("name", ["episodes_stats", "task_to_task_index", "total_chunks"])
def test_old_attributes_of_metadata(made: dict[str, Path], name: str) -> None:
    with pytest.raises(AttributeError, match=r"from roboreel\.torch\.v2 import"):
        getattr(LeRobotDatasetMetadata("me/it", root=made["v3.0"]), name)
    assert getattr(v2.LeRobotDatasetMetadata("me/it", root=made["v3.0"]), name)


def test_statistics_of_old_show_how_many_they_are(made: dict[str, Path]) -> None:
    stats = v2.LeRobotDatasetMetadata("me/it", root=made["v3.0"]).episodes_stats
    assert repr(stats) == f"<statistics of {len(stats)} episodes, by number>"


def test_an_error_inside_of_a_property_is_not_covered(
    dataset: LeRobotDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise AttributeError("something else")

    monkeypatch.setattr(LeRobotDataset, "fps", property(broken))
    with pytest.raises(AttributeError, match="something else"):
        _ = dataset.fps
    assert len(pickle.loads(pickle.dumps(dataset.hf_dataset))) == 15


@pytest.mark.parametrize("cls", [LeRobotDataset, v2.LeRobotDataset])
@pytest.mark.parametrize("name", ["frame_cache", "local_files_only", "split"])
def test_old_arguments(made: dict[str, Path], cls: Any, name: str) -> None:
    with pytest.raises(TypeError, match=f"no argument '{name}': "):
        cls("me/it", root=made["v3.0"], **{name: True})


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("num_workers", "threads=2"),
        ("prefetch_factor", "prefetch=2"),
        ("persistent_workers", "leave it out"),
        ("collate_fn", "or use DataLoader"),
    ],
)
def test_arguments_of_data_loader(name: str, use: str) -> None:
    options: dict[str, Any] = {name: 2}
    with pytest.raises(TypeError, match=f"no argument '{name}': .*{use}"):
        Loader(range(3), **options)


def test_memory_is_not_pinned_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert len(list(Loader([{"a": 1}] * 3, pin_memory=True))) == 3


def test_the_sampler_of_old_takes_the_old_index(made: dict[str, Path]) -> None:
    dataset = v2.LeRobotDataset("me/it", root=made["v3.0"])
    index = dataset.episode_data_index
    assert list(v2.EpisodeAwareSampler(index, [0, 2], 1, 2)) == [1, 2]
    assert list(v2.EpisodeAwareSampler(index, drop_n_last_frames=4)) == [0, 5, 6, 7]
    torch.manual_seed(0)
    shuffled = v2.EpisodeAwareSampler(index, shuffle=True)
    assert sorted(shuffled) == [*range(15)] != list(shuffled)
    with pytest.raises(TypeError, match="expected a dict with 'from' and 'to'"):
        v2.EpisodeAwareSampler([0, 5])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("map", r"\.filter\(function\).*datasets\.Dataset\.from_dict\(.*pyarrow\.table\("),
        ("sort", "with_format"),
        ("set_format", "rows = "),
        ("train_test_split", "split_dataset"),
    ],
)
def test_methods_of_other_tables(dataset: LeRobotDataset, name: str, message: str) -> None:
    with pytest.raises(AttributeError, match=message):
        getattr(dataset.hf_dataset, name)


def test_formats_of_other_tables(dataset: LeRobotDataset) -> None:
    with pytest.raises(ValueError, match=r"unknown format 'pandas': .*\.to_pandas\(\)"):
        dataset.hf_dataset.with_format("pandas")


def test_rows_are_filtered(dataset: LeRobotDataset) -> None:
    rows = dataset.hf_dataset
    last = rows.filter(lambda row: row["episode_index"] == 1, num_proc=2)
    assert len(last) == dataset.meta.episodes[1]["length"]
    assert set(last.with_format("python")["episode_index"]) == {1}
    some = rows.filter(lambda k, n: k == 0 and n > 2, with_indices=True, input_columns="index")
    assert len(some) == 0
    few = rows.filter(lambda k, n: k == n < 3, with_indices=True, input_columns=["index"])
    assert few.column_names == rows.column_names
    assert few.with_format("python")["index"] == [0, 1, 2]
    with pytest.raises(ValueError, match="one row"):
        rows.filter(lambda rows: [], batched=True)


def test_rows_and_columns_have_one_format(dataset: LeRobotDataset) -> None:
    rows = dataset.hf_dataset
    assert type(rows.with_format("python")[3]["action"]) is list
    assert next(iter(rows.with_format("numpy")))["action"].dtype == "float32"
    alone = rows.with_format("torch", columns=["index"])
    assert alone.column_names == [*alone[0]] == ["index"]
    with pytest.raises(KeyError, match="no column 'action'"):
        alone.with_format("torch", columns=["action"])


def test_rows_are_a_pandas_frame_where_pandas_is_installed(
    dataset: LeRobotDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_rows, "require_package", lambda *_: SimpleNamespace(DataFrame=dict))
    frame = dataset.hf_dataset.to_pandas()
    assert frame["index"].tolist() == [*range(15)]
    assert len(frame["action"]) == 15
    assert all(one.shape == (6,) for one in frame["action"])


def test_a_stream_says_what_has_items_by_number(made: dict[str, Path]) -> None:
    stream: Any = roboreel.torch.StreamingLeRobotDataset("me/it", root=made["v3.0"])
    with pytest.raises(TypeError, match=r"LeRobotDataset\(…, streaming=True\)"):
        stream[0]
    with pytest.raises(AttributeError, match=r"LeRobotDataset\(…, streaming=True\)"):
        _ = stream.hf_dataset
    with pytest.raises(AttributeError, match=r"dataset\.meta"):
        _ = stream.features


def test_calls_of_parts_of_a_class_name_the_whole_class() -> None:
    features: Any = {}
    make: Any = LeRobotDataset.create
    with pytest.raises(TypeError, match=r"^LeRobotDataset\.create\(\) got"):
        make("me/it", 10, features, color=1)
    with pytest.raises(TypeError, match=r"^LeRobotDataset\.push_to_hub\(\) "):
        LeRobotDataset.push_to_hub()  # type: ignore[call-arg]


def test_what_needs_pandas_says_so(made: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=made["v3.0"])
    with pytest.raises(AttributeError, match="pip install pandas"):
        _ = TaskList([0], ["push"]).head  # type: ignore[attr-defined]
    monkeypatch.setattr("roboreel.torch.compat.optional_packages.optional_package", lambda *_: None)
    with pytest.raises(roboreel.MissingDependencyError, match="pip install pandas"):
        EpisodeList(meta.episode_table).to_pandas()


DELETE: Any = delete_episodes
WRONG: list[tuple[Callable[[Any], object], str]] = [
    (lambda d: type(d)("x", d.root, episodes=3), r"episodes is 3, .*: episodes=\[3\]"),
    (lambda d: type(d)("x", d.root, delta_timestamps={"action": 0.1}), r"\['action'\] is 0\.1"),
    (lambda d: type(d)("x", d.root, delta_timestamps=[0.1]), r"seconds by feature"),
    (lambda d: type(d)(["a", "b"]), "MultiLeRobotDataset opens several"),
    (lambda d: DELETE(d, 1), r"episode_indices is 1, .*: episode_indices=\[1\]"),
    (lambda d: DELETE("me/it", [1]), r"LeRobotDataset\('me/it'\)"),
    (lambda d: d["action"], r"\.hf_dataset\['action'\]"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_types(dataset: LeRobotDataset, call: Callable[[Any], object], message: str) -> None:
    with pytest.raises(TypeError, match=message) as raised:
        call(dataset)
    assert isinstance(raised.value, roboreel.UsageError)


def test_folders_without_a_name_of_the_argument(made: dict[str, Path]) -> None:
    dataset: Any = roboreel.open(made["v3.0"])
    write: Any = roboreel.write
    convert: Any = roboreel.convert
    with pytest.raises(ValueError, match="expected RunOptions: name the folder, out='there'"):
        write(dataset, "there")
    with pytest.raises(ValueError, match=r"convert\(\) got 3 arguments .* to='v3\.0', out="):
        convert(dataset, "v2.1", "there")


def test_an_edit_in_place_says_what_it_keeps(
    made: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = Path(shutil.copytree(made["v3.0"], tmp_path / "a"))
    with caplog.at_level(logging.WARNING):
        modify_tasks(LeRobotDataset("me/a", root=root), new_task="push")
    (kept,) = roboreel.kept_versions(root)
    assert kept.name in caplog.text
    assert f"roboreel undo {root} --keep 0" in caplog.text


def test_windows_of_a_policy(made: dict[str, Path]) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=made["v3.0"])
    policy = SimpleNamespace(
        observation_delta_indices=[-1, 0], action_delta_indices=[0, 1], reward_delta_indices=None
    )
    windows = resolve_delta_timestamps(policy, meta)
    assert windows is not None
    assert windows["action"] == [0.0, 0.1]
    assert windows["observation.state"] == [-0.1, 0.0]
    assert {name.partition(".")[0] for name in windows} == {"action", "observation"}
    policy.observation_delta_indices = policy.action_delta_indices = None
    assert resolve_delta_timestamps(policy, meta) is None
    policy.action_delta_indices = [0]
    renamed = resolve_delta_timestamps(policy, meta, {"observation.state": "action"})
    assert renamed == {"observation.state": [0.0], "action": [0.0]}


def test_the_usual_import_of_older_releases_works() -> None:
    module = importlib.import_module("roboreel.torch.lerobot_dataset")
    for name in ("LeRobotDataset", "LeRobotDatasetMetadata", "MultiLeRobotDataset"):
        assert getattr(module, name) is getattr(importlib.import_module("roboreel.torch"), name)
    with pytest.raises(AttributeError):
        module.nothing  # noqa: B018
