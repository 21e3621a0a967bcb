"""A view: a dataset that is not written yet. What can be done with one: each verb gives a new view.

Only `trim_still`, `suggest_still`, `add` with a function and choices by task read values, at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from roboreel.edit import features, recompute, selection, splits, view_cameras
from roboreel.edit import standstill as still
from roboreel.edit import view_rows as rows
from roboreel.edit.episode_slices import whole_slices
from roboreel.edit.new_column import new_column
from roboreel.edit.opened import Opened
from roboreel.edit.recipe import Recipe
from roboreel.edit.recompute import CameraChoice
from roboreel.edit.relative_actions import RelativeActions
from roboreel.edit.selection import FrameRange
from roboreel.edit.splits import Fractions
from roboreel.edit.tasks import TasksFrom, task_changes, with_tasks
from roboreel.edit.view_data import Source
from roboreel.edit.view_facts import ViewFacts
from roboreel.edit.viewable import Viewable
from roboreel.edit.write_options import WriteKeywords, WriteOptions, lists_options
from roboreel.errors import UsageError
from roboreel.format.encoding import Encoding, Reencoding
from roboreel.format.fps import parse_fps
from roboreel.format.version import FormatVersion
from roboreel.stats.sampling import StatsProfile
from roboreel.types import Json

if TYPE_CHECKING:
    from typing_extensions import Unpack

_MOST_FPS = 100_000


class Verbs(Viewable):
    """The verbs that an open dataset and a view share.

    Episodes are called by their numbers: those of the documents in an open dataset, positions in a view.
    """

    __slots__ = ()

    def as_view(self) -> View:
        """The view of all of it."""
        raise NotImplementedError

    @lists_options()
    def keep(
        self,
        episodes: Iterable[int] | None = None,
        *,
        uid: Iterable[str] | None = None,
        task: str | None = None,
        min_frames: int | None = None,
        max_frames: int | None = None,
        tasks_from: TasksFrom | None = None,
    ) -> View:
        """Keep the episodes that meet every condition given, in their order; they are renumbered.

        Args:
            episodes: their numbers.
            uid: their uids, which stay the same through edits; `lineage` lists them.
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
        found = selection.chosen(view, episodes, task, min_frames, max_frames, tasks_from, uid)
        return selection.kept(view, np.flatnonzero(found))

    @lists_options()
    def delete(
        self,
        episodes: Iterable[int] | None = None,
        *,
        uid: Iterable[str] | None = None,
        task: str | None = None,
        min_frames: int | None = None,
        max_frames: int | None = None,
        tasks_from: TasksFrom | None = None,
    ) -> View:
        """Leave out the episodes that meet every condition given: see `keep`; an empty list: none."""
        view = self.as_view()
        if selection.is_empty(episodes) or selection.is_empty(uid):
            return view
        found = selection.chosen(view, episodes, task, min_frames, max_frames, tasks_from, uid)
        return selection.deleted(view, np.flatnonzero(found))

    def trim(self, frames: Mapping[int, FrameRange]) -> View:
        """Narrow episodes to frames `[start, stop)`, rows and frames together.

        Args:
            frames: the range to keep, by episode; `(10, None)` keeps all from frame 10 on.

        Raises:
            UsageError: an episode is not there, or a range is empty or not inside it.
        """
        view = self.as_view()
        return selection.trimmed(view, selection.spans_of(view, frames)) if frames else view

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
        moving = still.moving(view, feature, most, view.positions(episodes))
        return selection.trimmed(view, selection.spans_of(view, moving))

    def reorder(self, order: Sequence[int]) -> View:
        """Put the episodes into another order.

        Args:
            order: every episode's number, once.

        Raises:
            UsageError: one is missing, unknown or there twice.
        """
        view = self.as_view()
        return selection.kept(view, selection.whole_order(view, order), "reorder")

    def shuffle(self, *, seed: int) -> View:
        """Put the episodes into a random order, the same for the same seed.

        Raises:
            UsageError: the seed is no whole number from 0 on.
        """
        view = self.as_view()
        order = splits.random_order(len(view.slices), seed)
        return selection.kept(view, order, "shuffle", seed=int(seed))

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
        return features.added(view, *new_column(name, values, dtype, shape, names))

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
        view = self.as_view()
        if every is None and not (replacing or episodes) and (replacing, episodes) != (None, None):
            return view
        changes = task_changes(view, every, replacing or {}, episodes or {}, tasks_from)
        return with_tasks(view, changes)

    def recompute(
        self,
        features: Iterable[str] | None = None,
        *,
        cameras: CameraChoice = "sample",
        relative_actions: RelativeActions | None = None,
        quantiles: Iterable[float] = (),
        like: StatsProfile | None = None,
    ) -> View:
        """Recompute the statistics of features in all episodes, whatever is stored.

        In v3.0, the quantiles of the whole dataset become those of all rows, not means of the episodes'.

        Args:
            features: their names; by default all that have statistics.
            cameras: of cameras, take a `sample` of the frames, `all`, or `none`: leave cameras out.
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
        return view.having(new_fps=wanted).noting(view, "resample", fps=str(wanted))

    @lists_options(WriteOptions)
    def with_target(
        self, to: str | FormatVersion | None = None, **options: Unpack[WriteKeywords]
    ) -> View:
        """Set the version and the options to write it with.

        Args:
            to: the version; by default that of the first dataset.
            **options: the fields of `WriteOptions`.

        Raises:
            UsageError: a choice is unknown, or a limit is not a positive number.
        """
        return self.written_as(WriteOptions(to=to, **options))

    def written_as(self, options: WriteOptions) -> View:
        """Set the options to write it with, as a value: see `with_target`."""
        view = self.as_view()
        versions = [source.model.info.version for source in view.sources]
        resolved = replace(view, options=options.resolved(view.options, versions))
        return resolved.noting(view, "target", **options.to_json())

    def encode(self, encodings: Mapping[str, Encoding | Reencoding]) -> View:
        """Encode cameras again, videos also near the source; images in the tables become videos.

        Raises:
            UsageError: there is no such camera.
        """
        return view_cameras.encoded(self.as_view(), encodings)

    def decode(self, *names: str) -> View:
        """Turn the video of cameras into images in the tables (PNG).

        Raises:
            UsageError: there is no such video camera.
        """
        return view_cameras.decoded(self.as_view(), names)

    def split(
        self,
        into: Mapping[str, float | Iterable[int]],
        *,
        seed: int | None = None,
        rest: str | None = None,
        fractions: Fractions = "whole",
    ) -> dict[str, View]:
        """Divide the episodes among views, each episode once, in order.

        Args:
            into: by name a fraction of the episodes (a float), or their numbers. Each fraction is rounded
                down; the last part takes what rounding leaves.
            seed: shuffles which episodes go where; within a part they keep their order.
            rest: the part that takes all episodes that the others leave; it may be a new one.
            fractions: `whole` refuses fractions that sum to less than 1 unless `rest` is given. `lerobot`
                follows lerobot's rule: the last part silently takes all that remains.

        Raises:
            UsageError: parts overlap, leave out an episode, sum to more or less than 1, or would be empty.
        """
        view = self.as_view()
        parts = splits.divided(view, into, seed, rest, fractions)
        return {name: selection.kept(view, part, part=name) for name, part in parts.items()}

    def split_by_task(self, *, tasks_from: TasksFrom | None = None) -> dict[str, View]:
        """A view for each task: the episodes whose first task it is.

        Args:
            tasks_from: what counts where lists and rows differ: see `keep`.

        Raises:
            PlanError: an episode lists another task than its rows have, and `tasks_from` is not given.
        """
        view = self.as_view()
        parts = splits.by_task(view, tasks_from)
        return {name: selection.kept(view, part, part=name) for name, part in parts.items()}

    def as_splits(
        self,
        into: Mapping[str, float | Iterable[int]],
        *,
        seed: int | None = None,
        rest: str | None = None,
        fractions: Fractions = "whole",
    ) -> View:
        """One view in which these parts follow each other as named splits: see `split`."""
        view = self.as_view()
        return splits.named(view, splits.divided(view, into, seed, rest, fractions))


class View(ViewFacts, Verbs):
    """A dataset that is not written yet: an ordered choice of episodes, and how to write them. Immutable."""

    __slots__ = ()

    def as_view(self) -> View:
        """Itself."""
        return self


def whole_view(dataset: Opened) -> View:
    """The view of a whole dataset, as it is: its own version, files grouped as they are, timestamps kept."""
    model = dataset.model
    return View(
        sources=(Source(dataset=dataset, model=model),),
        slices=whole_slices(np.arange(len(model.episodes), dtype=np.int64)),
        options=WriteOptions(to=model.info.version, timestamps="keep", regroup=False),
        recipe=Recipe(dataset),
    )


def view_of(source: Verbs | object, caller: str) -> View:
    """The view of a dataset or view; `UsageError` if it is neither, such as a path."""
    if not isinstance(source, Verbs):
        given = f"got {source!r}: open it with roboreel.open(…)"
        raise UsageError(f"{caller}() needs an open dataset or a view, {given}")
    return source.as_view()
