"""Divide episodes among named parts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Literal, TypeAlias, get_args

import numpy as np

from roboreel.edit import selection
from roboreel.edit.tasks import TasksFrom, first_tasks
from roboreel.edit.view_data import AnyView, ViewData
from roboreel.errors import UsageError, ranged
from roboreel.types import Int64

Fractions: TypeAlias = Literal["whole", "lerobot"]

_ROUNDING = 1e-9


def divided(
    view: ViewData,
    into: Mapping[str, float | Iterable[int]],
    seed: int | None,
    rest: str | None = None,
    fractions: Fractions = "whole",
) -> dict[str, Int64]:
    """Positions of the episodes of each part: see `Verbs.split`."""
    if not isinstance(into, Mapping):
        raise UsageError(f'the parts are {into!r}, expected names: {{"train": 0.8, "val": 0.2}}')
    if not into:
        raise UsageError("name the parts: name=0.8 or name=0:10")
    if fractions not in get_args(Fractions):
        raise UsageError(
            f"fractions is {fractions!r}, expected one of {', '.join(get_args(Fractions))}"
        )
    taken: dict[str, str] = {}
    for name in [*into, *([] if rest is None or rest in into else [rest])]:
        require_part_name(name)
        other = taken.setdefault(name.casefold(), name)
        if other != name:
            raise UsageError(f"'{other}' and '{name}' would be the same folder on some disks")
    shares: dict[str, float] = {}
    listed: dict[str, Iterable[int]] = {}
    for name, part in into.items():
        if isinstance(part, Iterable):
            listed[name] = part
        else:
            shares[name] = _share(name, part)
    order = np.arange(len(view.slices), dtype=np.int64)
    if shares and listed:
        raise UsageError("give either a fraction for every part, or episodes for every part")
    if shares:
        if seed is not None:
            order = random_order(len(order), seed)
        return _by_share(order, shares, rest, fractions)
    if seed is not None:
        raise UsageError(
            "a seed only makes sense with fractions, but these parts list their episodes"
        )
    if fractions != "whole":
        raise UsageError("this needs fractions, but these parts list their episodes")
    parts = {name: view.positions(part) for name, part in listed.items()}
    if rest is not None:
        parts[rest] = _with_rest(order, parts, rest)
    _refuse_overlap(view, parts)
    return parts


def random_order(count: int, seed: int) -> Int64:
    """(count,) positions in an order that the seed tells.

    Raises:
        UsageError: it is no whole number from 0 on.
    """
    try:
        return np.random.default_rng(seed).permutation(count).astype(np.int64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the seed must be a whole number of 0 or more, not {seed!r}") from error


def by_task(view: ViewData, tasks_from: TasksFrom | None = None) -> dict[str, Int64]:
    """Positions of the episodes of each task, by a name that can be a folder's."""
    members: dict[str, list[int]] = {}
    for position, text in enumerate(first_tasks(view, tasks_from)):
        members.setdefault("no task" if text is None else text, []).append(position)
    named: dict[str, Int64] = {}
    taken: set[str] = set()
    for text, positions in members.items():
        name = _folder_name(text)
        while name.casefold() in taken:
            name += "_"
        taken.add(name.casefold())
        named[name] = np.array(positions, dtype=np.int64)
    return named


def named(view: AnyView, parts: Mapping[str, Int64]) -> AnyView:
    """One view in which the parts follow each other, as named ranges."""
    ends = np.cumsum([len(part) for part in parts.values()]).tolist()
    starts = [0, *ends[:-1]]
    ranges = {n: f"{a}:{b}" for n, a, b in zip(parts, starts, ends, strict=True)}
    together = selection.kept(view, np.concatenate(list(parts.values())))
    noted = [{"name": name, "positions": part} for name, part in parts.items()]
    return together.having(splits=ranges).noting(view, "splits", parts=noted)


def _by_share(
    order: Int64, shares: Mapping[str, float], rest: str | None, fractions: Fractions
) -> dict[str, Int64]:
    """Parts that follow each other: each has its share rounded down, and one what remains.

    That one is `rest`, or else the last, which by the rule `whole` only takes what rounding leaves.
    """
    for name, share in shares.items():
        if not 0 < share <= 1:
            raise UsageError(
                f"the fraction of '{name}' is {share:g}, expected more than 0 and at most 1"
                f" (to name episodes, give a list: [{share:g}])"
            )
    total = math.fsum(shares.values())
    if total > 1 + _ROUNDING:
        raise UsageError(f"the fractions sum to {total:g}, expected at most 1")
    if rest is None and fractions == "whole" and total < 1 - _ROUNDING:
        _refuse_remainder(len(order), total, shares)
    slack = 0.0 if fractions == "lerobot" else _ROUNDING
    sizes = {name: math.floor(len(order) * share + slack) for name, share in shares.items()}
    last = [*shares][-1] if rest is None else rest
    sizes[last] = len(order) - sum(size for name, size in sizes.items() if name != last)
    ends = np.cumsum([*sizes.values()]).tolist()
    spans = zip(sizes, [0, *ends[:-1]], ends, strict=True)
    parts = {name: np.sort(order[start:stop]) for name, start, stop in spans}
    empty = [name for name, part in parts.items() if not len(part)]
    if empty:
        raise UsageError(f"'{empty[0]}' would get none of the {len(order)} episodes")
    return parts


def _refuse_remainder(episodes: int, total: float, shares: Mapping[str, float]) -> None:
    """Raise `UsageError`: nobody said where the episodes go that the fractions leave."""
    name = next(one for one in ("rest", "remaining", "others", *shares) if one not in shares)
    left = format(1 - total, ".9g")
    raise UsageError(
        f"the fractions sum to {total:g}, so {left} of the {episodes} episodes would be in no part:"
        f" add a part '{name}' of {left}, or name the part that takes them, such as rest=\"{name}\""
    )


def _with_rest(order: Int64, parts: Mapping[str, Int64], rest: str) -> Int64:
    """Positions of the episodes of the part that takes those which no other part names."""
    named = [part for name, part in parts.items() if name != rest]
    taken = np.concatenate([*named, parts.get(rest, order[:0])])
    return np.concatenate([parts.get(rest, order[:0]), np.setdiff1d(order, taken)])


def _share(name: str, part: object) -> float:
    if not isinstance(part, Real):
        raise UsageError(f"'{name}' gets {part!r}, expected a fraction or a list of episodes")
    return float(part)


def _refuse_overlap(view: ViewData, parts: Mapping[str, Int64]) -> None:
    owner: dict[int, str] = {}
    numbers = view.numbers
    for name, positions in parts.items():
        if not len(positions):
            raise UsageError(f"'{name}' would get no episode")
        for position in positions.tolist():
            other = owner.setdefault(position, name)
            if other != name:
                raise UsageError(f"episode {numbers[position]} is in '{other}' and in '{name}'")
    missing = sorted(set(range(len(view.slices))) - set(owner))
    if missing:
        shown = ranged(numbers[missing].tolist())
        raise UsageError(
            f"no part has episode {shown}: name each episode once, choose the part that takes the rest"
            " (rest=NAME), or keep only some episodes first"
        )


def require_part_name(name: object) -> None:
    """Raise `UsageError` where a part cannot have this name, as it becomes a folder's."""
    if not isinstance(name, str) or _folder_name(name) != name:
        raise UsageError(
            f"'{name}' cannot be the name of a part, which becomes a folder's:"
            " expected letters, digits, '-', '_' and '.', at most 80"
        )


def _folder_name(text: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in text.strip())[:80]
    return kept.lstrip(".") or "part"
