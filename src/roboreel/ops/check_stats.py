"""Compare stored statistics with recomputed ones, including cameras, without writing a result."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from roboreel.checking.stats_check import compare_statistics
from roboreel.checking.stats_report import StatsReport
from roboreel.checking.stored_matrices import StoredFeature
from roboreel.dataset.dataset import Dataset
from roboreel.edit.recompute import CameraChoice, refuse_unknown
from roboreel.edit.view import whole_view
from roboreel.errors import DatasetError, PlanError, StorageError, require_keywords
from roboreel.executors.jobs import JobFailure
from roboreel.executors.make_executor import make_executor
from roboreel.executors.worker_options import WorkerKeywords, WorkerOptions
from roboreel.executors.worker_pool import cluster_session
from roboreel.format.depth import has_camera_stats
from roboreel.format.model import EPISODE
from roboreel.hub.open_reference import open_reference
from roboreel.ops.inputs import surveyed
from roboreel.plan.compile import compile_view
from roboreel.plan.plan import SOURCE_EPISODE, MeasureCamera, Plan
from roboreel.progress.choice import ProgressChoice, listening
from roboreel.progress.reporter import begin_phase, current_reporter
from roboreel.runner.plan_progress import PlanProgress
from roboreel.runner.whole_quantiles import whole_camera_quantiles
from roboreel.runner.work import work_of
from roboreel.runner.worker import attempt
from roboreel.stats.feature_stats import FeatureStats, quantile_name
from roboreel.stats.pixel_counts import CameraCounts
from roboreel.types import Floats

if TYPE_CHECKING:
    from typing_extensions import Unpack


def check_stats(
    dataset: Dataset | str | os.PathLike[str],
    *,
    features: Iterable[str] | None = None,
    cameras: CameraChoice = "none",
    progress: ProgressChoice = None,
    **options: Unpack[WorkerKeywords],
) -> StatsReport:
    """Compare the stored statistics with recomputed ones, and explain each difference.

    Nothing is written. Numeric features are computed from all rows, cameras on request.

    Args:
        dataset: an open dataset, or its path.
        features: the features to compare; by default all.
        cameras: `sample` decodes a sample of each episode's frames, `all` decodes every frame, and `none`
            decodes nothing and reports only impossible values of cameras.
        progress: as in `roboreel.convert`.
        **options: `workers`, `executor`, `timeout_factor` and `ray_address`, as in `RunOptions`.

    Raises:
        UsageError: a feature does not exist, or a choice is unknown.
        StorageError, DatasetError: the dataset cannot be read.
        RunError: a worker process died.
    """
    require_keywords("check_stats", options, WorkerKeywords.__annotations__)
    how = WorkerOptions(**options)
    dataset = dataset if isinstance(dataset, Dataset) else open_reference(dataset)
    chosen = None if features is None else set(features)
    refuse_unknown(dataset.as_view(), chosen or (), cameras)
    with listening(progress), cluster_session(how):
        found = _Measured()
        if cameras != "none":
            found = _cameras(dataset, chosen, cameras, how)
        begin_phase("comparing statistics")
        return compare_statistics(
            dataset,
            features=chosen,
            cameras=found.episodes,
            whole_cuts=found.whole_cuts,
            failed=sorted(found.failed),
            workers=how,
        )


@dataclass(slots=True)
class _Measured:
    """Statistics of cameras, and the reasons why some cameras or episodes could not be measured."""

    episodes: dict[str, StoredFeature] = field(default_factory=dict)
    whole_cuts: dict[str, dict[str, Floats]] = field(default_factory=dict)
    """(1, channels) quantiles over all episodes, by camera and name."""
    failed: list[str] = field(default_factory=list)


def _cameras(
    dataset: Dataset,
    chosen: Collection[str] | None,
    choice: CameraChoice,
    how: WorkerOptions,
) -> _Measured:
    wanted = [
        name
        for name, feature in dataset.features.items()
        if has_camera_stats(feature) and (chosen is None or name in chosen)
    ]
    if not wanted:
        return _Measured()
    try:
        plan = _plan(dataset, wanted, choice, how)
    except (DatasetError, StorageError, PlanError) as error:
        return _Measured(failed=[f"no camera can be measured: {error}"])
    found = _Measured(failed=[str(problem) for problem in plan.skipped])
    pixels = CameraCounts()
    row_of = _rows(dataset, plan)
    executor = make_executor(how, decodes=True)
    progress = PlanProgress(plan=plan)
    moved = None if current_reporter() is None else progress.moved
    for outcome in executor.run(work_of(plan, os.curdir), attempt, moved):
        op = plan.ops[outcome.number]
        progress.finished(outcome.number)
        if isinstance(outcome, JobFailure):
            found.failed.append(outcome.message)
        elif isinstance(op, MeasureCamera):
            stats = [one[op.camera] for block in outcome.stats for one in block.each()]
            rows = row_of[op.episodes.start : op.episodes.stop]
            _put(found.episodes, op.camera, rows, stats, len(dataset.episodes))
            for camera, counted in outcome.pixels.items():
                pixels.add(camera, counted)
    shares = plan.table.profile.quantiles
    for camera, cuts in whole_camera_quantiles(plan, pixels).items():
        names = map(quantile_name, shares)
        found.whole_cuts[camera] = dict(zip(names, cuts[:, None], strict=True))
    return found


def _plan(
    dataset: Dataset, cameras: Sequence[str], choice: CameraChoice, how: WorkerOptions
) -> Plan:
    """A plan with only the ops that measure cameras, as recomputing them would run."""
    view = whole_view(dataset).recompute(cameras, cameras=choice)
    refused = {p.column for p in dataset.problems if p.severity == "error"}
    view = view.with_target(
        on_broken="skip", allow_missing=[n for n in dataset.features if n not in refused]
    )
    plan = compile_view(view, surveyed(view, how, {}))
    return replace(plan, ops=tuple(op for op in plan.ops if isinstance(op, MeasureCamera)))


def _rows(dataset: Dataset, plan: Plan) -> list[int]:
    """For each episode of the plan, its row in the dataset's table of episodes."""
    row = {number: at for at, number in enumerate(dataset.episodes[EPISODE].to_pylist())}
    return [row[number] for number in plan.inputs[SOURCE_EPISODE].to_pylist()]


def _put(
    found: dict[str, StoredFeature],
    camera: str,
    rows: Sequence[int],
    stats: Sequence[FeatureStats],
    episodes: int,
) -> None:
    for row, parts in zip(rows, stats, strict=True):
        if camera not in found:
            shape = parts["mean"].shape
            values = {
                key: np.full((episodes, value.size), np.nan)
                for key, value in parts.items()
                if key != "count"
            }
            none, zeros = np.zeros(episodes, dtype=np.bool_), np.zeros(episodes, dtype=np.int64)
            found[camera] = StoredFeature(shape, values, none, zeros)
        feature = found[camera]
        for key, value in parts.items():
            if key != "count":
                feature.values[key][row] = value.reshape(-1)
        feature.have[row] = True
        feature.count[row] = int(parts["count"][0])
