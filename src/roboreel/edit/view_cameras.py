"""Cameras of a view: encoded again, turned into images, added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np

from roboreel.edit.features import declaring, require_free
from roboreel.edit.view_data import AnyView, ExternalVideos, Source, ViewData
from roboreel.errors import UnknownNameError, UsageError, listed
from roboreel.format.encoding import Encoding, Reencoding
from roboreel.format.feature import Feature


def encoded(view: AnyView, encodings: Mapping[str, Encoding | Reencoding]) -> AnyView:
    """The view with cameras to be encoded again: see `Verbs.encode`."""
    if not encodings:
        return view
    _require(view, encodings, "camera")
    near = [name for name, how in encodings.items() if isinstance(how, Reencoding)]
    _require(view, near, "video camera")
    kept = view.images - set(encodings)
    made = view.having(encodings={**view.encodings, **encodings}, images=kept)
    return made.noting(view, "encode", cameras={n: asdict(e) for n, e in encodings.items()})


def decoded(view: AnyView, names: Sequence[str]) -> AnyView:
    """The view with the video of cameras turned into images: see `Verbs.decode`."""
    if not names:
        return view
    _require(view, names, "video camera")
    rest = {name: how for name, how in view.encodings.items() if name not in names}
    made = view.having(encodings=rest, images=view.images | set(names))
    return made.noting(view, "decode", cameras=list(names))


def with_external_videos(
    view: AnyView, feature: Feature, folder: str, names: Sequence[str]
) -> AnyView:
    """The view with one camera more: its videos are elsewhere, one for each episode.

    Args:
        view: the view.
        feature: the camera.
        folder: where the videos are.
        names: the file of each of the view's episodes, in order.

    Raises:
        UsageError: the name is taken, or there is not one file for each episode.
    """
    require_free(view, feature.name)
    if len(names) != len(view.slices):
        raise UsageError(
            f"'{feature.name}': {len(names)} videos for {len(view.slices)} episodes; one is needed for each"
        )
    sources = tuple(
        _source_with(view, number, source, feature, folder, names)
        for number, source in enumerate(view.sources)
    )
    return view.having(sources=sources)


def _require(view: ViewData, names: Iterable[str], kind: str) -> None:
    """Raise `UsageError` where a name is not that of a `camera`, or of a `video camera`."""
    found = [one for source in view.sources for one in source.model.info.features.values()]
    fitting = [one for one in found if one.is_video or (one.is_camera and kind == "camera")]
    known = list(dict.fromkeys(one.name for one in fitting))
    for name in names:
        if name not in known:
            raise UnknownNameError(f"no {kind} '{name}': the dataset has {listed(known)}")


def _source_with(
    view: ViewData, number: int, source: Source, feature: Feature, folder: str, names: Sequence[str]
) -> Source:
    slices = view.slices
    files: list[str | None] = [None] * len(source.model.episodes)
    for at in np.flatnonzero(slices.source == number).tolist():
        row = int(slices.row[at])
        if files[row] not in (None, names[at]):
            episode = int(view.numbers[at])
            raise UsageError(
                f"episode {episode} comes from an episode that the view has twice: add videos before that"
            )
        files[row] = names[at]
    external_videos = {**source.external_videos, feature.name: ExternalVideos(folder, tuple(files))}
    return replace(declaring(source, feature), external_videos=external_videos)
