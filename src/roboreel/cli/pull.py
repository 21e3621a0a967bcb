"""`roboreel pull`: fetch a dataset from the Hub, or what some of its episodes need."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from roboreel.cli.edit.choosing import EpisodesOption, episodes_in
from roboreel.cli.output import count, emit_json, human_bytes, say, tell
from roboreel.cli.progress import progress_shown
from roboreel.cli.stopping import stoppable
from roboreel.dataset.pull_record import Content
from roboreel.errors import UsageError
from roboreel.hub.pull import pull as fetch
from roboreel.hub.pull_report import PullReport

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
            help="Folder to fetch into. Default: $HF_LEROBOT_HOME/user/name.",
        ),
    ] = None,
    episodes: EpisodesOption = None,
    cameras: Annotated[
        str | None,
        typer.Option("--cameras", metavar="A,B", help="Fetch the videos of these cameras only."),
    ] = None,
    no_videos: Annotated[
        bool, typer.Option("--no-videos", help="Fetch documents and tables only.")
    ] = False,
    meta_only: Annotated[bool, typer.Option("--meta-only", help="Fetch documents only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Fetch a dataset from the Hub: all of it, or the files that some episodes and cameras need.

    Files that are there are kept: run the command again to go on, or with other episodes to add them. Exits
    with 1 where the repository lacks files that its documents name.
    """
    content = _content(no_videos=no_videos, meta_only=meta_only)
    if meta_only and (episodes is not None or cameras is not None):
        raise UsageError("--meta-only fetches no episodes: leave out --episodes and --cameras")
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
        _show(report, quiet=quiet)
    if report.missing:
        raise typer.Exit(1)


def _content(*, no_videos: bool, meta_only: bool) -> Content:
    if meta_only:
        return "documents"
    return "tables" if no_videos else "all"


def _show(report: PullReport, *, quiet: bool) -> None:
    if not quiet:
        here = len(report.files) - len(report.fetched)
        before = f", {count(here, 'file')} were here" if here else ""
        say(
            f"{report.path}: {report.repo_id}@{report.revision} (commit {report.commit[:8]}),"
            f" fetched {count(len(report.fetched), 'file')}, {human_bytes(report.fetched_bytes)}{before}"
        )
    for name in report.missing[:_SHOWN]:
        tell(f"missing: '{name}' is named by the documents, and not in the repository")
    if len(report.missing) > _SHOWN:
        tell(f"… and {len(report.missing) - _SHOWN} more missing files")
