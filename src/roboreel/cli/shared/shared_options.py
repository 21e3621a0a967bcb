"""Options that several commands have, with one help text each."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

import typer

from roboreel.cli.help_page import HOW, OUTPUT, WHAT
from roboreel.cli.shared.verbose import log_more
from roboreel.edit.write_options import OnBroken, Timestamps, VideoBackend
from roboreel.errors import UsageError
from roboreel.executors.worker_options import ExecutorName
from roboreel.format.version import FormatVersion, parse_version
from roboreel.runner.run_options import Leftovers

SOURCE_HELP = "Folder, user/name[@REVISION] on the Hub, URL, or view file."
Form: TypeAlias = Literal["text", "json", "quiet"]
"""What a command prints: text for people, a JSON document, or errors only."""
_VERSIONS = "|".join(version.value for version in FormatVersion)


def choices(alias: object) -> str:
    """The values of a `Literal` as help and messages list them: `fail|skip`."""
    return "|".join(get_args(alias))


def form_of(*, as_json: bool, quiet: bool = False) -> Form:
    """What the options `--json` and `--quiet` ask for; JSON is printed even if quiet."""
    return "json" if as_json else "quiet" if quiet else "text"


def leftovers_of(*, resume: bool, clean: bool) -> Leftovers:
    """What the options `--resume` and `--clean` ask for.

    Raises:
        UsageError: both are given.
    """
    if resume and clean:
        raise UsageError(
            "--resume continues an interrupted run and --clean starts over: give only one of them"
        )
    return "resume" if resume else "clean" if clean else "refuse"


def version_in(text: str | FormatVersion) -> FormatVersion:
    """The format version in `v3.0`, `3.0`, `v3` or `3`.

    Raises:
        typer.BadParameter: there is no such version, or several.
    """
    word = str(text).strip().lower().removeprefix("v")
    if word == FormatVersion.V30.value[1]:
        return FormatVersion.V30
    try:
        return parse_version(word)
    except UsageError:
        raise typer.BadParameter(
            f"'{text}' is not a format version: expected {_VERSIONS.replace('|', ', ')}"
        ) from None


SourceArgument = Annotated[str, typer.Argument(metavar="SRC", help=SOURCE_HELP)]
ToOption = Annotated[
    FormatVersion | None,
    typer.Option(
        "--to",
        metavar=_VERSIONS,
        parser=version_in,
        help="Write this format version. Default: the version of the (first) source.",
        rich_help_panel=WHAT,
    ),
]
OutOption = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DST",
        help="Write to this folder, which must be empty or not exist.",
        rich_help_panel=OUTPUT,
    ),
]
ReplaceOption = Annotated[
    bool,
    typer.Option(
        "--in-place",
        help="Replace the dataset; the original is kept next to it as NAME.before-TIME.",
        rich_help_panel=OUTPUT,
    ),
]
DiscardOriginalOption = Annotated[
    bool,
    typer.Option(
        "--discard-original",
        help="With --in-place: remove the original once the result is verified.",
        rich_help_panel=OUTPUT,
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="List what would be written; write nothing.", rich_help_panel=OUTPUT
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout.", rich_help_panel=OUTPUT)
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=OUTPUT)
]
VerboseOption = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        callback=log_more,
        help="Log each step on stderr.",
        rich_help_panel=OUTPUT,
        show_default=False,
    ),
]
ResumeOption = Annotated[
    bool,
    typer.Option("--resume", help="Continue an interrupted run.", rich_help_panel=HOW),
]
CleanOption = Annotated[
    bool,
    typer.Option(
        "--clean",
        help="Remove the files of an interrupted run and start over.",
        rich_help_panel=HOW,
    ),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        "--num-workers",
        metavar="N",
        min=1,
        help="Use N processes (1 or more).",
        rich_help_panel=HOW,
    ),
]
ExecutorOption = Annotated[
    ExecutorName | None,
    typer.Option(
        "--executor",
        metavar=choices(ExecutorName),
        help="Run in this process (serial), in threads, in worker processes, or on a Ray cluster. Default:"
        " process with several workers or if frames are decoded, else serial.",
        rich_help_panel=HOW,
    ),
]
RayAddressOption = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="HOST:PORT",
        help="With --executor ray: use this cluster. Default: RAY_ADDRESS, else one on this machine.",
        rich_help_panel=HOW,
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        "--timeout-factor",
        metavar="X",
        min=0,
        help="Multiply all timeouts by X; 0 disables them.",
        rich_help_panel=HOW,
    ),
]
OnBrokenOption = Annotated[
    OnBroken,
    typer.Option(
        "--on-broken",
        metavar=choices(OnBroken),
        help="If an episode cannot be written: stop (fail), or leave it out (skip).",
        rich_help_panel=WHAT,
    ),
]
_TIMESTAMPS = (
    "Replace irregular timestamps by frame / fps and keep the recorded ones in source_timestamp (regular),"
    " or leave them unchanged (keep)."
)
TimestampsOption = Annotated[
    Timestamps | None,
    typer.Option(
        "--timestamps",
        metavar=choices(Timestamps),
        help=f"{_TIMESTAMPS} Default: keep, unless the version changes.",
        rich_help_panel=WHAT,
    ),
]
RegularTimestampsOption = Annotated[
    Timestamps,
    typer.Option(
        "--timestamps", metavar=choices(Timestamps), help=_TIMESTAMPS, rich_help_panel=WHAT
    ),
]
DropAudioOption = Annotated[
    bool, typer.Option("--drop-audio", help="Leave sound out of the videos.", rich_help_panel=WHAT)
]
DropUnreadableOption = Annotated[
    bool,
    typer.Option(
        "--drop-unreadable",
        help="Leave out columns that lerobot cannot read: bytes, dates, structs, lists of strings.",
        rich_help_panel=WHAT,
    ),
]
AllowMissingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-missing",
        metavar="NAME",
        help="Write the result even if it lacks this action, state or camera. Repeatable.",
        rich_help_panel=WHAT,
    ),
]
VideoBackendOption = Annotated[
    VideoBackend,
    typer.Option(
        "--video-backend",
        metavar=choices(VideoBackend),
        help="Decode videos with this library to compute statistics.",
        rich_help_panel=HOW,
    ),
]
DataFileOption = Annotated[
    float | None,
    typer.Option(
        "--data-file-mb",
        metavar="MIB",
        help="Start a new table file above this size in MiB (v3.0). Default: the dataset's setting, else"
        " 100.",
        rich_help_panel=WHAT,
    ),
]
VideoFileOption = Annotated[
    float | None,
    typer.Option(
        "--video-file-mb",
        metavar="MIB",
        help="Start a new video file above this size in MiB (v3.0). Default: the dataset's setting, else"
        " 200.",
        rich_help_panel=WHAT,
    ),
]
FollowLinksOption = Annotated[
    bool,
    typer.Option(
        "--follow-links",
        help="Follow symbolic links that lead out of the dataset.",
        rich_help_panel=HOW,
    ),
]
