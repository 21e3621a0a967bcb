"""The facade: for each operation a plan, and the run of it. No logic of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.dataset.survey import survey
from roboreel.dataset.survey_stats import statistics_files
from roboreel.edit.compile import compile_view
from roboreel.edit.plan import Plan
from roboreel.edit.view import OnBroken, Target, Timestamps, View, whole_view
from roboreel.errors import UsageError
from roboreel.format.version import FormatVersion, parse_version
from roboreel.runner.executor import ExecutorName, make_executor
from roboreel.runner.report import Report
from roboreel.runner.run import refuse_changed, refuse_output, run_plan
from roboreel.runner.work import OpResult


def plan_convert(
    dataset: Dataset | str | os.PathLike[str],
    *,
    to: str | FormatVersion,
    out: str | os.PathLike[str],
    on_broken: OnBroken = "fail",
    timestamps: Timestamps = "regular",
    allow_reencode: bool = False,
    drop_audio: bool = False,
    data_file_mb: float | None = None,
    video_file_mb: float | None = None,
) -> Plan:
    """Plan the conversion of a dataset to another format version. Nothing is written.

    Args:
        dataset: an open dataset, or where one lies.
        to: `v2.0`, `v2.1` or `v3.0`.
        out: the folder to make; it must not exist, or be empty.
        on_broken: `fail` refuses where an episode cannot be written; `skip` leaves such episodes out.
        timestamps: `regular` writes irregular ones as k / fps and keeps the originals in
            `source_timestamp`; `keep` copies them.
        allow_reencode: episodes that start inside a GOP may be encoded again where the target has a file
            per episode.
        drop_audio: leave sound out of the videos.
        data_file_mb: soft limit of a table file in MiB of compressed input (v3.0).
        video_file_mb: soft limit of a video file in MiB (v3.0).

    Raises:
        UsageError: an argument is wrong, or the output exists.
        StorageError, DatasetError: the dataset cannot be read.
        PlanError: it cannot be converted as asked; carries every reason.
    """
    _require("timestamps", timestamps, get_args(Timestamps))
    _require("on_broken", on_broken, get_args(OnBroken))
    source = dataset if isinstance(dataset, Dataset) else open_dataset(dataset)
    target = Target(
        version=parse_version(to),
        data_file_mb=_limit("data_file_mb", data_file_mb),
        video_file_mb=_limit("video_file_mb", video_file_mb),
        timestamps=timestamps,
        on_broken=on_broken,
        reencode=allow_reencode,
        drop_audio=drop_audio,
    )
    return _planned(source, whole_view(source.url, source.model, target), out)


def convert(
    dataset: Dataset | str | os.PathLike[str],
    *,
    to: str | FormatVersion,
    out: str | os.PathLike[str],
    workers: int = 1,
    executor: ExecutorName | None = None,
    on_broken: OnBroken = "fail",
    timestamps: Timestamps = "regular",
    allow_reencode: bool = False,
    drop_audio: bool = False,
    data_file_mb: float | None = None,
    video_file_mb: float | None = None,
) -> Report:
    """Convert a dataset to another format version: `run(plan_convert(…))`.

    Video is copied packet by packet, user columns bit for bit. The output appears whole or not at all; the
    source is only read. For the arguments see `plan_convert` and `run`.

    Example:
        >>> import roboreel, roboreel.testing, tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> source = roboreel.testing.make_dataset(folder / "a", version="v2.1", episodes=(5, 3))
        >>> roboreel.convert(source, to="v3.0", out=folder / "b").frames
        8
    """
    plan = plan_convert(
        dataset,
        to=to,
        out=out,
        on_broken=on_broken,
        timestamps=timestamps,
        allow_reencode=allow_reencode,
        drop_audio=drop_audio,
        data_file_mb=data_file_mb,
        video_file_mb=video_file_mb,
    )
    return run(plan, workers=workers, executor=executor)


def run(
    plan: Plan,
    *,
    workers: int = 1,
    executor: ExecutorName | None = None,
    progress: Callable[[OpResult], None] | None = None,
) -> Report:
    """Do what a plan says; the result appears by one rename when it is whole and checked.

    Args:
        plan: the plan.
        workers: processes to use.
        executor: `serial` or `process`; by default `process` where there are several workers.
        progress: is told of every finished op.

    Raises:
        UsageError: an argument is wrong, or the output exists by now.
        RunError: an op failed; nothing is left of the output, the source is as it was.
    """
    chosen = make_executor(executor or ("process" if workers > 1 else "serial"), workers)
    source = open_dataset(plan.source)
    surveyed = [name for name in plan.files if name.startswith("meta/")]
    refuse_changed(source.root, {*surveyed, *statistics_files(source)}, plan)
    return run_plan(
        plan,
        chosen,
        stored_stats=dict(source.episode_stats()),
        global_stats=source.stats() if plan.stats.compare_global else {},
        verify=open_dataset,
        progress=progress,
    )


def _planned(source: Dataset, view: View, out: str | os.PathLike[str], *, workers: int = 1) -> Plan:
    place = os.path.expanduser(os.fspath(out))
    refuse_output(place, source=source.url)
    return replace(compile_view(view, survey(source, workers=workers)), out=place)


def _limit(name: str, value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise UsageError(f"{name} is {value}, expected a positive number of MiB")
    return value


def _require(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name} is '{value}', expected one of {', '.join(choices)}")


__all__ = [
    "ExecutorName",
    "OpResult",
    "Plan",
    "Report",
    "convert",
    "plan_convert",
    "refuse_output",
    "run",
]
