"""`roboreel repair`: what can be repaired in only one way is repaired, the rest is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from roboreel.cli.opening import copied
from roboreel.cli.output import count, emit_json, say
from roboreel.cli.stopping import stoppable
from roboreel.edit.write_options import OnBroken, Timestamps, WriteOptions
from roboreel.repairing.repair import repair as run_repair
from roboreel.repairing.repair_report import RepairReport, RepairStep
from roboreel.runner.run_options import RunOptions


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
    timestamps: Annotated[
        Timestamps,
        typer.Option(
            help="Write irregular timestamps as k/fps (the originals stay beside), or keep."
        ),
    ] = "regular",
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
        report = run_repair(
            copied(path),
            out=out,
            in_place=in_place,
            dry_run=dry_run,
            options=WriteOptions(on_broken=on_broken, timestamps=timestamps),
            run_options=RunOptions(workers=workers),
        )
        output.written = report.out is not None
    if as_json:
        emit_json(report.to_json())
    else:
        show_report(report, dry_run=dry_run, quiet=quiet)
    if not dry_run and not report.ok:
        raise typer.Exit(1)


def show_report(report: RepairReport, *, dry_run: bool, quiet: bool) -> None:
    """Print what was repaired, what was left, and where the result is."""
    if not quiet:
        _show("would be repaired" if dry_run else "repaired", report.repaired)
    _show("not repaired", report.left)
    if quiet:
        return
    before = _errors(report.before.of("error"))
    if report.out is None:
        nothing = "" if dry_run and report.repaired else ": nothing to repair"
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
