"""Recompute the statistics of features."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Literal, TypeAlias, get_args

from roboreel.edit.relative_actions import RelativeActions, relative_components
from roboreel.edit.view_data import AnyView, ViewData
from roboreel.edit.write_options import require_choice
from roboreel.errors import UnknownNameError, UsageError, listed
from roboreel.format.depth import has_camera_stats
from roboreel.stats.feature_stats import quantile_name
from roboreel.stats.sampling import OWN, RELEASES, StatsProfile

CameraChoice: TypeAlias = Literal["sample", "all", "none"]


def recomputed(
    view: AnyView,
    features: Iterable[str] | None,
    cameras: CameraChoice,
    *,
    relative: RelativeActions | None,
    quantiles: Iterable[float],
    like: StatsProfile | None,
) -> AnyView:
    """The view with statistics of these features recomputed in all episodes."""
    quantiles = [*quantiles]
    known = {n: f for source in view.sources for n, f in source.model.info.features.items()}
    taken = {n for n, f in known.items() if f.is_numeric}
    if cameras != "none":
        taken |= {n for n, f in known.items() if has_camera_stats(f)}
    wanted = taken if features is None else set(features)
    refuse_unknown(view, wanted, cameras)
    for name in sorted(wanted - taken):
        raise UsageError(f"the statistics of '{name}' cannot be recomputed: {_why(name, view)}")
    if not wanted and features is not None:
        return view
    if not wanted:
        raise UsageError("there is no feature whose statistics could be recomputed")
    if like is not None:
        require_choice("like", like, get_args(StatsProfile))
    if relative is not None:
        relative_components(relative, known)
    followed = like or view.like
    rules = OWN if followed is None else RELEASES[followed]
    whole = cameras == "all"
    made = replace(
        view,
        recomputed=view.recomputed | wanted,
        sampling=replace(
            rules,
            every_video_frame=whole,
            every_image=whole or rules.every_image,
            quantiles=_with_further(view.sampling.quantiles, quantiles),
        ),
        relative=relative or view.relative,
        like=followed,
    )
    return made.noting(
        view,
        "recompute",
        features=sorted(wanted),
        cameras=cameras,
        relative_actions=None if relative is None else asdict(relative),
        quantiles=list(quantiles),
        like=like,
    )


def _with_further(known: Iterable[float], quantiles: Iterable[float]) -> tuple[float, ...]:
    wanted = [*quantiles]
    for share in wanted:
        if not 0 <= share <= 1:
            raise UsageError(
                f"{share} is not a quantile: expected a number from 0 to 1, such as 0.5 for the median"
            )
    by_name = {quantile_name(share): float(share) for share in [*wanted, *known]}
    return tuple(sorted(by_name.values()))


def refuse_unknown(view: ViewData, features: Iterable[str], cameras: CameraChoice) -> None:
    """Raise `UsageError` where a view has no such feature, or a choice is unknown."""
    require_choice("cameras", cameras, get_args(CameraChoice))
    known = {name for source in view.sources for name in source.model.info.features}
    for name in sorted(set(features) - known):
        raise UnknownNameError(f"no feature '{name}': the dataset has {listed(sorted(known))}")


def _why(name: str, view: ViewData) -> str:
    declared = (source.model.info.features for source in view.sources)
    feature = next(features[name] for features in declared if name in features)
    if has_camera_stats(feature):
        return "it is a camera, and cameras were excluded"
    if feature.is_camera:
        return "info.json does not say how this depth camera's video stores depth"
    return f"{feature.dtype} features have no statistics"
