"""Run a plan: stage every file, check it, write the documents, publish by one rename."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from roboreel.edit.plan import CopyFile, MeasureCamera, Plan, RemuxVideo, WriteTables
from roboreel.errors import DatasetError, Problem, RunError, StorageError, UsageError
from roboreel.format.stats import Stats
from roboreel.runner.commit import write_documents
from roboreel.runner.executor import Executor
from roboreel.runner.report import Report
from roboreel.runner.stats import computed_stats, disagreements, settled_stats
from roboreel.runner.work import OpResult, check_unchanged, work_of
from roboreel.runner.worker import execute
from roboreel.storage.fs import Root, Staging, inside, refuse_existing

Progress = Callable[[OpResult], None]


def run_plan(
    plan: Plan,
    executor: Executor,
    *,
    stored_stats: Mapping[int, Stats],
    global_stats: Stats,
    verify: Callable[[str], object],
    progress: Progress | None = None,
) -> Report:
    """Do what a plan says.

    The result is staged in a folder beside `plan.out` and appears there by one rename when all of it is
    written and checked. Where anything fails, the staged folder is removed and nothing else is touched.

    Args:
        plan: the plan, with an output.
        executor: runs the ops.
        stored_stats: the source's statistics by its episode.
        global_stats: the source's statistics of the whole dataset, to compare with.
        verify: opens the staged result; what it raises stops the run before anything is published.
        progress: is told of every finished op.

    Raises:
        UsageError: the output exists, or there is none.
        RunError: an op failed.
    """
    if plan.out is None:
        raise UsageError("the plan has no output")
    begun = time.monotonic()
    staging = Staging(plan.out)
    try:
        results = _run_ops(plan, executor, str(staging.root.path), progress)
        changed = frozenset().union(*(result.changed for result in results))
        computed = computed_stats(results)
        settled = settled_stats(plan, stored_stats, computed)
        document_bytes, merged = write_documents(staging.root, plan, settled)
        problems = _disagreements(plan, global_stats, merged, changed)
        verify(str(staging.root.path))
        staging.publish()
    except (OSError, DatasetError) as error:
        staging.discard()
        raise RunError(f"the result cannot be completed: {error}") from error
    except BaseException:
        staging.discard()
        raise
    seconds = time.monotonic() - begun
    return _report(plan, results, problems, document_bytes, seconds)


def refuse_output(out: str, *, source: str | None = None) -> None:
    """Raise `UsageError` where `out` cannot be made: it exists, or lies inside the source.

    Args:
        out: the folder to make.
        source: the dataset that will be read, if any.
    """
    if "://" in out:
        raise UsageError(f"the output '{out}' is a URL; roboreel writes to local folders")
    refuse_existing(out)
    if source is not None and "://" not in source and inside(out, source):
        raise UsageError(f"the output '{out}' lies inside the dataset: choose another folder")


def refuse_changed(root: Root, names: Iterable[str], plan: Plan) -> None:
    """Raise `RunError` where documents are no longer what they were when the plan was made."""
    try:
        for name in names:
            check_unchanged(root, name, plan.files)
    except StorageError as error:
        raise RunError(str(error)) from error


def _run_ops(
    plan: Plan, executor: Executor, staging: str, progress: Progress | None
) -> list[OpResult]:
    results = []
    for result in executor.run(work_of(plan, staging), execute):
        results.append(result)
        if progress is not None:
            progress(result)
    if sorted(result.number for result in results) != list(range(len(plan.ops))):
        raise RunError(f"{len(results)} of {len(plan.ops)} ops gave a result")
    return sorted(results, key=lambda result: result.number)


def _disagreements(
    plan: Plan, stored: Stats, merged: Stats, changed: frozenset[str]
) -> list[Problem]:
    if not plan.stats.compare_global:
        return []
    features = plan.model.info.features
    cameras = frozenset(name for name, feature in features.items() if feature.is_camera)
    return disagreements(stored, merged, cameras=cameras, ignored=changed)


def _report(
    plan: Plan,
    results: list[OpResult],
    problems: list[Problem],
    document_bytes: int,
    seconds: float,
) -> Report:
    def done(kind: type[object]) -> list[OpResult]:
        return [result for result in results if isinstance(plan.ops[result.number], kind)]

    tables, copies = done(WriteTables), done(CopyFile)
    videos = [r for r in results if r not in tables and r not in copies]
    return Report(
        out=str(plan.out),
        version=plan.model.info.version.value,
        episodes=len(plan.model.episodes),
        frames=sum(result.rows for result in tables),
        cameras=len(plan.model.info.cameras),
        table_files=sum(result.files for result in tables),
        video_files=sum(result.files for result in videos),
        size_bytes=sum(result.size_bytes for result in results) + document_bytes,
        packets_copied=sum(result.packets for result in done(RemuxVideo)),
        frames_encoded=sum(result.encoded for result in results),
        files_copied=sum(result.files for result in copies),
        measured=sum(len(result.stats) for result in done(MeasureCamera)),
        seconds=seconds,
        problems=(*plan.problems, *problems),
        losses=plan.losses,
        skipped=plan.skipped,
    )
