"""In what the features of datasets differ, as far as it keeps them from going together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from roboreel.edit.view_data import Source
from roboreel.errors import counted
from roboreel.format.declared import wider
from roboreel.format.feature import INDEX_DTYPES, Feature, arrow_type

_SHOWN = 3
"""Most datasets that a message names."""


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


def renames(sources: Sequence[Source]) -> dict[str, str]:
    """Cameras that are likely the same by another name: the usual name by the rarer one.

    One is in exactly the datasets that lack the other, and no other camera is.
    """
    names = dict.fromkeys(
        n for source in sources for n, one in source.model.info.features.items() if one.is_camera
    )
    having = {
        name: frozenset(n for n, source in enumerate(sources) if has_files(source, name))
        for name in names
    }
    every = frozenset(range(len(sources)))
    found: dict[str, str] = {}
    for name, own in having.items():
        others = [other for other, their in having.items() if their == every - own]
        alike = [other for other, their in having.items() if their == own]
        if len(others) == len(alike) == 1 and name not in found and others[0] not in found:
            rare, usual = sorted((name, others[0]), key=lambda one: (len(having[one]), one == name))
            found[rare] = usual
    return found


def _of_feature(name: str, sources: Sequence[Source]) -> list[FeatureMismatch]:
    having = [source for source in sources if has_files(source, name)]
    if not having:
        return []  # no file has it anywhere: told, or refused, when a plan is made
    first = having[0]
    ours = first.model.info.features[name]
    found = []
    lacking = [source for source in sources if source not in having]
    if lacking:
        fillable = ours.is_numeric or ours.dtype == "string"
        message = _where(name, having, lacking)
        found.append(FeatureMismatch(name, message, fillable and not ours.is_camera))
    differing: dict[tuple[str, bool], list[Source]] = {}
    for source in having:
        said = _mismatch(ours, source.model.info.features[name])
        if said is not None:
            differing.setdefault(said, []).append(source)
    for (text, fillable), others in differing.items():
        where = f" in '{first.dataset.url}' and {_urls(others)}"
        found.append(FeatureMismatch(name, text + where, fillable))
    return found


def _where(name: str, having: Sequence[Source], lacking: Sequence[Source]) -> str:
    """Which datasets have a feature, or lack it: the shorter list."""
    declared = [source for source in lacking if name in source.model.info.features]
    videos = "its videos are " if len(declared) == len(lacking) else ""
    if len(having) < len(lacking) or (len(having) == len(lacking) == 1):
        return f"{videos}only in {_urls(having)}"
    return f"{videos}missing in {_urls(lacking)}"


def _urls(sources: Sequence[Source]) -> str:
    shown = ", ".join(f"'{source.dataset.url}'" for source in sources[:_SHOWN])
    more = len(sources) - _SHOWN
    return shown + (f" and {counted(more, 'other dataset')}" if more > 0 else "")


def has_files(source: Source, name: str) -> bool:
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
