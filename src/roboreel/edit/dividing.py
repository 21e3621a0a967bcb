"""The verbs that divide a dataset: each gives several views, or one with named splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from roboreel.edit import selection, splits
from roboreel.edit.splits import Fractions
from roboreel.edit.tasks import TasksFrom

if TYPE_CHECKING:
    from roboreel.edit.view import View


class Dividing:
    """The verbs by which an open dataset or a view is divided: see `Verbs`."""

    __slots__ = ()

    def as_view(self) -> View:
        """The view of all of it."""
        raise NotImplementedError

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
        places = splits.divided(view, into, seed, rest, fractions)
        return {name: selection.kept(view, part) for name, part in places.items()}

    def split_by_task(self, *, tasks_from: TasksFrom | None = None) -> dict[str, View]:
        """A view for each task: the episodes whose first task it is.

        Args:
            tasks_from: what counts where lists and rows differ: see `keep`.

        Raises:
            PlanError: an episode lists another task than its rows have, and `tasks_from` is not given.
        """
        view = self.as_view()
        places = splits.by_task(view, tasks_from)
        return {name: selection.kept(view, part) for name, part in places.items()}

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
