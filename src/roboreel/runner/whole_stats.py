"""Reconcile the stored statistics of the whole dataset with those merged from the episodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from roboreel.errors import Problem
from roboreel.format.causes import remedy
from roboreel.format.feature import INDEX_DTYPES
from roboreel.format.model import DATA_PATH
from roboreel.format.v30 import GLOBAL_STATS
from roboreel.format.values import column_values
from roboreel.plan.plan import Plan
from roboreel.stats.block import StatsBlock
from roboreel.stats.feature_stats import (
    BASE,
    FeatureStats,
    Stats,
    quantile_share,
    values_stats,
)
from roboreel.stats.merge import StatsMerger
from roboreel.stats.sample_tolerance import of_other_frames
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import TableFile

_COMPUTED = "computed from the rows; the statistics of the episodes are kept as stored"
_NEEDED = {"min", "max", "mean", "std"}
_COMPARED = ("mean", "std", "min", "max")
_FRAME_TOLERANCE, _NUMBER_RTOL, _NUMBER_ATOL = 1e-2, 5e-6, 6e-5
"""How far stored global statistics may differ from computed ones, as in the reference's own converter."""
_ROWS = 1 << 16
_SAME = 1e-6
"""Statistics with a smaller relative difference count as equal."""


def reconciled(root: Root, plan: Plan, stored: Stats, merged: Stats) -> tuple[Stats, list[Problem]]:
    """The statistics of the whole dataset to write, and the contradictions found.

    If stored and merged statistics agree in bounds, mean and std, the stored quantiles are kept: they may be
    of all rows, which merging cannot give. If they disagree, the rows decide.

    Args:
        root: the staged result, with complete tables.
        plan: a plan that reads one dataset and keeps all of its rows.
        stored: the source's statistics of the whole dataset, by the source's feature names.
        merged: the statistics merged from the episodes, by the result's feature names.
    """
    known = _by_name(plan, stored)
    features = plan.model.info.features
    cameras = frozenset(name for name in known if features[name].is_camera)
    found = disagreements(known, merged, cameras=cameras, ignored=frozenset())
    differing = {str(problem.column): problem for problem in found}
    rows = _of_rows(root, plan, {n: merged[n] for n in differing if features[n].is_numeric})
    result, problems = dict(merged), []
    for name in [name for name in merged if name in known]:
        if name not in differing:
            result[name] = {**merged[name], **_quantiles(known[name], merged[name])}
            continue
        if name in INDEX_DTYPES:  # renumbered, so the stored ones are no longer valid
            continue
        resolved, why, action = _resolved(name, known, merged, rows)
        result[name] = resolved
        if not plan.stats.write_global:
            action = _kept(name)
        message = f"{why}: {differing[name].message.rpartition(': ')[2]}"
        problems.append(replace(differing[name], message=message, action=action))
    return result, problems


def doubtful(
    plan: Plan, number: int, stored: Stats, blocks: Iterable[StatsBlock]
) -> dict[str, str]:
    """How a source's statistics of the whole dataset contradict its episodes', by feature of the result.

    Args:
        plan: the plan.
        number: number of the source.
        stored: its statistics of the whole dataset, by its own feature names.
        blocks: the statistics of all its episodes.
    """
    merger = StatsMerger()
    for block in blocks:
        merger.add(block)
    known = _by_name(plan, stored, number)
    merged = _by_name(plan, merger.result(), number)
    features = plan.model.info.features
    cameras = frozenset(name for name in known if features[name].is_camera)
    told = {name for own in plan.stats.pooled_std for name in own}
    found = disagreements(
        known, merged, cameras=cameras, ignored=frozenset(told | set(INDEX_DTYPES))
    )
    return {str(one.column): one.message.rpartition(": ")[2] for one in found}


def reconciled_part(
    root: Root, plan: Plan, found: Mapping[str, str], merged: Stats
) -> tuple[Stats, list[Problem]]:
    """The statistics of a result that has only some rows of a source, or rows of several sources.

    Args:
        root: the staged result, with complete tables.
        plan: the plan.
        found: how the statistics of a source contradict each other, by feature.
        merged: the statistics merged from the episodes, by the result's feature names.
    """
    features = plan.model.info.features
    names = [name for name in merged if name in found]
    rows = _of_rows(root, plan, {n: merged[n] for n in names if features[n].is_numeric})
    result, problems = dict(merged), []
    for name in names:
        if name in rows and _agree(merged[name], rows[name]):
            continue
        why = f"the statistics of the episodes contradict '{GLOBAL_STATS}'"
        action = f"the statistics of the episodes are kept as stored, and merged; {remedy([name])}"
        if name in rows:
            result[name] = _computed(merged[name], rows[name])
            why += " and the rows"
            action = f"{_COMPUTED}; {remedy([name])}"
        problems.append(
            Problem(
                rule="stats.agree",
                severity="warning",
                message=f"{why}: {found[name]}",
                column=name,
                action=action if plan.stats.write_global else _kept(name),
            )
        )
    return result, problems


def _by_name(plan: Plan, stored: Stats, number: int = 0) -> Stats:
    """A source's statistics by the result's feature names, without those that are not kept."""
    source = plan.datasets[number]
    unused = {*source.filled, *plan.stats.recomputed}
    named = {
        source.renamed.get(n, n): parts for n, parts in stored.items() if n not in source.removed
    }
    return {
        n: parts
        for n, parts in named.items()
        if n in plan.stats.features and n not in unused and parts.keys() >= _NEEDED
    }


def _quantiles(stored: FeatureStats, merged: FeatureStats) -> FeatureStats:
    """Stored quantiles that are plausible and differ from the merged ones."""
    names = {key: share for key in stored if (share := quantile_share(key)) is not None}
    ordered = [
        stored["min"],
        *(stored[k] for k in sorted(names, key=names.__getitem__)),
        stored["max"],
    ]
    shape = merged["mean"].shape
    if not names or any(values.shape != shape for values in ordered):
        return {}
    size = np.maximum(np.abs(stored["min"]), np.abs(stored["max"]))
    stacked = np.stack(ordered).astype(np.float64)
    steps = stacked[1:] - stacked[:-1]
    if not np.isfinite(steps).all() or (steps < -_SAME * size).any():
        return {}
    return {
        key: stored[key]
        for key in names
        if key not in merged or not np.allclose(stored[key], merged[key], rtol=_SAME, atol=_SAME**2)
    }


def _resolved(
    name: str, stored: Stats, merged: Stats, rows: Stats
) -> tuple[FeatureStats, str, str]:
    """(statistics of a feature to write, what contradicts what, what is done about it)."""
    kept = "the statistics merged from the episodes are written"
    if name not in rows:
        return merged[name], f"'{GLOBAL_STATS}' contradicts the statistics of the episodes", kept
    if _agree(merged[name], rows[name]):
        return merged[name], f"'{GLOBAL_STATS}' contradicts the statistics of the episodes", kept
    advice = remedy([name])
    if _agree(stored[name], rows[name]):
        found = {**merged[name], **stored[name]}
        action = (
            f"the statistics in '{GLOBAL_STATS}' and of the episodes are kept as stored; {advice}"
        )
        return (
            found,
            f"the statistics of the episodes contradict '{GLOBAL_STATS}' and the rows",
            action,
        )
    found = _computed(merged[name], rows[name])
    action = f"{_COMPUTED}; {advice}"
    why = f"'{GLOBAL_STATS}', the statistics of the episodes and the rows contradict each other"
    return found, why, action


def _computed(merged: FeatureStats, rows: FeatureStats) -> FeatureStats:
    return {**merged, **{key: rows[key] for key in BASE if key != "count"}}


def _kept(name: str) -> str:
    return f"the statistics of the episodes are kept as stored; {remedy([name])}"


def _agree(one: FeatureStats, other: FeatureStats) -> bool:
    return not disagreements({"": one}, {"": other}, cameras=frozenset(), ignored=frozenset())


def _of_rows(root: Root, plan: Plan, wanted: Mapping[str, FeatureStats]) -> Stats:
    """Bounds, mean and std of columns, in their stored shape; without columns that have missing values."""
    if not wanted:
        return {}
    paths = plan.model.episodes[DATA_PATH].unique().to_pylist()
    widths = {name: parts["mean"].size for name, parts in wanted.items()}
    lacking: set[str] = set()
    merger = StatsMerger()
    for path in paths:
        with TableFile(root, path) as file:
            for table in file.batches(list(widths), rows=_ROWS):
                for name, width in widths.items():
                    values = column_values(table[name])
                    if values is None or not len(values) or values[0].size % width:
                        lacking.add(name)
                    else:
                        part = values_stats(values.reshape(-1, width), quantiles=())
                        merger.add_part(name, part)
    return {
        name: {
            key: value if key == "count" else value.reshape(wanted[name]["mean"].shape)
            for key, value in parts.items()
        }
        for name, parts in merger.result().items()
        if name not in lacking
    }


def disagreements(
    stored: Stats,
    merged: Stats,
    *,
    cameras: frozenset[str],
    ignored: frozenset[str],
    sampled: frozenset[str] = frozenset(),
) -> list[Problem]:
    """Features whose stored global statistics differ from the data.

    Args:
        stored: the stored statistics.
        merged: the computed ones.
        cameras: names of cameras.
        ignored: features that are not compared.
        sampled: cameras that were measured by a sample of their frames, which may be another one than before.
    """
    problems = []
    for name in [name for name in merged if name in stored and name not in ignored]:
        worst = [
            f"{key} by {gap:.3g}"
            for key in _COMPARED
            if (gap := _gap(stored[name], merged[name], key, name in cameras)) is not None
            if name not in sampled or _of_other_frames(stored[name], merged[name])
        ]
        if worst:
            message = f"the stored statistics do not match the data: {', '.join(worst)}"
            problems.append(
                Problem(
                    rule="stats.agree",
                    severity="warning",
                    message=message,
                    column=name,
                    action="the computed statistics are written",
                )
            )
    return problems


def _of_other_frames(old: FeatureStats, new: FeatureStats) -> bool:
    """True if no choice of sample explains the difference."""
    known = all(key in one for one in (old, new) for key in ("mean", "std"))
    if not known or old["mean"].shape != new["mean"].shape:
        return True
    flat = [one[key].reshape(-1) for one in (old, new) for key in ("mean", "std")]
    return bool(of_other_frames(*flat).any())


def _gap(old: FeatureStats, new: FeatureStats, key: str, camera: bool) -> float | None:
    """The largest difference if it exceeds the tolerance, else None."""
    if key not in old or key not in new:
        return None
    if old[key].shape != new[key].shape:
        return float("inf")
    rtol, atol = (_FRAME_TOLERANCE,) * 2 if camera else (_NUMBER_RTOL, _NUMBER_ATOL)
    if np.allclose(new[key], old[key], rtol=rtol, atol=atol, equal_nan=True):
        return None
    gaps = np.abs(new[key] - old[key])
    return float(gaps[np.isfinite(gaps)].max(initial=0.0))
