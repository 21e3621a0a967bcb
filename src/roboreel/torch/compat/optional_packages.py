"""Packages that roboreel uses where they are installed, and replaces where they are not."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from roboreel.torch.errors import MissingPackageError


@cache
def optional_package(name: str, needed: str) -> Any | None:
    """The package, None where it is not installed.

    Args:
        name: the package.
        needed: an attribute that it must have; a stray folder of that name has none.
    """
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    return module if hasattr(module, needed) else None


def require_package(name: str, needed: str) -> Any:
    """The package.

    Raises:
        MissingDependencyError: it is not installed.
    """
    found = optional_package(name, needed)
    if found is None:
        raise MissingPackageError(name.partition(".")[0])
    return found
