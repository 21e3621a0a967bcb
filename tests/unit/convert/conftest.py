"""Datasets of every version, made once, and copies of them that a test may change."""

from __future__ import annotations

from pathlib import Path

import pytest

from roboreel.testing import Camera, Version, make_dataset
from tests.mutate import (
    copied,
)
from tests.unit.convert.sources import (
    LENGTHS,
    TOP,
    WRIST,
)


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    cameras = {TOP: Camera(height=32), WRIST: Camera(height=32)}
    versions: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")
    for version in versions:
        make_dataset(folder / version, version=version, episodes=LENGTHS, cameras=cameras)
    mixed = {TOP: Camera(height=32, codec="av1"), WRIST: Camera(height=64)}
    make_dataset(folder / "mixed", version="v2.1", episodes=LENGTHS, cameras=mixed)
    return folder


@pytest.fixture
def v21(bases: Path, tmp_path: Path) -> Path:
    """A v2.1 dataset of the test's own."""
    return copied(bases / "v2.1", tmp_path / "source")


@pytest.fixture
def v30(bases: Path, tmp_path: Path) -> Path:
    """A v3.0 dataset of the test's own."""
    return copied(bases / "v3.0", tmp_path / "source")
