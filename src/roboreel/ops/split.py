"""Write the parts of a dataset beside each other, after planning all of them.

A note in their folder records the plans of the parts, so that a later run can tell a part that this run
finished from an unrelated folder of the same name. The note is valid only in the folder where it was written,
like a ledger.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from roboreel.edit.view import View
from roboreel.errors import StorageError, UsageError
from roboreel.format.inventory import Inventory
from roboreel.ops.write import plan_write, run
from roboreel.plan.plan import Plan
from roboreel.progress.choice import ProgressChoice, listening
from roboreel.runner.fingerprint import fingerprint
from roboreel.runner.run_options import RunKeywords, RunOptions
from roboreel.runner.run_report import with_python_warning
from roboreel.storage.local import LocalRoot
from roboreel.storage.modes import PRIVATE
from roboreel.storage.names import is_url, local_path
from roboreel.storage.staging.recovery import remove
from roboreel.storage.staging.staging import recover, refuse_existing
from roboreel.storage.staging.staging_folder import (
    PLANS,
    read_note,
    refuse_planted,
    take,
    write_note,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

_NOTES = ".roboreel-parts"
_TIMEOUT_S = 1.0
_PLANNED = ".planned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts to write into one folder."""

    folder: str
    plans: Mapping[str, Plan]
    """Plans of the parts that are still to be written, by name."""
    finished: tuple[str, ...]
    """Names of the parts that an earlier run has written."""
    fingerprints: Mapping[str, str]
    """Fingerprints of the plans of all parts, by name."""

    @contextlib.contextmanager
    def written(self) -> Iterator[None]:
        """Lock the folder while the plans are run in the block, and record them for later runs.

        Raises:
            UsageError: another run is writing there.
        """
        notes = Path(self.folder) / _NOTES
        try:
            lock = take(notes, timeout_s=_TIMEOUT_S)
        except OSError as error:
            raise StorageError(f"cannot write '{self.folder}': {error.strerror}") from error
        with lock:
            write_note(LocalRoot(notes, modes=PRIVATE), PLANS, {"plans": dict(self.fingerprints)})
            for name in self.finished:
                recover(os.path.join(self.folder, name))
            try:
                yield
            except BaseException:
                if not any(
                    _is_there(os.path.join(self.folder, name)) for name in self.fingerprints
                ):
                    self._remove(notes)
                raise
            self._remove(notes)

    def _remove(self, notes: Path) -> None:
        with contextlib.suppress(OSError):
            remove(notes)


def plan_parts(
    views: Mapping[str, View],
    *,
    out: str | os.PathLike[str],
    options: RunOptions,
) -> Parts:
    """Plan to write views into subfolders of one folder. Nothing is written.

    Args:
        views: the views to write, by the name of their folder.
        out: the parent folder.
        options: how the plans will be run; `resume` skips parts that an earlier run with the same plans has
            written.

    Raises:
        UsageError: a part's folder exists.
        PlanError: a part cannot be written as requested.
    """
    folder = local_path(out)
    if is_url(folder):
        raise UsageError(
            f"the output '{folder}' is a URL: split into a folder, or write each part to a URL of its own"
        )
    noted = _noted(folder) if options.leftovers == "resume" else {}
    surveys: dict[str, Inventory] = {}
    plans: dict[str, Plan] = {}
    fingerprints: dict[str, str] = {}
    for name, view in views.items():
        path = os.path.join(folder, name)
        there = name in noted and _is_there(path)
        # a plan's output must not exist, so plan a finished part under another name
        planned = path + _PLANNED if there else path
        plan = plan_write(view, out=planned, workers=options, surveys=surveys)
        fingerprints[name] = fingerprint(plan)
        if not there:
            plans[name] = plan
        elif noted[name] != fingerprints[name]:
            raise UsageError(
                f"'{path}' exists already, from a different run (other options, or the dataset has"
                " changed): choose another folder"
            )
    finished = tuple(name for name in views if name not in plans)
    return Parts(folder=folder, plans=plans, finished=finished, fingerprints=fingerprints)


def write_parts(
    views: Mapping[str, View],
    *,
    out: str | os.PathLike[str],
    progress: ProgressChoice = None,
    **keywords: Unpack[RunKeywords],
) -> None:
    """Plan the parts of `plan_parts`, then write them: nothing is written where one cannot be.

    Args:
        views: what to write, by the name of its folder.
        out: the folder of all.
        progress: as in `roboreel.convert`.
        **keywords: the fields of `RunOptions`.

    Raises:
        UsageError, PlanError: as `plan_parts`.
        RunError: as `run`.
    """
    options = RunOptions(**keywords)
    with listening(progress):
        parts = plan_parts(views, out=out, options=options)
        with parts.written():
            for plan in parts.plans.values():
                with_python_warning(run(plan, options))


def _is_there(path: str) -> bool:
    try:
        refuse_existing(path)
    except UsageError:
        return True
    return False


def _noted(folder: str) -> dict[str, str]:
    """The plan fingerprint of each part, as an earlier run noted it in this folder."""
    notes = Path(folder) / _NOTES
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        refuse_planted(notes, look_only=True)
        note = read_note(notes, PLANS)
        if note is not None and isinstance(note.get("plans"), dict):
            return dict(note["plans"])
    return {}
