"""`roboreel cache`: decode the frames of a dataset ahead of training, show and remove what is kept."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from roboreel.cli.command_line import HELP_NAMES, Command, Group
from roboreel.cli.shared.opening import opened_source
from roboreel.cli.shared.progress import counting_bar
from roboreel.cli.shared.shared_options import (
    SOURCE_HELP,
    FollowLinksOption,
    JsonOption,
    QuietOption,
    VerboseOption,
)
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.text.output import emit_json, say
from roboreel.errors import UsageError, counted
from roboreel.reading.build_cache import build_cache
from roboreel.reading.cache_folder import CacheFolder
from roboreel.reading.frame_cache import frame_counts
from roboreel.summary.words import human_bytes
from roboreel.types import Json

cache = typer.Typer(
    name="cache",
    cls=Group,
    add_completion=False,
    help="""Decode frames once, before training. Use them with roboreel.reader(…, frame_cache=DIR).

Examples:
    roboreel cache build my_dataset --dir frames --size 224 224
    roboreel cache info --dir frames
""",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings=HELP_NAMES,
)
DirOption = Annotated[
    str, typer.Option("--dir", metavar="DIR", help="Folder of the cache. Required.")
]


@cache.command(cls=Command, context_settings=HELP_NAMES)
def build(
    source: Annotated[str, typer.Argument(metavar="SRC", help=SOURCE_HELP)],
    folder: DirOption,
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            "--size",
            metavar="H W",
            help="Scale frames to this height and width, in pixels. Default: as stored.",
        ),
    ] = None,
    cameras: Annotated[
        list[str] | None,
        typer.Option(
            "--camera", metavar="NAME", help="Decode only this camera. Repeatable. Default: all."
        ),
    ] = None,
    limit_mb: Annotated[
        float | None,
        typer.Option(
            "--limit-mb",
            metavar="MIB",
            min=1,
            help="Limit the folder to this size in MiB (1 or more). Default: keep 1 GiB of the disk free.",
        ),
    ] = None,
    follow_links: FollowLinksOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Decode all frames of a dataset into a cache; frames that are already there are kept.

    Exits with 1 if the size limit leaves some frames out.

    Examples:
        roboreel cache build my_dataset --dir frames --size 224 224
        roboreel cache build my_dataset --dir frames --camera observation.images.top
    """
    with stoppable():
        dataset = opened_source(source, follow_links=follow_links)
    with stoppable(), counting_bar("decoding", "frames", quiet=quiet or as_json) as shown:
        built = build_cache(
            dataset,
            folder,
            size=size,
            cameras=cameras or None,
            limit_mb=limit_mb,
            progress=shown,
        )
    told: dict[str, Json] = {
        "frames": built.frames,
        "cached": built.cached,
        "decoded": built.decoded,
    }
    if as_json:
        emit_json(told)
    elif not quiet:
        say(f"{built.cached:,} of {counted(built.frames, 'frame')} in '{folder}'")
    if built.cached < built.frames:
        raise typer.Exit(1)


@cache.command(cls=Command, context_settings=HELP_NAMES)
def info(folder: DirOption, as_json: JsonOption = False) -> None:
    """Show how many frames a cache holds, and their size on the disk."""
    found = _existing(folder)
    files = found.files()
    frames = frame_counts(found)
    told: dict[str, Json] = {
        "path": found.root.url,
        "frames": sum(frames.values()),
        "videos": len(frames),
        "size_bytes": sum(file.allocated_bytes for file in files),
    }
    if as_json:
        emit_json(told)
        return
    size = human_bytes(sum(file.allocated_bytes for file in files))
    say(
        f"{counted(sum(frames.values()), 'frame')} of {counted(len(frames), 'video')}, {size} in '{folder}'"
    )


@cache.command(cls=Command, context_settings=HELP_NAMES)
def clear(folder: DirOption, as_json: JsonOption = False) -> None:
    """Remove all files of a cache. Processes that are reading them can go on."""
    removed = _existing(folder).clear()
    size = sum(file.allocated_bytes for file in removed)
    if as_json:
        emit_json({"files": len(removed), "size_bytes": size})
        return
    say(f"{counted(len(removed), 'file')} removed, {human_bytes(size)}")


def _existing(folder: str) -> CacheFolder:
    if not os.path.isdir(folder):
        raise UsageError(
            f"'{folder}' is not a folder: give the folder that `roboreel cache build --dir` wrote"
        )
    return CacheFolder(folder, None, 0)
