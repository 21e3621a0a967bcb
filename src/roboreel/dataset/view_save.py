"""Write a view as a view file: where its datasets are, and what was done to them, as data."""

from __future__ import annotations

import os

from roboreel.dataset.view_file import SOURCES, ViewFile
from roboreel.edit.view_data import ViewData
from roboreel.edit.view_document import datasets_of, recipe_document
from roboreel.errors import UsageError


def save_view(view: ViewData, path: str | os.PathLike[str]) -> None:
    """Write a view as a view file. An earlier view file there is replaced, nothing else is.

    Raises:
        UsageError: the name has another ending, or the file cannot hold an edit.
        DatasetError: something else is there.
        StorageError: a dataset has changed since it was opened, or the disk refuses.
    """
    try:
        file = ViewFile(path)
    except UsageError as error:
        written = f"roboreel.write(view, out={os.fspath(path)!r}) writes the view as a dataset"
        raise UsageError(f"{error}; {written}") from None
    if file.exists:
        file.read()
    if view.recipe is None:
        raise unsayable(file)
    datasets = datasets_of(view.recipe)
    numbers = {id(dataset): number for number, dataset in enumerate(datasets)}
    sources = [dataset.described(file.folder) for dataset in datasets]
    recipe = recipe_document(view.recipe, lambda one: numbers[id(one)], file.put_column)
    file.write({SOURCES: sources, **recipe})


def unsayable(file: ViewFile) -> UsageError:
    """The error of a view that a file cannot hold."""
    return UsageError(
        f"'{file.path}' cannot store this view, because cameras were added to it from other videos."
        f" Write it as a"
        " dataset first (roboreel.write), and save a view of that"
    )
