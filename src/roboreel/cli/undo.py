"""`roboreel undo`: restore a dataset to what it was before an edit in place."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from roboreel.cli.help_page import OUTPUT
from roboreel.cli.shared.shared_options import JsonOption, QuietOption, VerboseOption
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.text.output import emit_json, say, table
from roboreel.dataset.open import open_dataset
from roboreel.errors import RoboreelError, UsageError, counted
from roboreel.hub.open_reference import folder_here
from roboreel.ops.undo import (
    KeptVersion,
    kept_versions,
    removable,
    remove_kept,
    version_named,
)
from roboreel.ops.undo import undo as put_back
from roboreel.summary.words import human_bytes
from roboreel.types import Json


def undo(
    path: Annotated[
        str,
        typer.Argument(
            metavar="DATASET", help="Folder of the dataset, or user/name of a local copy."
        ),
    ],
    restore: Annotated[
        bool,
        typer.Option(
            "--restore",
            help="Restore the newest original. The current dataset is kept as NAME.undone-TIME.",
        ),
    ] = False,
    version: Annotated[
        str | None,
        typer.Option(
            "--version",
            metavar="NAME",
            help="With --restore: restore the version with this name, as listed.",
        ),
    ] = None,
    discard_present: Annotated[
        bool,
        typer.Option(
            "--discard-present",
            help="With --restore: remove the current dataset instead of keeping it.",
        ),
    ] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep",
            metavar="N",
            min=0,
            help="Keep the newest N versions (0 or more), and remove the older ones.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="List what would be done; change nothing.", rich_help_panel=OUTPUT
        ),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """List the originals that in-place edits kept; restore one, or remove old ones.

    Without --restore or --keep, nothing is changed.

    Examples:
        roboreel undo my_dataset
        roboreel undo my_dataset --restore
    """
    if restore and keep is not None:
        raise UsageError(
            "--restore restores a version and --keep removes versions: give only one of them"
        )
    if not restore and (version is not None or discard_present):
        raise UsageError(
            "--version and --discard-present need --restore: add it, or leave them out"
        )
    with stoppable():
        path = os.fspath(folder_here(path))
        if restore:
            done = (
                {"path": path, "would_restore": version_named(path, version).name}
                if dry_run
                else _restored(path, version, discard_present=discard_present)
            )
        elif keep is not None:
            done = _removable(path, keep) if dry_run else _removed(path, keep)
        else:
            done = _listed(path)
    if as_json:
        emit_json(done)
    elif not quiet:
        _show(done)


def _restored(path: str, name: str | None, *, discard_present: bool) -> Json:
    done = put_back(path, version=name, discard_present=discard_present)
    told: dict[str, Json] = {"path": path, "restored": done.restored, "kept": done.kept}
    return told | {"discarded": discard_present and done.replaced}


def _removable(path: str, keep: int) -> Json:
    return {"path": path, "would_remove": [_described(one) for one in removable(path, keep=keep)]}


def _removed(path: str, keep: int) -> Json:
    return {"path": path, "removed": [one.name for one in remove_kept(path, keep=keep)]}


def _listed(path: str) -> Json:
    return {"path": path, "kept": [_described(one) for one in kept_versions(path)]}


def _described(one: KeptVersion) -> dict[str, Json]:
    """A kept version as JSON, with its content if it can be opened."""
    told: dict[str, Json] = {
        "name": one.name,
        "kind": one.kind,
        "time": one.time.isoformat(),
        "version": None,
        "episodes": None,
        "frames": None,
        "size_bytes": None,
        "problem": None,
    }
    try:
        dataset = open_dataset(one.path)
    except RoboreelError as error:
        return told | {"problem": str(error)}
    return told | {
        "version": dataset.version.value,
        "episodes": dataset.total_episodes,
        "frames": dataset.total_frames,
        "size_bytes": dataset.size_bytes(),
    }


def _show(done: Json) -> None:
    path = done["path"]
    if "restored" in done:
        say(f"restored {done['restored']} as {path}")
        if done["kept"] is not None:
            say(f"  the dataset that it replaced is now {done['kept']}")
        elif done["discarded"]:
            say("  the dataset that it replaced was removed")
    elif "would_restore" in done:
        say(f"would restore {done['would_restore']} as {path}")
    elif "removed" in done:
        say(f"removed {counted(len(done['removed']), 'kept version')} of {path}")
        for name in done["removed"]:
            say(f"  {name}")
    elif "would_remove" in done:
        say(f"would remove {counted(len(done['would_remove']), 'kept version')} of {path}")
        table([_row(one) for one in done["would_remove"]])
    else:
        _show_list(path, done["kept"])


def _show_list(path: str, kept: Sequence[Json]) -> None:
    if not kept:
        say(f"no earlier version of {path} is kept")
        return
    say(f"{counted(len(kept), 'earlier version')} of {path}, newest first")
    table([_row(one) for one in kept])
    command = f"roboreel undo {shlex.quote(path)} --restore"
    if any(one["kind"] == "before" for one in kept):
        say(f"restore the newest original: {command}")
    else:
        say(f"restore the newest: {command} --version {shlex.quote(kept[0]['name'])}")
    if os.path.isdir(path):  # else they are all that is left
        say(f"remove all of them: roboreel undo {shlex.quote(path)} --keep 0")


def _row(one: Json) -> tuple[str, ...]:
    if one["problem"] is not None:
        return (one["name"], "damaged", "", one["problem"].splitlines()[0])
    episodes = counted(one["episodes"], "episode")
    return (one["name"], one["version"], episodes, human_bytes(one["size_bytes"]))
