"""`roboreel repair`: repair what can be repaired in only one way, and list the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from roboreel.cli.failures.advice import NoOutputError
from roboreel.cli.help_page import OUTPUT
from roboreel.cli.shared.choosing import TasksFromOption
from roboreel.cli.shared.opening import copied
from roboreel.cli.shared.progress import progress_shown
from roboreel.cli.shared.shared_options import (
    AllowMissingOption,
    CleanOption,
    DropAudioOption,
    DropUnreadableOption,
    ExecutorOption,
    JsonOption,
    OutOption,
    QuietOption,
    RayAddressOption,
    RegularTimestampsOption,
    ReplaceOption,
    ResumeOption,
    TimeoutOption,
    VerboseOption,
    WorkersOption,
    choices,
    leftovers_of,
)
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.text.output import emit_json, say, tell
from roboreel.cli.text.output import heading as say_heading
from roboreel.edit.write_options import OnBroken, WriteOptions
from roboreel.errors import counted
from roboreel.repairing.choices import RepairChoices
from roboreel.repairing.repair import repair as run_repair
from roboreel.repairing.repair_report import RepairReport, RepairStep
from roboreel.runner.run_options import RunOptions


def repair(
    path: Annotated[
        str,
        typer.Argument(
            metavar="SRC", help="Folder of the dataset, or user/name[@REVISION] on the Hub."
        ),
    ],
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
            help="Restore a lost task list: give the text of task 0, then of task 1, and so on."
            " Repeatable.",
        ),
    ] = None,
    decode: Annotated[
        bool,
        typer.Option(
            "--decode",
            help="Decode frames in the checks before and after, to find wrong camera statistics too.",
        ),
    ] = False,
    on_broken: Annotated[
        OnBroken,
        typer.Option(
            "--on-broken",
            metavar=choices(OnBroken),
            help="If an episode cannot be repaired: stop (fail), or leave it out (skip).",
        ),
    ] = "fail",
    timestamps: RegularTimestampsOption = "regular",
    drop_audio: DropAudioOption = False,
    drop_unreadable: DropUnreadableOption = False,
    allow_missing: AllowMissingOption = None,
    workers: WorkersOption = 1,
    executor: ExecutorOption = None,
    ray_address: RayAddressOption = None,
    timeout_factor: TimeoutOption = 1.0,
    resume: ResumeOption = False,
    clean: CleanOption = False,
    out: OutOption = None,
    in_place: ReplaceOption = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="List what would be repaired. Write nothing.", rich_help_panel=OUTPUT
        ),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Repair what has only one possible fix, and list the rest with what you can do about it.

    SRC is not modified, and nothing is deleted. Exits with 0 if the result has no error, else with 1.

    Examples:
        roboreel repair my_dataset --dry-run
        roboreel repair my_dataset -o my_dataset_repaired
    """
    if out is None and not in_place and not dry_run:
        raise NoOutputError(path)
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
                run_options=RunOptions(
                    workers=workers,
                    executor=executor,
                    ray_address=ray_address,
                    timeout_factor=timeout_factor,
                    leftovers=leftovers_of(resume=resume, clean=clean),
                ),
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


def show_report(report: RepairReport, *, dry_run: bool, quiet: bool) -> None:
    """Print what was repaired, what was left, and where the result is."""
    if not quiet:
        _show("would be repaired" if dry_run else "repaired", report.repaired)
    _show("not repaired", report.left)
    if not quiet:
        say(_summary(report, dry_run=dry_run))


def _summary(report: RepairReport, *, dry_run: bool) -> str:
    before, after = (counted(n, "error") for n in (len(report.before.of("error")), report.errors))
    if report.out is not None:
        kept = f"; the original is now {report.kept}" if report.kept else ""
        return f"{report.path} -> {report.out}: {before} before, {after} after{kept}"
    if dry_run and report.repaired and not report.refused:
        return f"{report.path}: {before} before, {after} after the repair; nothing was written"
    why = "nothing to repair" if not report.left else "the rest needs a decision from you"
    why = "the repair is refused" if report.refused else why
    return f"{report.path}: {before}; {why}; nothing was written"


def _show(heading: str, steps: Sequence[RepairStep]) -> None:
    if steps:
        say_heading(heading)
        for step in steps:
            say(f"  {step}")
