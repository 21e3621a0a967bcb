"""`roboreel pull`: fetch a dataset from the Hub, or what some of its episodes need."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from roboreel.cli.help_page import OUTPUT
from roboreel.cli.shared.choosing import EpisodesOption, episodes_in
from roboreel.cli.shared.progress import progress_shown
from roboreel.cli.shared.shared_options import JsonOption, QuietOption, VerboseOption
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.text.output import emit_json, say, tell
from roboreel.dataset.pull_record import Content
from roboreel.errors import UsageError, counted
from roboreel.hub.pull import pull as fetch
from roboreel.hub.pull_report import PullReport
from roboreel.summary.words import human_bytes

_SHOWN = 20


def pull(
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="user/name, user/name@REVISION or hf://datasets/…")
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Download to this folder. Default: $HF_LEROBOT_HOME/user/name.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    episodes: EpisodesOption = None,
    cameras: Annotated[
        str | None,
        typer.Option("--cameras", metavar="A,B", help="Download videos of these cameras only."),
    ] = None,
    no_videos: Annotated[
        bool, typer.Option("--no-videos", help="Download documents and tables only.")
    ] = False,
    meta_only: Annotated[
        bool, typer.Option("--meta-only", help="Download documents (meta/) only.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Download a dataset from the Hub, or only the files that some episodes and cameras need.

    Files that were already downloaded are kept: run the command again to continue, or with other episodes
    to add them. Needs the extra `hub`: pip install 'roboreel[hub]'. Exits with 1 if the repository
    lacks files that its documents name.

    Examples:
        roboreel pull lerobot/pusht
        roboreel pull lerobot/pusht --episodes 0:10 -o pusht_part
    """
    content: Content = "documents" if meta_only else "tables" if no_videos else "all"
    if meta_only and (episodes is not None or cameras is not None):
        raise UsageError(
            "--meta-only downloads no episodes: leave out --episodes and --cameras, or leave out"
            " --meta-only"
        )
    names = None if cameras is None else [name.strip() for name in cameras.split(",")]
    with stoppable(), progress_shown(quiet=quiet or as_json):
        report = fetch(
            reference,
            out,
            episodes=None if episodes is None else partial(episodes_in, episodes),
            cameras=names,
            content=content,
        )
    if as_json:
        emit_json(report.to_json())
    else:
        if not quiet:
            _show_fetched(report)
        _tell_missing(report)
    if report.missing:
        raise typer.Exit(1)


def _show_fetched(report: PullReport) -> None:
    here = len(report.files) - len(report.fetched)
    before = f"; {counted(here, 'file')} already here" if here else ""
    say(
        f"{report.path}: {report.repo_id}@{report.revision} (commit {report.commit[:8]}),"
        f" downloaded {counted(len(report.fetched), 'file')}, {human_bytes(report.fetched_bytes)}{before}"
    )


def _tell_missing(report: PullReport) -> None:
    for name in report.missing[:_SHOWN]:
        tell(
            f"missing: '{name}': the documents name this file, but the repository does not have it"
        )
    if len(report.missing) > _SHOWN:
        tell(f"… and {counted(len(report.missing) - _SHOWN, 'more missing file')}")
