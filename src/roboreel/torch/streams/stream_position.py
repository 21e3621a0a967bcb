"""How far each worker of a stream has come, in memory that workers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from roboreel.torch.errors import ArgumentError

_MOST_WORKERS = 1024
_NEXT, _FIRST, _WORKERS, _TURN, _BEGUN_FIRST, _BEGUN_TURN = range(6)


class Begun(NamedTuple):
    """An iteration that a worker begins."""

    iteration: int
    first: int
    """Item of its share to begin with."""
    turn: int
    """How far workers are turned: worker *w* has the share of worker (*w* + turn) modulo their number."""


class StreamPosition:
    """The next iteration of each worker and its first item. Slot 0 is a process without workers.

    A `DataLoader` takes batches from its workers in turn, and always begins with the first one. So an
    iteration that goes on begins with another worker's share, where the turn had come to that worker.
    """

    def __init__(self) -> None:
        """Begin with the first item of iteration 0."""
        self._slots = torch.zeros((6, 1 + _MOST_WORKERS), dtype=torch.int64)
        # workers are often started again for each iteration
        self._slots.share_memory_()  # type: ignore[no-untyped-call]

    def begin(self, slot: int, workers: int) -> Begun:
        """Begin an iteration in a worker; the next one is the iteration after that.

        Args:
            slot: the worker's.
            workers: how many there are; 0 without.

        Raises:
            ArgumentError: it goes on from a state of another number of workers.
        """
        column = self._slots[:, slot % self._slots.shape[1]]
        iteration, first, counted, turn = column[:4].tolist()
        if (first or turn) and counted != workers:
            raise ArgumentError(
                f"the state is of a DataLoader with num_workers={counted}, but this one has {workers}: use as"
                " many"
            )
        column[_BEGUN_FIRST], column[_BEGUN_TURN] = first, turn
        column[_NEXT] += 1
        column[_FIRST] = column[_TURN] = 0
        return Begun(iteration, first, turn)

    def begun(self, workers: int) -> list[Begun]:
        """What each worker began last; one entry where there are none."""
        slots = self._slots[:, 1 : 1 + workers] if workers else self._slots[:, :1]
        rows = (slots[_NEXT] - 1, slots[_BEGUN_FIRST], slots[_BEGUN_TURN])
        return [
            Begun(max(0, one), *rest)
            for one, *rest in zip(*(r.tolist() for r in rows), strict=True)
        ]

    def set(self, iteration: int) -> None:
        """Let all workers begin an iteration: from its start, unless they go on in it."""
        other = self._slots[_NEXT] != iteration
        self._slots[_FIRST][other] = self._slots[_TURN][other] = 0
        self._slots[_NEXT] = iteration

    def resume(self, slot: int, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on from a state: of all workers where it has a list, else of one.

        Raises:
            ArgumentError: it is not a state of a stream. It is a `ValueError`.
        """
        try:
            iteration, workers, turn = (int(state[key]) for key in ("epoch", "workers", "turn"))
            items = torch.tensor(state["items"], dtype=torch.int64)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ArgumentError(
                f"{state!r} is not a state of a stream: expected what state_dict or state_after gave"
            ) from error
        if items.ndim:
            items = items.roll(-turn)
        first = 1 if items.ndim and workers else slot
        slots = self._slots[:, first : first + max(items.numel(), 1)]
        slots[_NEXT], slots[_FIRST], slots[_WORKERS], slots[_TURN] = iteration, items, workers, turn


def delivered(shares: Sequence[int], batches: int, batch_size: int) -> list[int]:
    """Items that each worker of a `DataLoader` gave to some batches, which it takes from them in turn.

    Args:
        shares: items of each worker in the iteration.
        batches: batches of the iteration that were taken.
        batch_size: items of a batch.

    Raises:
        ArgumentError: there are not as many batches, or some workers had nothing left, so that the turns are
            not known.
    """
    workers = len(shares)
    rounds = [len(range(worker, batches, workers)) for worker in range(workers)]
    have = [-(-share // batch_size) for share in shares]
    if any(taken > most for taken, most in zip(rounds, have, strict=True)):
        raise ArgumentError(
            f"{batches} batches of {batch_size} are more than this stream has, or its workers have shares of"
            f" different sizes ({min(shares)} to {max(shares)} items): pass buffer_size=None for equal shares"
        )
    return [min(taken * batch_size, share) for taken, share in zip(rounds, shares, strict=True)]
