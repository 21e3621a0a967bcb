"""Stage one episode of a Data-Juicer sample: its rows, and the frames that go with them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from roboreel.errors import DatasetError, StorageError, UsageError, VideoError
from roboreel.format.encoding import Encoding
from roboreel.sink.data_juicer_features import columns_of, features_of
from roboreel.sink.data_juicer_frames import (
    ChosenFrames,
    FrameRules,
    UnreadableFrameError,
    choose_frames,
    named,
    readable_images,
)
from roboreel.sink.data_juicer_rows import Trajectory, UnusableEpisodeError
from roboreel.sink.data_juicer_sample import SampleEpisode
from roboreel.sink.episode_key import EpisodeKey
from roboreel.sink.episode_sink import EpisodeSink
from roboreel.sink.stage_episode import StagedEpisode
from roboreel.sink.staged_table import record_of
from roboreel.sink.staging_area import TABLE, attempt_file, local_staging_root
from roboreel.storage.local import LocalRoot
from roboreel.types import Json, JsonObject

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeStaging:
    """How episodes are staged."""

    folder: str
    fps: float
    robot_type: str | None
    camera: str
    state_names: Sequence[str] | None
    action_names: Sequence[str] | None
    encoding: Encoding
    rules: FrameRules

    def entries(
        self, episode: SampleEpisode, images: Sequence[Any], video: Any
    ) -> list[dict[str, Any]]:
        """Stage an episode; returns its entries in `lerobot_export`.

        There are none where it cannot be exported, which is logged, and noted for the skip report.

        Args:
            episode: the episode.
            images: the extracted frames of its video; may be empty.
            video: the path or the bytes of its source video, if there is one.

        Raises:
            StorageError: a file cannot be written.
        """
        key = EpisodeKey(episode.source, episode.segment)
        notes = self._sink({})
        attempt = notes.claim(key)
        try:
            staged = self._stage(episode, images, video, key, attempt)
            self._warn_of_replaced(staged[0])
        except (UnusableEpisodeError, UsageError, VideoError, DatasetError) as error:
            _LOG.warning("%s is not exported: %s", key, error)
            notes.fail(key, str(error), attempt=attempt)
            return []
        return [self._entry(episode, each) for each in staged]

    def _stage(
        self,
        episode: SampleEpisode,
        images: Sequence[Any],
        video: Any,
        key: EpisodeKey,
        attempt: int,
    ) -> tuple[StagedEpisode, ...]:
        rows = episode.rows()
        chosen = choose_frames(rows.frame_ids, images, video, self.rules)
        try:
            return self._write(episode, rows, chosen, key, attempt)
        except UnreadableFrameError:
            pass  # rare, so only now are all images looked at
        readable = readable_images(rows.frame_ids, images)
        chosen = choose_frames(rows.frame_ids, readable, video, self.rules)
        return self._write(episode, rows, chosen, key, attempt)

    def _write(
        self,
        episode: SampleEpisode,
        rows: Trajectory,
        chosen: ChosenFrames | None,
        key: EpisodeKey,
        attempt: int,
    ) -> tuple[StagedEpisode, ...]:
        lost = rows.frame_ids[:0]
        if chosen is not None:
            lost, rows = rows.frame_ids[~chosen.keep], rows.rows_where(chosen.keep)
        if len(rows.states) < 2:
            raise UnusableEpisodeError(
                f"{len(rows.states)} of its frames can be read, but it needs two"
            )
        staged = self._sink(self._features(rows, chosen)).write(
            key,
            columns_of(rows),
            videos={} if chosen is None else {self.camera: chosen.source(self.encoding)},
            frames=None if chosen is None else chosen.numbers,
            task=episode.task,
            fields={"hand_type": episode.hand_type},
            provenance={
                "segment_id": episode.segment_id,
                "hand_type": episode.hand_type,
                "rows_without_frame": lost.tolist(),
                "content": _content(episode, rows),
            },
            attempt=attempt,
        )
        if len(lost):
            _LOG.warning("%s: rows without a readable frame are left out: %s", key, named(lost))
        return staged

    def _warn_of_replaced(self, staged: StagedEpisode) -> None:
        """Warn where an episode with other values was staged under the same key, and is gone now."""
        root = local_staging_root(self.folder)
        tables = [
            attempt_file(staged.key, number, TABLE) for number in range(1, staged.attempt + 1)
        ]
        *earlier, own = [_content_of(root, name) for name in tables if root.exists(name)]
        if any(one not in (None, own) for one in earlier[-1:]):
            _LOG.warning(
                "%s replaces an episode with other values. Where that was another sample, name samples by"
                " a field of theirs (key_field)",
                staged.key,
            )

    def _features(self, rows: Trajectory, chosen: ChosenFrames | None) -> dict[str, JsonObject]:
        return features_of(
            rows,
            None if chosen is None else chosen.size,
            camera=self.camera,
            state_names=self.state_names,
            action_names=self.action_names,
        )

    def _sink(self, features: Mapping[str, JsonObject]) -> EpisodeSink:
        return EpisodeSink(
            staging=local_staging_root(self.folder).path,
            fps=self.fps,
            features=features,
            robot_type=self.robot_type,
            encoding=self.encoding,
        )

    def _entry(self, episode: SampleEpisode, staged: StagedEpisode) -> dict[str, Any]:
        return {
            "uuid": staged.key.digest,
            "parquet_path": staged.table,
            "video_path": staged.videos.get(self.camera),
            "num_frames": staged.rows,
            "segment_id": episode.segment_id,
            "hand_type": episode.hand_type,
        }


def _content_of(root: LocalRoot, name: str) -> Json:
    """The digest of a staged episode's values; None where it cannot be read, or others staged it."""
    try:
        return record_of(root, name).provenance.get("content")
    except StorageError:
        return None


def _content(episode: SampleEpisode, rows: Trajectory) -> str:
    """A digest of the values of an episode."""
    digest = sha256(episode.task.encode(errors="surrogatepass"))
    for values in (rows.states, rows.actions, rows.frame_ids):
        digest.update(repr(values.shape).encode() + values.tobytes())
    return digest.hexdigest()
