"""In what the features of datasets differ, as far as it keeps them from going together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from roboreel.edit.view import Source
from roboreel.format.declared import wider
from roboreel.format.feature import INDEX_DTYPES, Feature, arrow_type
from roboreel.format.json_types import Json


@dataclass(frozen=True, slots=True)
class Difference:
    """A feature that two datasets do not have alike."""

    name: str
    message: str
    can_be_filled: bool
    """True where zeros can stand for what is missing."""

    def __str__(self) -> str:
        return f"'{self.name}': {self.message}"


def differences(sources: Sequence[Source]) -> list[Difference]:
    """In what the features of datasets differ from those of the first that has them."""
    found: list[Difference] = []
    names = dict.fromkeys(n for source in sources for n in source.model.info.features)
    for name in names:
        if name not in INDEX_DTYPES:
            found += _of_feature(name, sources)
    return found


def widest(name: str, sources: Sequence[Source]) -> Feature:
    """Of the datasets' declarations of a feature, the first of those with the most values."""
    declared = [s.model.info.features[name] for s in sources if name in s.model.info.features]
    return max(declared, key=lambda feature: feature.shape)


def dimension_names(names: Json) -> list[str] | None:
    """Names of dimensions as a list, whatever form a document has them in; None where there are none."""
    if isinstance(names, Mapping):
        parts = [dimension_names(value) for value in names.values()]
        return [name for part in parts for name in part or []] or None
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return [str(name) for name in names]
    return None


def _of_feature(name: str, sources: Sequence[Source]) -> list[Difference]:
    first = next(s for s in sources if name in s.model.info.features)
    ours = first.model.info.features[name]
    found = []
    for source in sources:
        theirs = source.model.info.features.get(name)
        if theirs is None:
            message = f"'{first.dataset.url}' has it, '{source.dataset.url}' does not"
            fillable = ours.is_numeric or ours.dtype == "string"
            found.append(Difference(name, message, fillable and not ours.is_camera))
            continue
        said = _unlike(ours, theirs)
        if said is not None:
            where = f" in '{first.dataset.url}' and '{source.dataset.url}'"
            found.append(Difference(name, said[0] + where, said[1]))
    return found


def _unlike(ours: Feature, theirs: Feature) -> tuple[str, bool] | None:
    """In what two declarations differ, and whether zeros can make up for it; None where they do not."""
    if ours.is_camera or theirs.is_camera:
        if ours.dtype != theirs.dtype:
            return f"{ours.dtype} and {theirs.dtype}", False
        return ("a depth camera and none", False) if ours.is_depth != theirs.is_depth else None
    if ours.is_numeric != theirs.is_numeric or (not ours.is_numeric and ours.dtype != theirs.dtype):
        return f"{ours.dtype} and {theirs.dtype}", False
    if ours.is_numeric and wider(_value_type(ours), _value_type(theirs)) is None:
        return f"{ours.dtype} and {theirs.dtype}", False
    a, b = dimension_names(ours.names), dimension_names(theirs.names)
    if ours.shape != theirs.shape:
        vectors = len(ours.shape) == len(theirs.shape) == 1
        agree = a is None or b is None or all(x == y for x, y in zip(a, b, strict=False))
        return f"shape {list(ours.shape)} and {list(theirs.shape)}", vectors and agree
    if a is not None and b is not None and a != b:
        return f"its dimensions are called {a} and {b}", False
    return None


def _value_type(feature: Feature) -> pa.DataType:
    """The Arrow type of a single value."""
    return arrow_type(replace(feature, shape=()))
