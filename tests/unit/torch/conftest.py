from __future__ import annotations

from pathlib import Path

import pytest

from roboreel.testing import Version, make_dataset

VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small dataset of every version with the same content; tests only read it."""
    folder = tmp_path_factory.mktemp("made")
    return {
        version: make_dataset(
            folder / version, version=version, episodes=(5, 7, 3), features="rich", fps=10
        )
        for version in VERSIONS
    }


@pytest.fixture(params=VERSIONS)
def root(request: pytest.FixtureRequest, made: dict[str, Path]) -> Path:
    """The folder of that dataset in each version."""
    return made[request.param]
