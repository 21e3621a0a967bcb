"""`LeRobotDataset`: every item is the right one, as tensors, in all versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import roboreel
import roboreel.torch.v2
from roboreel.testing import Version, read_numbers
from roboreel.torch import LeRobotDataset
from roboreel.torch.dataset_tools import delete_episodes, merge_datasets
from tests.unit.torch.conftest import NUMBERED_LENGTHS as LENGTHS
from tests.unit.torch.conftest import TOP, VERSIONS, WRIST

WINDOWS = {TOP: [-0.2, 0.0, 0.3], WRIST: [0.0], "action": [-0.1, 0.0, 0.5]}


def shown(frame: torch.Tensor) -> tuple[int, int, int]:
    """(episode, frame, camera) that a (C, H, W) float frame shows."""
    pixels = (frame * 255).round().to(torch.uint8).movedim(0, -1).numpy()
    numbers = read_numbers(pixels)
    return numbers.episode, numbers.frame, numbers.camera


def expected(item: dict[str, Any], camera: int, offset: int) -> tuple[int, int, int]:
    episode, frame = int(item["episode_index"]), int(item["frame_index"]) + offset
    return episode, min(max(frame, 0), LENGTHS[episode] - 1), camera


@pytest.mark.parametrize("version", VERSIONS)
def test_every_frame_is_that_of_its_row(
    numbered: Callable[[Version], Path], version: Version
) -> None:
    dataset = LeRobotDataset("me/a", numbered(version))
    assert len(dataset) == sum(LENGTHS)
    for at, item in enumerate(dataset[:]):
        assert int(item["index"]) == at
        for number, camera in enumerate((TOP, WRIST)):
            assert shown(item[camera]) == expected(item, number, 0)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("episodes", [None, [3, 0]])
def test_windows_have_the_right_frames_and_say_where_they_are_padded(
    numbered: Callable[[Version], Path], version: Version, episodes: list[int] | None
) -> None:
    dataset = LeRobotDataset("me/a", numbered(version), episodes, delta_timestamps=WINDOWS)
    actions = roboreel.reader(roboreel.open(numbered(version)), cameras=[])[:]["action"]
    assert dataset.delta_indices == {TOP: [-2, 0, 3], WRIST: [0], "action": [-1, 0, 5]}
    for item in dataset[:]:
        own = int(item["index"]) - int(item["frame_index"])
        wanted = [expected(item, 0, offset) for offset in (-2, 0, 3)]
        assert [shown(frame) for frame in item[TOP]] == wanted
        frame = int(item["frame_index"])
        inside = [0 <= frame + o < LENGTHS[int(item["episode_index"])] for o in (-2, 0, 3)]
        assert item[f"{TOP}_is_pad"].tolist() == [not one for one in inside]
        assert shown(item[WRIST]) == expected(item, 1, 0)
        rows = [own + expected(item, 0, offset)[1] for offset in (-1, 0, 5)]
        assert np.array_equal(item["action"].numpy(), actions[rows])


def test_a_subset_has_items_in_the_order_of_the_dataset_and_absolute_indices(
    numbered: Callable[[Version], Path],
) -> None:
    dataset = LeRobotDataset("me/a", numbered("v3.0"), episodes=[3, 0])
    assert (len(dataset), dataset.num_episodes, dataset.episodes) == (10, 2, [3, 0])
    assert [int(item["index"]) for item in dataset[:]] == [*range(6), *range(16, 20)]
    assert dataset.absolute_to_relative_idx == dict(
        zip([*range(6), *range(16, 20)], range(10), strict=True)
    )
    filtered = LeRobotDataset(
        "me/a", numbered("v3.0"), episode_filter=lambda episode: episode["length"] > 5
    )
    assert filtered.episodes == [0, 2]
    assert int(filtered[-1]["episode_index"]) == 2


@pytest.mark.parametrize(
    "chosen",
    [
        {0, 3},
        {3: "a", 0: "b"}.keys(),
        (number for number in (3, 0)),
        np.array([3, 0]),
        torch.tensor([3, 0]),
        [torch.tensor(3), np.int32(0)],
    ],
)
def test_episodes_may_be_anything_that_lists_numbers(
    numbered: Callable[[Version], Path], chosen: Any
) -> None:
    dataset = LeRobotDataset("me/a", numbered("v3.0"), episodes=chosen)
    assert (len(dataset), sorted(dataset.episodes or [])) == (10, [0, 3])


def test_episodes_to_delete_and_windows_may_be_arrays(
    numbered: Callable[[Version], Path], tmp_path: Path
) -> None:
    windows: Any = {"action": torch.arange(3) / 10}
    dataset = LeRobotDataset("me/a", numbered("v3.0"), delta_timestamps=windows)
    assert dataset[0]["action"].shape[0] == 3
    left = delete_episodes(dataset, np.array([1, 2]), output_dir=tmp_path / "out")  # type: ignore[arg-type]
    assert left.num_episodes == 2
    with pytest.raises(TypeError, match=r"episodes is \['a'\], expected a list of whole numbers"):
        LeRobotDataset("me/a", numbered("v3.0"), episodes=["a"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="the dataset is 'me/a', expected a LeRobotDataset"):
        merge_datasets(["me/a"], "me/b")  # type: ignore[type-var]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_interface_of_0_3_3_lists_episodes_in_the_chosen_order(
    numbered: Callable[[Version], Path], version: Version
) -> None:
    windows = {TOP: [-0.1, 0.0], "action": [0.0, 0.1]}
    dataset = roboreel.torch.v2.LeRobotDataset(
        "me/a", numbered(version), episodes=[3, 0], delta_timestamps=windows
    )
    first, stop = (dataset.episode_data_index[end].tolist() for end in ("from", "to"))
    assert (first, stop) == ([0, 4], [4, 10])
    assert [int(item["episode_index"]) for item in dataset[:]] == [3] * 4 + [0] * 6
    for item in dataset[:]:
        assert [shown(frame) for frame in item[TOP]] == [expected(item, 0, o) for o in (-1, 0)]
        assert item["task"] == dataset.meta.tasks[int(item["task_index"])]
    assert roboreel.torch.v2.MultiLeRobotDataset is roboreel.torch.MultiLeRobotDataset
    assert isinstance(dataset.meta.tasks, dict)
    assert dataset.meta.episodes[3]["length"] == 4
