"""`roboreel finalize`: one dataset from all episodes that workers have staged."""

from __future__ import annotations

from typing import Annotated

import typer

from roboreel.cli.help_page import OUTPUT
from roboreel.cli.shared.progress import progress_shown
from roboreel.cli.shared.reports import show_plan, show_report
from roboreel.cli.shared.shared_options import (
    CleanOption,
    DataFileOption,
    DryRunOption,
    ExecutorOption,
    JsonOption,
    QuietOption,
    RayAddressOption,
    ResumeOption,
    TimeoutOption,
    VerboseOption,
    VideoFileOption,
    WorkersOption,
    choices,
    form_of,
    leftovers_of,
    version_in,
)
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.text.output import emit_json, say, tell
from roboreel.edit.write_options import OnBroken
from roboreel.errors import counted
from roboreel.executors.worker_pool import cluster_session
from roboreel.format.version import FormatVersion
from roboreel.runner.run_options import RunOptions
from roboreel.sink.finalizing import (
    FinalizeReport,
    PlannedFinalize,
    finalize_options,
    planned_finalize,
    recovered_report,
)

_SHOWN = 20


def finalize(
    staging: Annotated[
        str, typer.Argument(metavar="STAGING", help="Folder in which workers staged episodes.")
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="DST",
            help="Write to this folder, which must be empty or not exist. Required.",
            rich_help_panel=OUTPUT,
        ),
    ],
    to: Annotated[
        FormatVersion,
        typer.Option(
            "--to", metavar="VERSION", parser=version_in, help="Write this format version."
        ),
    ] = FormatVersion.V30,
    on_broken: Annotated[
        OnBroken,
        typer.Option(
            "--on-broken",
            metavar=choices(OnBroken),
            help="If an episode is damaged, or its features differ from most others: stop (fail), or leave"
            " it out and list it (skip).",
        ),
    ] = "fail",
    remove_staged: Annotated[
        bool,
        typer.Option(
            "--remove-staged",
            help="Remove the staged files once DST is verified. Use it only when all workers have ended.",
        ),
    ] = False,
    data_file_mb: DataFileOption = None,
    video_file_mb: VideoFileOption = None,
    workers: WorkersOption = 1,
    executor: ExecutorOption = None,
    ray_address: RayAddressOption = None,
    timeout_factor: TimeoutOption = 1.0,
    resume: ResumeOption = False,
    clean: CleanOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Write all staged episodes as one dataset, ordered by their keys. Video packets are copied.

    DST appears only once it is complete. Staged files are kept unless you pass --remove-staged.

    Examples:
        roboreel finalize staging -o dataset
        roboreel finalize staging -o dataset --to v2.1 --workers 2 --on-broken skip
    """
    form = form_of(as_json=as_json, quiet=quiet)
    given = {
        "on_broken": on_broken,
        "workers": workers,
        "executor": executor,
        "ray_address": ray_address,
        "timeout_factor": timeout_factor,
        "data_file_mb": data_file_mb,
        "video_file_mb": video_file_mb,
        "leftovers": leftovers_of(resume=resume, clean=clean),
    }
    what, how = finalize_options(to, given)
    with stoppable(out) as output:
        report = recovered_report(out) if resume else None
        if report is None:
            with cluster_session(how), planned_finalize(staging, out, what, workers=how) as planned:
                if dry_run:
                    show_plan(planned.plan, form)
                    return
                report = _run(planned, how, remove_staged=remove_staged, hidden=quiet or as_json)
        output.written = True
    if as_json:
        emit_json(report.to_json())
    else:
        if not quiet:
            _show(report)
        _tell_skipped(report)


def _run(
    planned: PlannedFinalize, how: RunOptions, *, remove_staged: bool, hidden: bool
) -> FinalizeReport:
    with progress_shown(quiet=hidden):
        return planned.run(how, remove_staged=remove_staged)


def _show(report: FinalizeReport) -> None:
    show_report(report.report)
    if report.superseded:
        say(
            f"  {counted(report.superseded, 'attempt')} not used: a later attempt at the same episode"
            " replaced it"
        )
    if report.removed:
        say(f"  {counted(report.removed, 'staged file')} removed")


def _tell_skipped(report: FinalizeReport) -> None:
    for one in report.skipped[:_SHOWN]:
        tell(f"not in the dataset: {one}")
    if len(report.skipped) > _SHOWN:
        tell(f"… and {len(report.skipped) - _SHOWN} more: see meta/skipped_episodes.jsonl")
