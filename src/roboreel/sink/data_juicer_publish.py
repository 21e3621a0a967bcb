"""Move a finished dataset from a folder inside `output_dir` up into it, and remove what it was made of.

`output_dir` has the staging folder, and often frames of the user's, so it cannot appear by one rename. Its
`meta` comes last, and nothing reads the rest without it. A record of what is under way lets the next call
finish after a kill.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from roboreel.errors import UsageError
from roboreel.runner.run_report import Report
from roboreel.sink.finalizing import FinalizeReport
from roboreel.sink.manifest import MANIFEST, read_skipped
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot
from roboreel.storage.scratch import is_scratch

FINISHED = ".finalized"
"""The folder of the finished dataset, in `output_dir`."""
_RECORD = "publishing.json"
_LAST = "meta"
_FOLDERS = ("data", "videos", _LAST)


def require_free(output: Path) -> None:
    """Raise `UsageError` where `output_dir` has what a dataset has, but for empty folders."""
    for name in _FOLDERS:
        folder = output / name
        if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
            raise UsageError(
                f"'{output}' already has '{name}': it holds a dataset, or other files. Pass"
                " out= to write the staged episodes to another folder"
            )


def discard_unpublished(output: Path) -> None:
    """Remove a dataset that an earlier call finished, and did not begin to move up.

    Raises:
        UsageError: the folder of that name is not one that a call made.
    """
    finished = output / FINISHED
    if not os.path.lexists(finished):
        return
    if not (finished / MANIFEST).is_file():
        raise UsageError(f"'{finished}' was not written by roboreel: move it away, or pass out=")
    disk.remove_folder(finished)


def publish(
    output: Path, staging: LocalRoot, done: FinalizeReport, staged: Sequence[str]
) -> FinalizeReport:
    """Move the finished dataset up, and remove the staged files that it was made of.

    Args:
        output: the folder that becomes the dataset.
        staging: the staging folder in it.
        done: the report of the finished dataset.
        staged: the files to remove, in this order.

    Raises:
        StorageError: a file cannot be moved or removed.
    """
    report = replace(done.report, out=str(output))
    record = {"staged": list(staged), "report": report.to_json(), "superseded": done.superseded}
    staging.put(_RECORD, json.dumps(record).encode())
    staging.sync([_RECORD])
    finished = finish_publishing(output, staging)
    return done if finished is None else finished


def finish_publishing(output: Path, staging: LocalRoot) -> FinalizeReport | None:
    """Go on with what `publish` began; None where nothing is under way.

    Raises:
        StorageError: a file cannot be moved or removed.
    """
    if not staging.exists(_RECORD):
        return None
    record = json.loads(staging.read(_RECORD))
    _move_up(output)
    for name in record["staged"]:
        staging.remove(name)
    staging.remove(_RECORD)
    return FinalizeReport(
        report=Report.from_json(record["report"]),
        skipped=read_skipped(LocalRoot(output)),
        superseded=record["superseded"],
        removed=len(record["staged"]),
    )


def _move_up(output: Path) -> None:
    finished = output / FINISHED
    if finished.is_dir():
        names = sorted(os.listdir(finished), key=lambda name: (name == _LAST, name))
        for name in names:
            disk.replace(finished / name, output / name)
        disk.remove_folder(finished)
    disk.sync([str(output)])


def remove_if_done(staging: Path, spent: Iterable[str]) -> None:
    """Remove the staging folder where it has nothing but folders, unfinished files, and those named `spent`.

    A killed worker, or a killed call, leaves unfinished files; they are no part of any episode.
    """
    left = {
        Path(folder, name).relative_to(staging).as_posix()
        for folder, _, names in os.walk(staging)
        for name in names
        if not is_scratch(name)
    }
    if not left - set(spent):
        disk.remove_folder(staging)
