"""In what the features of datasets differ, as far as it keeps them from going together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from roboreel.edit.view_data import Source
from roboreel.format.declared import wider
from roboreel.format.feature import INDEX_DTYPES, Feature, arrow_type


@dataclass(frozen=True, slots=True)
class FeatureMismatch:
    """A feature that two datasets do not have alike."""

    name: str
    message: str
    can_be_filled: bool
    """True where zeros can mean what is missing."""

    def __str__(self) -> str:
        return f"'{self.name}': {self.message}"


def differences(sources: Sequence[Source]) -> list[FeatureMismatch]:
    """In what the features of datasets differ from those of the first that has them."""
    found: list[FeatureMismatch] = []
    names = dict.fromkeys(n for source in sources for n in source.model.info.features)
    for name in names:
        if name not in INDEX_DTYPES:
            found += _of_feature(name, sources)
    return found


def widest(name: str, sources: Sequence[Source]) -> Feature:
    """Of the datasets' declarations of a feature, the first of those with the most values."""
    declared = [s.model.info.features[name] for s in sources if name in s.model.info.features]
    return max(declared, key=lambda feature: feature.shape)


def _of_feature(name: str, sources: Sequence[Source]) -> list[FeatureMismatch]:
    having = [source for source in sources if _has(source, name)]
    if not having:
        return []  # no file has it anywhere: told, or refused, when a plan is made
    first = having[0]
    ours = first.model.info.features[name]
    found = []
    for source in sources:
        theirs = source.model.info.features.get(name)
        if theirs is None or source not in having:
            has = "has it" if theirs is None else "has its videos"
            message = f"'{first.dataset.url}' {has}, '{source.dataset.url}' does not"
            fillable = ours.is_numeric or ours.dtype == "string"
            found.append(FeatureMismatch(name, message, fillable and not ours.is_camera))
            continue
        said = _mismatch(ours, theirs)
        if said is not None:
            where = f" in '{first.dataset.url}' and '{source.dataset.url}'"
            found.append(FeatureMismatch(name, said[0] + where, said[1]))
    return found


def _has(source: Source, name: str) -> bool:
    """True where a dataset declares a feature, and videos of it are there if it is stored as video."""
    feature = source.model.info.features.get(name)
    if feature is None or not feature.is_video or name in source.external_videos:
        return feature is not None
    missing = source.dataset.model.missing_cameras
    return name not in {source.renamed.get(camera, camera) for camera in missing}


def _mismatch(ours: Feature, theirs: Feature) -> tuple[str, bool] | None:
    """In what two declarations differ, and whether zeros can make up for it; None where they do not."""
    if ours.is_camera or theirs.is_camera:
        if ours.dtype != theirs.dtype:
            return f"{ours.dtype} and {theirs.dtype}", False
        return (
            ("a depth camera and an RGB camera", False)
            if ours.is_depth != theirs.is_depth
            else None
        )
    if ours.is_numeric != theirs.is_numeric or (not ours.is_numeric and ours.dtype != theirs.dtype):
        return f"{ours.dtype} and {theirs.dtype}", False
    if ours.is_numeric and wider(_value_type(ours), _value_type(theirs)) is None:
        return f"{ours.dtype} and {theirs.dtype}", False
    a, b = ours.dimension_names, theirs.dimension_names
    if ours.shape != theirs.shape:
        vectors = len(ours.shape) == len(theirs.shape) == 1
        agree = a is None or b is None or all(x == y for x, y in zip(a, b, strict=False))
        return f"shape {list(ours.shape)} and {list(theirs.shape)}", vectors and agree
    if a is not None and b is not None and a != b:
        return f"its dimensions are named {a} and {b}", False
    return None


def _value_type(feature: Feature) -> pa.DataType:
    """The Arrow type of a single value."""
    return arrow_type(replace(feature, shape=()))
