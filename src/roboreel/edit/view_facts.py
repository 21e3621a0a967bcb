"""What a view holds, asked for as of an open dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pyarrow as pa

from roboreel.edit.dataset_facts import facts_of
from roboreel.edit.edit_words import edits_of, view_id
from roboreel.edit.episode_slices import END
from roboreel.edit.features import features_of
from roboreel.edit.resampling import result_lengths
from roboreel.edit.tasks import retold, tasks_of
from roboreel.edit.view_data import ViewData
from roboreel.format.feature import Feature
from roboreel.format.model import EPISODE, LENGTH, TASKS
from roboreel.summary.summary import Summarized, Summary

SOURCE, SOURCE_EPISODE = "source", "source_episode"
SOURCE_START, SOURCE_STOP = "source_start", "source_stop"
_HIDDEN = {"having", "noting", "roots", "folders", "numbers", "lengths", "positions", "model"}
_HIDDEN |= {"as_view", "written_as", *ViewData.__dataclass_fields__}
"""Names that roboreel uses itself: left out of tab completion."""
_MOST_EDITS = 3
_OF_THE_ENCODED = ("info", "video_info")
"""What the declaration of a camera says of its video as it is encoded now."""


class ViewFacts(Summarized, ViewData):
    """What a view holds: the dataset that writing it would give. No rows and no videos are read."""

    __slots__ = ()

    @property
    def features(self) -> Mapping[str, Feature]:
        """Features of the result by name, in order: renamed, removed, added and re-encoded as asked."""
        found = features_of(self)
        for names, dtype in ((self.encodings, "video"), (self.images, "image")):
            for name in names:
                kept = {k: v for k, v in found[name].spec.items() if k not in _OF_THE_ENCODED}
                found[name] = replace(found[name], dtype=dtype, spec={**kept, "dtype": dtype})
        return found

    @property
    def camera_keys(self) -> tuple[str, ...]:
        """Names of the cameras, stored as video files or as images in tables."""
        return tuple(name for name, feature in self.features.items() if feature.is_camera)

    @property
    def fps(self) -> Fraction:
        """Frames per second of the result, exactly."""
        return self.new_fps or self.model.info.fps

    @property
    def robot_type(self) -> str | None:
        """`robot_type` in `info.json` of the first dataset."""
        return self.model.info.robot_type

    @property
    def tasks(self) -> Mapping[int, str]:
        """Task text by task index: those that the result's episodes list, in the order of the datasets."""
        if not self.edited:
            return self.model.tasks
        used: list[set[str]] = [set() for _ in self.sources]
        for number, own in zip(self.slices.source.tolist(), tasks_of(self), strict=True):
            used[number].update(own)
        chains = dict.fromkeys(self.slices.retasked)
        known = [
            text
            for source, texts in zip(self.sources, used, strict=True)
            for old in source.model.tasks.values()
            for chain in chains
            for text in retold([old], chain)
            if text in texts
        ]
        unlisted = sorted(set().union(*used) - set(known))
        return dict(enumerate(dict.fromkeys([*known, *unlisted])))

    @property
    def episodes(self) -> pa.Table:
        """A row per episode of the result.

        `episode_index` (int64), `length` (int64, frames), `tasks` (list of strings), and where it comes
        from: `source` (string, path of the dataset), `source_episode` (int64, its number there), and the
        frames `source_start` to `source_stop` (int64, half-open) that are taken.
        """
        slices, sources = self.slices, self.sources
        numbers = [source.model.episodes[EPISODE].to_numpy() for source in sources]
        whole = [source.model.episodes[LENGTH].to_numpy() for source in sources]
        rows = list(zip(slices.source.tolist(), slices.row.tolist(), strict=True))
        ends = np.array([whole[n][row] for n, row in rows], dtype=np.int64)
        return pa.table(
            {
                EPISODE: pa.array(self.numbers),
                LENGTH: pa.array(result_lengths(self)),
                TASKS: pa.array(tasks_of(self), pa.list_(pa.string())),
                SOURCE: pa.array([sources[n].dataset.url for n, _ in rows], pa.string()),
                SOURCE_EPISODE: pa.array([int(numbers[n][row]) for n, row in rows], pa.int64()),
                SOURCE_START: pa.array(slices.start),
                SOURCE_STOP: pa.array(np.where(slices.stop == END, ends, slices.stop)),
            }
        )

    @property
    def num_episodes(self) -> int:
        """Number of episodes of the result."""
        return len(self.slices)

    @property
    def total_episodes(self) -> int:
        """Number of episodes of the result: `num_episodes`."""
        return len(self.slices)

    @property
    def num_frames(self) -> int:
        """Number of frames of all episodes of the result, from the documents."""
        return int(result_lengths(self).sum())

    @property
    def total_frames(self) -> int:
        """Number of frames of all episodes of the result: `num_frames`."""
        return self.num_frames

    def __len__(self) -> int:
        return self.num_frames

    def __bool__(self) -> bool:
        return True

    def __dir__(self) -> list[str]:
        return [name for name in object.__dir__(self) if name not in _HIDDEN]

    def _summary(self) -> Summary:
        facts = facts_of(
            episodes=self.num_episodes,
            frames=self.num_frames,
            fps=self.fps,
            robot_type=self.robot_type,
            features=self.features,
            tasks=self.tasks.values(),
        )
        return Summary(
            f"View {view_id(self)} of '{self.name}' ({self.version})",
            [*zip(("edits", "", ""), _shown(edits_of(self)), strict=False), *facts],
        )


def _shown(edits: list[str]) -> list[str]:
    """Up to three lines."""
    if len(edits) <= _MOST_EDITS:
        return edits or ["none: the whole dataset as it is"]
    return [*edits[: _MOST_EDITS - 1], f"and {len(edits) - _MOST_EDITS + 1} more edits"]
