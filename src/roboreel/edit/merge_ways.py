"""The ways in which datasets that differ can be merged, found from their documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from roboreel.edit.datasets_differ import MergeWay
from roboreel.edit.feature_mismatch import FeatureMismatch, differences, has_files
from roboreel.edit.view_data import Source
from roboreel.format.feature import INDEX_DTYPES, Feature

_Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Variant:
    """The datasets, with some features by other names."""

    names: Mapping[str, str]
    """The new names by the old ones."""
    sources: Sequence[Source]

    @property
    def found(self) -> list[FeatureMismatch]:
        """The differences that are left."""
        return differences(self.sources)

    @property
    def alike(self) -> list[Feature]:
        """The features that all have alike, but for index columns."""
        differing = {one.name for one in self.found}
        return [
            feature
            for name, feature in self.sources[0].model.info.features.items()
            if name not in differing and name not in INDEX_DTYPES
            if all(has_files(source, name) for source in self.sources)
        ]

    @property
    def sizes(self) -> dict[str, Counter[_Size]]:
        """The episodes by frame size (width, height), of the video cameras that have several sizes."""
        found: dict[str, Counter[_Size]] = {}
        for name in [feature.name for feature in self.alike if feature.is_video]:
            sizes = Counter[_Size]()
            for source in self.sources:
                declared = source.model.info.features[name].shape
                height, width = declared[:2] if declared[-1] in (1, 3) else declared[1:]
                sizes[width, height] += len(source.model.episodes)
            if len(sizes) > 1:
                found[name] = sizes
        return found

    def way(self, features: str = "strict") -> MergeWay:
        """How to merge them by a policy for features."""
        declared = {n: f for one in self.sources for n, f in one.model.info.features.items()}
        lost = [one.name for one in self.found] if features == "common" else []
        lost += [n for n in declared if not any(has_files(one, n) for one in self.sources)]
        usual = sum(self.sizes.values(), Counter[_Size]()).most_common(1)
        return MergeWay(
            rename=self.names,
            features=features,
            allow_missing=[n for n in dict.fromkeys(lost) if declared[n].is_essential],
            size=usual[0][0] if usual else None,
            scaled=[*self.sizes],
        )


def merge_ways(variants: Sequence[Variant]) -> Iterator[MergeWay]:
    """The ways that keep an action or a state; the ones that keep most first.

    Args:
        variants: the datasets as they are, then with features by other names.
    """
    for one in variants:
        if not one.found:
            yield one.way()
    for policy, works in (("pad", _can_be_padded), ("common", _keeps_actions)):
        possible = [one for one in variants if one.found and works(one)]
        if possible:
            yield possible[0].way(policy)


def without_videos(sources: Sequence[Source]) -> list[str]:
    """The datasets whose videos are all missing: before that is repaired, they cannot be merged."""
    return [source.dataset.url for source in sources if _lacks_videos(source)]


def _lacks_videos(source: Source) -> bool:
    cameras = [name for name, one in source.model.info.features.items() if one.is_video]
    return bool(cameras) and not any(has_files(source, name) for name in cameras)


def _can_be_padded(variant: Variant) -> bool:
    return all(one.can_be_filled for one in variant.found)


def _keeps_actions(variant: Variant) -> bool:
    return any(feature.is_essential and not feature.is_camera for feature in variant.alike)
