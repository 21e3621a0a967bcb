"""What the samplers share: an order for each epoch, which can be resumed and divided among processes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from torch.utils.data import Sampler

from roboreel.errors import counted, known_episodes
from roboreel.ops.unreadable import unreadable_episodes
from roboreel.torch.errors import ArgumentError
from roboreel.types import Int64

OnError: TypeAlias = Literal["raise", "skip"]
"""What to do with episodes that cannot be read: nothing, so that reading raises, or leave them out."""

_LOG = logging.getLogger(__name__)
_ITEMS_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRows:
    """The rows of the episodes that a sampler uses; arrays are aligned, one entry per episode."""

    origins: Int64
    """First row of each episode."""
    starts: Int64
    """First row to use."""
    stops: Int64
    """Row after the last one to use."""


class ResumableSampler(Sampler[int]):
    """Row indices in an order that depends on the seed and the epoch alone.

    Each `iter()` takes the next epoch. A subclass gives the order: `_order`.
    """

    def __init__(
        self,
        count: int,
        *,
        seed: int,
        absolute_to_relative_idx: Mapping[int, int] | None,
        rank: int,
        world_size: int,
    ) -> None:
        if world_size < 1 or not 0 <= rank < world_size:
            raise ArgumentError(
                f"rank is {rank} and world_size {world_size}, expected 0 <= rank < world_size"
            )
        if count < world_size:
            raise ArgumentError(
                f"{counted(world_size, 'process', 'processes')} cannot share {counted(count, 'frame')}:"
                " each process needs at least one"
            )
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self._length = count // world_size
        self._relative = absolute_to_relative_idx
        self._epoch, self._start_index = 0, 0

    def _order(self, epoch: int) -> Int64:
        """(items,) numbers of this process's items of an epoch, in order."""
        raise NotImplementedError

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration."""
        self._epoch = _not_negative("epoch", epoch)

    def state_dict(self) -> dict[str, int]:
        """Where the next iteration begins: `epoch`, and `start_index` in this process's order.

        Loaders fetch ahead, so a sampler cannot know what was trained on: to resume in the middle of an
        epoch, compute the state from the step (`compute_sampler_state`).
        """
        return {"epoch": self._epoch, "start_index": self._start_index}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Let the next iteration begin where `state` says.

        Raises:
            KeyError: it has no `epoch` or `start_index`.
            ArgumentError: a number is negative.
        """
        epoch, start = state["epoch"], state["start_index"]
        self._epoch = _not_negative("epoch", epoch)
        self._start_index = _not_negative("start_index", start)

    def __iter__(self) -> Iterator[int]:
        epoch, start = self._epoch, self._start_index
        self._epoch, self._start_index = epoch + 1, 0
        return self._indices(epoch, start)

    def __len__(self) -> int:
        return self._length

    def _indices(self, epoch: int, start: int) -> Iterator[int]:
        order = self._order(epoch)
        for at in range(start, len(order), _ITEMS_AT_ONCE):
            yield from self._as_indices(order[at : at + _ITEMS_AT_ONCE])

    def _as_indices(self, numbers: Int64) -> list[int]:
        """Indices in the dataset by numbers of `_order`: here those of rows."""
        listed: list[int] = numbers.tolist()
        if self._relative is None:
            return listed
        return [self._relative[row] for row in listed]


def chosen_rows(
    dataset_from_indices: Iterable[Any],
    dataset_to_indices: Iterable[Any],
    episode_indices_to_use: Iterable[int] | None,
    drop_n_first_frames: int,
    drop_n_last_frames: int,
    skip_episodes: Mapping[int, str] | None,
) -> ChosenRows:
    """The rows to use of each episode, episodes in their order; leaving one out is logged.

    Raises:
        ArgumentError: arguments contradict each other, or no rows are left.
    """
    for name, dropped in (
        ("drop_n_first_frames", drop_n_first_frames),
        ("drop_n_last_frames", drop_n_last_frames),
    ):
        if dropped < 0:
            raise ArgumentError(f"{name} must be >= 0, got {dropped}")
    origins, ends = _numbers(dataset_from_indices), _numbers(dataset_to_indices)
    if len(origins) != len(ends):
        raise ArgumentError(
            f"got {len(origins)} dataset_from_indices and {len(ends)} dataset_to_indices: expected one of"
            " each per episode"
        )
    used = _used(len(origins), episode_indices_to_use)
    for episode, reason in (skip_episodes or {}).items():
        if 0 <= episode < len(used) and used[episode]:
            _LOG.warning("episode %d is left out because it cannot be read: %s", episode, reason)
            used[episode] = False
    starts, stops = origins + drop_n_first_frames, ends - drop_n_last_frames
    for episode in np.flatnonzero(used & (starts >= stops)).tolist():
        _LOG.warning(
            "episode %d is left out: all of its frames (%d) are dropped by drop_n_first_frames=%d and"
            " drop_n_last_frames=%d",
            *(episode, ends[episode] - origins[episode], drop_n_first_frames, drop_n_last_frames),
        )
    used &= starts < stops
    if not used.any():
        raise ArgumentError(
            "No valid frames remain: every episode was left out, or is too short for"
            f" drop_n_first_frames={drop_n_first_frames} and drop_n_last_frames={drop_n_last_frames}"
        )
    return ChosenRows(origins=origins[used], starts=starts[used], stops=stops[used])


def _used(count: int, episodes: Iterable[int] | None) -> Any:
    """(count,) True for the episodes to use."""
    used = np.full(count, episodes is None)
    wanted = [] if episodes is None else [int(episode) for episode in episodes]
    unknown = [episode for episode in wanted if not 0 <= episode < count]
    if unknown:
        raise ArgumentError(
            f"episode_indices_to_use has {unknown[:10]}, but the dataset has {known_episodes(range(count))}"
        )
    used[wanted] = True
    return used


def _numbers(values: Iterable[Any]) -> Int64:
    """Whole numbers of a list, an array, a tensor or a column of a table."""
    array = np.asarray(values if hasattr(values, "__array__") else [int(one) for one in values])
    return array.astype(np.int64)


def _not_negative(name: str, value: int) -> int:
    if value < 0:
        raise ArgumentError(f"{name} is {value}, expected an integer of 0 or more")
    return int(value)


def frames_of(rows: ChosenRows) -> int:
    """How many rows there are."""
    return int((rows.stops - rows.starts).sum())


def options_of(dataset: Any, on_error: OnError) -> dict[str, Any]:
    """The arguments of a sampler that a dataset tells.

    Raises:
        ArgumentError: `on_error` is unknown.
    """
    if on_error not in get_args(OnError):
        raise ArgumentError(f"on_error is {on_error!r}, expected 'raise' or 'skip'")
    episodes = dataset.meta.episodes
    options = {
        "dataset_from_indices": episodes["dataset_from_index"],
        "dataset_to_indices": episodes["dataset_to_index"],
    }
    if dataset.episodes is not None:
        options["episode_indices_to_use"] = dataset.episodes
        options["absolute_to_relative_idx"] = dataset.absolute_to_relative_idx
    if on_error == "skip":
        options["skip_episodes"] = unreadable_episodes(dataset.root)
    return options
