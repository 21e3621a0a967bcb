"""`roboreel push`: upload a dataset to the Hub."""

from __future__ import annotations

from typing import Annotated

import typer

from roboreel.cli.help_page import OUTPUT
from roboreel.cli.shared.progress import progress_shown
from roboreel.cli.shared.shared_options import JsonOption, QuietOption, VerboseOption
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.text.output import emit_json, say
from roboreel.errors import UsageError, counted
from roboreel.hub.push import push as upload
from roboreel.hub.push_report import PushReport
from roboreel.summary.words import human_bytes

_SHOWN = 20
_PLACEHOLDER = "USER/NAME"


def push(
    dataset: Annotated[str, typer.Argument(metavar="DIR", help="Folder of the dataset to push.")],
    repo_id: Annotated[
        str, typer.Argument(metavar=_PLACEHOLDER, help="Repository on the Hub; created if missing.")
    ],
    branch: Annotated[
        str | None,
        typer.Option("--branch", metavar="NAME", help="Push to this branch. Default: main."),
    ] = None,
    private: Annotated[
        bool | None,
        typer.Option("--private/--public", help="Make a new repository private, or public."),
    ] = None,
    tag: Annotated[
        bool,
        typer.Option("--tag/--no-tag", help="Tag the commit with the version, such as v3.0."),
    ] = True,
    no_videos: Annotated[
        bool, typer.Option("--no-videos", help="Push documents and tables only.")
    ] = False,
    license_name: Annotated[
        str | None,
        typer.Option(
            "--license",
            metavar="ID",
            help="Set the license in the dataset card. Default: apache-2.0.",
        ),
    ] = None,
    tags: Annotated[
        str | None,
        typer.Option("--tags", metavar="A,B", help="Add these tags to the dataset card."),
    ] = None,
    large: Annotated[
        bool,
        typer.Option("--large", help="Commit every 100 files, for uploads that take hours."),
    ] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            metavar="PATTERN",
            help="Push only matching files, such as 'meta/*'. Repeatable.",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="PATTERN", help="Leave out matching files. Repeatable."),
    ] = None,
    remove: Annotated[
        bool,
        typer.Option(
            "--remove", help="Remove data, videos and documents on the Hub that DIR does not have."
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="List what would be uploaded and removed; change nothing.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Push a dataset to the Hub: upload the files that changed, and tag its version.

    After an interruption, run the command again: files that arrived are not sent again.

    Examples:
        roboreel push my_dataset user/my_dataset
        roboreel push my_dataset user/my_dataset --branch cleaned --private --dry-run
    """
    if repo_id == _PLACEHOLDER:
        raise UsageError(f"give the name of your repository instead of {_PLACEHOLDER}")
    with stoppable(), progress_shown(quiet=quiet or as_json):
        report = upload(
            dataset,
            repo_id,
            dry_run=dry_run,
            branch=branch,
            private=private,
            tag=tag,
            videos=not no_videos,
            license=license_name,
            tags=[word.strip() for word in (tags or "").split(",") if word.strip()],
            large=large,
            allow=allow or (),
            ignore=ignore or (),
            remove=remove,
        )
    if as_json:
        emit_json(report.to_json())
    elif not quiet:
        show_push(report, dry_run=dry_run)


def show_push(report: PushReport, *, dry_run: bool = False) -> None:
    """Print what was uploaded and removed, or would be."""
    did, gone = ("would upload", "would remove") if dry_run else ("uploaded", "removed")
    where = f"{report.repo_id}, branch {report.branch}"
    commit = f" (commit {report.commit[:8]})" if report.commit else ""
    say(
        f"{where}{commit}: {did} {counted(len(report.uploaded), 'file')},"
        f" {human_bytes(report.uploaded_bytes)}; {counted(report.unchanged, 'file')} unchanged"
    )
    for name in report.removed[:_SHOWN]:
        say(f"  {gone} {name}")
    if len(report.removed) > _SHOWN:
        say(f"  … and {len(report.removed) - _SHOWN} more")
    if report.tagged:
        say(f"tagged {report.version}")
