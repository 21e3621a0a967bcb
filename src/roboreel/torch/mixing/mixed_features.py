"""The features of several datasets together, and their statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from roboreel.errors import UsageError
from roboreel.format.feature import INDEX_DTYPES
from roboreel.torch.compute_stats import aggregate_stats
from roboreel.torch.errors import ArgumentError
from roboreel.types import Json

Specs: TypeAlias = Mapping[str, Mapping[str, Json]]
Stats: TypeAlias = dict[str, dict[str, Any]]
FeaturePolicy: TypeAlias = Literal["common", "pad"]

_CAMERAS = ("video", "image")
_FLOATS = ("float16", "float32", "float64")
"""Items have all of them as float32."""
_PADDED = "MixedDataset([a, b], features='pad')"
_NEUTRAL = {"mean": 0.0, "std": 1.0, "q50": 0.0}
"""Statistics of padding: normalized by any of them, zeros stay zeros."""


class NoCommonFeaturesError(UsageError, RuntimeError):
    """Datasets have no feature in common but the index columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedFeatures:
    """Which features items have, and which of them are padded."""

    specs: dict[str, dict[str, Json]]
    """What `info.json` says of each feature, of padded ones the widest dataset's."""
    disabled: frozenset[str]
    """Features that some datasets have, and items do not."""
    donor: dict[str, int]
    """By padded feature: the number of the dataset that has it, with the most values."""

    def width(self, name: str) -> int:
        """Values of a vector; 1 for a single value."""
        shape = self.specs[name]["shape"]
        return int(shape[0]) if len(shape) == 1 else 0


def mixed_features(every: Sequence[Specs], policy: FeaturePolicy) -> MixedFeatures:
    """The features of datasets together.

    Args:
        every: of each dataset, its features by their common names.
        policy: `common` keeps those that all have; `pad` keeps all, and fills what a dataset lacks.

    Raises:
        NoCommonFeaturesError: with `common`, no feature is left. It is a `RuntimeError`.
        ArgumentError: a feature has different dtypes, or shapes that padding cannot make alike.
    """
    if policy not in ("common", "pad"):
        raise ArgumentError(f"features is {policy!r}, expected 'common' or 'pad'")
    names = list(dict.fromkeys(name for specs in every for name in specs))
    shared = [name for name in names if all(name in specs for specs in every)]
    kept = names if policy == "pad" else shared
    if not set(kept) - set(INDEX_DTYPES):
        raise NoCommonFeaturesError(
            "the datasets have no feature in common: give them the same names, MixedDataset([a, b],"
            f" renames=[{{…}}, None]), or keep the features of all, {_PADDED}"
        )
    specs, donor = {}, {}
    for name in kept:
        widest = _widest(name, every, policy)
        specs[name] = dict(every[widest][name])
        if name not in shared or not _alike(name, every):
            donor[name] = widest
    return MixedFeatures(specs=specs, disabled=frozenset(names).difference(kept), donor=donor)


def mixed_stats(every: Sequence[Stats | None], features: MixedFeatures) -> Stats:
    """The statistics of datasets together; padding counts as 0 with deviation 1.

    Args:
        every: of each dataset, its statistics by the features' common names.
        features: the features of all.
    """
    padded = [
        {name: _padded(one[name], features, name) for name in features.specs if name in one}
        for one in every
        if one
    ]
    return aggregate_stats(padded) if padded else {}


def _widest(name: str, every: Sequence[Specs], policy: FeaturePolicy) -> int:
    """The number of the dataset with the most values of a feature."""
    having = [number for number, specs in enumerate(every) if name in specs]
    first = every[having[0]][name]
    for number in having[1:]:
        theirs = every[number][name]
        dtypes = {first["dtype"], theirs["dtype"]}
        if len(dtypes) > 1 and not any(dtypes <= set(alike) for alike in (_CAMERAS, _FLOATS)):
            raise ArgumentError(
                f"'{name}' has dtype {first['dtype']} in one dataset and {theirs['dtype']} in another:"
                " rename or convert one of them"
            )
    if first["dtype"] in _CAMERAS:
        return having[0]
    shapes = [tuple(every[number][name]["shape"]) for number in having]
    vectors = all(len(shape) <= 1 for shape in shapes)
    if len(set(shapes)) > 1 and (policy == "common" or not vectors):
        listed = " and ".join(str(list(shape)) for shape in dict.fromkeys(shapes))
        advice = "" if policy == "pad" else f" ({_PADDED} fills shorter vectors with zeros)"
        raise ArgumentError(f"'{name}' has different shapes, {listed}{advice}")
    return max(having, key=lambda number: tuple(every[number][name]["shape"]))


def _alike(name: str, every: Sequence[Specs]) -> bool:
    if every[0][name]["dtype"] in _CAMERAS:
        return True
    return len({tuple(specs[name]["shape"]) for specs in every}) == 1


def _padded(stats: Mapping[str, Any], features: MixedFeatures, name: str) -> dict[str, Any]:
    """Statistics of a vector, with values for padding after its own."""
    width = features.width(name)
    found = {}
    for key, value in stats.items():
        array = np.asarray(value)
        lacking = width - len(array) if array.ndim == 1 and key != "count" else 0
        if name in features.donor and lacking > 0:
            array = np.concatenate([array, np.full(lacking, _filling(key), dtype=array.dtype)])
        found[key] = array
    return found


def _filling(key: str) -> float:
    """Symmetric around 0, so that padding is 0 after normalization by a range too."""
    if key in _NEUTRAL:
        return _NEUTRAL[key]
    low = key == "min" or (key.startswith("q") and float(key[1:]) < 50)
    return -1.0 if low else 1.0
