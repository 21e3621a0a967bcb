"""Run a plan: stage every file, check it, write the documents, publish the result by one rename."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from roboreel.errors import (
    DatasetError,
    Problem,
    RunError,
    StorageError,
    UsageError,
    counted,
    visible,
)
from roboreel.executors.jobs import JobFailure
from roboreel.executors.make_executor import Executor
from roboreel.format.causes import naming
from roboreel.format.model import is_written_document
from roboreel.parallel import stops_passed_over
from roboreel.plan.plan import (
    CopyFile,
    CopyTables,
    CopyVideos,
    EncodeVideo,
    MeasureCamera,
    Plan,
    RemuxVideo,
    WriteTables,
)
from roboreel.progress.reporter import LOGGER, begin_phase, current_reporter
from roboreel.runner.commit import write_documents
from roboreel.runner.ledger import Ledger, outputs_of
from roboreel.runner.plan_progress import PlanProgress
from roboreel.runner.requirements import listed, require_complete, require_space
from roboreel.runner.resolve_stats import resolved_stats
from roboreel.runner.row_sketches import WholeSketches
from roboreel.runner.run_options import Leftovers, RunOptions
from roboreel.runner.run_report import Report
from roboreel.runner.unchanged_sources import held_against
from roboreel.runner.whole_stats import disagreements
from roboreel.runner.work import OpResult, input_root, work_of
from roboreel.runner.worker import attempt
from roboreel.stats.block import StatsBlock
from roboreel.stats.feature_stats import Stats
from roboreel.storage.fs import open_root
from roboreel.storage.modes import USUAL, Modes
from roboreel.storage.names import is_url
from roboreel.storage.root import Root
from roboreel.storage.staging.staging import Staging
from roboreel.storage.staging.store_staging import StoreStaging
from roboreel.types import Int64


def run_plan(
    plan: Plan,
    executor: Executor,
    options: RunOptions,
    *,
    unchanged: Callable[[], object],
    stored_stats: Callable[[int, Int64], Sequence[StatsBlock]],
    global_stats: Stats,
    contradictions: Mapping[str, str] | None = None,
    verify: Callable[[Root], object],
) -> Report:
    """Run a plan and publish its result.

    The result is staged in a folder beside `plan.out` and appears at that path by one rename, when all of it
    is written and checked. On an object store it is made at its URL, and `info.json` is written last. If some
    ops fail, the others still run. Finished ops are kept, so that a later run can resume. The source is never
    written; in place, it is renamed at the end.

    Args:
        plan: the plan, with an output.
        executor: runs the ops.
        options: how to run; those that concern the executor are already set in it.
        unchanged: raises if the sources have changed since the plan was made. It is called once the output is
            locked, so that changes by another run count, and again when all documents of the sources have
            been read.
        stored_stats: returns the stored statistics of some episodes of a source (given by its number), in
            that order.
        global_stats: the source's statistics of the whole dataset, to compare or reconcile with.
        contradictions: how a source's statistics contradict each other, by feature; for a result that
            does not have all of its rows.
        verify: opens the staged result; an exception stops the run before anything is published.

    Raises:
        UsageError: the output exists, the plan has none, or an earlier run left something.
        RunError: ops failed.
    """
    if plan.out is None:
        raise UsageError("the plan has no output")
    begun = time.monotonic()
    staging = _staging(plan, plan.out, options)
    try:
        unchanged()
    except BaseException:
        staging.leave()
        raise
    ledger = Ledger(plan, staging.notes, staging.root, staging.identity)
    with _left_in_order(staging, ledger):
        before = _begin(staging, ledger, options.leftovers)
        if isinstance(staging, Staging):
            require_space(staging, ledger)
        sketches = _run_ops(plan, executor, ledger, staging.unfinished)
        staging.end_attempts()
        begin_phase("writing documents")
        results = [ledger.done[number] for number in sorted(ledger.done)]
        changed = frozenset().union(*(result.changed for result in results))
        with held_against(unchanged, ledger):
            resolved = resolved_stats(plan, stored_stats, ledger.stats_of)
            documents, merged, problems = write_documents(
                staging.root, plan, resolved, ledger.pixels, sketches, global_stats, contradictions
            )
        problems += _disagreements(plan, global_stats, merged, changed)
        begin_phase("checking the result")
        verify(staging.root)
        require_complete(staging, ledger, documents)
        seconds = time.monotonic() - begun
        report = _report(plan, results, problems, sum(documents.values()), seconds, before)
        report = _published(staging, ledger, report, options)
    _log_warnings(report)
    return report


def _log_warnings(report: Report) -> None:
    """Log what the report warns of."""
    for problem in (*report.problems, *report.skipped):
        if problem.severity != "note":
            LOGGER.warning("%s", problem)
    for loss in report.losses:
        LOGGER.warning("not carried over: %s", visible(loss))


def _staging(plan: Plan, out: str, options: RunOptions) -> Staging | StoreStaging:
    """Where the result is made."""
    if is_url(out):
        return StoreStaging(
            out,
            files={name for number in range(len(plan.ops)) for name in outputs_of(plan, number)},
            is_document=is_written_document,
            takes_over=options.leftovers == "clean",
            removes=options.leftovers != "refuse",
        )
    return Staging(out, in_place=plan.in_place, modes=_modes(plan))


def _modes(plan: Plan) -> Modes:
    """Permissions of the result's folders and documents: no wider than the sources'."""
    roots = [open_root(one.url, follow_links=one.follow_links) for one in plan.datasets]
    modes = USUAL.in_folder([root.mode() for root in roots], exact=plan.in_place)
    source = input_root(plan.sources)
    documents = [name for name in plan.files if "meta" in name.split("/")[:2]]
    return modes.for_files(source.mode(name) for name in documents)


def _begin(staging: Staging | StoreStaging, ledger: Ledger, leftovers: Leftovers) -> int:
    """Start from scratch or resume; return the number of finished ops."""
    left = 0 if leftovers == "clean" else ledger.read()
    if not ledger.same_folder:
        raise UsageError(
            f"'{staging.location}' has the remains of a run, but not of one that can go on here (the folder"
            " is a copy, came out of an archive, or is from another release of roboreel): pass"
            ' leftovers="clean" to remove it, or choose another output'
        )
    if leftovers == "resume" and _edits_in_place(ledger) and not ledger.begun:
        raise UsageError(
            f"there is no interrupted run to resume for '{staging.final}': it is done, or it never began."
            ' Look at the dataset, and run again without leftovers="resume" only if the edit is not in it yet'
        )
    if left and leftovers == "refuse":
        raise UsageError(
            f"an interrupted run left its finished part in '{staging.location}' ({counted(left, 'step')}):"
            ' pass leftovers="resume" to go on from there, or leftovers="clean" to start over'
        )
    if left and leftovers == "resume" and ledger.adoptable:
        left = ledger.adopt()
    if left and not ledger.same_plan:
        raise UsageError(
            f"'{staging.location}' has the remains of a different run (other options, or the dataset has"
            ' changed since): pass leftovers="clean" to remove it, or choose another output'
        )
    if ledger.done:
        staging.reopen()
        # other files may be incomplete; the ops that made them run again
        staging.remove_all_but(ledger.vouched())
        ledger.reopen()
    else:
        staging.begin()
        ledger.begin()
    return len(ledger.done)


@contextlib.contextmanager
def _left_in_order(staging: Staging | StoreStaging, ledger: Ledger) -> Iterator[None]:
    """On any failure: keep finished ops and tell where they are, or remove the folder if there are none."""
    try:
        yield
    except UsageError:
        # what is in the folder may be an earlier run's: what becomes of it is for the user to say
        if ledger.begun:
            staging.release()
        else:
            staging.discard()
        raise
    except BaseException as error:
        kept = bool(ledger.done) and ledger.of_use
        if kept:
            staging.release()
        else:
            staging.discard()
        if not isinstance(error, (OSError, DatasetError, StorageError, RunError)):
            raise
        reason = (
            str(error)
            if isinstance(error, RunError)
            else f"the result cannot be completed: {error}"
        )
        raise RunError(reason + (f"\n{_hint(staging, ledger)}" if kept else "")) from error


def _edits_in_place(ledger: Ledger) -> bool:
    """True if repeating the run would do something else: after a deletion, episode numbers change."""
    return ledger.plan.in_place and ledger.plan.edits


def _hint(staging: Staging | StoreStaging, ledger: Ledger) -> str:
    """A message that says where the finished ops are kept, and how to use them."""
    skipping = 'on_broken="skip" and ' if ledger.plan.refused else ""
    return (
        f"{len(ledger.done)} of {counted(len(ledger.plan.ops), 'step')} are done and kept in"
        f" '{staging.location}': run again with {skipping}leftovers=\"resume\" to go on from there, or with"
        ' leftovers="clean" to start over'
    )


def _published(
    staging: Staging | StoreStaging, ledger: Ledger, report: Report, options: RunOptions
) -> Report:
    """Publish the result. Stops are ignored: one would come too late, or between the two renames."""
    with stops_passed_over():
        if isinstance(staging, StoreStaging) or not ledger.plan.in_place:
            try:
                staging.publish(report.to_json())
            except UsageError as error:  # something else has taken the name meanwhile
                raise UsageError(f"{error}\n{_hint(staging, ledger)}") from error
            return report
        kept = staging.name_for_original()
        report = replace(report, kept=None if options.discard_original else kept)
        staging.replace_original(kept, report.to_json())
        if options.discard_original:
            staging.remove_original(kept)
        staging.discard()
        return report


def _run_ops(plan: Plan, executor: Executor, ledger: Ledger, unfinished: str) -> WholeSketches:
    """Run the ops that are not done yet, and record them; a failed op does not stop the others.

    If the plan is refused, only the ops that another plan can reuse are run.
    """
    sketches = WholeSketches()
    failures: list[JobFailure] = []
    left_out = {
        n for n, op in enumerate(plan.ops) if plan.refused and op.kind != MeasureCamera.kind
    }
    done = frozenset(ledger.done) | left_out
    root = ledger.root
    works = work_of(plan, root.url, done=done, modes=root.modes, unfinished=unfinished)
    progress = PlanProgress(plan=plan, done=done)
    moved = None if current_reporter() is None else progress.moved
    with contextlib.closing(executor.run(works, attempt, moved)) as outcomes:
        for outcome in outcomes:
            if isinstance(outcome, JobFailure):
                failures.append(outcome)
                ledger.of_use &= not outcome.inputs_changed
                # a full disk stops the other ops too; after a change of an input, what they do is of no use
                if outcome.ends_run:
                    break
                continue
            ledger.record(outcome)
            sketches.take(outcome.number, outcome.sketches)
            progress.finished(outcome.number)
    if failures or plan.refused:
        raise RunError(_told(failures, plan))
    if len(ledger.done) != len(plan.ops):
        raise RunError(f"{len(ledger.done)} of {counted(len(plan.ops), 'step')} gave a result")
    return sketches


def _told(failures: list[JobFailure], plan: Plan) -> str:
    messages = [failure.message for failure in sorted(failures, key=lambda one: one.number)]
    if len(messages) == 1 and not plan.refused:
        return messages[0]
    failed = listed(f"{counted(len(messages), 'step')} failed:", messages) if messages else []
    if not plan.refused:
        return "\n".join(failed)
    heading = f'{plan.refused}: repair them, or pass on_broken="skip" to leave them out'
    return "\n".join([*failed, *listed(heading, map(str, plan.skipped))])


def _disagreements(
    plan: Plan, stored: Stats, merged: Stats, changed: frozenset[str]
) -> list[Problem]:
    if not plan.stats.compare_global:
        return []
    features = plan.model.info.features
    cameras = frozenset(name for name, feature in features.items() if feature.is_camera)
    return disagreements(stored, merged, cameras=cameras, ignored=changed, sampled=cameras)


def _report(
    plan: Plan,
    results: list[OpResult],
    problems: list[Problem],
    document_bytes: int,
    seconds: float,
    resumed: int,
) -> Report:
    def done(kind: type[object]) -> list[OpResult]:
        return [result for result in results if isinstance(plan.ops[result.number], kind)]

    tables, copies = [*done(WriteTables), *done(CopyTables)], done(CopyFile)
    copied = [*done(RemuxVideo), *done(CopyVideos)]
    videos = [*copied, *done(EncodeVideo)]
    return Report(
        out=str(plan.out),
        version=plan.model.info.version.value,
        episodes=len(plan.model.episodes),
        frames=sum(result.rows for result in tables),
        cameras=len(plan.model.info.cameras),
        table_files=sum(result.files for result in tables),
        video_files=sum(result.files for result in videos),
        size_bytes=sum(result.size_bytes for result in results) + document_bytes,
        packets_copied=sum(result.packets for result in copied),
        frames_encoded=sum(result.encoded for result in results),
        files_copied=sum(result.files for result in copies),
        measured=sum(result.measured for result in done(MeasureCamera)),
        seconds=seconds,
        resumed=resumed,
        problems=naming(plan.out, (*plan.problems, *problems)),
        losses=plan.losses,
        trimmed=plan.trimmed,
        skipped=plan.skipped,
    )
