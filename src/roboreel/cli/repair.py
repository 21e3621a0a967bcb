"""`roboreel repair`: what can be repaired in only one way is repaired, the rest is named."""

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
        typer.Option("--out", "-o", metavar="DST", help="Folder to make; must not exist."),
    ] = None,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Instead of -o: take PATH's place; PATH stays as PATH.before-TIME."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option(help="List what would be repaired, and stop. Nothing is written.")
    ] = False,
    on_broken: Annotated[
        OnBroken, typer.Option(help="Refuse, or leave out, episodes that cannot be repaired.")
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
            help="The text of a task, in order of task index, where the task list is lost. Repeatable.",
        ),
    ] = None,
    allow_missing: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-missing",
            metavar="NAME",
            help="Write a result without this action, state or camera. Repeatable.",
        ),
    ] = None,
    drop_audio: Annotated[
        bool, typer.Option("--drop-audio", help="Leave sound out of the videos.")
    ] = False,
    drop_unreadable: Annotated[
        bool,
        typer.Option("--drop-unreadable", help="Leave out columns that lerobot cannot read."),
    ] = False,
    timestamps: Annotated[
        Timestamps,
        typer.Option(
            help="Write irregular timestamps as k/fps (the originals stay beside), or keep."
        ),
    ] = "regular",
    decode: Annotated[
        bool,
        typer.Option(
            "--decode", help="Decode frames in the checks, and so check camera statistics."
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from what an earlier run left.")
    ] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove what an earlier run left, and start over.")
    ] = False,
    workers: Annotated[
        int, typer.Option("--workers", "--num-workers", min=1, help="Processes to use.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Repair a dataset: what can be repaired in only one way is repaired, the rest is named.

    PATH is only read. Nothing is deleted. Exits with 0 where the result has no error, 1 where it has one.
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
    if report.refused or not (dry_run or report.ok):
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
    if quiet:
        return
    before = _errors(report.before.of("error"))
    if report.out is None:
        nothing = "" if report.repaired else ": nothing to repair"
        say(f"{report.path}: {before}{nothing}")
        return
    assert report.after is not None
    kept = f"; the original is {report.kept}" if report.kept else ""
    say(f"{report.path} -> {report.out}: {before} -> {_errors(report.after.of('error'))}{kept}")


def _errors(found: Sequence[object]) -> str:
    return count(len(found), "error")


def _show(heading: str, steps: Sequence[RepairStep]) -> None:
    if steps:
        say(heading)
        for step in steps:
            say(f"  {step}")
