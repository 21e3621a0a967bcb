"""Calls that pass without a name what needs one, refused with the call that was meant."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from roboreel.errors import UsageError

_P = ParamSpec("_P")
_Result = TypeVar("_Result")


def names_all_but_one(example: str) -> Callable[[Callable[_P, _Result]], Callable[_P, _Result]]:
    """Decorate a function whose arguments but for the first one need their names.

    Args:
        example: a right call, for the message.
    """

    def decorated(function: Callable[_P, _Result]) -> Callable[_P, _Result]:
        @functools.wraps(function)
        def checked(*args: _P.args, **kwargs: _P.kwargs) -> _Result:
            if len(args) > 1:
                raise UsageError(
                    f"{function.__name__}() got {len(args)} arguments without a name, expected one: {example}"
                )
            return function(*args, **kwargs)

        return checked

    return decorated
