"""`roboreel repair`: repair what can be repaired in only one way, and list the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from roboreel.cli.edit.choosing import TasksFromOption
from roboreel.cli.opening import copied
from roboreel.cli.output import count, emit_json, say, tell
from roboreel.cli.progress import progress_shown
from roboreel.cli.stopping import stoppable
from roboreel.edit.write_options import OnBroken, Timestamps, WriteOptions
from roboreel.errors import UsageError
from roboreel.repairing.choices import RepairChoices
from roboreel.repairing.repair import repair as run_repair
from roboreel.repairing.repair_report import RepairReport, RepairStep
from roboreel.runner.run_options import Leftovers, RunOptions


def repair(
    path: Annotated[
        str, typer.Argument(help="Folder of the dataset, or user/name[@REVISION] on the Hub.")
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="DST", help="Write the result to this new folder."),
    ] = None,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Replace PATH with the result, and keep PATH as PATH.before-TIME."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be repaired. Write nothing.")
    ] = False,
    on_broken: Annotated[
        OnBroken,
        typer.Option(
            help="Refuse the repair if an episode cannot be repaired (fail), or leave it out (skip)."
        ),
    ] = "fail",
    drop_missing_cameras: Annotated[
        bool,
        typer.Option("--drop-missing-cameras", help="Leave out cameras that have no video file."),
    ] = False,
    tasks_from: TasksFromOption = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            metavar="TEXT",
            help="Write a lost task list: the text of task 0, then of task 1, and so on. Repeatable.",
        ),
    ] = None,
    allow_missing: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-missing",
            metavar="NAME",
            help="Leave out this action, state or camera if it has no data. Repeatable.",
        ),
    ] = None,
    drop_audio: Annotated[
        bool, typer.Option("--drop-audio", help="Leave out the sound of videos.")
    ] = False,
    drop_unreadable: Annotated[
        bool,
        typer.Option("--drop-unreadable", help="Leave out columns that lerobot cannot read."),
    ] = False,
    timestamps: Annotated[
        Timestamps,
        typer.Option(
            help="Set irregular timestamps to k / fps, and keep the recorded ones in"
            " source_timestamp (regular); or leave them as they are (keep)."
        ),
    ] = "regular",
    decode: Annotated[
        bool,
        typer.Option(
            "--decode", help="Decode frames in both checks, to find wrong camera statistics too."
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from what an interrupted run left.")
    ] = False,
    clean: Annotated[
        bool,
        typer.Option("--clean", help="Remove what an interrupted run left, and start over."),
    ] = False,
    workers: Annotated[
        int, typer.Option("--workers", "--num-workers", min=1, help="Use this many processes.")
    ] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as a JSON object.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only what was not repaired.")
    ] = False,
) -> None:
    """Repair what can be repaired in only one way, and list the rest with what you can do about it.

    PATH is only read, and nothing is deleted. Exit code: 0 if the result has no error, else 1.
    """
    with stoppable(None if dry_run else path if in_place else out) as output:
        with progress_shown(quiet=quiet or as_json):
            report = run_repair(
                copied(path),
                out=out,
                in_place=in_place,
                dry_run=dry_run,
                decode=decode,
                choices=RepairChoices(
                    tasks=task or (),
                    tasks_from=tasks_from,
                    drop_missing_cameras=drop_missing_cameras,
                ),
                options=WriteOptions(
                    on_broken=on_broken,
                    timestamps=timestamps,
                    allow_missing=allow_missing or (),
                    drop_audio=drop_audio,
                    drop_unreadable=drop_unreadable,
                ),
                run_options=RunOptions(workers=workers, leftovers=_leftovers(resume, clean)),
            )
        output.written = report.out is not None
    if as_json:
        emit_json(report.to_json())
    else:
        show_report(report, dry_run=dry_run, quiet=quiet)
    if report.refused:
        tell(f"error: {report.refused}")
    if report.refused or not report.ok:
        raise typer.Exit(1)


def _leftovers(resume: bool, clean: bool) -> Leftovers:
    if resume and clean:
        raise UsageError("--resume continues from what an earlier run left, --clean removes it")
    return "resume" if resume else "clean" if clean else "refuse"


def show_report(report: RepairReport, *, dry_run: bool, quiet: bool) -> None:
    """Print what was repaired, what was left, and where the result is."""
    if not quiet:
        _show("would be repaired" if dry_run else "repaired", report.repaired)
    _show("not repaired", report.left)
    if not quiet:
        say(_summary(report, dry_run=dry_run))


def _summary(report: RepairReport, *, dry_run: bool) -> str:
    before, after = (count(n, "error") for n in (len(report.before.of("error")), report.errors))
    if report.out is not None:
        kept = f"; the original is now {report.kept}" if report.kept else ""
        return f"{report.path} -> {report.out}: {before} before, {after} after{kept}"
    if dry_run and report.repaired and not report.refused:
        return f"{report.path}: {before} before, {after} after the repair; nothing was written"
    why = "nothing to repair" if not report.left else "nothing can be repaired without a choice"
    why = "the repair would be refused" if report.refused else why
    return f"{report.path}: {before}; {why}; nothing was written"


def _show(heading: str, steps: Sequence[RepairStep]) -> None:
    if steps:
        say(heading)
        for step in steps:
            say(f"  {step}")
