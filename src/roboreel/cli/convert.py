"""`roboreel convert`: any version in, any version out."""

from __future__ import annotations

from typing import Annotated

import typer

from roboreel.cli.writing import TimestampChoice, Writing, carry_out, writes
from roboreel.format.version import FormatVersion
from roboreel.ops import Plan, plan_convert


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

    def plan_of() -> Plan:
        return plan_convert(
            options.opened(source),
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

    carry_out(source, options, plan_of)
