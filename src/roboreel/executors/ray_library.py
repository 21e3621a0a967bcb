"""The package ray, which is imported only where a cluster is used."""

from __future__ import annotations

import importlib
from typing import Any

from roboreel.errors import MissingDependencyError


def ray_library(module: str = "ray", *, purpose: str = "to run on a cluster") -> Any:
    """A module of ray.

    Args:
        module: `ray`, or one below it.
        purpose: what needs it, as the end of "is needed …".

    Raises:
        MissingDependencyError: the extra `ray` is not installed, or not all that the module needs.
    """
    try:
        return importlib.import_module(module)  # not installed where types are checked
    except ImportError as error:
        raise MissingDependencyError(module, extra="ray", purpose=purpose) from error
