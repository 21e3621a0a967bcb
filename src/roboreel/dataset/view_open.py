"""Open a view file: open its sources, see that they are what they were, and follow its verbs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.dataset.view_file import SOURCES, ViewFile, is_view_file
from roboreel.dataset.view_source import (
    DOCUMENTS,
    FRAMES,
    HASH,
    PATH,
    REFERENCE,
    ROWS,
    UIDS,
    VIEW,
    changed,
    changed_document,
    path_from,
    relative_path,
)
from roboreel.edit import selection
from roboreel.edit.step_fields import StepFields
from roboreel.edit.view import View
from roboreel.edit.view_document import view_of
from roboreel.errors import DatasetError, RoboreelError, StorageError, UsageError, listed
from roboreel.types import Int64, Json, JsonObject

_OF_A_SOURCE = {PATH, REFERENCE, DOCUMENTS, UIDS, FRAMES, ROWS}
_DEEPEST = 16
"""View files that may be the source of each other, one after another."""

DatasetOpener = Callable[..., Dataset]
"""Opens a dataset by its path, and takes `follow_links`."""


@dataclass(slots=True)
class ViewOpener:
    """Opens view files; datasets that several name are opened once."""

    follow_links: bool = False
    open_one: DatasetOpener = open_dataset
    _opened: dict[str, Dataset] = field(default_factory=dict)
    _inside: list[str] = field(default_factory=list)
    """Paths of the view files that are being opened, the outermost first."""

    def open(self, file: ViewFile) -> View:
        """The view of a file; reads documents only, no rows and no videos.

        Raises:
            StorageError: the file, or a dataset that it names, cannot be read.
            ChangedInputError: a dataset has changed since the file was made.
            DatasetError: the file is no view file, or a dataset cannot be read safely.
        """
        return self.view(file, file.read()[0])

    def view(self, file: ViewFile, document: JsonObject) -> View:
        """The view of a file of this content: see `open`."""
        if len(self._inside) >= _DEEPEST:
            raise file.unreadable(f"more than {_DEEPEST} view files are nested")
        if file.key in self._inside:
            raise file.unreadable("it is a source of itself")
        self._inside.append(file.key)
        try:
            sources = file.objects(document, SOURCES)
            views = [self.source(file, one) for one in sources]
            try:
                return view_of(document, views, file.column)
            except RoboreelError as error:
                raise file.unreadable(error) from error
        finally:
            self._inside.pop()

    def source(self, file: ViewFile, said: JsonObject) -> View:
        """What the view takes of one source before any verb, where the source is what it was."""
        whole = self._view_source(file, said) if VIEW in said else self._dataset_source(file, said)
        rows = said_rows(file, said, len(whole.slices))
        if rows is not None and not len(rows):
            raise file.unreadable(f"'{ROWS}' does not name an episode")
        return whole if rows is None else selection.kept(whole, rows)

    def _dataset_source(self, file: ViewFile, said: JsonObject) -> View:
        unknown = said.keys() - _OF_A_SOURCE
        if unknown:
            raise file.unreadable(f"a source has unknown fields {listed(sorted(unknown))[:200]}")
        dataset = self.dataset(file, said)
        noted = said.get(DOCUMENTS)
        if not isinstance(noted, Mapping):
            raise file.unreadable(f"a source has no '{DOCUMENTS}'")
        try:
            other = changed_document(dataset.root, dataset.documents, noted)
        except DatasetError as error:
            raise file.unreadable(error) from error
        if other is not None:
            raise changed(file.path, dataset.url, other)
        uids = said.get(UIDS)
        if not isinstance(uids, list) or not set(map(type, uids)) <= {str}:
            raise file.unreadable(f"'{UIDS}' is not a list of uids")
        if len(uids) != dataset.total_episodes:
            raise file.unreadable(
                f"'{UIDS}' do not match the {dataset.total_episodes} uids of a source"
            )
        return replace(dataset, known_uids=tuple(uids)).as_view()

    def dataset(self, file: ViewFile, said: JsonObject) -> Dataset:
        """The dataset of one source, be it what it was or not."""
        name = said.get(REFERENCE, said.get(PATH))
        if not isinstance(name, str) or not name or "\x00" in name:
            raise file.unreadable(f"a source has no '{PATH}'")
        location = name if REFERENCE in said else path_from(name, file.folder)
        if location not in self._opened:
            try:
                self._opened[location] = self.open_one(location, follow_links=self.follow_links)
            except (StorageError, UsageError) as error:
                raise StorageError(f"a source of '{file.path}' is missing: {error}") from error
            except DatasetError as error:
                what = f"a source of '{file.path}', '{location}', cannot be read"
                raise DatasetError(what, error.problems) from error
        return self._opened[location]

    def inner(self, file: ViewFile, said: JsonObject) -> ViewFile:
        """The view file that is a source, be it what it was or not."""
        name = said[VIEW]
        if not isinstance(name, str) or not is_view_file(name) or "\x00" in name:
            raise file.unreadable(f"the source {str(name)[:80]!r} is not a view file")
        return ViewFile(path_from(name, file.folder))

    def _view_source(self, file: ViewFile, said: JsonObject) -> View:
        inner = self.inner(file, said)
        document, content = inner.read()
        if content != said.get(HASH):
            raise changed(file.path, inner.path, inner.name)
        return self.view(inner, document)


def said_of_view(view: View, inner: ViewFile, content: str, folder: str) -> dict[str, Json]:
    """What a view file in a folder says of another one, of which the content has this hash."""
    return {
        VIEW: relative_path(os.path.abspath(inner.path), folder),
        HASH: content,
        UIDS: view.uids(),
        FRAMES: view.lengths.tolist(),
    }


def said_rows(file: ViewFile, said: JsonObject, episodes: int) -> Int64 | None:
    """Which of a source's episodes the view begins with, by position; None: with all of them."""
    if ROWS not in said:
        return None
    try:
        return StepFields(said, episodes=episodes).positions(ROWS)
    except UsageError as error:
        raise file.unreadable(error) from error
