"""Samplers: lerobot's order, equal shares, the states that resume them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from roboreel.testing import Camera, make_dataset
from roboreel.torch.batches.block_sampler import BlockSampler
from roboreel.torch.batches.resumable_sampler import ResumableSampler
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata
from roboreel.torch.sampler import EpisodeAwareSampler, compute_sampler_state

TOP = "observation.images.top"
STARTS, ENDS = [0, 2, 3], [2, 3, 6]
Make = Callable[..., ResumableSampler]
BOTH = pytest.mark.parametrize("make", [EpisodeAwareSampler, BlockSampler])


def _shuffled(make: Make, starts: list[int], ends: list[int], **options: Any) -> ResumableSampler:
    return make(
        starts, ends, **options, **({"shuffle": True} if make is EpisodeAwareSampler else {})
    )


def test_the_order_is_that_of_lerobot() -> None:
    # printed by lerobot 0.6.1
    sampler = EpisodeAwareSampler(STARTS, ENDS, shuffle=True, seed=42)

    assert [list(sampler), list(sampler)] == [[2, 3, 0, 5, 4, 1], [1, 2, 0, 4, 5, 3]]
    assert list(EpisodeAwareSampler([0], [20], shuffle=True, seed=42))[:3] == [10, 9, 16]


def test_frames_are_in_order_unless_shuffled() -> None:
    sampler = EpisodeAwareSampler(STARTS, ENDS)

    assert list(sampler) == sampler.indices == [0, 1, 2, 3, 4, 5]
    assert EpisodeAwareSampler(STARTS, ENDS, shuffle=True).indices == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"drop_n_last_frames": 1}, [0, 3, 4]),
        ({"drop_n_first_frames": 1}, [1, 4, 5]),
        ({"episode_indices_to_use": [2, 0, 0]}, [0, 1, 3, 4, 5]),
        ({"episode_indices_to_use": [2], "drop_n_first_frames": 1}, [4, 5]),
        (
            {
                "episode_indices_to_use": [1, 2],
                "absolute_to_relative_idx": {2: 0, 3: 1, 4: 2, 5: 3},
            },
            [0, 1, 2, 3],
        ),
    ],
)
def test_only_chosen_frames_are_used(options: dict[str, Any], expected: list[int]) -> None:
    sampler = EpisodeAwareSampler(STARTS, ENDS, **options)

    assert list(sampler) == sampler.indices == expected
    assert len(sampler) == len(expected)
    assert sorted(BlockSampler(STARTS, ENDS, **options)) == expected


def test_bounds_may_be_tensors_and_arrays() -> None:
    assert len(EpisodeAwareSampler(torch.tensor(STARTS), np.array(ENDS))) == 6
    assert len(EpisodeAwareSampler(list(torch.tensor(STARTS)), ENDS)) == 6


@BOTH
def test_an_episode_with_too_few_frames_is_left_out_with_a_warning(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    assert sorted(make([0, 1], [1, 6], drop_n_first_frames=1)) == [2, 3, 4, 5]
    assert "episode 0 is left out: all of its frames (1) are dropped" in caplog.text


@BOTH
def test_an_episode_that_cannot_be_read_is_left_out_with_a_warning(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    assert sorted(make(STARTS, ENDS, skip_episodes={2: "a.mp4 is missing", 9: "?"})) == [0, 1, 2]
    assert "episode 2 is left out because it cannot be read: a.mp4 is missing" in caplog.text


@BOTH
@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([0], [9]), {"drop_n_first_frames": -1}, "drop_n_first_frames must be >= 0, got -1"),
        (([0], [9]), {"drop_n_last_frames": -1}, "drop_n_last_frames must be >= 0, got -1"),
        (([0], [9]), {"drop_n_last_frames": 9}, "No valid frames remain"),
        (([0], [9]), {"episode_indices_to_use": []}, "No valid frames remain"),
        (
            ([0], [9]),
            {"episode_indices_to_use": [-1]},
            r"has \[-1\], but the dataset has episode 0 only",
        ),
        (([0, 9], [9]), {}, "2 dataset_from_indices and 1 dataset_to_indices"),
        (([0], [9]), {"rank": 2, "world_size": 2}, "expected 0 <= rank < world_size"),
        (([0], [3]), {"world_size": 4}, "4 processes cannot share 3 frames"),
    ],
)
def test_contradictory_arguments_are_value_errors(
    make: Make, arguments: tuple[list[int], ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(*arguments, **options)


@BOTH
def test_each_iteration_takes_the_next_epoch(make: Make) -> None:
    sampler = _shuffled(make, [0], [200], seed=3)
    first, second = list(sampler), list(sampler)

    assert sampler.state_dict() == {"epoch": 2, "start_index": 0}
    assert first != second
    assert sorted(first) == sorted(second) == list(range(200))
    sampler.set_epoch(0)
    assert list(sampler) == first


@BOTH
def test_a_loaded_state_goes_on_in_the_middle_of_an_epoch(make: Make) -> None:
    whole = _shuffled(make, STARTS, ENDS, seed=3)
    first, second = list(whole), list(whole)
    for start in range(7):
        resumed = _shuffled(make, STARTS, ENDS, seed=3)
        resumed.load_state_dict({"epoch": 0, "start_index": start})
        assert list(resumed) == first[start:]
        assert list(resumed) == second


@BOTH
def test_ranks_get_equal_disjoint_shares(make: Make) -> None:
    shares = [
        list(_shuffled(make, [0], [103], seed=5, rank=rank, world_size=4)) for rank in range(4)
    ]

    assert [len(share) for share in shares] == [25] * 4
    assert len(set(itertools.chain(*shares))) == 100


@BOTH
def test_a_negative_state_is_refused(make: Make) -> None:
    sampler = make(STARTS, ENDS)
    with pytest.raises(ValueError, match="epoch is -1"):
        sampler.set_epoch(-1)
    with pytest.raises(ValueError, match="start_index is -2"):
        sampler.load_state_dict({"epoch": 0, "start_index": -2})
    with pytest.raises(KeyError):
        sampler.load_state_dict({"epoch": 0})


@pytest.mark.parametrize(
    ("arguments", "epoch", "start"),
    [
        ((0, 100, 10, 2), 0, 0),
        ((7, 100, 10, 2), 1, 40),
        ((12, 95, 10, 2), 2, 40),
        ((11, 105, 10, 2), 1, 100),
        ((5, 1, 10, 4), 5, 0),
    ],
)
def test_a_step_tells_the_state(arguments: tuple[int, ...], epoch: int, start: int) -> None:
    assert compute_sampler_state(*arguments) == {"epoch": epoch, "start_index": start}


def test_a_step_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="num_frames=0"):
        compute_sampler_state(1, 0, 10, 1)


def test_a_loader_takes_a_block_sampler() -> None:
    sampler = BlockSampler([0], [50], gop_frames=5, block_frames=10)
    numbers = torch.utils.data.TensorDataset(torch.arange(50))
    loader = torch.utils.data.DataLoader(numbers, batch_size=10, sampler=sampler)

    batches = [batch[0].tolist() for batch in loader]

    assert sorted(itertools.chain(*batches)) == list(range(50))
    assert len(loader) == 5


def test_a_datasets_own_episodes_and_gop_are_used() -> None:
    meta = SimpleNamespace(
        episodes={"dataset_from_index": [0, 40], "dataset_to_index": [40, 80]},
        features={
            "top": {"dtype": "video", "info": {"video.g": 4}},
            "side": {"dtype": "video", "info": None},
            "state": {"dtype": "float32"},
        },
    )
    some = SimpleNamespace(
        meta=meta, episodes=[1], absolute_to_relative_idx={40 + k: k for k in range(40)}
    )
    every = SimpleNamespace(meta=meta, episodes=None, absolute_to_relative_idx=None)

    rows = list(BlockSampler.for_dataset(some, block_frames=8))

    assert sorted(rows) == list(range(40))
    assert all(row + 1 == following for row, following in zip(rows[::4], rows[1::4], strict=True))
    assert len(BlockSampler.for_dataset(every)) == 80


@BOTH
def test_episodes_that_cannot_be_read_are_skipped_where_asked(
    make: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_dataset(tmp_path / "set", episodes=(4, 3, 5), cameras={TOP: Camera(height=32)})
    (root / "videos" / "chunk-000" / TOP / "episode_000001.mp4").unlink()
    meta = LeRobotDatasetMetadata("me/set", root=root)
    dataset = SimpleNamespace(root=root, meta=meta, episodes=None)

    rows = [0, 1, 2, 3, 7, 8, 9, 10, 11]
    assert sorted(make.for_dataset(dataset, on_error="skip")) == rows
    assert "episode 1 is left out because it cannot be read: the video" in caplog.text
    assert len(make.for_dataset(dataset)) == 12
    assert len(make.for_dataset(dataset, on_error="skip", drop_n_last_frames=3)) == 3
    with pytest.raises(ValueError, match="on_error is 'ignore'"):
        make.for_dataset(dataset, on_error="ignore")


def test_the_randomness_of_blocks_is_stated() -> None:
    mixing = BlockSampler([0], [10_000], gop_frames=2, buffer_blocks=8).mixing(32)

    assert mixing.open_blocks == 8
    assert mixing.neighbor_share == pytest.approx(0.5, abs=0.01)
    with pytest.raises(ValueError, match="batch_size is 0"):
        BlockSampler([0], [10]).mixing(0)
