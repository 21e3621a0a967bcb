"""`roboreel cache`: decode the frames of a dataset ahead of training, show and remove what is kept."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from roboreel.cli.opening import SOURCE_HELP, opened_source
from roboreel.cli.output import count, emit_json, human_bytes, say
from roboreel.cli.progress import counting_bar
from roboreel.cli.stopping import stoppable
from roboreel.errors import UsageError
from roboreel.reading.build_cache import build_cache
from roboreel.reading.cache_folder import CacheFolder
from roboreel.reading.frame_cache import frame_counts
from roboreel.types import Json

cache = typer.Typer(
    name="cache",
    help="Keep decoded frames in a folder: see frame_cache of roboreel.reader.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
DirOption = Annotated[
    str, typer.Option("--dir", metavar="DIR", help="Folder of the cache.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]


@cache.command()
def build(
    source: Annotated[str, typer.Argument(metavar="REF", help=SOURCE_HELP)],
    folder: DirOption,
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            "--size",
            metavar="H W",
            help="Scale frames to this height and width in pixels. Default: as they are stored.",
            show_default=False,
        ),
    ] = None,
    cameras: Annotated[
        list[str] | None,
        typer.Option("--camera", metavar="NAME", help="Only this camera. Repeatable."),
    ] = None,
    limit_mb: Annotated[
        float | None,
        typer.Option(
            "--limit-mb",
            metavar="MB",
            min=1,
            help="Let the folder take at most so many MiB. Default: what leaves 1 GiB of the disk free.",
            show_default=False,
        ),
    ] = None,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Read what links out of the dataset lead to.")
    ] = False,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Decode all frames of a dataset into a cache. Frames that are in it already stay."""
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
        say(f"{count(built.cached, 'frame')} of {built.frames:,} in '{folder}'")
    if built.cached < built.frames:
        raise typer.Exit(1)


@cache.command()
def info(folder: DirOption, as_json: JsonOption = False) -> None:
    """Show how many frames a cache holds, and how much of the disk it takes."""
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
        f"{count(sum(frames.values()), 'frame')} of {count(len(frames), 'video')}, {size} in '{folder}'"
    )


@cache.command()
def clear(folder: DirOption, as_json: JsonOption = False) -> None:
    """Remove all files of a cache. Processes that read from them are not disturbed."""
    removed = _existing(folder).clear()
    size = sum(file.allocated_bytes for file in removed)
    if as_json:
        emit_json({"files": len(removed), "size_bytes": size})
        return
    say(f"{count(len(removed), 'file')} removed, {human_bytes(size)}")


def _existing(folder: str) -> CacheFolder:
    if not os.path.isdir(folder):
        raise UsageError(f"there is no folder '{folder}'")
    return CacheFolder(folder, None, 0)
