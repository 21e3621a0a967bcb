"""Objects for a process that does not import the caller's script."""

from __future__ import annotations

import io
import pickle
from types import FunctionType
from typing import Any

from roboreel.torch.errors import ArgumentError

_PROTOCOL = 5


class _Pickler(pickle.Pickler):
    """Refuses what only the caller's script defines."""

    def reducer_override(self, obj: Any) -> Any:
        """Raise for functions and classes of `__main__`; leave all else to pickle."""
        if isinstance(obj, type | FunctionType) and obj.__module__ == "__main__":
            raise pickle.PicklingError(
                f"'{obj.__qualname__}' is defined in the main script: move it to a module that can be"
                " imported"
            )
        return NotImplemented


def packed_for_process(obj: Any) -> bytes:
    """An object as bytes that `pickle.loads` reads in another process.

    Raises:
        ArgumentError: something in it cannot be sent: a lambda, an open file, or a function or class of the
            script or notebook (`__main__`), which the other process does not import. It is a `ValueError`.
    """
    data = io.BytesIO()
    try:
        _Pickler(data, _PROTOCOL).dump(obj)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ArgumentError(f"this cannot be sent to another process: {error}") from error
    return data.getvalue()
