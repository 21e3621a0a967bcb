"""What can be done with a dataset before it is written: each verb gives a new view.

Few need values, and read them at once: `trim_still`, `suggest_still`, `add` with a function, and what
chooses by task the rows' `task_index`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from roboreel.edit import features, recompute, selection, splits
from roboreel.edit import standstill as still
from roboreel.edit import view_rows as rows
from roboreel.edit.conditions import chosen
from roboreel.edit.dividing import Dividing
from roboreel.edit.recompute import CameraChoice
from roboreel.edit.relative_actions import RelativeActions
from roboreel.edit.selection import FrameRange
from roboreel.edit.standstill import StillSuggestion
from roboreel.edit.targets import OnBroken, Timestamps, VideoBackend, target_for
from roboreel.edit.tasks import TasksFrom, retasked
from roboreel.errors import UsageError
from roboreel.format.encoding import Encoding, Reencoding
from roboreel.format.fps import parse_fps
from roboreel.format.version import FormatVersion
from roboreel.stats.sampling import StatsProfile
from roboreel.types import Json

if TYPE_CHECKING:
    from roboreel.edit.view import View


_MOST_FPS = 100_000


class Verbs(Dividing):
    """The verbs that an open dataset and a view share.

    Episodes are called by their numbers: in an open dataset those of its documents, in a view their places.
    """

    __slots__ = ()

    def keep(
        self,
        episodes: Iterable[int] | None = None,
        *,
        task: str | None = None,
        min_frames: int | None = None,
        max_frames: int | None = None,
        tasks_from: TasksFrom | None = None,
    ) -> View:
        """Keep the episodes that meet every condition given, in their order; they are numbered anew.

        Args:
            episodes: their numbers.
            task: episodes with this task.
            min_frames: episodes of at least so many frames.
            max_frames: episodes of at most so many frames.
            tasks_from: with `task`: what counts where an episode lists other tasks than its rows have,
                `rows` or `episodes` (the list). The rows' `task_index` is read for this.

        Raises:
            UsageError: an episode or task is not there, or nothing would be left.
            PlanError: lists and rows have the task in other episodes, and `tasks_from` is not given.
        """
        view = self.as_view()
        found = chosen(view, episodes, task, min_frames, max_frames, tasks_from)
        return selection.kept(view, np.flatnonzero(found))

    def delete(
        self,
        episodes: Iterable[int] | None = None,
        *,
        task: str | None = None,
        min_frames: int | None = None,
        max_frames: int | None = None,
        tasks_from: TasksFrom | None = None,
    ) -> View:
        """Leave out the episodes that meet every condition given: see `keep`."""
        view = self.as_view()
        found = chosen(view, episodes, task, min_frames, max_frames, tasks_from)
        return selection.kept(view, np.flatnonzero(~found))

    def trim(self, frames: Mapping[int, FrameRange]) -> View:
        """Narrow episodes to frames `[start, stop)`, rows and frames together.

        Args:
            frames: the range to keep, by episode; `(10, None)` keeps all from frame 10 on.

        Raises:
            UsageError: an episode is not there, or a range is empty or not inside it.
        """
        return selection.trimmed(self.as_view(), frames)

    def trim_still(
        self,
        most: float,
        *,
        feature: str = "observation.state",
        episodes: Iterable[int] | None = None,
    ) -> View:
        """Leave out the frames at both ends of episodes in which nothing moves. Reads the rows at once.

        Args:
            most: how far a value may be from that of the frame before while it stands still, in the
                feature's own unit (radians, degrees, …); `suggest_still` suggests one.
            feature: the numeric feature that tells.
            episodes: those to narrow; by default all.

        Raises:
            UsageError: there is no such feature or episode, or one never moves.
        """
        view = self.as_view()
        places = selection.positions_or_all(view, episodes)
        return selection.trimmed(view, still.moving(view, feature, most, places))

    def suggest_still(
        self,
        feature: str = "observation.state",
        *,
        episodes: Iterable[int] | None = None,
    ) -> StillSuggestion:
        """Suggest what `trim_still` should take as standing still. Reads the rows at once.

        Args:
            feature: the numeric feature that tells.
            episodes: those to look at; by default all.

        Raises:
            UsageError: there is no such feature or episode.
        """
        view = self.as_view()
        return still.suggested(view, feature, selection.positions_or_all(view, episodes))

    def reorder(self, order: Sequence[int]) -> View:
        """Put the episodes into another order.

        Args:
            order: every episode's number, once.

        Raises:
            UsageError: one is missing, unknown or there twice.
        """
        return selection.reordered(self.as_view(), order)

    def shuffle(self, *, seed: int) -> View:
        """Put the episodes into a random order, the same for the same seed.

        Raises:
            UsageError: the seed is no whole number from 0 on.
        """
        view = self.as_view()
        order = splits.random_order(len(view.slices), seed)
        return selection.kept(view, order)

    def rename(self, names: Mapping[str, str]) -> View:
        """Give features other names.

        Args:
            names: the new name by the old one.

        Raises:
            UsageError: a feature is not there, an index column, or a name is taken or not usable.
        """
        return features.renamed(self.as_view(), names)

    def remove(self, *names: str) -> View:
        """Leave out features; that of a padded one takes the mask along which says where it has values.

        Raises:
            UsageError: a feature is not there, or an index column.
        """
        return features.removed(self.as_view(), names)

    def add(
        self,
        name: str,
        values: Any,
        *,
        dtype: str | None = None,
        shape: Sequence[int] | None = None,
        names: Json = None,
    ) -> View:
        """Add a feature.

        Args:
            name: its name.
            values: (rows, …) an array, or an Arrow column: a value for each row, in order. Or a function,
                which is called at once: of one argument, the columns of an episode by name, (frames, …)
                arrays, it gives (frames, …); of three, `(row, episode, frame)` with the row's values by name,
                it gives that of one row. `episode` is the number by which the verbs call it.
            dtype: its dtype; by default that of the values.
            shape: its shape; by default that of the values.
            names: names of its dimensions.

        Raises:
            UsageError: the name is taken, or the values do not fit the rows, dtype, shape or names.
        """
        view = self.as_view()
        features.require_free(view, name)
        if callable(values):
            values = rows.computed(view, name, values)
        return features.added(view, name, values, dtype, shape, names)

    def set_tasks(
        self,
        every: str | None = None,
        *,
        replacing: Mapping[str, str] | None = None,
        episodes: Mapping[int, str] | None = None,
        tasks_from: TasksFrom | None = None,
    ) -> View:
        """Change tasks. An episode's own entry counts, else what replaces its texts, else `every`.

        Args:
            every: the task of all episodes that nothing else names.
            replacing: new text by old one; episodes of several tasks keep all of them.
            episodes: the one task of an episode, by its number.
            tasks_from: with `replacing`: what counts where lists and rows differ: see `keep`.

        Raises:
            UsageError: an episode or a text to be replaced is not there, or a task is empty.
            PlanError: lists and rows have a text in other episodes, and `tasks_from` is not given.
        """
        return retasked(self.as_view(), every, replacing or {}, episodes or {}, tasks_from)

    def recompute(
        self,
        features: Iterable[str] | None = None,
        *,
        cameras: CameraChoice = "sample",
        relative_actions: RelativeActions | None = None,
        quantiles: Iterable[float] = (),
        like: StatsProfile | None = None,
    ) -> View:
        """Measure the statistics of features anew in all episodes, whatever is stored.

        In v3.0, the quantiles of the whole dataset become those of all rows, not means of the episodes'.

        Args:
            features: their names; by default all that have statistics.
            cameras: of cameras, take a `sample` of the pictures, `all`, or `none`: leave cameras out.
            relative_actions: over the whole dataset, describe `action` relative to the state in which a
                chunk of actions begins.
            quantiles: further ones to store, from 0 to 1, beside 0.01, 0.1, 0.5, 0.9 and 0.99; 0.025 is
                called `q2.5`. Only v3.0 has them.
            like: follow the sample, pixels, shapes and quantiles of that release of lerobot where it is
                right; the plan's problems list where it is not. 0.3.3 has no quantiles (v2.x only).

        Raises:
            UsageError: there is no such feature, it has no statistics, or is a camera and these are left out.
        """
        return recompute.recomputed(
            self.as_view(),
            features,
            cameras,
            relative=relative_actions,
            quantiles=quantiles,
            like=like,
        )

    def resample(self, fps: int | float | Fraction) -> View:
        """Take rows and frames at another rate, the nearest in time.

        Raises:
            UsageError: it is no positive number.
        """
        view = self.as_view()
        try:
            wanted = fps if isinstance(fps, Fraction) else parse_fps(fps)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if not 0 < wanted <= _MOST_FPS:
            raise UsageError(f"fps is {fps}, expected a positive number up to {_MOST_FPS}")
        return view.having(fps=wanted)

    def with_target(
        self,
        to: str | FormatVersion | None = None,
        *,
        data_file_mb: float | None = None,
        video_file_mb: float | None = None,
        timestamps: Timestamps | None = None,
        on_broken: OnBroken = "fail",
        allow_reencode: bool = False,
        reencoding: Reencoding | None = None,
        drop_audio: bool = False,
        drop_unreadable: bool = False,
        allow_missing: Iterable[str] = (),
        video_backend: VideoBackend = "pyav",
        with_global_stats: bool = False,
        regroup: bool | None = None,
    ) -> View:
        """Say as what to write it.

        Args:
            to: the version; by default that of the first dataset.
            data_file_mb: soft limit of a table file in MiB.
            video_file_mb: soft limit of a video file in MiB.
            timestamps: what to do with irregular ones: `regular` writes k / fps, `keep` leaves them; by
                default they are kept where the version stays.
            on_broken: `fail` refuses where an episode cannot be written, `skip` leaves such episodes out.
            allow_reencode: whether episodes that start inside a GOP may be encoded again.
            reencoding: how to encode these, and what `resample` encodes; by default near the source.
            drop_audio: whether to leave sound out.
            drop_unreadable: whether to leave out columns that lerobot cannot read, such as pickled bytes.
            allow_missing: actions, states and cameras that the result may lack though nobody removed them
                by name: `concat(features="common")` leaves them out, or their files are missing.
            video_backend: what decodes videos for statistics: `pyav`, `torchcodec` or `decord`.
            with_global_stats: write `meta/stats.json` in v2.1 too: the episodes' statistics merged, in v2.0's
                form. Other versions always have the file.
            regroup: whether to pack episodes into files anew; by default where the version changes, or a
                limit is given.

        Raises:
            UsageError: a choice is unknown, or a limit is no positive number.
        """
        view = self.as_view()
        target = target_for(
            view,
            to=to,
            data_file_mb=data_file_mb,
            video_file_mb=video_file_mb,
            timestamps=timestamps,
            on_broken=on_broken,
            reencode=allow_reencode,
            reencoding=reencoding,
            drop_audio=drop_audio,
            drop_unreadable=drop_unreadable,
            allow_missing=allow_missing,
            video_backend=video_backend,
            with_global_stats=with_global_stats,
            regroup=regroup,
        )
        return view.written_as(target)

    def encode(self, encodings: Mapping[str, Encoding]) -> View:
        """Encode cameras anew; those that are pictures in the tables become videos.

        Raises:
            UsageError: there is no such camera.
        """
        view = self.as_view()
        if not encodings:
            raise UsageError("say which cameras to encode")
        features.require_cameras(view, encodings)
        kept = view.pictures - set(encodings)
        return view.having(encodings={**view.encodings, **encodings}, pictures=kept)

    def decode(self, *cameras: str) -> View:
        """Turn the video of cameras into pictures in the tables (PNG).

        Raises:
            UsageError: there is no such video camera.
        """
        view = self.as_view()
        if not cameras:
            raise UsageError("say which video cameras to decode")
        features.require_cameras(view, cameras, video=True)
        rest = {name: how for name, how in view.encodings.items() if name not in cameras}
        return view.having(encodings=rest, pictures=view.pictures | set(cameras))
