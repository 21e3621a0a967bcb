"""`roboreel convert`: any version in, any version out."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Annotated

import typer

from roboreel.cli.edit.choosing import SourceArgument, pair_words
from roboreel.cli.output import tell
from roboreel.cli.writing import Writing, carry_out, writes
from roboreel.edit.view import View
from roboreel.edit.write_options import Timestamps
from roboreel.format.version import FormatVersion
from roboreel.ops.write import plan_write
from roboreel.plan.plan import Plan
from roboreel.runner.run_report import Report


@writes
def convert(
    options: Writing,
    source: SourceArgument,
    to: Annotated[FormatVersion, typer.Option("--to", help="Format version to write.")],
    timestamps: Annotated[
        Timestamps,
        typer.Option(
            help="Write irregular timestamps as k/fps (the originals stay beside), or keep."
        ),
    ] = "regular",
    keep_old_stats: Annotated[
        bool,
        typer.Option(
            "--keep-old-stats/--delete-old-stats",
            help="v2.0 to v2.1: keep meta/stats.json beside the new statistics.",
        ),
    ] = False,
) -> None:
    """Convert a dataset to another format version, by copying its packets: nothing is re-encoded unasked.

    SRC is only read. DST appears whole, by one rename, or not at all.
    """

    what = replace(
        options.write_options(regroup=True),
        to=to,
        timestamps=timestamps,
        keep_old_stats=keep_old_stats,
    )
    opened: list[View] = []

    def plan_of() -> Plan:
        opened.append(options.view(source))
        view = opened[0].written_as(what)
        return plan_write(view, out=options.out, in_place=options.in_place, workers=options.workers)

    report = carry_out(source, options, plan_of)
    if report is not None and report.skipped and opened and not options.quiet:
        _tell_how_to_compare(report.kept or source, report, opened[0].numbers.tolist())


def _tell_how_to_compare(source: str, report: Report, numbers: list[int]) -> None:
    """Print the `diff` command that compares a result with its source if episodes were left out."""
    skipped = {problem.episode for problem in report.skipped}
    kept = [number for number in numbers if number not in skipped]
    pairs = pair_words(zip(kept, range(len(kept)), strict=True))
    command = ["roboreel", "diff", source, report.out, "--episodes", pairs]
    tell(f"to compare the rest: {shlex.join(command)}")
