"""The real datasets, in the folder that ROBOREEL_REAL_DATA names. Missing ones fail."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.oracle import Reading, read, tree_digest

DATA = Path(os.environ.get("ROBOREEL_REAL_DATA", ""))


def pytest_configure() -> None:
    if not os.environ.get("ROBOREEL_REAL_DATA"):
        raise pytest.UsageError(
            "tests/real reads data sets found in public: set ROBOREEL_REAL_DATA to their folder"
        )


@pytest.fixture(scope="session")
def untouched() -> Iterator[Callable[[str], Path]]:
    """Gives the folder of a real dataset by its name; fails in the end where one has changed."""
    before: dict[Path, dict[str, str]] = {}

    def place(name: str) -> Path:
        root = DATA / name
        if not (root / "meta/info.json").is_file():
            pytest.fail(
                f"no dataset at '{root}': ROBOREEL_REAL_DATA names the folder of real datasets"
            )
        if root not in before:
            before[root] = tree_digest(root)
        return root

    yield place
    changed = [str(root) for root, digests in before.items() if tree_digest(root) != digests]
    assert not changed


@pytest.fixture(scope="session")
def reading(untouched: Callable[[str], Path]) -> Callable[[str], Reading]:
    """Gives a real dataset as the oracle reads it; decoded pictures are kept."""
    found: dict[str, Reading] = {}

    def read_once(name: str) -> Reading:
        if name not in found:
            found[name] = read(untouched(name))
        return found[name]

    return read_once
