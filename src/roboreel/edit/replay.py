"""Follow the verbs of a view file: each as it was resolved when it was given, so that no rows are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from roboreel.edit import selection, splits
from roboreel.edit.episode_slices import END, Retask
from roboreel.edit.features import renamed
from roboreel.edit.relative_actions import RelativeActions
from roboreel.edit.selection import Spans
from roboreel.edit.step_fields import StepFields
from roboreel.edit.tasks import with_tasks
from roboreel.edit.view import View
from roboreel.edit.write_options import WriteOptions, options_from_json
from roboreel.errors import UsageError, listed
from roboreel.format.encoding import Encoding, Reencoding
from roboreel.types import Int64, Json

_RATE = re.compile(r"[0-9]{1,18}(/0*[1-9][0-9]{0,17})?")


def replayed(
    view: View, fields: StepFields, values_of: Callable[[Mapping[str, Json]], pa.ChunkedArray]
) -> View:
    """The view after one verb.

    Args:
        view: the view before.
        fields: the verb, as the file has it.
        values_of: reads the column of values that a verb names.

    Raises:
        UsageError: there is no such verb, or it cannot be done to this view.
    """
    verb = fields.verb
    if verb == "add":
        made = _added(view, fields, values_of)
    elif verb in _VERBS:
        made = _VERBS[verb](view, fields)
    else:
        raise UsageError(
            f"there is no edit {verb[:40]!r}: expected one of {listed([*_VERBS, 'add'])}"
        )
    fields.finish()
    return made


def _kept(view: View, fields: StepFields) -> View:
    noted: dict[str, Json] = {}
    if fields.has("part"):
        noted["part"] = fields.text("part")
    if fields.has("seed"):
        noted["seed"] = fields.number("seed")
    return selection.kept(view, fields.positions(), fields.verb, **noted)


def _deleted(view: View, fields: StepFields) -> View:
    return selection.deleted(view, fields.positions())


def _trimmed(view: View, fields: StepFields) -> View:
    at, start, stop = fields.positions(), fields.frames("start"), fields.frames("stop")
    if not len(at) == len(start) == len(stop):
        raise UsageError(f"{len(at)} episodes, {len(start)} starts and {len(stop)} stops")
    lengths = view.lengths[at]
    ends = np.where(stop == END, lengths, stop)
    if not ((start >= 0) & (start < ends) & (ends <= lengths)).all():
        raise UsageError("a range of frames is empty, or not inside its episode")
    return selection.trimmed(view, Spans(at, start, stop))


def _divided(view: View, fields: StepFields) -> View:
    parts: dict[str, Int64] = {}
    for part in fields.inner("parts"):
        name = part.text("name")
        splits.require_part_name(name)
        parts[name] = part.positions()
        part.finish()
    if not parts:
        raise UsageError("there are no parts")
    return splits.named(view, parts)


def _retasked(view: View, fields: StepFields) -> View:
    changes: list[tuple[Retask, Int64]] = []
    for group in fields.inner("changes"):
        if group.has("task"):
            change = Retask(every=group.text("task"))
        else:
            change = Retask(strings=tuple(group.texts_by_text("replacing").items()))
        changes.append((change, group.positions()))
        group.finish()
    return with_tasks(view, changes)


def _resampled(view: View, fields: StepFields) -> View:
    text = fields.text("fps")
    if _RATE.fullmatch(text) is None:
        raise UsageError(f"'fps' is {text[:40]!r}, expected a rate such as 30000/1001")
    return view.resample(Fraction(text))


def _encoded(view: View, fields: StepFields) -> View:
    cameras = fields.object("cameras")
    return view.encode({name: _encoding(how) for name, how in cameras.items()})


def _encoding(given: Json) -> Encoding | Reencoding:
    settings: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {"": None}
    if isinstance(settings.get("size"), list):
        settings["size"] = tuple(settings["size"])
    try:
        return Encoding(**settings) if "extra_options" in settings else Reencoding(**settings)
    except (TypeError, AttributeError) as error:
        raise UsageError(f"an encoding has unknown settings: {error}") from error


def _recomputed(view: View, fields: StepFields) -> View:
    relative = (
        _relative(fields.inside("relative_actions")) if fields.has("relative_actions") else None
    )
    return view.recompute(
        fields.texts("features"),
        cameras=fields.text("cameras"),  # type: ignore[arg-type]  # the verb refuses others
        relative_actions=relative,
        quantiles=fields.numbers("quantiles"),
        like=fields.text("like") if fields.has("like") else None,  # type: ignore[arg-type]
    )


def _relative(fields: StepFields) -> RelativeActions:
    found = RelativeActions(chunk=fields.number("chunk"), kept=tuple(fields.texts("kept")))
    fields.finish()
    return found


def _added(
    view: View, fields: StepFields, values_of: Callable[[Mapping[str, Json]], pa.ChunkedArray]
) -> View:
    column = values_of(fields.object("values"))
    shape = fields.frames("shape").tolist()
    name, dtype = fields.text("feature"), fields.text("dtype")
    return view.add(name, column, dtype=dtype, shape=shape, names=fields.json("names"))


def retargeted(view: View, given: Mapping[str, Any]) -> View:
    """The view with other options; what is not given stays as it was last asked for.

    Args:
        view: the view.
        given: fields of `WriteOptions`.
    """
    if not given:
        return view
    again = {"to", "data_file_mb", "video_file_mb"} & given.keys()
    asked = asked_options(view)
    resolved = {"timestamps": asked.timestamps, "regroup": asked.regroup} if again else {}
    return view.written_as(replace(view.options, **{**resolved, **given}))


def asked_options(view: View) -> WriteOptions:
    """The options that were last given to a view, without what was left to its datasets."""
    steps = () if view.recipe is None else view.recipe.steps
    given = [step.given for step in steps if step.verb == "target"]
    return options_from_json(given[-1]) if given else WriteOptions()


_VERBS: Mapping[str, Callable[[View, StepFields], View]] = {
    "keep": _kept,
    "delete": _deleted,
    "reorder": _kept,
    "shuffle": _kept,
    "splits": _divided,
    "trim": _trimmed,
    "tasks": _retasked,
    "rename": lambda view, fields: renamed(view, fields.texts_by_text("names")),
    "remove": lambda view, fields: view.remove(*fields.texts("names")),
    "resample": _resampled,
    "target": lambda view, fields: view.written_as(options_from_json(fields.rest())),
    "encode": _encoded,
    "decode": lambda view, fields: view.decode(*fields.texts("cameras")),
    "recompute": _recomputed,
}
