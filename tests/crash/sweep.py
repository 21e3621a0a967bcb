"""Which moments of a run a test stops it at: a few in a plain run; with `-m slow` all, in parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pytest

from tests.crash.victim import Moment


class Share(Protocol):
    """Chooses among the moments of a run."""

    def __call__(self, stops: dict[int, Moment]) -> dict[int, Moment]:
        """The moments of this share, in order."""


@dataclass(frozen=True, slots=True)
class Few:
    """So many moments, one from the middle of each of as many equal parts."""

    count: int

    def __str__(self) -> str:
        return "few"

    def __call__(self, stops: dict[int, Moment]) -> dict[int, Moment]:
        """These moments."""
        every = list(stops.items())
        return dict(every[(2 * n + 1) * len(every) // (2 * self.count)] for n in range(self.count))


@dataclass(frozen=True, slots=True)
class Every:
    """Each `of`-th moment from one on: all parts together are all moments."""

    part: int
    of: int

    def __str__(self) -> str:
        return f"part-{self.part + 1}-of-{self.of}"

    def __call__(self, stops: dict[int, Moment]) -> dict[int, Moment]:
        """These moments.

        Raises:
            AssertionError: there are none.
        """
        chosen = dict(list(stops.items())[self.part :: self.of])
        assert chosen, f"{len(stops)} moments are too few for {self.of} parts"
        return chosen


def swept(*, few: int, parts: int) -> pytest.MarkDecorator:
    """Run a test with a `share` of few moments, and, slow, once for each part of all moments."""
    every = [pytest.param(Every(part, parts), marks=pytest.mark.slow) for part in range(parts)]
    return pytest.mark.parametrize("share", [Few(few), *every], ids=str)
