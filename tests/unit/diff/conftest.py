"""Two pairs of equal datasets: `first` is only read, `second` may be changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutate import copied
from tests.unit.diff.bases import base


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A v2.1 dataset."""
    return base(tmp_path_factory.mktemp("first") / "a")


@pytest.fixture(scope="session")
def first_v30(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as v3.0, by a writer that is not roboreel's."""
    return base(tmp_path_factory.mktemp("first") / "a", "v3.0")


@pytest.fixture
def second(first: Path, tmp_path: Path) -> Path:
    """A copy of `first`."""
    return copied(first, tmp_path / "b")


@pytest.fixture
def second_v30(first_v30: Path, tmp_path: Path) -> Path:
    """A copy of `first_v30`."""
    return copied(first_v30, tmp_path / "b30")
