"""Packages that roboreel uses where they are installed, and replaces where they are not."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any


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
