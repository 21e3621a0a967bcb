"""`roboreel features`: what columns and cameras a dataset has, and other ones."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator, Sequence
from typing import Annotated

import typer

from roboreel.cli.shared.choosing import pairs_in
from roboreel.cli.shared.shared_options import SourceArgument
from roboreel.cli.shared.writing import Writing, only_prints, writes
from roboreel.cli.text.feature_words import describe_features, feature_row
from roboreel.cli.text.output import emit_json, table
from roboreel.dataset.user_files import read_values
from roboreel.edit.features import features_of
from roboreel.edit.view import View
from roboreel.errors import UsageError
from roboreel.ops.inputs import add_video as with_video


@writes
def features(
    options: Writing,
    source: SourceArgument,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="NAME", help="Remove this feature. Repeatable."),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option("--rename", metavar="OLD=NEW", help="Rename feature OLD to NEW. Repeatable."),
    ] = None,
    add: Annotated[
        str | None,
        typer.Option(
            "--add",
            metavar="NAME=FILE",
            help="Add a feature: FILE is x.npy or x.parquet:column, with one value per row.",
        ),
    ] = None,
    add_video: Annotated[
        list[str] | None,
        typer.Option(
            "--add-video",
            metavar="NAME=PATH",
            help="Add a camera: PATH is a folder with an mp4 per episode, or a.mp4,b.mp4,… Repeatable.",
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            metavar="NAME",
            help="With --add: store the values as this dtype. Default: the dtype of the values.",
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            "--shape",
            metavar="3,4",
            help="With --add: stop if the values of a row do not have this shape.",
        ),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(
            "--names", metavar="x,y,z", help="With --add: set the names of the dimensions."
        ),
    ] = None,
) -> None:
    """Remove, rename and add columns and cameras, in this order. Without an option, lists them.

    Examples:
        roboreel features my_dataset --remove observation.images.wrist -o smaller
        roboreel features my_dataset --rename action=action.joints -o renamed
    """
    declared = [dtype, shape, names]
    asked = [remove, rename, add, add_video, *declared]
    if only_prints(options, asked, "--remove, --rename, --add or --add-video"):
        _show(options.view(source, needs="documents"), as_json=options.as_json)
        return
    if add is None and any(value is not None for value in declared):
        raise UsageError(
            "--dtype, --shape and --names describe a new feature: add --add NAME=FILE, or leave them out"
        )
    sizes = None if shape is None else _sizes(shape)

    def edited(view: View) -> View:
        if remove:
            view = view.remove(*_removed(remove, features_of(view)))
        if rename:
            view = view.rename(names=pairs_in(rename, "--rename"))
        listed = None if names is None else [word.strip() for word in names.split(",")]
        for name, path in pairs_in([] if add is None else [add], "--add", form="NAME=FILE").items():
            values = read_values(path)
            view = view.add(name, values, dtype=dtype, shape=sizes, names=listed)
        for name, path in pairs_in(add_video or [], "--add-video", form="NAME=PATH").items():
            view = with_video(view, name, _videos(path))
        return view

    options.write_edited(source, edited)


def _removed(words: Sequence[str], known: Container[str]) -> Iterator[str]:
    """The names in each word: `a`, `a,b` or `['a', 'b']`, but for a feature that is called so."""
    for word in words:
        parts = [] if word in known else [part.strip(" '\"[]") for part in word.split(",")]
        yield from [part for part in parts if part] or [word]


def _videos(path: str) -> str | list[str]:
    """A folder or a file; several files if all parts between commas end in `.mp4`."""
    words = [os.path.expanduser(word.strip()) for word in path.split(",")]
    several = len(words) > 1 and all(word.lower().endswith(".mp4") for word in words)
    return words if several else os.path.expanduser(path)


def _sizes(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in re.split("[,x×]", text)]
    if not all(re.fullmatch(r"[1-9]\d{0,8}", word) for word in words):
        raise UsageError(f"--shape '{text}': expected sizes such as 3,4")
    return tuple(int(word) for word in words)


def _show(view: View, *, as_json: bool) -> None:
    declared = features_of(view)
    if as_json:
        emit_json({"features": describe_features(declared)})
        return
    table([feature_row(feature) for feature in declared.values()])
