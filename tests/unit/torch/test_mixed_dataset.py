"""Several datasets as one: indices, common names, padding, shares, statistics."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from roboreel.errors import UsageError
from roboreel.reading.mixture_order import mixture_rows, shares_of
from roboreel.torch.mixing.mixed_dataset import MixedDataset
from tests.unit.torch.items import Items


def _two(**options: Any) -> MixedDataset:
    return MixedDataset(
        [
            Items("me/a", 5, {"state": (3,), "action": (2,), "only a": (4,)}, robot="arm"),
            Items("me/b", 7, {"state": (3,), "action": (1,), "grip": (1,)}, robot="hand"),
        ],
        **options,
    )


def test_items_of_a_dataset_follow_those_of_the_one_before() -> None:
    mixed = _two(features="pad")

    where = [
        (int(item["dataset_index"]), int(item["index"])) for item in (mixed[k] for k in range(12))
    ]

    assert where == [(0, k) for k in range(5)] + [(1, k) for k in range(7)]
    assert (len(mixed), mixed.num_frames, mixed.num_episodes) == (12, 12, 2)
    assert mixed[-1]["task"] == "me/b"
    for index in (12, -13):
        with pytest.raises(IndexError, match=f"item {index} is out of range"):
            mixed[index]


def test_only_common_features_are_kept() -> None:
    mixed = MixedDataset(
        [
            Items("a", 3, {"state": (3,), "x": (1,)}, windows={"x": 2}),
            Items("b", 3, {"state": (3,)}),
        ]
    )

    assert set(mixed[0]) == {"index", "task", "state", "dataset_index", "robot_index"}
    assert set(mixed.features) == {"state", "index"}
    assert mixed.disabled_features == {"x"}
    assert set(mixed.stats) == {"state"}


def test_shorter_and_missing_features_are_padded_and_masked() -> None:
    mixed = _two(features="pad")
    first, second = mixed[1], mixed[6]

    assert set(first) == set(second)
    assert first["action"].tolist() == [100.0, 101.0]
    assert second["action"].tolist() == [100.0, 0.0]
    assert [one["action_mask"].tolist() for one in (first, second)] == [[True, True], [True, False]]
    assert second["only a"].tolist() == [0.0] * 4
    assert second["only a_mask"].tolist() == [False] * 4
    assert (first["grip"].item(), first["grip_mask"].item()) == (0.0, False)
    assert (second["grip"].item(), second["grip_mask"].item()) == (100.0, True)
    assert first["grip_mask"].shape == second["grip_mask"].shape == first["grip"].shape == ()
    assert "state_mask" not in first


def test_windows_are_padded_as_windows() -> None:
    mixed = MixedDataset(
        [
            Items("a", 3, {"action": (3,), "x": (2,)}, windows={"action": 4, "x": 4}),
            Items("b", 3, {"action": (1,)}, windows={"action": 4}),
        ],
        features="pad",
    )
    item = mixed[4]

    assert item["action"].tolist() == [[100.0, 0.0, 0.0]] * 4
    assert item["action_mask"].tolist() == [True, False, False]
    assert item["x"].shape == (4, 2)
    assert item["x_is_pad"].tolist() == [True] * 4
    assert item["action_is_pad"].tolist() == [False] * 4


def test_padded_items_go_into_one_batch() -> None:
    (batch,) = DataLoader(_two(features="pad"), batch_size=12)

    assert batch["action"].shape == (12, 2)
    assert batch["robot_index"].tolist() == [0] * 5 + [1] * 7


def test_items_read_together_are_those_read_alone() -> None:
    mixed = _two(features="pad")
    wanted = [7, 0, 11, 2]

    for one, index in zip(mixed.__getitems__(wanted), wanted, strict=True):
        alone = mixed[index]
        assert one.keys() == alone.keys()
        assert all(torch.equal(one[k], alone[k]) for k in one if isinstance(one[k], torch.Tensor))


def test_features_go_together_by_common_names() -> None:
    mixed = MixedDataset(
        [
            Items("a", 3, {"state": (3,)}, windows={"state": 2}),
            Items("b", 3, {"qpos": (3,)}, windows={"qpos": 2}),
        ],
        renames=[None, {"qpos": "state"}],
    )

    assert mixed[4]["state"].tolist() == [[100.0, 101.0, 102.0]] * 2
    assert "state_is_pad" in mixed[4]
    assert not mixed.disabled_features
    assert mixed.stats["state"]["count"].tolist() == [6]


@pytest.mark.parametrize(
    ("datasets", "options", "message"),
    [
        ([], {}, "no datasets to mix"),
        ([Items("a", 3, {"x": (1,)})], {"renames": []}, "0 renames for 1 dataset"),
        ([Items("a", 3, {"x": (1,)})], {"weights": [1, 2]}, "2 weights for 1 dataset"),
        ([Items("a", 3, {"x": (1,)})], {"renames": [{"y": "z"}]}, "'a' has no feature"),
        (
            [Items("a", 3, {"x": (1,)})],
            {"renames": [{"x": "index"}]},
            "would have the same name .'index'",
        ),
        ([Items("a", 3, {"x": (1,)})], {"features": "all"}, "expected 'common' or 'pad'"),
        (
            [Items("a", 3, {"x": (1,)}), Items("b", 3, {"x": (2,)})],
            {},
            r"'x' has different shapes, \[1\] and \[2\] \(MixedDataset\(.*, features='pad'\) fills",
        ),
        (
            [Items("a", 3, {"x": (2, 2)}), Items("b", 3, {"x": (2, 3)})],
            {"features": "pad"},
            "'x' has different shapes",
        ),
    ],
)
def test_what_does_not_go_together_is_a_value_error(
    datasets: list[Items], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MixedDataset(datasets, **options)


def test_datasets_without_a_common_feature_are_a_runtime_error() -> None:
    with pytest.raises(RuntimeError, match="no feature in common"):
        MixedDataset([Items("a", 3, {"x": (1,)}), Items("b", 3, {"y": (1,)})])


def test_statistics_of_each_robot_have_the_same_shapes() -> None:
    stats = _two(features="pad").robot_stats

    assert list(stats) == ["arm", "hand"]
    assert stats["arm"]["action"]["mean"].tolist() == [2.0, 2.0]
    assert stats["hand"]["action"]["mean"].tolist() == [2.0, 0.0]
    assert stats["hand"]["action"]["std"].tolist() == [0.5, 1.0]
    assert stats["hand"]["action"]["min"].tolist() == [1.0, -1.0]
    assert stats["hand"]["action"]["max"].tolist() == [3.0, 1.0]


def test_a_sampler_gives_each_dataset_its_share() -> None:
    mixed = _two(features="pad", weights=[3, 1])

    for _ in range(3):
        rows = list(mixed.sampler(40))
        assert Counter(row >= 5 for row in rows) == {False: 30, True: 10}


def test_every_frame_is_used_once_before_any_is_used_twice() -> None:
    sampler = _two(features="pad", weights=[1, 1]).sampler(6, seed=2)

    used: Counter[int] = Counter(dict.fromkeys(range(5, 12), 0))
    for _ in range(7):
        used.update(row for row in sampler if row >= 5)
        assert max(used.values()) - min(used.values()) <= 1
    assert set(used.values()) == {3}


def test_a_mixture_is_resumed_and_divided() -> None:
    mixed = _two(features="pad")
    whole = list(mixed.sampler(seed=4))
    resumed = mixed.sampler(seed=4)
    resumed.load_state_dict({"epoch": 0, "start_index": 5})
    shares = [list(mixed.sampler(seed=4, rank=rank, world_size=5)) for rank in range(5)]

    assert list(resumed) == whole[5:]
    assert [len(share) for share in shares] == [2] * 5
    assert len({row for share in shares for row in share}) == 10


@pytest.mark.parametrize("weights", [[-1, 2], [0, 0], [float("nan"), 1]])
def test_weights_that_divide_nothing_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="expected numbers of 0 or more, at least one above 0"):
        _two(features="pad", weights=weights).sampler()


def test_shares_sum_to_the_whole() -> None:
    assert shares_of(10, [1, 1, 1]) == [4, 3, 3]
    assert shares_of(7, [0, 2.5]) == [0, 7]


def test_an_empty_dataset_gives_nothing() -> None:
    assert len(mixture_rows([0, 3], [0, 2], seed=0, epoch=0)) == 2
    with pytest.raises(UsageError, match="dataset 0 has a weight above 0 but no rows"):
        mixture_rows([0, 3], [1, 2], seed=0, epoch=0)


def test_a_double_in_one_dataset_goes_with_a_float_in_another() -> None:
    double = Items("b", 3, {"state": (3,)})
    double.meta.features["state"]["dtype"] = "float64"
    assert set(MixedDataset([Items("a", 3, {"state": (3,)}), double]).stats) == {"state"}

    double.meta.features["state"]["dtype"] = "int64"
    with pytest.raises(ValueError, match="dtype float32 in one dataset and int64 in another"):
        MixedDataset([Items("a", 3, {"state": (3,)}), double])
