"""The task list of a result, and how the task indexes of rows change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from roboreel.edit.episode_slices import Retask
from roboreel.edit.tasks import retold
from roboreel.edit.view import View
from roboreel.format.parse import Problems
from roboreel.format.version import FormatVersion
from roboreel.types import Int64

_Keys: TypeAlias = tuple[dict[tuple[Retask, ...], set[int]], list[tuple[Retask, ...]]]


@dataclass(frozen=True, slots=True, eq=False)
class MergedTasks:
    """Tasks of the slices of a view; arrays are aligned with the slices."""

    strings: Mapping[int, str]
    """The result's task list: text by index."""
    of_slices: Sequence[Sequence[str]]
    """(slices,) task texts of each."""
    maps: tuple[Mapping[int, int], ...]
    """New index by old index; empty if indexes don't change."""
    map_of_slice: Int64
    """(slices,) position in `maps` of the map for the slice's rows."""
    unused: Sequence[str] = ()
    """Texts in the sources' lists that no slice has."""


class TaskFacts(Protocol):
    """The tasks of the slices that a view takes of one dataset: what an `Inventory` says of them."""

    @property
    def tasks(self) -> Mapping[int, str]:
        """Text by index, in the dataset."""
        ...

    @property
    def tasks_of_rows(self) -> Sequence[Sequence[int]]:
        """(slices,) distinct indexes of each slice's rows."""
        ...

    @property
    def tasks_of_episodes(self) -> Sequence[Sequence[str]]:
        """(slices,) texts that each slice has."""
        ...


def merged_tasks(view: View, inventories: Sequence[TaskFacts], problems: Problems) -> MergedTasks:
    """The tasks of a view.

    A whole dataset keeps its list; for v3.0 its indexes are renumbered 0, 1, 2, … An edited view has the
    tasks that its rows or episodes name, in the order of the sources' lists.

    Args:
        view: the view.
        inventories: per source, aligned with the view's slices of it.
        problems: collects warnings.
    """
    rows_of_source = [np.flatnonzero(view.slices.source == n) for n in range(len(view.sources))]
    of_slices: list[list[str]] = [[] for _ in range(len(view.slices))]
    for positions, inventory in zip(rows_of_source, inventories, strict=True):
        for at, strings in zip(positions.tolist(), inventory.tasks_of_episodes, strict=True):
            of_slices[at] = retold(strings, view.slices.retasked[at])
    if not view.edited:
        return _whole(view, inventories[0], of_slices, problems)
    new: dict[str, int] = {}
    keys = [_keys(view, p, i) for p, i in zip(rows_of_source, inventories, strict=True)]
    for inventory, (used, _) in zip(inventories, keys, strict=True):
        for old, text in inventory.tasks.items():
            for chain, indexes in used.items():
                if old in indexes:
                    for renamed in retold([text], chain):
                        new.setdefault(renamed, len(new))
    maps: dict[tuple[tuple[int, int], ...], int] = {(): 0}
    map_of_slice = np.zeros(len(view.slices), dtype=np.int64)
    for positions, inventory, (used, chains) in zip(rows_of_source, inventories, keys, strict=True):
        number: dict[tuple[Retask, ...], int] = {}
        for chain, indexes in used.items():
            renumbered = {i: new[retold([inventory.tasks[i]], chain)[0]] for i in sorted(indexes)}
            same = all(old == now for old, now in renumbered.items())
            number[chain] = maps.setdefault(() if same else tuple(renumbered.items()), len(maps))
        for at, chain in zip(positions.tolist(), chains, strict=True):
            map_of_slice[at] = number.get(chain, 0)
    by_index = {index: text for text, index in new.items()}
    unused = _unused(inventories, keys, set(new))
    return MergedTasks(by_index, of_slices, tuple(dict(one) for one in maps), map_of_slice, unused)


def _unused(
    inventories: Sequence[TaskFacts], keys: Sequence[_Keys], listed: Collection[str]
) -> list[str]:
    """Texts that no slice of their source has; a task that was renamed is not among them."""
    known: dict[str, None] = {}
    used_texts: set[str] = set()
    for inventory, (used, _) in zip(inventories, keys, strict=True):
        indexes = set[int]().union(*used.values())
        used_texts |= {inventory.tasks[index] for index in indexes}
        known |= dict.fromkeys(inventory.tasks.values())
    return [text for text in known if text not in listed and text not in used_texts]


def _keys(view: View, positions: Int64, inventory: TaskFacts) -> _Keys:
    """Old task indexes by chain of task changes, and each slice's chain."""
    index_of = {text: index for index, text in reversed(list(inventory.tasks.items()))}
    chains = [view.slices.retasked[at] for at in positions.tolist()]
    used: dict[tuple[Retask, ...], set[int]] = {}
    every = zip(
        chains,
        map(tuple, inventory.tasks_of_rows),
        map(tuple, inventory.tasks_of_episodes),
        strict=True,
    )
    for chain, indexes, strings in dict.fromkeys(every):  # few are distinct
        known = used.setdefault(chain, set())
        known.update(index for index in indexes if index in inventory.tasks)
        known.update(index_of[text] for text in strings if text in index_of)
    return used, chains


def _whole(
    view: View, inventory: TaskFacts, of_slices: list[list[str]], problems: Problems
) -> MergedTasks:
    """The task list of a whole dataset that is written as another version."""
    tasks = dict(inventory.tasks)
    none = np.zeros(len(view.slices), dtype=np.int64)
    dense = list(tasks) == list(range(len(tasks)))
    if dense or view.version is not FormatVersion.V30:
        return MergedTasks(tasks, of_slices, ({},), none)
    renumbered = {old: new for new, old in enumerate(tasks)}
    message = f"task indexes {list(tasks)[:10]} have gaps"
    action = f"renumbered 0 to {len(tasks) - 1}, as v3.0 needs"
    problems.add("task.contiguous", message, action=action)
    strings = {renumbered[old]: text for old, text in tasks.items()}
    return MergedTasks(strings, of_slices, (renumbered,), none)
