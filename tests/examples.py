"""What a plain run leaves to `-m slow`: most examples of a property, most of many cases that are alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import settings

Test = TypeVar("Test", bound=Callable[..., object])

_run = {"long": False}


def note_run(config: pytest.Config) -> None:
    """Remember whether slow tests were asked for: `-m slow`, or any other choice than the usual one."""
    _run["long"] = config.option.markexpr != "not slow"


def examples(*, short: int, long: int, **others: Any) -> Callable[[Test], Test]:
    """Settings of a property test that runs both in a plain run and with `-m slow`.

    `others` go to `hypothesis.settings`. With `-m slow` the test has the mark, and so is chosen.
    """

    def decorate(test: Test) -> Test:
        if not _run["long"]:
            return settings(max_examples=short, **others)(test)
        slow: Callable[[Test], Test] = pytest.mark.slow
        return slow(settings(max_examples=long, **others)(test))

    return decorate


def mark_all_but_a_sample(items: Sequence[pytest.Item]) -> None:
    """Make cases slow of tests with the mark `sample(n)`: all but n, spread over all."""
    tests: dict[tuple[str, int], list[pytest.Item]] = defaultdict(list)
    for item in items:
        if mark := item.get_closest_marker("sample"):
            tests[item.nodeid.partition("[")[0], mark.args[0]].append(item)
    for (_, wanted), cases in tests.items():
        kept = spread(wanted, len(cases))
        for at, case in enumerate(cases):
            if at not in kept and len(cases) > wanted:
                case.add_marker("slow")


_GOLDEN = (5**0.5 - 1) / 2


def spread(wanted: int, count: int) -> set[int]:
    """Numbers below `count`: one of each part of it, never at the same place of two parts.

    Cases of two parameters would else all have the same value of the one that changes faster.
    """
    kept = set[int]()
    for part in range(min(wanted, count)):
        at = int((part + (0.5 + part * _GOLDEN) % 1) * count / wanted)
        kept.add(
            next(place % count for place in range(at, at + count) if place % count not in kept)
        )
    return kept
