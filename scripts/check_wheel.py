"""Look into a built wheel: what it holds, what it must not hold, and what an index shows of it.

python scripts/check_wheel.py dist/roboreel-0.1.0-py3-none-any.whl
"""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Iterator, Sequence

NEEDED = ("roboreel/py.typed", "roboreel/__init__.py", "roboreel/cli/main.py")
FIELDS = ("Name", "Version", "Summary", "License-Expression", "Requires-Python")
_LINK = re.compile(r"\]\((?!https?://|#)[^)]+\)")


def main(arguments: Sequence[str]) -> int:
    """Check the wheels; returns the exit code."""
    faults = [f"{path}: {fault}" for path in arguments for fault in faults_of(path)]
    print("\n".join(faults) or f"{len(arguments)} wheels are as they must be")
    return int(bool(faults) or not arguments)


def faults_of(path: str) -> Iterator[str]:
    """What is wrong with a wheel."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        head, _, description = wheel.read(metadata).decode("utf-8").partition("\n\n")
    yield from faults_of_names(names)
    yield from faults_of_metadata(head, description)


def faults_of_names(names: Sequence[str]) -> Iterator[str]:
    """Files that are missing or too many."""
    yield from (f"'{name}' is missing" for name in NEEDED if name not in names)
    if not any(name.endswith("/licenses/LICENSE") for name in names):
        yield "the license is missing"
    for name in names:
        if not re.match(r"roboreel(-[^/]+\.dist-info)?/", name) or "/test_" in name:
            yield f"'{name}' is no part of the package"


def faults_of_metadata(head: str, description: str) -> Iterator[str]:
    """What an index would not show, or show wrong."""
    yield from (f"no {field}" for field in FIELDS if f"\n{field}: " not in f"\n{head}")
    if head.count("\nProject-URL: ") < 3:
        yield "no URLs"
    if "\nDescription-Content-Type: text/markdown" not in head:
        yield "the description has no type"
    yield from (
        f"a link that leads nowhere on an index: {one}" for one in _LINK.findall(description)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
