"""A real Ray cluster on this machine; the tests are left out where the extra is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of two CPUs, as a program may have started it itself."""
    ray: Any = pytest.importorskip("ray", reason="the extra ray is not installed")
    ray.init(num_cpus=2, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()
