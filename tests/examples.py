"""How many examples a property test tries: few in a plain run, many with `-m slow`."""

from __future__ import annotations

from collections.abc import Callable
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
        return pytest.mark.slow(settings(max_examples=long, **others)(test))

    return decorate


def mostly_slow(cases: Iterable[object], *, plain: int) -> list[ParameterSet]:
    """Cases of a test that are alike: so many of them, from first to last, in a plain run; the others slow."""
    every = list(cases)
    chosen = {(2 * part + 1) * len(every) // (2 * plain) for part in range(plain)}
    return [_case(case, slow=at not in chosen) for at, case in enumerate(every)]


def _case(case: object, *, slow: bool) -> ParameterSet:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=[pytest.mark.slow] if slow else [])
