"""Videos from elsewhere that become a camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from roboreel.edit.features import require_free
from roboreel.edit.selection import numbers_of
from roboreel.edit.view import ExternalVideos, Source, View
from roboreel.errors import UsageError
from roboreel.format.feature import INDEX_DTYPES, Feature
from roboreel.format.model import with_features


def with_external_videos(view: View, feature: Feature, folder: str, names: Sequence[str]) -> View:
    """The view with one camera more: its videos lie elsewhere, one for each episode.

    Args:
        view: the view.
        feature: the camera.
        folder: where the videos lie.
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


def _source_with(
    view: View, number: int, source: Source, feature: Feature, folder: str, names: Sequence[str]
) -> Source:
    slices = view.slices
    files: list[str | None] = [None] * len(source.model.episodes)
    for at in np.flatnonzero(slices.source == number).tolist():
        row = int(slices.row[at])
        if files[row] not in (None, names[at]):
            episode = int(numbers_of(view)[at])
            raise UsageError(
                f"episode {episode} is a part of one that is in the view twice: add videos before"
            )
        files[row] = names[at]
    features = dict(source.model.info.features)
    index = {name: features.pop(name) for name in INDEX_DTYPES if name in features}
    model = with_features(source.model, {**features, feature.name: feature, **index})
    external_videos = {**source.external_videos, feature.name: ExternalVideos(folder, tuple(files))}
    return replace(source, model=model, external_videos=external_videos)
