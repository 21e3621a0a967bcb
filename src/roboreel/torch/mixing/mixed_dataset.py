"""Several datasets as one: weights, common names, padding, statistics of each robot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from roboreel.edit.concat import MASK
from roboreel.errors import counted
from roboreel.reading.mixture_order import mixture_rows, shares_of
from roboreel.torch.batches.resumable_sampler import ResumableSampler
from roboreel.torch.errors import ArgumentError
from roboreel.torch.mixing.mixed_features import FeaturePolicy, Stats, mixed_features, mixed_stats
from roboreel.torch.tools.edited_dataset import argument_errors
from roboreel.types import Int64, Json

_IS_PAD = "{}_is_pad"
Item = dict[str, Any]


class MixedDataset(Dataset[Item]):
    """The items of several `LeRobotDataset`s, one dataset after another.

    All items have the same keys, so that a loader can put them into one batch. `dataset_index` is the number
    of their dataset, `robot_index` that of their robot in `robot_types`. For a padded feature there is
    `NAME_mask`, True where values are the dataset's own.

    Args:
        datasets: the datasets; they may have different frame rates.
        features: `common` keeps the features that all have. `pad` keeps all: shorter vectors get zeros at
            their end, what a dataset lacks is all zeros (black frames, empty strings).
        renames: of each dataset, the common name of a feature by its own name; None renames nothing.
        weights: share of each dataset in `sampler()`; by default by their frames.

    Raises:
        ArgumentError: there are no datasets, or lists differ in length, names collide, or features do not go
            together. It is a `ValueError`.
        NoCommonFeaturesError: the datasets have no feature in common. It is a `RuntimeError`.
    """

    def __init__(
        self,
        datasets: Sequence[Any],
        *,
        features: FeaturePolicy = "common",
        renames: Sequence[Mapping[str, str] | None] | None = None,
        weights: Sequence[float] | None = None,
    ) -> None:
        if not datasets:
            raise ArgumentError("no datasets to mix: pass at least one")
        self.datasets = list(datasets)
        self._names = [
            _common_names(one, names or {})
            for one, names in zip(datasets, _one_each("renames", renames, datasets), strict=True)
        ]
        self._lengths = [len(one) for one in datasets]
        self._ends = np.cumsum(self._lengths)
        given = [*_one_each("weights", weights, datasets)]
        self.weights = self._lengths if weights is None else [float(one or 0) for one in given]
        specs = [_renamed(one.meta.features, names) for one, names in self._named()]
        self._features = mixed_features(specs, features)
        self._specs = specs
        self._templates: dict[str, Item] = {}
        self.robot_types: list[str | None] = list(
            dict.fromkeys(one.meta.robot_type for one in datasets)
        )

    @property
    def features(self) -> dict[str, dict[str, Json]]:
        """What `info.json` says of each feature of the items; padded ones have the largest shape."""
        return self._features.specs

    @property
    def disabled_features(self) -> set[str]:
        """Features that only some of the datasets have, and items do not."""
        return set(self._features.disabled)

    @property
    def stats(self) -> Stats:
        """Statistics of all datasets together; padding has mean 0 and deviation 1."""
        return self._stats_of(range(len(self.datasets)))

    @property
    def robot_stats(self) -> dict[str | None, Stats]:
        """Statistics by robot type, of shapes that are the same for all: to normalize each by its own."""
        robots = [one.meta.robot_type for one in self.datasets]
        return {
            robot: self._stats_of([k for k, one in enumerate(robots) if one == robot])
            for robot in self.robot_types
        }

    @property
    def num_frames(self) -> int:
        """Frames of all datasets."""
        return sum(self._lengths)

    @property
    def num_episodes(self) -> int:
        """Episodes of all datasets."""
        return sum(int(one.num_episodes) for one in self.datasets)

    def __len__(self) -> int:
        return self.num_frames

    def __getitem__(self, index: int) -> Item:
        """The item at an index; the items of a dataset follow the items of the previous dataset.

        Raises:
            IndexError: there are not so many.
        """
        number, row = self._located(index)
        return self._mixed(number, self.datasets[number][row])

    def __getitems__(self, indices: Sequence[int]) -> list[Item]:
        """Items at indices; items of the same dataset are read together."""
        located = [self._located(index) for index in indices]
        items: list[Item] = [{}] * len(located)
        for number in dict.fromkeys(number for number, _ in located):
            positions = [at for at, (one, _) in enumerate(located) if one == number]
            found = _read(self.datasets[number], [located[at][1] for at in positions])
            for at, item in zip(positions, found, strict=True):
                items[at] = self._mixed(number, item)
        return items

    def sampler(
        self,
        num_samples: int | None = None,
        *,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> MixtureSampler:
        """A sampler that gives each dataset the share of its weight.

        Args:
            num_samples: items of an epoch; by default as many as there are frames.
            seed: of the order, from 0.
            rank: number of this process; processes get disjoint, equally long parts.
            world_size: number of processes.
        """
        return MixtureSampler(
            self._lengths,
            self.weights,
            len(self) if num_samples is None else num_samples,
            seed=seed,
            rank=rank,
            world_size=world_size,
        )

    def _named(self) -> list[tuple[Any, Mapping[str, str]]]:
        return list(zip(self.datasets, self._names, strict=True))

    def _located(self, index: int) -> tuple[int, int]:
        """The dataset of an index, and the index in it."""
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"item {index} is out of range for a mixture of length {len(self)}")
        number = int(np.searchsorted(self._ends, at, side="right"))
        return number, at - int(self._ends[number]) + self._lengths[number]

    def _mixed(self, number: int, item: Item) -> Item:
        """An item of a dataset with the keys and shapes that all have."""
        names = self._names[number]
        mixed = {_key(key, names): value for key, value in item.items()}
        for name in self._features.disabled:
            mixed.pop(name, None)
            mixed.pop(_IS_PAD.format(name), None)
        for name in self._features.donor:
            self._pad(mixed, name, number)
        mixed["dataset_index"] = torch.tensor(number)
        robot = self.datasets[number].meta.robot_type
        mixed["robot_index"] = torch.tensor(self.robot_types.index(robot))
        return mixed

    def _pad(self, item: Item, name: str, number: int) -> None:
        spec, width = self._specs[number].get(name), self._features.width(name)
        if spec is None:
            item.update(self._zeros(name))
        own = 0 if spec is None else int(spec["shape"][0]) if width > 1 else 1
        if isinstance(item[name], torch.Tensor) and 0 < own < width:
            item[name] = _widened(item[name], own, width)
        mask = torch.arange(max(width, 1)) < own
        item[MASK.format(name)] = mask if width > 1 else mask[0]

    def _zeros(self, name: str) -> Item:
        """What an item without a feature gets: zeros of the form that the first item with it has."""
        if name not in self._templates:
            donor = self._features.donor[name]
            found = {
                _key(key, self._names[donor]): value
                for key, value in self.datasets[donor][0].items()
            }
            value, is_pad = found[name], found.get(_IS_PAD.format(name))
            empty = {
                name: torch.zeros_like(value) if isinstance(value, torch.Tensor) else type(value)()
            }
            if is_pad is not None:
                empty[_IS_PAD.format(name)] = torch.ones_like(is_pad)
            self._templates[name] = empty
        return self._templates[name]

    def _stats_of(self, numbers: Sequence[int]) -> Stats:
        every = [
            _renamed(self.datasets[number].meta.stats or {}, self._names[number])
            for number in numbers
        ]
        return mixed_stats(every, self._features)


class MixtureSampler(ResumableSampler):
    """Indices of a `MixedDataset`, each dataset with the share of its weight; made by its `sampler()`.

    Every frame of a dataset is used once before any is used twice, over the epochs.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        weights: Sequence[float],
        num_samples: int,
        *,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Divide an epoch among datasets.

        Args:
            sizes: frames of each dataset.
            weights: share of each, in any unit.
            num_samples: items of an epoch, of all processes.
            seed: of the order, from 0.
            rank: number of this process.
            world_size: number of processes.

        Raises:
            ArgumentError: a weight is negative, or all are 0, or a dataset with a weight has no frames.
        """
        with argument_errors():
            self.counts = shares_of(num_samples, weights)
        self._sizes = list(sizes)
        for number, (size, count) in enumerate(zip(sizes, self.counts, strict=True)):
            if count and not size:
                raise ArgumentError(
                    f"dataset {number} has a weight above 0 but no frames: leave it out, or set its weight"
                    " to 0"
                )
        super().__init__(
            num_samples, seed=seed, absolute_to_relative_idx=None, rank=rank, world_size=world_size
        )

    def _order(self, epoch: int) -> Int64:
        rows = mixture_rows(self._sizes, self.counts, seed=self.seed, epoch=epoch)
        return rows[: len(self) * self.world_size][self.rank :: self.world_size]


def _one_each(name: str, given: Sequence[Any] | None, datasets: Sequence[Any]) -> Sequence[Any]:
    every = [None] * len(datasets) if given is None else given
    if len(every) != len(datasets):
        raise ArgumentError(
            f"got {len(every)} {name} for {counted(len(datasets), 'dataset')}: give one for each dataset"
        )
    return every


def _common_names(dataset: Any, names: Mapping[str, str]) -> Mapping[str, str]:
    """The names, if every feature has one of its own after renaming.

    Raises:
        ArgumentError: a feature does not exist, or two would have one name.
    """
    own = list(dataset.meta.features)
    unknown = [name for name in names if name not in own]
    if unknown:
        raise ArgumentError(
            f"'{dataset.repo_id}' has no feature {unknown} to rename: expected one of {', '.join(own)}"
        )
    after = [names.get(name, name) for name in own]
    twice = sorted({name for name in after if after.count(name) > 1})
    if twice:
        raise ArgumentError(
            f"two features of '{dataset.repo_id}' would have the same name {twice}: choose other names"
        )
    return names


def _renamed(by_name: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in by_name.items()}


def _key(key: str, names: Mapping[str, str]) -> str:
    """The common key of an item's key, that of a padding mask included."""
    stem = key.removesuffix(_IS_PAD.format(""))
    return key if stem not in names else names[stem] + key[len(stem) :]


def _read(dataset: Any, rows: Sequence[int]) -> list[Item]:
    together = getattr(dataset, "__getitems__", None)
    return list(together(rows)) if together is not None else [dataset[row] for row in rows]


def _widened(values: torch.Tensor, own: int, width: int) -> torch.Tensor:
    """Values with zeros at the end of their last dimension; a single value becomes a vector."""
    last = values.unsqueeze(-1) if own == 1 else values
    return torch.nn.functional.pad(last, (0, width - own))
