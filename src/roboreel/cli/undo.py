"""`roboreel undo`: restore a dataset to what it was before an edit in place."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from roboreel.cli.output import count, emit_json, human_bytes, say, table
from roboreel.cli.stopping import stoppable
from roboreel.dataset.open import open_dataset
from roboreel.errors import RoboreelError, UsageError
from roboreel.ops.undo import (
    KeptVersion,
    kept_versions,
    removable,
    remove_kept,
    version_named,
)
from roboreel.ops.undo import undo as put_back
from roboreel.types import Json


def undo(
    path: Annotated[str, typer.Argument(help="Folder of the dataset.")],
    restore: Annotated[
        bool,
        typer.Option(
            "--restore",
            help="Put the newest original back. What is there now is kept as PATH.undone-TIME.",
        ),
    ] = False,
    version: Annotated[
        str | None,
        typer.Option(
            "--version",
            metavar="NAME",
            help="With --restore: put this one back, by its listed name.",
        ),
    ] = None,
    discard_present: Annotated[
        bool,
        typer.Option(
            "--discard-present",
            help="With --restore: remove what is there now instead of keeping it.",
        ),
    ] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", metavar="N", min=0, help="Remove all kept versions but the newest N."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """List the versions of a dataset that edits in place have kept; put one back, or remove old ones.

    Without --restore or --keep, nothing is changed.
    """
    if restore and keep is not None:
        raise UsageError("--restore puts a version back, --keep removes some: give one at a time")
    if not restore and (version is not None or discard_present):
        raise UsageError("--version and --discard-present go with --restore")
    with stoppable():
        if restore:
            done = _restored(path, version, discard_present=discard_present, dry_run=dry_run)
        elif keep is not None:
            done = _removed(path, keep, dry_run=dry_run)
        else:
            done = _listed(path)
    if as_json:
        emit_json(done)
    elif not quiet:
        _show(done)


def _restored(path: str, name: str | None, *, discard_present: bool, dry_run: bool) -> Json:
    if dry_run:
        return {"path": path, "would_restore": version_named(path, name).name}
    done = put_back(path, version=name, discard_present=discard_present)
    told: dict[str, Json] = {"path": path, "restored": done.restored, "kept": done.kept}
    return told | {"discarded": discard_present and done.replaced}


def _removed(path: str, keep: int, *, dry_run: bool) -> Json:
    if dry_run:
        return {
            "path": path,
            "would_remove": [_described(one) for one in removable(path, keep=keep)],
        }
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
        say(f"put {done['restored']} back as {path}")
        if done["kept"] is not None:
            say(f"  what was there is now {done['kept']}")
        elif done["discarded"]:
            say("  what was there is removed")
    elif "would_restore" in done:
        say(f"would put {done['would_restore']} back as {path}")
    elif "removed" in done:
        say(f"removed {count(len(done['removed']), 'kept version')} of {path}")
        for name in done["removed"]:
            say(f"  {name}")
    elif "would_remove" in done:
        say(f"would remove {count(len(done['would_remove']), 'kept version')} of {path}")
        table([_row(one) for one in done["would_remove"]])
    else:
        _show_list(path, done["kept"])


def _show_list(path: str, kept: Sequence[Json]) -> None:
    if not kept:
        say(f"no earlier version of {path} is kept beside it")
        return
    say(f"{count(len(kept), 'earlier version')} of {path}, newest first")
    table([_row(one) for one in kept])
    command = f"roboreel undo {shlex.quote(path)} --restore"
    if any(one["kind"] == "before" for one in kept):
        say(f"put the newest original back: {command}")
    else:
        say(f"put the newest back: {command} --version {shlex.quote(kept[0]['name'])}")


def _row(one: Json) -> tuple[str, ...]:
    if one["problem"] is not None:
        return (one["name"], "cannot be opened", one["problem"].splitlines()[0], "")
    episodes = count(one["episodes"], "episode")
    return (one["name"], one["version"], episodes, human_bytes(one["size_bytes"]))
