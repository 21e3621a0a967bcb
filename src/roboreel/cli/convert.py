"""`roboreel convert`: any version in, any version out."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Annotated

import typer

from roboreel.cli.edit.choosing import pair_words
from roboreel.cli.output import tell
from roboreel.cli.shared_options import RegularTimestampsOption, SourceArgument, version_in
from roboreel.cli.writing import Writing, carry_out, writes
from roboreel.edit.view import View
from roboreel.format.version import FormatVersion
from roboreel.ops.write import plan_write
from roboreel.plan.plan import Plan
from roboreel.runner.run_report import Report


@writes
def convert(
    options: Writing,
    source: SourceArgument,
    to: Annotated[
        FormatVersion,
        typer.Option(
            "--to",
            metavar="VERSION",
            parser=version_in,
            help="Write this format version: v2.0, v2.1 or v3.0. Required.",
        ),
    ],
    timestamps: RegularTimestampsOption = "regular",
    keep_old_stats: Annotated[
        bool,
        typer.Option(
            "--keep-old-stats/--delete-old-stats",
            help="From v2.0 to v2.1: keep the old meta/stats.json beside the new statistics, or delete it."
            " Default: delete.",
        ),
    ] = False,
) -> None:
    """Change the format version by copying video packets; nothing is re-encoded.

    SRC is only read. DST appears complete, by one rename, or not at all.

    Examples:
        roboreel convert my_dataset --to v3.0 -o my_dataset_v3
        roboreel convert lerobot/pusht --to v2.1 -o pusht_v21 --workers 4
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
    tell(f"compare the rest: {shlex.join(command)}")
