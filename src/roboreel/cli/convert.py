"""`roboreel convert`: any version in, any version out."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from roboreel.cli.edit.choosing import pair_words
from roboreel.cli.output import tell
from roboreel.cli.writing import TimestampChoice, Writing, carry_out, writes
from roboreel.dataset.dataset import Dataset
from roboreel.format.model import EPISODE
from roboreel.format.version import FormatVersion
from roboreel.ops.write import Plan, Report, plan_convert


@writes
def convert(
    options: Writing,
    source: Annotated[str, typer.Argument(metavar="SRC", help="Folder of the dataset.")],
    to: Annotated[FormatVersion, typer.Option("--to", help="Format version to write.")],
    timestamps: Annotated[
        TimestampChoice,
        typer.Option(
            help="Write irregular timestamps as k/fps (the originals stay beside), or keep."
        ),
    ] = TimestampChoice.regular,
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

    opened: list[Dataset] = []

    def plan_of() -> Plan:
        opened.append(options.opened(source))
        return plan_convert(
            opened[0],
            to=to,
            out=options.out,
            in_place=options.in_place,
            on_broken=options.on_broken.value,
            timestamps=timestamps.value,
            allow_reencode=options.allow_reencode,
            reencoding=options.encoder,
            drop_audio=options.drop_audio,
            drop_unreadable=options.drop_unreadable,
            allow_missing=options.allow_missing or (),
            video_backend=options.video_backend,
            keep_old_stats=keep_old_stats,
            with_global_stats=options.with_global_stats,
            data_file_mb=options.data_file_mb,
            video_file_mb=options.video_file_mb,
            workers=options.workers,
        )

    report = carry_out(source, options, plan_of)
    if report is not None and report.skipped and opened and not options.quiet:
        _tell_how_to_compare(report.kept or source, report, opened[0].episodes[EPISODE].to_pylist())


def _tell_how_to_compare(source: str, report: Report, numbers: list[int]) -> None:
    """Say which episodes of the source are which in a result that leaves some out."""
    skipped = {problem.episode for problem in report.skipped}
    kept = [number for number in numbers if number not in skipped]
    pairs = pair_words(zip(kept, range(len(kept)), strict=True))
    command = ["roboreel", "diff", source, report.out, "--episodes", pairs]
    tell(f"to compare the rest: {shlex.join(command)}")
