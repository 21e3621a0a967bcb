"""Put datasets together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

import pyarrow as pa

from roboreel.edit.datasets_differ import DatasetsDifferError, DifferentRatesError
from roboreel.edit.episode_slices import joined_slices
from roboreel.edit.feature_mismatch import FeatureMismatch, differences, renames, widest
from roboreel.edit.features import removed, renamed
from roboreel.edit.merge_ways import Variant, merge_ways, without_videos
from roboreel.edit.recipe import JoinedParts, Recipe
from roboreel.edit.view import Verbs, View, view_of
from roboreel.edit.view_data import Source
from roboreel.edit.write_options import names_in
from roboreel.errors import UnknownNameError, UsageError, listed
from roboreel.format.feature import Feature, arrow_type
from roboreel.format.model import with_features
from roboreel.stats.sampling import SamplingProfile

FeaturePolicy: TypeAlias = Literal["strict", "common", "pad"]

MASK = "{}_mask"


def concat(
    parts: Sequence[Verbs],
    *,
    features: FeaturePolicy = "strict",
    rename: Mapping[str, str] | None = None,
    allow_missing: Iterable[str] = (),
) -> View:
    """The episodes of datasets and views one after another.

    Tasks are merged. Cameras may differ in codec; such videos don't share a file. Frame rates must be the
    same, after `resample`. Dimension names are compared if both datasets have them. Of other keys in the
    documents, the first dataset's value is kept.

    Args:
        parts: open datasets or views.
        features: what to do where features differ. `strict` refuses; `common` keeps what all have alike;
            `pad` fills columns with zeros, vectors at their end, and adds a column `NAME_mask` that is True
            where values are the dataset's own.
        rename: new names of features by old ones, for the parts that have them.
        allow_missing: actions, states and cameras that `common` may leave out: without it, writing the
            result is refused.

    Raises:
        DifferentRatesError: the frame rates differ.
        DatasetsDifferError: the features differ; names every difference, and the arguments that work.
        UsageError: there are no parts, or they do not go together.
    """
    if features not in get_args(FeaturePolicy):
        raise UsageError(
            f"features is {features!r}, expected one of {listed(get_args(FeaturePolicy))}"
        )
    given = [view_of(part, "concat") for part in parts]
    views = [_named(view, rename or {}) for view in given]
    if not views:
        raise UsageError("there are no datasets to merge")
    _require_known(parts, rename or {})
    rates = _rates_of(views)
    _require_one_form(views)
    found = differences(_sources(views))
    if found and not _works(features, views, found):
        raise _refusal(views, found, rates, features)
    if len(rates) > 1:
        raise DifferentRatesError(rates, videos=_have_videos(_sources(views)))
    if found and features == "common":
        views = [_common(view, found) for view in views]
    elif found:
        views = _padded(views, found)
    view = _joined(views, views[0].fps)
    own = names_in("allow_missing", allow_missing)
    allowed = own.union(*(one.options.allow_missing for one in views))
    return replace(
        view,
        options=replace(view.options, allow_missing=allowed),
        recipe=_recipe(given, features, rename or {}, own),
    )


def _recipe(
    views: Sequence[View],
    features: FeaturePolicy,
    rename: Mapping[str, str],
    missing: Iterable[str],
) -> Recipe | None:
    parts = [view.recipe for view in views if view.recipe is not None]
    if len(parts) < len(views):
        return None
    noted = {"features": features, "rename": dict(rename), "allow_missing": sorted(missing)}
    return Recipe(JoinedParts(tuple(parts), noted))


def _joined(views: Sequence[View], rate: Fraction) -> View:
    firsts = [0]
    for view in views[:-1]:
        firsts.append(firsts[-1] + len(view.sources))
    masks = {name: mask for view in views for name, mask in view.masks.items()}
    sources = tuple(source for view in views for source in view.sources)
    resampled = any(source.model.info.fps != rate for source in sources)
    return replace(
        views[0],
        sources=sources,
        new_fps=rate if resampled else None,
        slices=joined_slices([view.slices for view in views], firsts),
        masks=masks,
        left_out=tuple(dict.fromkeys(one for view in views for one in view.left_out)),
        recomputed=frozenset().union(*(view.recomputed for view in views)),
        sampling=_joined_sampling([view.sampling for view in views]),
        edited=True,
        provenance=True,
        join=True,
        splits=None,
    )


def _joined_sampling(every: Sequence[SamplingProfile]) -> SamplingProfile:
    """The rules of the first; all frames where any wants all, and the quantiles that any wants."""
    whole = any(one.every_video_frame for one in every)
    return replace(
        every[0],
        every_video_frame=whole,
        every_image=whole or every[0].every_image,
        quantiles=tuple(sorted({share for one in every for share in one.quantiles})),
    )


def _named(view: View, rename: Mapping[str, str]) -> View:
    known = {name for source in view.sources for name in source.model.info.features}
    own = {old: new for old, new in rename.items() if old in known}
    return renamed(view, own) if own else view


def _require_known(parts: Sequence[Verbs], rename: Mapping[str, str]) -> None:
    known = {
        name
        for part in parts
        for source in part.as_view().sources
        for name in source.model.info.features
    }
    unknown = [name for name in rename if name not in known]
    if unknown:
        raise UnknownNameError(
            f"no dataset has a feature {listed(unknown)}: they have {listed(sorted(known))}"
        )


def _sources(views: Sequence[View]) -> list[Source]:
    return [source for view in views for source in view.sources]


def _rates_of(views: Sequence[View]) -> dict[Fraction, list[str]]:
    """The datasets by frame rate."""
    # one dataset may be there twice, once resampled
    rates = [(source.dataset.url, view.fps) for view in views for source in view.sources]
    urls: dict[Fraction, list[str]] = {}
    for url, fps in dict.fromkeys(rates):
        urls.setdefault(fps, []).append(url)
    return urls


def _works(features: str, views: Sequence[View], found: Sequence[FeatureMismatch]) -> bool:
    """True if datasets with these differences can be merged in a way."""
    if features == "pad":
        return all(one.can_be_filled for one in found)
    return features == "common" and bool(Variant({}, _sources(views)).alike)


def _refusal(
    views: Sequence[View],
    found: Sequence[FeatureMismatch],
    rates: Mapping[Fraction, Sequence[str]],
    policy: FeaturePolicy,
) -> DatasetsDifferError:
    """The error that names all differences, and the ways to merge the datasets."""
    sources = _sources(views)
    variants = [Variant({}, sources)]
    same = renames(sources)
    with contextlib.suppress(UsageError):  # a view has both names
        variants += [Variant(same, _sources([_named(view, same) for view in views]))] * bool(same)
    sizes = [
        f"'{name}': frames of {' and '.join(f'{width}x{height}' for width, height in sorted(found))}"
        for name, found in variants[0].sizes.items()
    ]
    return DatasetsDifferError(
        [*found, *sizes],
        [*merge_ways(variants)],
        rates=rates,
        robots=[source.model.info.robot_type for source in sources],
        without_videos=without_videos(sources),
        videos=_have_videos(sources),
        unfilled=[one.name for one in found if policy == "pad" and not one.can_be_filled],
    )


def _have_videos(sources: Sequence[Source]) -> bool:
    return any(one.is_video for source in sources for one in source.model.info.features.values())


def _require_one_form(views: Sequence[View]) -> None:
    first = views[0]
    for view in views[1:]:
        if (view.encodings, view.images) != (first.encodings, first.images):
            raise UsageError("merge the datasets first, then encode their cameras")


def _common(view: View, found: Sequence[FeatureMismatch]) -> View:
    known = {name for source in view.sources for name in source.model.info.features}
    reasons: dict[str, str] = {}
    for one in found:
        if one.name in known:
            before = reasons.get(one.name)
            reasons[one.name] = one.message if before is None else f"{before}; {one.message}"
    return removed(view, reasons, reasons) if reasons else view


def _padded(views: Sequence[View], found: Sequence[FeatureMismatch]) -> list[View]:
    """The views with every feature in each, and masks."""
    sources = _sources(views)
    wide = {name: widest(name, sources) for name in dict.fromkeys(one.name for one in found)}
    masks = {name: _mask(name, sources) for name in wide}
    return [
        replace(
            view,
            sources=tuple(_filled(source, wide, masks) for source in view.sources),
            masks={**view.masks, **masks},
        )
        for view in views
    ]


def _mask(name: str, sources: Sequence[Source]) -> str:
    mask = MASK.format(name)
    if any(mask in source.model.info.features for source in sources):
        raise UsageError(f"a feature '{mask}' exists already: rename it first")
    return mask


def _filled(source: Source, wide: Mapping[str, Feature], masks: Mapping[str, str]) -> Source:
    """A dataset with features that others have, or have longer."""
    declared = source.model.info.features
    filled: dict[str, pa.DataType] = dict(source.filled)
    features: dict[str, Feature] = dict(declared)
    for name, feature in wide.items():
        own = declared.get(name)
        if own is None or own.shape != feature.shape:
            filled[name] = arrow_type(feature)
        mask_spec = {"dtype": "bool", "shape": list(feature.shape), "names": feature.names}
        mask = Feature(name=masks[name], dtype="bool", shape=feature.shape, spec=mask_spec)
        features[name], features[mask.name] = feature, mask
        filled[mask.name] = arrow_type(mask)
    return replace(source, model=with_features(source.model, features), filled=filled)
