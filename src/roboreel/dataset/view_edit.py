"""Change view files: begin one, add verbs, take the last back, take over a source that has changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.view_file import SOURCES, ViewFile
from roboreel.dataset.view_open import ViewOpener, open_source
from roboreel.dataset.view_save import unsayable
from roboreel.dataset.view_source import HASH, VIEW, relative_path
from roboreel.edit.view import View
from roboreel.edit.view_document import VERBS, concat_document, source_document, step_document
from roboreel.errors import StorageError, UsageError
from roboreel.types import Json, JsonObject


def begin_view(
    path: str | os.PathLike[str],
    sources: Sequence[str | os.PathLike[str]],
    *,
    follow_links: bool = False,
) -> View:
    """Make a view file of whole datasets and other view files, one after another.

    Args:
        path: the file to make.
        sources: the datasets and view files.
        follow_links: as in `open_dataset`.

    Raises:
        UsageError: the file exists, or the sources do not go together.
        StorageError, DatasetError: a source cannot be read.
    """
    file = ViewFile(path)
    if file.exists:
        raise UsageError(f"'{file.path}' exists already: choose another name")
    described = [_described(file, one, follow_links) for one in sources]
    start = source_document(0) if len(sources) == 1 else concat_document(len(sources))
    document = {SOURCES: described, **start}
    view = ViewOpener(follow_links=follow_links).view(file, document)
    file.write(document)
    return view


def edit_view(
    path: str | os.PathLike[str], edit: Callable[[View], View], *, follow_links: bool = False
) -> tuple[View, Sequence[JsonObject]]:
    """Add to a view file what an edit does; returns the view after it, and the verbs.

    Raises:
        UsageError: the edit cannot be done, or not be saved.
        StorageError: the file or a source cannot be read, has changed, or the disk refuses.
        DatasetError: the file is no view file.
    """
    file = ViewFile(path)
    document, content = file.read()
    before = ViewOpener(follow_links=follow_links).view(file, document)
    after = edit(before)
    if before.recipe is None or after.recipe is None:
        raise unsayable(file)
    steps = after.recipe.steps[len(before.recipe.steps) :]
    verbs = [step_document(step, file.put_column) for step in steps]
    _replace(file, content, {**document, VERBS: [*verbs_in(file, document), *verbs]})
    return after, verbs


def undo_edit(path: str | os.PathLike[str]) -> JsonObject:
    """Take the last verb of a view file back; returns it.

    Raises:
        UsageError: there is none.
        StorageError, DatasetError: the file cannot be read or written.
    """
    file = ViewFile(path)
    document, content = file.read()
    verbs = verbs_in(file, document)
    if not verbs:
        raise UsageError(f"'{file.path}' has no verb to take back: it is its sources as they are")
    _replace(file, content, {**document, VERBS: verbs[:-1]})
    return verbs[-1]


def verbs_in(file: ViewFile, document: JsonObject) -> list[JsonObject]:
    """The verbs of a view file, in order.

    Raises:
        DatasetError: the file has none that can be read.
    """
    verbs = document.get(VERBS)
    if not isinstance(verbs, list) or not all(isinstance(one, dict) for one in verbs):
        raise file.unreadable(f"'{VERBS}' is not a list of verbs")
    return verbs


def _replace(file: ViewFile, content: str, document: JsonObject) -> None:
    """Write other content, if the file still has that of before."""
    if file.read()[1] != content:
        raise StorageError(f"'{file.path}' was edited meanwhile: do this again")
    file.write(document)


def _described(
    file: ViewFile, source: str | os.PathLike[str], follow_links: bool
) -> dict[str, Json]:
    """What a view file says of a source."""
    opened = open_source(source, follow_links=follow_links)
    if isinstance(opened, Dataset):
        return dict(opened.described(file.folder))
    inner = ViewFile(source)
    return {VIEW: relative_path(os.path.abspath(inner.path), file.folder), HASH: inner.read()[1]}
