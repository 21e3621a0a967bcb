"""The facade: for each operation a plan, and the run of it. No logic of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import get_args

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.edit.targets import OnBroken, Timestamps, VideoBackend, target_for
from roboreel.edit.view import View, whole_view
from roboreel.errors import DatasetError, UsageError
from roboreel.format.encoding import Reencoding
from roboreel.format.inventory import Inventory
from roboreel.format.version import FormatVersion
from roboreel.ops.inputs import require_one_subtask_list, surveyed, with_encoders
from roboreel.ops.output import finished_report, place_of, recover, refuse_discarding
from roboreel.plan.compile import compile_view
from roboreel.plan.plan import Plan, source_prefix
from roboreel.runner.codec_check import require_backends, require_encoders
from roboreel.runner.executors import ExecutorName, make_executor, usual_executor
from roboreel.runner.requirements import refuse_output
from roboreel.runner.run import run_plan
from roboreel.runner.run_report import Report
from roboreel.runner.unchanged_sources import refuse_changed
from roboreel.runner.whole_stats import doubtful
from roboreel.runner.work import OpResult
from roboreel.stats.feature_stats import Stats
from roboreel.storage.names import local_path
from roboreel.storage.staging import Leftovers, refuse_busy
from roboreel.survey.survey import survey
from roboreel.survey.survey_stats import statistics_files


def plan_convert(
    dataset: Dataset | str | os.PathLike[str],
    *,
    to: str | FormatVersion,
    out: str | os.PathLike[str] | None = None,
    in_place: bool = False,
    on_broken: OnBroken = "fail",
    timestamps: Timestamps = "regular",
    allow_reencode: bool = False,
    reencoding: Reencoding | None = None,
    drop_audio: bool = False,
    drop_unreadable: bool = False,
    allow_missing: Iterable[str] = (),
    video_backend: VideoBackend = "pyav",
    keep_old_stats: bool = False,
    with_global_stats: bool = False,
    data_file_mb: float | None = None,
    video_file_mb: float | None = None,
    workers: int = 1,
) -> Plan:
    """Plan the conversion of a dataset to another format version. Nothing is written.

    Args:
        dataset: an open dataset, or where one lies.
        to: `v2.0`, `v2.1` or `v3.0`.
        out: the folder to make; it must not exist, or be empty.
        in_place: instead of `out`: the result takes the dataset's place, which is kept under another name.
        on_broken: `fail` refuses where an episode cannot be written (where cameras are to be measured, the
            run does, after that: see `Plan.refused`); `skip` leaves such episodes out.
        timestamps: `regular` writes irregular ones as k / fps and keeps the originals in
            `source_timestamp`; `keep` copies them.
        allow_reencode: episodes that start inside a GOP may be encoded again where the target has a file
            per episode.
        reencoding: how to encode these; by default near the quality and rate of the source.
        drop_audio: leave sound out of the videos.
        drop_unreadable: leave out columns that lerobot cannot read, such as pickled bytes.
        allow_missing: actions, states and cameras that the result may lack, as their columns or videos are
            missing.
        video_backend: what decodes videos for statistics: `pyav`, `torchcodec` or `decord`.
        keep_old_stats: from v2.0 to v2.1: `meta/stats.json` stays, beside the new statistics.
        with_global_stats: to v2.1: write `meta/stats.json` too, the episodes' statistics merged.
        data_file_mb: soft limit of a table file in MiB of compressed input (v3.0).
        video_file_mb: soft limit of a video file in MiB (v3.0).
        workers: processes that may look through the files, where they are many.

    Raises:
        UsageError: an argument is wrong, or the output exists.
        StorageError, DatasetError: the dataset cannot be read.
        PlanError: it cannot be converted as asked; carries every reason.
    """
    view = whole_view(dataset if isinstance(dataset, Dataset) else open_dataset(dataset))
    target = target_for(
        view,
        to=to,
        data_file_mb=data_file_mb,
        video_file_mb=video_file_mb,
        timestamps=timestamps,
        on_broken=on_broken,
        reencode=allow_reencode,
        reencoding=reencoding,
        drop_audio=drop_audio,
        drop_unreadable=drop_unreadable,
        allow_missing=allow_missing,
        video_backend=video_backend,
        keep_old_stats=keep_old_stats,
        with_global_stats=with_global_stats,
        regroup=True,
    )
    return plan_write(view.written_as(target), out=out, in_place=in_place, workers=workers)


def convert(
    dataset: Dataset | str | os.PathLike[str],
    *,
    to: str | FormatVersion,
    out: str | os.PathLike[str] | None = None,
    in_place: bool = False,
    workers: int = 1,
    executor: ExecutorName | None = None,
    timeout_factor: float = 1.0,
    leftovers: Leftovers = "refuse",
    discard_original: bool = False,
    on_broken: OnBroken = "fail",
    timestamps: Timestamps = "regular",
    allow_reencode: bool = False,
    reencoding: Reencoding | None = None,
    drop_audio: bool = False,
    drop_unreadable: bool = False,
    allow_missing: Iterable[str] = (),
    video_backend: VideoBackend = "pyav",
    keep_old_stats: bool = False,
    with_global_stats: bool = False,
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
    if leftovers == "resume":
        done = finished_report(dataset, out)
        if done is not None:
            return done
    plan = plan_convert(
        dataset,
        to=to,
        out=out,
        in_place=in_place,
        on_broken=on_broken,
        timestamps=timestamps,
        allow_reencode=allow_reencode,
        reencoding=reencoding,
        drop_audio=drop_audio,
        drop_unreadable=drop_unreadable,
        allow_missing=allow_missing,
        video_backend=video_backend,
        keep_old_stats=keep_old_stats,
        with_global_stats=with_global_stats,
        data_file_mb=data_file_mb,
        video_file_mb=video_file_mb,
        workers=workers,
    )
    return run(
        plan,
        workers=workers,
        executor=executor,
        timeout_factor=timeout_factor,
        leftovers=leftovers,
        discard_original=discard_original,
    )


def run(
    plan: Plan,
    *,
    workers: int = 1,
    executor: ExecutorName | None = None,
    progress: Callable[[OpResult], None] | None = None,
    resumed: Callable[[Collection[int]], None] | None = None,
    timeout_factor: float = 1.0,
    leftovers: Leftovers = "refuse",
    discard_original: bool = False,
) -> Report:
    """Do what a plan says; the result appears by one rename when it is whole and checked.

    Args:
        plan: the plan.
        workers: processes to use.
        executor: `serial`, `thread` or `process`; by default `process` where there are several workers,
            or an op decodes: only there what hangs or crashes can be stopped.
        progress: is told of every finished op.
        resumed: is told of the ops that an earlier run did, by their numbers, before any other is done.
        timeout_factor: multiplies the timeout of an op, after which its process is stopped; 0 waits for
            ever. The timeout is 2 min, 1 s for each MB it reads, and 0.5 s for each frame it decodes; to
            measure a camera in an episode 30 s, 1 s for each MB of the file, and 0.2 s for each frame.
        leftovers: what an earlier run left beside the output: `refuse` to begin, `resume` from there, or
            `clean` it away.
        discard_original: in place only: remove the original at the end.

    Raises:
        UsageError: an argument is wrong, the output exists by now, or an earlier run left something.
        RunError: ops failed; there is no output, what is done is kept beside it, the source is as it was.
    """
    _require("leftovers", leftovers, get_args(Leftovers))
    if discard_original and not plan.in_place:
        raise UsageError("only a run in place has an original to discard")
    if discard_original:
        refuse_discarding(plan)
    name = executor or usual_executor(workers, decodes=plan.decodes)
    chosen = make_executor(name, workers, timeout_factor=timeout_factor)
    places = [(one.url, one.follow_links) for one in plan.datasets]
    opened = {
        place: open_dataset(place[0], follow_links=place[1]) for place in dict.fromkeys(places)
    }
    sources = [opened[place] for place in places]

    def unchanged() -> None:
        for number, source in enumerate(sources):
            prefix = source_prefix(number, len(plan.sources))
            names = statistics_files(source)
            if plan.in_place:  # what has changed would be replaced
                names += [n.removeprefix(prefix) for n in plan.files if n.startswith(prefix)]
            refuse_changed(source.root, prefix, names, plan)

    unchanged()
    by_location = {place: source.stored_stats().blocks for place, source in opened.items()}
    stored = [by_location[place] for place in places]
    return run_plan(
        plan,
        chosen,
        unchanged=unchanged,
        stored_stats=lambda number, episodes: stored[number](episodes),
        global_stats=_global_stats(sources[0], plan),
        contradictions=_contradictions(sources, plan),
        verify=_verified if plan.in_place else open_dataset,
        progress=progress,
        resumed=resumed,
        leftovers=leftovers,
        discard_original=discard_original,
    )


def plan_write(
    view: Dataset | View,
    *,
    out: str | os.PathLike[str] | None = None,
    in_place: bool = False,
    workers: int = 1,
    surveys: dict[str, Inventory] | None = None,
) -> Plan:
    """Plan the writing of a view. Nothing is written.

    Args:
        view: what to write: a dataset that was edited, or several that were put together.
        out: the folder to make; it must not exist, or be empty.
        in_place: instead of `out`: the result takes the place of the one dataset, which is kept under
            another name.
        workers: processes that may look through the files, where they are many.
        surveys: of datasets, by where they lie, for several plans of the same ones; grows.

    Raises:
        UsageError: an argument is wrong, or the output exists.
        StorageError: a dataset cannot be read.
        PlanError: it cannot be written as asked; carries every reason.
    """
    view = view.as_view()
    require_one_subtask_list(view)
    if (out is None) != in_place:
        raise UsageError("give either the folder to make (-o), or --in-place")
    place = place_of(view) if out is None else local_path(out)
    if out is not None:
        for source in view.sources:
            refuse_output(place, source=source.dataset.url)
    refuse_busy(place)
    view = with_encoders(view)
    plan = compile_view(view, surveyed(view, workers, {} if surveys is None else surveys))
    require_encoders(plan)
    require_backends(plan)
    return replace(plan, out=place, in_place=in_place)


def write(
    view: Dataset | View,
    *,
    out: str | os.PathLike[str] | None = None,
    in_place: bool = False,
    workers: int = 1,
    executor: ExecutorName | None = None,
    timeout_factor: float = 1.0,
    leftovers: Leftovers = "refuse",
    discard_original: bool = False,
) -> Report:
    """Write a view: `run(plan_write(…))`.

    What is copied is copied packet by packet and column by column; files of which nothing changes, byte for
    byte. For the arguments see `plan_write` and `run`.

    Example:
        >>> import roboreel, roboreel.testing, tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> source = roboreel.testing.make_dataset(folder / "a", version="v3.0", episodes=(5, 3, 4))
        >>> roboreel.write(roboreel.open(source).delete([1]), out=folder / "b").frames
        9
    """
    if leftovers == "resume":
        done = finished_report(view.as_view().sources[0].dataset.url, out)
        if done is not None:
            return done
    plan = plan_write(view, out=out, in_place=in_place, workers=workers)
    return run(
        plan,
        workers=workers,
        executor=executor,
        timeout_factor=timeout_factor,
        leftovers=leftovers,
        discard_original=discard_original,
    )


def _global_stats(source: Dataset, plan: Plan) -> Stats:
    """The stored statistics of the whole dataset, as far as a run needs them."""
    if plan.stats.compare_global:
        return source.stats()
    try:
        return (source.whole_stats() or {}) if plan.stats.reconcile_global else {}
    except DatasetError:  # what readers find of it is the check's to tell: nothing is taken from it
        return {}


def _contradictions(sources: Sequence[Dataset], plan: Plan) -> dict[str, str]:
    """By feature, how stored statistics contradict each other, of sources that are not taken as a whole."""
    found: dict[str, str] = {}
    if plan.stats.reconcile_global or plan.stats.compare_global:
        return found
    for number, source in enumerate(sources):
        if not (source.version.has_episode_stats and source.has_global_stats):
            continue
        try:
            stored = source.stats()
        except DatasetError:
            continue
        blocks = (block for _, block in source.stored_stats().in_blocks())
        found = {**doubtful(plan, number, stored, blocks), **found}
    return found


def _verified(path: str) -> None:
    """Raise `DatasetError` where a result must not take an original's place."""
    found = survey(open_dataset(path))
    if found.broken:
        reasons = [problem for problems in found.broken.values() for problem in problems]
        raise DatasetError("the result is not sound, the original stays", reasons)


def _require(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name} is '{value}', expected one of {', '.join(choices)}")


__all__ = [
    "ExecutorName",
    "Leftovers",
    "OpResult",
    "Plan",
    "Report",
    "convert",
    "finished_report",
    "plan_convert",
    "plan_write",
    "recover",
    "refuse_output",
    "run",
    "write",
]
