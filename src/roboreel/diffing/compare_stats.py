"""Compare stored statistics. All differences are notes, because statistics can be recomputed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.diffing.side import Side
from roboreel.errors import RoboreelError
from roboreel.format.v30 import GLOBAL_STATS
from roboreel.stats.feature_stats import FeatureStats, Stats

_ROUNDING = 1e-6
"""Relative tolerance: merging instead of computing, and float32, change the last digits."""


def compare_statistics(first: Side, second: Side, ledger: DiffLedger) -> None:
    """Compare statistics per episode and of the whole dataset, as far as both sides have them.

    If both versions store them per episode, `stats.json` is compared too, where both have it and have the
    same number of episodes. If one stores none per episode (v2.0), the other's are merged and the totals
    compared. Only common entries are compared: v2.0 has no `count`, v2.x no quantiles.
    """
    try:
        chosen = first.chosen is not None
        if all(side.dataset.version.has_episode_stats for side in (first, second)):
            for episode, a, b in _paired(first, second):
                _compare(a, b, episode, second, ledger)
            if not chosen:
                _compare_whole(first, second, ledger)
        elif not chosen:
            _compare(first.dataset.stats(), second.dataset.stats(), None, second, ledger)
    except RoboreelError as error:
        what = f"cannot be compared: {error}"
        ledger.add_note(Difference(kind="statistics", what=what), fold="unreadable")


def _compare_whole(first: Side, second: Side, ledger: DiffLedger) -> None:
    """Compare `stats.json` of two datasets that also store statistics per episode."""
    if first.dataset.total_episodes != second.dataset.total_episodes:
        return  # they describe different episodes
    a, b = first.dataset.whole_stats(), second.dataset.whole_stats()
    if a is None or b is None:
        same_version = first.dataset.version is second.dataset.version
        if (a is None) != (b is None) and same_version:
            which = "second" if a is None else "first"
            what = f"only the {which} has statistics of the whole dataset"
            found = Difference(kind="statistics", what=what, path=GLOBAL_STATS)
            ledger.add_note(found, fold="whole")
        return
    _compare(a, b, None, second, ledger, prefix="of the whole dataset: ")


def _paired(first: Side, second: Side) -> Iterator[tuple[int, Stats, Stats]]:
    """(pair, statistics of both sides); few are held in memory if both files have the same order."""
    waiting: tuple[dict[int, Stats], dict[int, Stats]] = ({}, {})
    streams = [_stats_by_pair(side) for side in (first, second)]
    while True:
        found = [next(stream, None) for stream in streams]
        if found == [None, None]:
            break
        for side, entry in enumerate(found):
            if entry is None:
                continue
            episode, stats = entry
            other = waiting[1 - side].pop(episode, None)
            if other is None:
                waiting[side][episode] = stats
            else:
                yield (episode, stats, other) if side == 0 else (episode, other, stats)
    for episode, stats in sorted(waiting[0].items()):
        yield episode, stats, {}
    for episode, stats in sorted(waiting[1].items()):
        yield episode, {}, stats


def _stats_by_pair(side: Side) -> Iterator[tuple[int, Stats]]:
    """(pair, stored statistics) of each compared episode."""
    pair_of = {side.numbers[position]: pair for pair, position in enumerate(side.positions)}
    for number, stats in side.dataset.episode_stats():
        if number in pair_of:
            yield pair_of[number], stats


def _compare(
    first: Stats,
    second: Stats,
    episode: int | None,
    side: Side,
    ledger: DiffLedger,
    *,
    prefix: str = "",
) -> None:
    """Add a note per feature whose statistics differ; `prefix` begins its text."""
    a, b = first, {side.common_name(name): parts for name, parts in second.items()}
    for name in dict.fromkeys([*a, *b]):
        if name not in a or name not in b:
            which = "first" if name in a else "second"
            what = f"{prefix}only the {which} has statistics of this name"
            found = Difference(kind="statistics", what=what, episode=episode, column=name)
            ledger.add_note(found, fold=which + prefix)
            continue
        what = _mismatch(a[name], b[name])
        if what:
            found = Difference(kind="statistics", what=prefix + what, episode=episode, column=name)
            ledger.add_note(found, fold=prefix)


def _mismatch(a: FeatureStats, b: Mapping[str, object]) -> str:
    """Describe the entry with the largest relative difference; empty if all agree."""
    worst, said = -1.0, ""
    for key in [key for key in a if key in b]:
        x, y = np.asarray(a[key], np.float64), np.asarray(b[key], np.float64)
        if x.shape != y.shape:
            return f"{key} of shape {list(x.shape)} against {list(y.shape)}"
        if np.array_equal(x, y):
            continue
        same = np.isclose(x, y, rtol=_ROUNDING, atol=_ROUNDING**2, equal_nan=True)
        if same.all():
            continue
        with np.errstate(all="ignore"):
            apart = np.where(same, 0.0, np.abs(x - y) / np.maximum(np.abs(x), np.abs(y)))
        far = np.where(np.isnan(apart), np.inf, apart)
        at = int(far.argmax())
        if float(far.flat[at]) > worst:
            worst, said = float(far.flat[at]), f"{key} {x.flat[at]:.9g} against {y.flat[at]:.9g}"
    return said
