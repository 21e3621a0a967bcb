"""Check where a result can be written, and what earlier runs left there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.edit.view import Verbs
from roboreel.errors import UsageError, counted
from roboreel.format.model import DATA_PATH, is_client_note, is_written_document, video_path
from roboreel.plan.plan import Plan
from roboreel.runner.ledger import ops_noted
from roboreel.runner.run_report import Report
from roboreel.storage.fs import inside
from roboreel.storage.names import is_url, local_path
from roboreel.storage.recording_lock import refuse_recording
from roboreel.storage.staging import staging, store_staging
from roboreel.storage.staging.originals import require_room_for_original


def output_path(urls: Sequence[str], out: str | os.PathLike[str] | None) -> str:
    """The path of a result: `out`, or the path of the dataset that it replaces.

    Args:
        urls: the datasets that the result is made from.
        out: the folder to create; None replaces the only dataset.

    Raises:
        UsageError: no result can be written there.
    """
    if out is not None:
        path = local_path(out)
        for url in urls:
            refuse_output(path, source=url)
    elif len(urls) > 1:
        raise UsageError(
            "say where to write the result of several datasets: give a new folder (out=DST)"
        )
    else:
        path = urls[0]
        refuse_replacing(path)
        refuse_recording(path)
        require_room_for_original(path)
    staging.refuse_busy(path)
    return path


def refuse_replacing(path: str) -> None:
    """Raise `UsageError` if a dataset cannot be replaced in place."""
    if is_url(path):
        raise UsageError(
            f"'{path}' is a URL, and only a local dataset can be changed in place: write to another URL or"
            " to a folder with out=DST"
        )
    folder = os.path.abspath(local_path(path))
    if os.path.islink(folder):
        raise UsageError(f"'{path}' is a link: give the folder that it points to")
    if os.path.ismount(folder):
        raise UsageError(
            f"'{path}' is a mount point, and cannot be renamed: write to another folder"
        )


def refuse_output(out: str, *, source: str | None = None) -> None:
    """Raise `UsageError` if `out` cannot be created, because it exists or is inside the source.

    Args:
        out: the folder to create.
        source: the dataset that will be read, if any.
    """
    if is_url(out):
        _refuse_url(out, source)
        return
    staging.refuse_existing(out)
    if source is not None and not is_url(source) and inside(out, source):
        raise UsageError(f"the output '{out}' is inside the dataset: choose another folder")


def _refuse_url(out: str, source: str | None) -> None:
    store_staging.refuse_url(out)
    if source is not None and f"{out.rstrip('/')}/".startswith(f"{source.rstrip('/')}/"):
        raise UsageError(f"the output '{out}' is inside the dataset: choose another URL")
    store_staging.refuse_taken(out, is_document=is_written_document)


def finished_report(
    source: Verbs | str | os.PathLike[str], out: str | os.PathLike[str] | None
) -> Report | None:
    """Finish a run that was killed while publishing; return its report, or None if there was no such run."""
    if isinstance(source, Verbs):
        source = source.as_view().sources[0].dataset.url
    return recover(out or source)


def recover(path: str | os.PathLike[str]) -> Report | None:
    """Finish a run that was killed while publishing its result; a resumed run does this first.

    If the run was replacing a dataset (`in_place`), the dataset may be missing from its path until then.

    Args:
        path: the output of the run, or the dataset that it was replacing.

    Returns:
        The report of that run; None if there was no such run, and nothing was done.

    Raises:
        StorageError: the result cannot be moved to its path.
    """
    at = os.fspath(path)
    recovered = store_staging.recover(at) if is_url(at) else staging.recover(at)
    if recovered is None:
        return None
    report = Report.from_json(recovered.report)
    return replace(report, kept=recovered.original and os.path.basename(recovered.original))


def kept_work(out: str | os.PathLike[str]) -> str | None:
    """A sentence about the finished ops that an interrupted run to `out` left; None if it left none."""
    folder = staging.staging_location(out)
    done = ops_noted(folder)
    if not done:
        return None
    at = os.fspath(out) if is_url(out) else folder
    return (
        f"the finished part of the run is kept in '{at}' ({counted(done, 'step')}): run again with"
        ' leftovers="resume" to go on from there, or with leftovers="clean" to start over'
    )


def refuse_discarding(plan: Plan) -> None:
    """Raise `UsageError` if the original has content that the result lacks."""
    (one,) = plan.sources  # in place, there is only one source
    source = open_dataset(one.url, follow_links=one.follow_links)
    wanted = set(plan.files) | _named_by_documents(source)  # episodes are left out only on request
    lost = [f"'{name}'" for name in source.files if name not in wanted and not is_client_note(name)]
    lost += [
        f"'{problem.path or problem.column}'"
        for problem in source.problems
        if problem.rule in ("file.link", "file.name", "video.missing")
    ]
    lost += sorted({f"episode {problem.episode}" for problem in plan.skipped})
    if lost:
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        raise UsageError(
            "the original has content that the result lacks and that would be lost:"
            f" {', '.join(lost[:5])}{more}; without discard_original=True it is kept"
        )


def _named_by_documents(source: Dataset) -> set[str]:
    """The files with a dataset's rows and frames."""
    columns = [DATA_PATH, *(video_path(camera) for camera in source.cameras)]
    return {path for column in columns for path in source.episodes[column].unique().to_pylist()}
