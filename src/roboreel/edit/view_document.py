"""A view's recipe as the JSON of a view file, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from roboreel.edit.concat import concat
from roboreel.edit.opened import Opened
from roboreel.edit.recipe import JoinedParts, Recipe, Step
from roboreel.edit.replay import replayed
from roboreel.edit.step_fields import StepFields, packed
from roboreel.edit.view import View
from roboreel.errors import DatasetError, RoboreelError, UsageError
from roboreel.types import Json, JsonObject

START, VERBS = "start", "verbs"
_SOURCE, _CONCAT = "source", "concat"
ValuesOf = Callable[[Mapping[str, Json]], pa.ChunkedArray]
"""Reads the column of values that a step names."""


def recipe_document(
    recipe: Recipe,
    source_number: Callable[[Opened], int],
    stored: Callable[[pa.ChunkedArray], Json],
) -> dict[str, Json]:
    """The part of a view file that says how a view is made.

    Args:
        recipe: how.
        source_number: gives the position of a dataset among the file's sources.
        stored: keeps a column of values, and gives what the file says of it.
    """
    if isinstance(recipe.start, JoinedParts):
        parts = [recipe_document(one, source_number, stored) for one in recipe.start.parts]
        start: Json = {_CONCAT: {"parts": parts, **recipe.start.given}}
    else:
        start = {_SOURCE: source_number(recipe.start)}
    return {START: start, VERBS: [step_document(step, stored) for step in recipe.steps]}


def source_document(number: int) -> dict[str, Json]:
    """The part of a view file that says: the whole of one source."""
    return {START: {_SOURCE: number}, VERBS: []}


def concat_document(sources: int) -> dict[str, Json]:
    """The part of a view file that says: all of so many sources, one after another."""
    parts = [source_document(number) for number in range(sources)]
    given = {"features": "strict", "rename": {}, "allow_missing": []}
    return {START: {_CONCAT: {"parts": parts, **given}}, VERBS: []}


def step_document(step: Step, stored: Callable[[pa.ChunkedArray], Json]) -> dict[str, Json]:
    """A verb as a view file has it."""
    given = {name: _plain(name, value) for name, value in step.given.items()}
    columns = {name: stored(column) for name, column in step.values.items()}
    return {"verb": step.verb, **given, **columns}


def _plain(name: str, value: Json) -> Json:
    """A value as JSON; arrays of positions as ranges."""
    if isinstance(value, np.ndarray):
        return packed(value) if name == "positions" else value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(str(key), one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain("", one) for one in value]
    return value


def view_of(document: JsonObject, sources: Sequence[View], values_of: ValuesOf) -> View:
    """The view that a view file describes.

    Args:
        document: the file's content, or that of a part that was put together with others.
        sources: what the file's sources are, whole.
        values_of: reads columns of values.

    Raises:
        DatasetError: the file is not one that roboreel wrote.
    """
    view = _begun(document.get(START), sources, values_of)
    steps = document.get(VERBS)
    if not isinstance(steps, list):
        raise DatasetError(f"'{VERBS}' is not a list of verbs")
    for number, step in enumerate(steps, start=1):
        view = _followed(view, step, number, values_of)
    return view


def _begun(start: Json, sources: Sequence[View], values_of: ValuesOf) -> View:
    if isinstance(start, Mapping) and start.keys() == {_SOURCE}:
        number = start[_SOURCE]
        if type(number) is not int or not 0 <= number < len(sources):
            raise DatasetError(f"'{START}' names source {number!r}, but there are {len(sources)}")
        return sources[number]
    if not isinstance(start, Mapping) or start.keys() != {_CONCAT}:
        raise DatasetError(f"'{START}' names neither a source nor parts")
    fields = StepFields(start[_CONCAT], episodes=0)
    parts = [view_of(part, sources, values_of) for part in fields.objects("parts")]
    try:
        return concat(
            parts,
            features=fields.text("features"),  # type: ignore[arg-type]  # concat refuses others
            rename=fields.texts_by_text("rename"),
            allow_missing=fields.texts("allow_missing"),
        )
    except UsageError as error:
        raise DatasetError(f"its parts cannot be merged: {error}") from error


def _followed(view: View, step: Json, number: int, values_of: ValuesOf) -> View:
    try:
        return replayed(view, StepFields(step, episodes=len(view.slices)), values_of)
    except RoboreelError as error:
        verb = step.get("verb") if isinstance(step, Mapping) else None
        said = f"verb {number}" + (f" ({verb})" if isinstance(verb, str) else "")
        raise DatasetError(f"{said}: {error}") from error


def datasets_of(*recipes: Recipe) -> list[Opened]:
    """The datasets that recipes begin with, each once, in order."""
    found: dict[int, Opened] = {}
    waiting = list(recipes)
    while waiting:
        start = waiting.pop(0).start
        if isinstance(start, JoinedParts):
            waiting = [*start.parts, *waiting]
        else:
            found.setdefault(id(start), start)
    return list(found.values())
