"""Test files of `roboreel.torch`: collected where torch is installed, and told of where it is not."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

_IMPORT = re.compile(r"^(?:import|from) (?:torch|roboreel\.torch|tests\.unit\.torch)\b", re.M)


def needs_torch(path: Path) -> bool:
    """Whether a file is a test that imports torch, or what loads it."""
    return (
        path.suffix == ".py"
        and path.name.startswith("test_")
        and _IMPORT.search(path.read_text("utf-8")) is not None
    )


def has_torch() -> bool:
    """Whether torch is installed."""
    return find_spec("torch") is not None


def what_is_left_out(tests: Path) -> str | None:
    """One line about the test files that are not collected; None where torch is installed."""
    if has_torch():
        return None
    count = sum(map(needs_torch, tests.rglob("test_*.py")))
    return (
        f"torch is not installed: {count} test files that import it are not collected; "
        "pip install -c constraints.txt -e '.[dev,torch]' brings it"
    )
