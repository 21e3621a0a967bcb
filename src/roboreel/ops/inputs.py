"""Collect what a plan needs besides the view: surveys, external videos, codecs that work here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.edit.episode_slices import EpisodeSlices
from roboreel.edit.lineage import loses_uids
from roboreel.edit.view import View
from roboreel.edit.view_cameras import with_external_videos
from roboreel.edit.view_data import ExternalVideos, Source
from roboreel.errors import PlanError, UsageError, VideoError
from roboreel.executors.worker_options import WorkerChoice
from roboreel.format.encoding import (
    AUTO,
    HARDWARE,
    SOFTWARE,
    Encoding,
    Reencoding,
    encoder_settings,
)
from roboreel.format.feature import SUBTASK_INDEX
from roboreel.format.inventory import Inventory
from roboreel.format.model import EPISODE, SUBTASK_TABLE
from roboreel.format.origin_columns import UID, stores_uids
from roboreel.plan.plan import EncodeVideo, MeasureCamera, Plan
from roboreel.storage.fs import open_root
from roboreel.storage.video.backends import refuse_codec, require_backend
from roboreel.storage.video.encoders import require_encoder
from roboreel.survey.external_videos import (
    WantedVideo,
    external_video_feature,
    find_external_videos,
    survey_external_videos,
)
from roboreel.survey.survey import survey
from roboreel.survey.survey_slices import survey_slices

_SIDE = 256  # pixels; some hardware encoders reject small frames


def add_video(
    view: Dataset | View, name: str, videos: str | os.PathLike[str] | Sequence[str]
) -> View:
    """Add a camera from external videos; their packets are copied.

    Args:
        view: a dataset or view.
        name: the camera's name.
        videos: a folder with one video for each episode, sorted by name; or the files, in order.

    Raises:
        UsageError: the name is already in use, or the number of videos is not the number of episodes.
        StorageError: the first video cannot be read.
    """
    view = view.as_view()
    listed = isinstance(videos, Sequence) and not isinstance(videos, str)
    given = cast("Sequence[str]", videos) if listed else os.fspath(cast("str", videos))
    folder, names = find_external_videos(given)
    return with_external_videos(
        view, external_video_feature(name, folder, names[0], view.model.info.fps), folder, names
    )


def surveyed(view: View, workers: WorkerChoice, known: dict[str, Inventory]) -> list[Inventory]:
    """The survey of each source's files, for the episode slices that the view takes from it."""
    found = []
    for number, source in enumerate(view.sources):
        dataset = cast("Dataset", source.dataset)
        without = source.removed & set(dataset.cameras)
        without |= {
            camera
            for camera in dataset.missing_cameras
            if source.renamed.get(camera, camera) in view.options.allow_missing
        }
        key = "\n".join([dataset.url, *sorted(without)])
        if key not in known:
            known[key] = survey(dataset, workers=workers, without=without)
        here = np.flatnonzero(view.slices.source == number)
        slices = view.slices.take(here)
        inventory = survey_slices(dataset, known[key], slices.row, slices.start, slices.stop)
        for camera, external_videos in source.external_videos.items():
            wanted = _wanted(dataset, external_videos, slices, inventory, known[key])
            folder = open_root(external_videos.folder)
            inventory = survey_external_videos(inventory, camera, folder, wanted, dataset.fps)
        found.append(inventory)
    return found


def _wanted(
    dataset: Dataset,
    external_videos: ExternalVideos,
    slices: EpisodeSlices,
    inventory: Inventory,
    whole: Inventory,
) -> list[WantedVideo]:
    """The external videos that the slices of a dataset need."""
    numbers = dataset.episodes[EPISODE].to_pylist()
    return [
        WantedVideo(
            name=external_videos.names[row],
            episode=numbers[row],
            start=start,
            rows=rows,
            episode_rows=int(whole.rows[row]),
        )
        for row, start, rows in zip(
            slices.row.tolist(), slices.start.tolist(), inventory.rows.tolist(), strict=True
        )
    ]


def with_encoders(view: View) -> View:
    """Replace the encoder `auto` by the first hardware encoder that works, else by the AV1 encoder."""
    found = {
        camera: replace(encoding, vcodec=_that_works(encoding))
        if encoding.vcodec == AUTO
        else encoding
        for camera, encoding in view.encodings.items()
    }
    options, near = view.options, view.options.reencoding
    if near.vcodec == AUTO:
        options = replace(options, reencoding=replace(near, vcodec=_that_works(near)))
    return replace(view, encodings=found, options=options)


def _that_works(encoding: Encoding | Reencoding) -> str:
    whole = Encoding(**encoding.given) if isinstance(encoding, Reencoding) else encoding
    names = (*HARDWARE, SOFTWARE)
    return names[
        encoder_that_works([encoder_settings(replace(whole, vcodec=name)) for name in names])
    ]


def with_uids(view: View) -> View:
    """The view with a uid for every episode in the tables of its sources, where the result is to have them.

    Raises:
        UsageError: a source has a column of that name with something else in it.
    """
    wanted = view.options.with_uids
    if wanted is None:
        wanted = any(_has_uids(source) for source in view.sources) or loses_uids(view)
        wanted = wanted and not any(_has_other_column(source) for source in view.sources)
    if not wanted:
        return view
    return replace(view, sources=tuple(_telling_uids(source) for source in view.sources))


def _has_uids(source: Source) -> bool:
    dataset = cast("Dataset", source.dataset)
    return dataset.known_uids is not None or stores_uids(source.model)


def _has_other_column(source: Source) -> bool:
    """True where the table of episodes has a column of that name with something else in it."""
    return UID in source.model.extra_columns and not stores_uids(source.model)


def _telling_uids(source: Source) -> Source:
    model, uids = source.model, source.dataset.uids()
    table, columns = model.episodes, model.extra_columns
    if _has_other_column(source):
        raise UsageError(
            f"the table of episodes of '{source.dataset.url}' has a column '{UID}' that does not hold"
            " strings: pass with_uids=False to write no uids"
        )
    if UID in columns:
        table = table.drop_columns([UID])
    columns = (*(name for name in columns if name != UID), UID)
    episodes = table.append_column(UID, pa.array(uids, pa.string()))
    return replace(source, model=replace(model, episodes=episodes, extra_columns=columns))


def hardware_encoder_that_works() -> str:
    """The first hardware encoder that works here, else AV1's software encoder."""
    return _that_works(Encoding())


def require_one_subtask_list(view: View) -> None:
    """Raise `PlanError` if sources have different subtask lists, because their row values count in it."""
    lists = {
        source.dataset.url: cast("Dataset", source.dataset).root.read(SUBTASK_TABLE)
        for source in view.sources
        if SUBTASK_TABLE in source.model.extra_files and SUBTASK_INDEX in source.model.info.features
    }
    if len(set(lists.values())) > 1:
        urls = ", ".join(f"'{url}'" for url in lists)
        raise PlanError(
            f"{urls} have different '{SUBTASK_TABLE}', which '{SUBTASK_INDEX}' refers to: remove the"
            " feature from them first"
        )


def encoder_that_works(settings: Sequence[Mapping[str, str]]) -> int:
    """The position of the first settings that can encode a frame, else of the last ones."""
    for at, encoder in enumerate(settings[:-1]):
        try:
            require_encoder(encoder, width=_SIDE, height=_SIDE)
        except VideoError:
            continue
        return at
    return len(settings) - 1


def require_codecs(plan: Plan) -> None:
    """Check a plan's codecs: encode a frame with each encoder, and look for each decoder.

    Raises:
        MissingDependencyError: the package of a decoder is not installed.
        PlanError: an encoder is missing or rejects its settings, or a decoder cannot decode a camera's codec.
    """
    _require_encoders(plan)
    _require_backends(plan)


def _require_encoders(plan: Plan) -> None:
    tried = set()
    for op in plan.ops:
        if not isinstance(op, EncodeVideo):
            continue
        width, height = op.size or (_SIDE, _SIDE)
        key = (tuple(op.encoder.items()), width, height)
        if key not in tried:
            tried.add(key)
            try:
                require_encoder(op.encoder, width=width, height=height)
            except VideoError as error:
                raise PlanError(
                    f"'{op.camera}' cannot be encoded with these settings: {error}"
                ) from error


def _require_backends(plan: Plan) -> None:
    measured = {
        (op.camera, op.backend)
        for op in plan.ops
        if isinstance(op, MeasureCamera) and not op.from_tables
    }
    for camera, backend in sorted(measured):
        require_backend(backend)
        facts = plan.model.info.features[camera].video_facts
        try:
            refuse_codec(backend, str(facts.get("video.codec")), f"'{camera}'")
        except VideoError as error:
            raise PlanError(str(error)) from error
