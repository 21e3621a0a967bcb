"""Repair a dataset: prepare it, let the engine write it again, check the result."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from roboreel.checking.check import check
from roboreel.checking.check_report import CheckReport
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.dataset.view_file import refuse_view
from roboreel.edit.view import View
from roboreel.edit.write_options import WriteOptions
from roboreel.errors import DatasetError, PlanError, Problem, UsageError
from roboreel.executors.worker_pool import cluster_session
from roboreel.format.repairs import SKIP
from roboreel.ops.output import output_path, recover
from roboreel.ops.write import plan_write, run
from roboreel.plan.plan import Plan
from roboreel.progress.choice import ProgressChoice, listening
from roboreel.repairing.choices import RepairChoices, with_choices
from roboreel.repairing.draft import Draft
from roboreel.repairing.outcome import (
    finished,
    foreseen,
    is_rewritten,
    refused,
    with_choices_named,
    with_left,
)
from roboreel.repairing.prepare import prepare
from roboreel.repairing.prepared import preparing_aside, preparing_beside
from roboreel.repairing.repair_report import RepairReport, left_steps
from roboreel.runner.run_options import RunOptions
from roboreel.runner.run_report import Report
from roboreel.storage.local import LocalRoot
from roboreel.storage.names import is_url, local_path

_OUT = "out"
"""Beside the prepared dataset: where a plan is made for, before it gets its path."""


def repair(
    path: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    in_place: bool = False,
    dry_run: bool = False,
    decode: bool = False,
    choices: RepairChoices | None = None,
    options: WriteOptions | None = None,
    run_options: RunOptions | None = None,
    progress: ProgressChoice = None,
) -> RepairReport:
    """Repair what can be repaired in only one way, and name the rest.

    The dataset is only read. In place, it keeps all its files under another name. Nothing is deleted.

    Args:
        path: the folder of the dataset.
        out: the folder to create; it must be empty if it exists.
        in_place: replace the dataset instead of writing to `out`; the original is kept under another name.
        dry_run: write nothing, and report what would be repaired.
        decode: decode frames in the checks, and so find wrong statistics of cameras.
        choices: what to do where there are several ways.
        options: what to write; timestamps become k / fps by default.
        run_options: how to run.
        progress: as in `roboreel.convert`.

    Raises:
        UsageError: an argument is wrong, the output exists, or a dataset that is being recorded is to be
            replaced.
        StorageError: the folder does not exist or cannot be read.
        DatasetError, PlanError: something cannot be repaired without a choice; lists every reason.
        RunError: the result cannot be written.
    """
    if not dry_run and (out is None) != in_place:
        raise UsageError("say where to write: give either a new folder (out=DST) or in_place=True")
    source = os.fspath(path) if is_url(path) else local_path(path)
    refuse_view(source)
    if is_url(source):
        raise UsageError(
            f"'{source}' is a URL: only a local dataset can be repaired; pull it first"
        )
    final = source if out is None else local_path(out)
    if is_url(final):
        raise UsageError(f"the output '{final}' is a URL: repair into a folder, then upload it")
    how = run_options or RunOptions()
    if how.leftovers == "resume" and not dry_run and (done := recover(final)) is not None:
        return _already_done(source, done, check(final, decode=decode, **how.keywords()))
    request = _Request(
        source=source,
        final=final if dry_run else output_path([source], out),
        in_place=in_place,
        dry_run=dry_run,
        decode=decode,
        choices=choices or RepairChoices(),
        options=options or WriteOptions(),
        run_options=how,
    )
    with (
        listening(progress),
        cluster_session(how),
        _preparing(request.final, dry_run=dry_run) as made,
    ):
        before = check(source, decode=decode, **how.keywords())
        draft = Draft(LocalRoot(source), made, beside=_beside(request.final))
        return _repaired(request, draft, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What `repair` was asked for."""

    source: str
    final: str
    """Path of the result."""
    in_place: bool
    dry_run: bool
    decode: bool
    choices: RepairChoices
    options: WriteOptions
    run_options: RunOptions


def _repaired(request: _Request, draft: Draft, before: CheckReport) -> RepairReport:
    """Prepare the draft, and write it again where that repairs anything."""
    prepare(draft, request.choices)
    location, found = request.source, before
    if draft.changed:
        draft.publish()
        location = str(draft.made.path)
        found = check(
            location, decode=request.decode, follow_links=True, **request.run_options.keywords()
        )
    report = RepairReport(
        path=request.source,
        out=None,
        before=before,
        repaired=tuple(draft.steps),
        left=tuple(draft.left),
    )
    if not (draft.changed or _is_to_write(found, request.choices, request.options)):
        apart = None if request.dry_run else draft.publish_apart()
        return replace(with_left(report, found.problems), recovered=apart)
    try:
        plan = _planned(request, draft, _opened(location, draft), found)
    except (DatasetError, PlanError) as error:
        if not request.dry_run:
            raise
        return refused(report, found, error)
    if request.dry_run:
        return foreseen(report, found, plan)
    done = run(replace(plan, out=request.final, in_place=request.in_place), request.run_options)
    report = replace(report, out=request.final, kept=done.kept, recovered=draft.publish_apart())
    after = check(request.final, decode=request.decode, **request.run_options.keywords())
    return finished(report, found, after, plan)


def _planned(request: _Request, draft: Draft, dataset: Dataset, found: CheckReport) -> Plan:
    """The plan of the result.

    Raises:
        DatasetError, PlanError: something needs a choice; names the options of `repair` that choose.
    """
    try:
        view = _view(dataset, found, request.choices, request.options)
        plan = plan_write(view, out=draft.made.path.parent / _OUT, workers=request.run_options)
    except (DatasetError, PlanError) as error:
        raise with_choices_named(error, dataset) from error
    if plan.refused:
        raise with_choices_named(PlanError(f"{plan.refused}: {SKIP}", plan.skipped), dataset)
    return replace(plan, skipped=plan.skipped + _undecodable(found, request.options))


def _already_done(source: str, done: Report, after: CheckReport) -> RepairReport:
    """The report of a repair that was killed while it published its result, which is there now."""
    left = left_steps(after.problems)
    return RepairReport(
        path=source, out=done.out, kept=done.kept, before=after, after=after, repaired=(), left=left
    )


def _beside(final: str) -> str:
    """A free path for the folder of recovered videos."""
    path, number = f"{final.rstrip('/')}.recovered", 1
    while os.path.lexists(path if number == 1 else f"{path}-{number}"):
        number += 1
    return path if number == 1 else f"{path}-{number}"


@contextlib.contextmanager
def _preparing(final: str, *, dry_run: bool) -> Iterator[LocalRoot]:
    with preparing_aside() if dry_run else preparing_beside(final) as made:
        yield made


def _opened(location: str, draft: Draft) -> Dataset:
    """Open the prepared dataset; if it cannot be opened, tell what could not be repaired, too."""
    try:
        return open_dataset(location, follow_links=draft.changed)
    except DatasetError as error:
        left = [
            Problem(rule=step.rule, severity="error", message=step.message, path=step.path)
            for step in draft.left
        ]
        summary = str(error).partition("\n")[0].replace(location, draft.source.url)
        raise DatasetError(summary, [*left, *error.problems]) from error


def _is_to_write(found: CheckReport, choices: RepairChoices, options: WriteOptions) -> bool:
    """True if writing the dataset again repairs something, by its rule or by a choice."""
    asked = choices != RepairChoices() or replace(options, timestamps=None) != WriteOptions()
    return any(is_rewritten(problem) or asked for problem in found.problems)


def _view(
    dataset: Dataset, found: CheckReport, choices: RepairChoices, options: WriteOptions
) -> View:
    view = with_choices(dataset, choices)
    if undecodable := _undecodable(found, options):
        view = view.delete({p.episode for p in undecodable if p.episode is not None})
    wanted = _doubtful(dataset, found)
    if wanted:
        view = view.recompute(wanted)
    return view.written_as(replace(options, timestamps=options.timestamps or "regular"))


def _undecodable(found: CheckReport, options: WriteOptions) -> tuple[Problem, ...]:
    """What could not be decoded, where episodes with such frames are to be left out."""
    errors = [p for p in found.of("error") if p.rule == "video.decodes" and p.episode is not None]
    return tuple(errors) if options.on_broken == "skip" else ()


def _doubtful(dataset: Dataset, found: CheckReport) -> list[str]:
    """The features whose statistics are wrong."""
    named = {p.column for p in found.problems if p.rule.startswith("stats.")}
    known = {n for n, f in dataset.features.items() if f.is_numeric or f.is_video or f.is_camera}
    return sorted(name for name in named if name in known)
