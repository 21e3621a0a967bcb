"""Export Data-Juicer samples to a LeRobot dataset: a replacement for its `export_to_lerobot_mapper`.

Each worker stages episodes below `output_dir/staging`; `finalize_dataset` makes them one dataset.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from roboreel.edit.write_options import require_choice
from roboreel.errors import UsageError
from roboreel.format.encoding import Encoding
from roboreel.format.version import FormatVersion
from roboreel.sink.data_juicer_features import CAMERA
from roboreel.sink.data_juicer_finalize import STAGING, ExportedDataset, finalize_export
from roboreel.sink.data_juicer_frames import FrameRules
from roboreel.sink.data_juicer_operator import BASE_KEYWORDS, operator_base
from roboreel.sink.data_juicer_sample import (
    META,
    SampleEpisode,
    frame_lists,
    malformed_sample,
    segment_episodes,
    video_episodes,
)
from roboreel.sink.data_juicer_stage import EpisodeStaging
from roboreel.sink.data_juicer_values import is_empty, listed, source_of, storable
from roboreel.sink.finalizing import FinalizeKeywords, FinalizeReport

OPERATOR_NAME = "export_to_lerobot_mapper"
"""The name of Data-Juicer's own exporter, in recipes."""
DEFAULT_CHUNKS_SIZE = 1000
ENTRIES = "lerobot_export"
"""The field of `meta` with the exported episodes."""

_LOG = logging.getLogger(__name__)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from roboreel.sink.data_juicer_operator import PlainOperator as _Base

    _OPERATORS: Any
else:
    _Base, _OPERATORS = operator_base()


class ExportToLeRobotMapper(_Base):
    """Stage the episodes of each sample for a LeRobot dataset; see `docs/data-juicer.md`."""

    def __init__(
        self,
        output_dir: str = "./lerobot_output",
        hand_action_field: str = "hand_action_tags",
        fps: float = 10,
        robot_type: str = "egodex_hand",
        chunks_size: int = DEFAULT_CHUNKS_SIZE,
        segment_field: str | None = None,
        frame_field: str = "video_frames",
        *args: Any,
        camera: str = CAMERA,
        state_names: Sequence[str] | None = None,
        action_names: Sequence[str] | None = None,
        key_field: str | None = None,
        frame_ids: Literal["extracted", "source"] = "extracted",
        encoding: Encoding | None = None,
        **kwargs: Any,
    ) -> None:
        """Set what to export; nothing is written yet.

        Args:
            output_dir: the folder of the dataset; episodes are staged in its folder `staging`.
            hand_action_field: the field of `meta` with states and actions of whole videos.
            fps: frames per second of the dataset.
            robot_type: the robot, for `info.json`.
            chunks_size: kept as an attribute, as in Data-Juicer; pass it to `finalize_dataset`.
            segment_field: the field of `meta` with atomic segments: each becomes an episode. None
                exports whole videos, an episode for each hand.
            frame_field: the field with the extracted frames, in the sample or its `meta`.
            args: further arguments of Data-Juicer's operators.
            camera: the name of the camera in the dataset.
            state_names: names of the values of a state.
            action_names: names of the values of an action.
            key_field: a field of the sample that names it, in every run; by default its video does.
            frame_ids: what `valid_frame_ids` count: `extracted` frames, or those of the `source` video.
            encoding: how images become a video; by default h264 at CRF 23. With a `size`, all videos are
                scaled to it.
            kwargs: `text_key`, `video_key` and what else operators of Data-Juicer take; others are
                ignored with a warning.

        Raises:
            UsageError: a number is not positive, or `frame_ids` is not one of the two.
        """
        super().__init__(*args, **kwargs)
        _require(fps, chunks_size, frame_ids)
        for name in sorted(kwargs.keys() - BASE_KEYWORDS):
            _LOG.warning("%s ignores the unknown argument '%s'", type(self).__name__, name)
        self.output_dir = os.fspath(output_dir)
        self.hand_action_field, self.segment_field = hand_action_field, segment_field
        self.frame_field, self.key_field = frame_field, key_field
        self.fps, self.robot_type, self.chunks_size = fps, robot_type, chunks_size
        self.camera, self.state_names, self.action_names = camera, state_names, action_names
        self.frame_ids = frame_ids
        self.encoding = encoding or Encoding(vcodec="h264", crf=23)

    def process_single(self, sample: Any = None, rank: int | None = None) -> Any:
        """Stage the episodes of a sample, and list them in its `meta["lerobot_export"]`.

        An episode that cannot be exported does not stop the others, nor does a malformed sample: it is
        logged, and kept for the report of `finalize_dataset`. A failing disk raises.

        Args:
            sample: a sample; without `meta` it comes back as it is.
            rank: of the worker; of no effect.

        Raises:
            UsageError: the sample is no dict, or lacks the `key_field`.
            StorageError: a file cannot be written.
        """
        if not isinstance(sample, Mapping):
            raise UsageError(f"expected a sample (a dict), found {type(sample).__name__}")
        meta = sample.get(META)
        if meta is None:
            return sample
        if not isinstance(meta, dict):
            reason = f"'{META}' is a {type(meta).__name__}, expected a dict"
            self._staging().entries(
                malformed_sample(self._source(sample, 0, meta), reason), [], None
            )
            return sample
        field = self.segment_field or self.hand_action_field
        found: Any = meta.get(field)
        if is_empty(found):
            _LOG.warning("a sample has no data in '%s': nothing is exported", field)
            if self.segment_field:
                meta[ENTRIES] = []
            return sample
        episodes = self._episodes(sample, listed(found))
        staging = self._staging()
        meta[ENTRIES] = [
            entry
            for each in episodes
            for entry in staging.entries(
                each, self._images(sample, each.video), self._video(sample, each.video)
            )
        ]
        return sample

    def _staging(self) -> EpisodeStaging:
        rules = FrameRules(
            prefer_video=not self.segment_field,
            ids_count_source=self.frame_ids == "source",
            size=self.encoding.size,
        )
        return EpisodeStaging(
            folder=os.path.join(self.output_dir, STAGING),
            fps=self.fps,
            robot_type=self.robot_type,
            camera=self.camera,
            state_names=self.state_names,
            action_names=self.action_names,
            encoding=self.encoding,
            rules=rules,
        )

    @staticmethod
    def finalize_dataset(
        output_dir: str | os.PathLike[str],
        fps: float | None = None,
        robot_type: str | None = None,
        chunks_size: int = DEFAULT_CHUNKS_SIZE,
        *,
        version: str | FormatVersion = FormatVersion.V20,
        out: str | os.PathLike[str] | None = None,
        **options: Unpack[FinalizeKeywords],
    ) -> FinalizeReport | None:
        """Make one dataset of all staged episodes, once all workers are done.

        Episodes are ordered by what they come from. Those that do not go with the others stay in
        `staging`, are warned of, and are listed in `meta/skipped_episodes.jsonl`.

        Args:
            output_dir: the operator's; it becomes the dataset, and loses its folder `staging`.
            fps: refuse episodes that were staged at another rate; None takes them as staged.
            robot_type: the robot, for `info.json`; None: as staged.
            chunks_size: most episodes (v3.0: files) in a chunk folder.
            version: the version to write.
            out: write the dataset to this new folder instead. All staged files stay.
            **options: as `roboreel.sink.finalize`, such as `workers`; `on_broken` is "skip", and
                `leftovers` "resume", unless given.

        Returns:
            What was written; None, with a warning, where nothing is staged.

        Raises:
            UsageError: an argument is wrong, or `output_dir` holds a dataset already.
            DatasetError, PlanError, RunError, StorageError: as `roboreel.sink.finalize`.
        """
        _require(10 if fps is None else fps, chunks_size, "source")
        exported = ExportedDataset(fps=fps, robot_type=robot_type, chunks_size=chunks_size)
        return finalize_export(output_dir, exported, version=version, out=out, **options)

    def _episodes(self, sample: Any, found: Sequence[Any]) -> Iterator[SampleEpisode]:
        if not self.segment_field:
            text = sample.get(self.text_key)
            sources = [self._source(sample, at, [text, each]) for at, each in enumerate(found)]
            return video_episodes(found, sources, text)
        episodes = segment_episodes(found, self._source(sample, 0, found))
        lists = [one for one in frame_lists(sample, self.frame_field) if len(one)]
        if len(lists) < 2:
            return episodes
        reason = f"the segments do not say which of the {len(lists)} lists of frames they belong to"
        return (replace(each, reason=f"{reason}: merge the clips first") for each in episodes)

    def _source(self, sample: Any, video: int, content: Any) -> str:
        key = sample.get(self.key_field) if self.key_field else None
        if self.key_field and key is None:
            raise UsageError(f"a sample has no '{self.key_field}', which is to name it (key_field)")
        if key is not None:
            return storable(str(key))
        return source_of([self._video(sample, video), *self._images(sample, video)], content)

    def _video(self, sample: Any, video: int) -> Any:
        given = sample.get(self.video_key)
        videos = [] if given is None else listed(given)
        return videos[video] if video < len(videos) else None

    def _images(self, sample: Any, video: int) -> Sequence[Any]:
        lists = frame_lists(sample, self.frame_field)
        return lists[video] if video < len(lists) else []


def _require(fps: object, chunks_size: object, frame_ids: str) -> None:
    if not (isinstance(fps, (int, float)) and math.isfinite(fps) and fps > 0):
        raise UsageError(f"fps is {fps!r}, expected a number above 0")
    if not isinstance(chunks_size, int) or chunks_size < 1:
        raise UsageError(f"chunks_size is {chunks_size!r}, expected 1 or more")
    require_choice("frame_ids", frame_ids, ("extracted", "source"))


def replace_data_juicer_operator() -> None:
    """Let recipes that name `export_to_lerobot_mapper` use this operator in place of Data-Juicer's own.

    Raises:
        UsageError: Data-Juicer is not installed.
    """
    if _OPERATORS is None:
        raise UsageError("Data-Juicer is not installed here: pip install py-data-juicer")
    _OPERATORS.register_module(OPERATOR_NAME, ExportToLeRobotMapper, force=True)


if _OPERATORS is not None:
    _OPERATORS.register_module(f"roboreel_{OPERATOR_NAME}", ExportToLeRobotMapper, force=True)
