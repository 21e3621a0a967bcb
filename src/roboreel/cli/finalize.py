"""`roboreel finalize`: one dataset from all episodes that workers have staged."""

from __future__ import annotations

from typing import Annotated

import typer

from roboreel.cli.output import count, emit_json, say, tell
from roboreel.cli.progress import progress_shown
from roboreel.cli.reports import show_plan, show_report
from roboreel.cli.stopping import stoppable
from roboreel.edit.write_options import OnBroken
from roboreel.errors import UsageError
from roboreel.format.version import FormatVersion
from roboreel.runner.run_options import ExecutorName, RunOptions
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
        str, typer.Argument(metavar="STAGING", help="Folder that the workers staged episodes in.")
    ],
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="DST", help="Folder to make; must not exist.")
    ],
    to: Annotated[
        FormatVersion, typer.Option("--to", help="Format version to write.")
    ] = FormatVersion.V30,
    on_broken: Annotated[
        OnBroken,
        typer.Option(help="Refuse, or leave out and list, episodes that are damaged or differ."),
    ] = "fail",
    remove_staged: Annotated[
        bool,
        typer.Option(
            "--remove-staged",
            help="Remove the staged files once DST is verified. Use it only when no worker runs any more.",
        ),
    ] = False,
    workers: Annotated[
        int, typer.Option("--workers", "--num-workers", min=1, help="Processes to use.")
    ] = 1,
    executor: Annotated[
        ExecutorName | None,
        typer.Option(
            help="How to run. Default: process for several workers or if video is encoded."
        ),
    ] = None,
    timeout_factor: Annotated[
        float,
        typer.Option(min=0, help="Multiply each operation's timeout by this; 0 disables it."),
    ] = 1.0,
    data_file_mb: Annotated[
        float | None, typer.Option(help="Soft limit of a table file in MiB (v3.0).")
    ] = None,
    video_file_mb: Annotated[
        float | None, typer.Option(help="Soft limit of a video file in MiB (v3.0).")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue what an interrupted run left.")
    ] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove what an interrupted run left, and start over.")
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Print the plan and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Write all staged episodes as one dataset, ordered by their keys. Video packets are copied.

    DST appears complete, by one rename, or not at all. Staged files stay unless you pass --remove-staged.

    \b
    Examples:
      roboreel finalize staging -o dataset
      roboreel finalize staging -o dataset --to v2.1 --workers 2 --on-broken skip
    """
    if resume and clean:
        raise UsageError("--resume goes on from what an earlier run left, --clean removes it")
    given = {
        "on_broken": on_broken,
        "workers": workers,
        "executor": executor,
        "timeout_factor": timeout_factor,
        "data_file_mb": data_file_mb,
        "video_file_mb": video_file_mb,
        "leftovers": "resume" if resume else "clean" if clean else "refuse",
    }
    what, how = finalize_options(to, given)
    with stoppable(out) as output:
        report = recovered_report(out) if resume else None
        if report is None:
            with planned_finalize(staging, out, what, workers=workers) as planned:
                if dry_run:
                    show_plan(planned.plan, as_json=as_json)
                    return
                report = _run(planned, how, remove_staged=remove_staged, hidden=quiet or as_json)
        output.written = True
    if as_json:
        emit_json(report.to_json())
    else:
        _show(report, quiet=quiet)


def _run(
    planned: PlannedFinalize, how: RunOptions, *, remove_staged: bool, hidden: bool
) -> FinalizeReport:
    with progress_shown(quiet=hidden):
        return planned.run(how, remove_staged=remove_staged)


def _show(report: FinalizeReport, *, quiet: bool) -> None:
    if not quiet:
        show_report(report.report)
        if report.superseded:
            say(f"  {count(report.superseded, 'attempt')} replaced by later ones")
        if report.removed:
            say(f"  {count(report.removed, 'staged file')} removed")
    for one in report.skipped[:_SHOWN]:
        tell(f"not in the dataset: {one}")
    if len(report.skipped) > _SHOWN:
        tell(f"… and {len(report.skipped) - _SHOWN} more: see meta/skipped_episodes.jsonl")
