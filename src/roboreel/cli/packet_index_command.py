"""`roboreel index`: make the packet index of a dataset, for streaming."""

from __future__ import annotations

from typing import Annotated

import typer

from roboreel.cli.help_page import OUTPUT
from roboreel.cli.shared.progress import progress_shown
from roboreel.cli.shared.shared_options import JsonOption, QuietOption, VerboseOption
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.text.output import emit_json, say, tell
from roboreel.errors import UsageError, counted
from roboreel.ops.index_packets import PacketIndexReport, index_packets
from roboreel.summary.words import human_bytes

_SHOWN = 20


def index(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REF", help="user/name[@REVISION] on the Hub, a folder, or the URL of one."
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write the index to this file. Default: keep it in the cache folder.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    push: Annotated[
        bool,
        typer.Option(
            "--push",
            help="Commit the index to the dataset on the Hub, for everyone who streams it.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Make the packet index of a dataset: where each video packet is, in one small file.

    With it, streaming needs one request for the packets of a frame. Readers find it in the cache folder, and
    as meta/packet_index.parquet beside the dataset. A dataset on the Hub is not downloaded, but parts of its
    videos are read. Exits with 1 if a video cannot be read.

    Examples:
        roboreel index user/name --push
        roboreel index my_dataset -o my_dataset/meta/packet_index.parquet
    """
    if push and out is not None:
        raise UsageError(
            "--push and -o exclude each other: the index is pushed or written to a file"
        )
    with stoppable(), progress_shown(quiet=quiet or as_json):
        report = index_packets(reference, out, push=push)
    if as_json:
        emit_json(report.to_json())
    else:
        if not quiet:
            _show(report)
        _tell_unreadable(report)
    if report.unreadable:
        raise typer.Exit(1)


def _show(report: PacketIndexReport) -> None:
    commit = f" (commit {report.commit[:8]})" if report.commit else ""
    share = report.size_bytes / report.video_bytes if report.video_bytes else 0
    say(
        f"{report.path}{commit}: {counted(report.packets, 'packet')} of {counted(report.videos, 'video')},"
        f" {human_bytes(report.size_bytes)} ({share:.3%} of {human_bytes(report.video_bytes)})"
    )


def _tell_unreadable(report: PacketIndexReport) -> None:
    for reason in list(report.unreadable.values())[:_SHOWN]:
        tell(f"not indexed: {reason}")
    if len(report.unreadable) > _SHOWN:
        tell(f"… and {counted(len(report.unreadable) - _SHOWN, 'more video')}")
