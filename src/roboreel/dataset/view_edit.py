"""Change view files: begin one, add verbs, take the last back."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from roboreel.dataset.view_file import SOURCES, ViewFile, is_view_file
from roboreel.dataset.view_open import ViewOpener, said_of_view
from roboreel.dataset.view_save import unsayable
from roboreel.dataset.view_source import PATH, REFERENCE, VIEW, path_from
from roboreel.edit.step_fields import CONTINUES
from roboreel.edit.view import View
from roboreel.edit.view_document import VERBS, concat_document, source_document, step_document
from roboreel.errors import DatasetError, RoboreelError, UsageError
from roboreel.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewContent:
    """What a view file says, its sources not opened."""

    path: str
    sources: tuple[str, ...]
    """Where each source is."""
    verbs: tuple[JsonObject, ...]


def read_view(path: str | os.PathLike[str]) -> ViewContent:
    """What a view file says; its sources are not opened.

    Raises:
        StorageError, DatasetError: the file cannot be read.
    """
    file = ViewFile(path)
    document, _ = file.read()
    sources = file.objects(document, SOURCES)
    where = [one.get(VIEW) or one.get(REFERENCE) or one.get(PATH) for one in sources]
    return ViewContent(
        path=file.path,
        sources=tuple(path_from(str(one), file.folder) for one in where),
        verbs=tuple(file.objects(document, VERBS)),
    )


def begin_view(
    path: str | os.PathLike[str],
    sources: Sequence[str | os.PathLike[str]],
    opener: ViewOpener | None = None,
) -> View:
    """Make a view file of whole datasets and other view files, one after another.

    Args:
        path: the file to make.
        sources: the datasets and view files.
        opener: opens the sources; by default those that are here.

    Raises:
        UsageError: the file exists, or the sources do not go together.
        StorageError, DatasetError: a source cannot be read.
    """
    file = ViewFile(path)
    if file.exists:
        raise UsageError(f"'{file.path}' exists already: choose another name")
    opener = opener or ViewOpener()
    described = [_described(file, one, opener) for one in sources]
    start = source_document(0) if len(sources) == 1 else concat_document(len(sources))
    document = {SOURCES: described, **start}
    try:
        view = opener.view(file, document)
    except DatasetError as error:  # there is no file yet that could be at fault
        raise _reason(error) from error
    file.write(document)
    return view


def _reason(error: RoboreelError) -> RoboreelError:
    """Why sources do not go together; else the error itself."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UsageError):
        cause = cause.__cause__
    return error if cause is None else cause


def edit_view(
    path: str | os.PathLike[str],
    edit: Callable[[View], View],
    opener: ViewOpener | None = None,
) -> tuple[View, Sequence[JsonObject]]:
    """Add to a view file what an edit does; returns the view after it, and the verbs.

    Raises:
        UsageError: the edit cannot be done, or not be saved.
        StorageError: the file or a source cannot be read, has changed, or the disk refuses.
        DatasetError: the file is no view file.
    """
    file = ViewFile(path)
    document, content = file.read()
    before = (opener or ViewOpener()).view(file, document)
    after = edit(before)
    if before.recipe is None or after.recipe is None:
        raise unsayable(file)
    steps = after.recipe.steps[len(before.recipe.steps) :]
    verbs = [step_document(step, file.put_column) for step in steps]
    verbs = [*verbs[:1], *({**verb, CONTINUES: True} for verb in verbs[1:])]
    file.replace(content, {**document, VERBS: [*file.objects(document, VERBS), *verbs]})
    return after, verbs


def undo_edit(path: str | os.PathLike[str]) -> Sequence[JsonObject]:
    """Take the last edit of a view file back; returns its verbs.

    Raises:
        UsageError: there is none.
        StorageError, DatasetError: the file cannot be read or written.
    """
    file = ViewFile(path)
    document, content = file.read()
    verbs = file.objects(document, VERBS)
    if not verbs:
        raise UsageError(f"'{file.path}' has no edit to undo: it is its sources, unchanged")
    first = len(verbs) - 1
    while first and verbs[first].get(CONTINUES) is True:
        first -= 1
    file.replace(content, {**document, VERBS: verbs[:first]})
    return verbs[first:]


def _described(file: ViewFile, source: str | os.PathLike[str], opener: ViewOpener) -> JsonObject:
    """What a view file says of a source."""
    if not is_view_file(source):
        return opener.open_one(source, follow_links=opener.follow_links).described(file.folder)
    inner = ViewFile(source)
    document, content = inner.read()
    return said_of_view(opener.view(inner, document), inner, content, file.folder)
