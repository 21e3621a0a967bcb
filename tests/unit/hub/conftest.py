"""Datasets to serve, and the Hub of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from roboreel.testing import make_dataset
from tests.hub_client import only_hub
from tests.hub_server import HubServer


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A Hub on this machine, and the only one that the client knows."""
    with only_hub(monkeypatch, tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def v21(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four episodes of v2.1."""
    return make_dataset(
        tmp_path_factory.mktemp("v21") / "d", version="v2.1", episodes=(12, 9, 10, 7)
    )


@pytest.fixture(scope="session")
def v30(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six episodes of v3.0, two to a table and one to a video."""
    return make_dataset(
        tmp_path_factory.mktemp("v30") / "d",
        version="v3.0",
        episodes=(12, 9, 10, 7, 8, 6),
        data_episodes_per_file=2,
        video_episodes_per_file=1,
    )
