"""Compare stored statistics with recomputed ones, and explain each difference."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from roboreel.checking.check import surveyed_anyway
from roboreel.checking.explain import Comparison, differences
from roboreel.checking.known_bugs import (
    check_camera_std,
    overflowed,
    overflowed_as_a_whole,
)
from roboreel.checking.recomputed import FreshStats, fresh_numbers, merged_base
from roboreel.checking.stats_report import StatsDifference, StatsReport
from roboreel.checking.stored_matrices import StoredFeature, StoredMatrices, read_stored
from roboreel.dataset.dataset import Dataset
from roboreel.errors import Problem
from roboreel.executors.worker_options import WorkerOptions
from roboreel.format.causes import ENCODED, LARGER, PIXELS, WRAPPED
from roboreel.format.feature import Feature
from roboreel.format.model import EPISODE, LENGTH
from roboreel.format.parse import Problems
from roboreel.format.version import FormatVersion
from roboreel.stats.quantiles import SKETCH_ERROR
from roboreel.stats.sampling import sample_size
from roboreel.storage.stamped import Stamped, refuse_changed_files
from roboreel.types import Bools, Floats, Int64


def compare_statistics(
    dataset: Dataset,
    *,
    features: Collection[str] | None = None,
    cameras: Mapping[str, StoredFeature] | None = None,
    whole_cuts: Mapping[str, Mapping[str, Floats]] | None = None,
    failed: Sequence[str] = (),
    workers: WorkerOptions,
) -> StatsReport:
    """Compare stored statistics with those of the values.

    Args:
        dataset: an open dataset.
        features: the features to compare; all by default.
        cameras: recomputed statistics of cameras, rows as in `Model.episodes`; the std of other cameras is
            checked against their own statistics only.
        whole_cuts: (1, channels) quantiles over all episodes, by camera and name.
        failed: why other cameras could not be measured.
        workers: what to use if there is enough to read.
    """
    problems = Problems()
    chosen = {n: f for n, f in dataset.features.items() if features is None or n in features}
    inventory = surveyed_anyway(dataset, problems, workers=workers)
    stored = read_stored(dataset)
    problems.found += stored.problems.found
    fresh = FreshStats()
    if inventory is not None:
        for found in inventory.broken.values():
            problems.found += found
        numeric = {n: f for n, f in chosen.items() if f.is_numeric}
        fresh = fresh_numbers(dataset, inventory, stored, numeric, workers=workers)
        problems.found += fresh.problems.found
    for name, measured in (cameras or {}).items():
        fresh.episodes[name] = measured
        if measured.have.all():
            fresh.whole[name] = merged_base(measured)
            fresh.whole[name].values |= (whole_cuts or {}).get(name, {})
    unreadable = [
        str(p) for p in problems.found if p.rule in ("document.readable", "table.readable")
    ]
    wrong = _overflows(dataset, stored, chosen)
    every = [*wrong, *_compared(dataset, stored, fresh, chosen)]
    order = {name: at for at, name in enumerate(chosen)}
    seen: dict[str, Stamped] = {**dataset.documents}
    seen |= inventory.files if inventory is not None else {}
    reason = "changed while the statistics were compared: run the command again"
    refuse_changed_files(dataset.root, seen, reason=reason)
    return StatsReport(
        path=dataset.url,
        version=dataset.version,
        compared=tuple(n for n in chosen if n in fresh.episodes or n in fresh.whole),
        differences=tuple(sorted(every, key=lambda one: order[one.feature])),
        problems=tuple(dict.fromkeys(p for p in problems.found if _of(p, chosen))),
        failed=(*failed, *unreadable),
    )


def _of(problem: Problem, chosen: Mapping[str, Feature]) -> bool:
    return problem.column is None or problem.column in chosen


def _overflows(
    dataset: Dataset, stored: StoredMatrices, chosen: Mapping[str, Feature]
) -> list[StatsDifference]:
    """Report camera stds made by a known bug, from the stored numbers alone."""
    problems = Problems()
    check_camera_std(dataset, stored, problems)
    found: dict[tuple[str, bool], list[Problem]] = {}
    for problem in problems.found:
        if problem.column in chosen:
            key = (str(problem.column), problem.episode is None)
            found.setdefault(key, []).append(problem)
    return [
        StatsDifference(
            feature=name,
            episodes=None if whole else tuple(p.episode for p in group if p.episode is not None),
            statistics=("std",),
            gap=None,
            why=f"{WRAPPED.said(dataset.version)}; it is impossible given the other statistics",
            rule=group[0].rule,
        )
        for (name, whole), group in found.items()
    ]


def _compared(
    dataset: Dataset, stored: StoredMatrices, fresh: FreshStats, chosen: Mapping[str, Feature]
) -> Iterator[StatsDifference]:
    numbers = dataset.episodes[EPISODE].to_pylist()
    larger = any(p.rule == "info.totals" and "total_frames" in p.message for p in dataset.problems)
    for name, feature in chosen.items():
        own, parts = fresh.episodes.get(name), stored.episodes.get(name)
        if own is not None and parts is not None and own.shape == parts.shape:
            named = overflowed(parts) if feature.is_camera else None
            yield from differences(
                Comparison(
                    feature, parts, own, version=dataset.version, named=named, numbers=numbers
                )
            )
            lengths = dataset.episodes[LENGTH].to_numpy()
            yield from _counts(feature, parts, own, numbers, lengths, dataset.version)
        total, whole = fresh.whole.get(name), stored.whole.get(name)
        if total is not None and whole is not None and total.shape == whole.shape:
            named = _named(feature, whole, parts)
            rough = SKETCH_ERROR if name in fresh.sketched else 0.0
            yield from _whole_count(feature, whole, total, parts, larger)
            yield from differences(
                Comparison(
                    feature,
                    whole,
                    total,
                    parts,
                    version=dataset.version,
                    part_of_larger=larger,
                    named=named,
                    rough=rough,
                )
            )


def _whole_count(
    feature: Feature,
    whole: StoredFeature,
    total: StoredFeature,
    parts: StoredFeature | None,
    larger: bool,
) -> Iterator[StatsDifference]:
    """Report counts of the whole dataset that match neither its episodes nor its rows."""
    stored = int(whole.count[0])
    known = parts is not None and bool((parts.count > 0).all())
    wanted = int(parts.count.sum()) if parts is not None and known else int(total.count[0])
    if not stored or stored in (wanted, int(total.count[0])) or (feature.is_camera and not known):
        return
    yield StatsDifference(
        feature=feature.name,
        episodes=None,
        statistics=("count",),
        gap=float(abs(stored - wanted)),
        why=LARGER.said() if larger and stored > wanted else None,
        rule="stats.count",
    )


def _named(feature: Feature, whole: StoredFeature, parts: StoredFeature | None) -> Bools | None:
    """True where an impossible camera std of the whole dataset has been reported."""
    if not feature.is_camera:
        return None
    return overflowed_as_a_whole(whole, parts)


def _counts(
    feature: Feature,
    stored: StoredFeature,
    fresh: StoredFeature,
    numbers: Sequence[int],
    lengths: Int64,
    version: FormatVersion,
) -> Iterator[StatsDifference]:
    """Report counts that differ from the number of rows, or for a camera, of frames."""
    wrong = stored.have & fresh.have & (stored.count > 0) & (stored.count != fresh.count)
    reasons: list[tuple[str | None, Bools]] = [(None, wrong)]
    if feature.is_camera:
        wrong &= (stored.count != lengths) & (stored.count != np.vectorize(sample_size)(lengths))
        pixels = (stored.count > lengths) & (stored.count % np.maximum(lengths, 1) == 0)
        fewer = stored.count < lengths
        reasons = [(PIXELS.said(version), wrong & pixels), (ENCODED.said(version), wrong & fewer)]
        reasons.append((None, wrong & ~pixels & ~fewer))
    for why, rows in reasons:
        if rows.any():
            yield StatsDifference(
                feature=feature.name,
                episodes=tuple(numbers[row] for row in np.flatnonzero(rows).tolist()),
                statistics=("count",),
                gap=float(np.abs(stored.count - fresh.count)[rows].max()),
                why=why,
                rule="stats.count",
            )
