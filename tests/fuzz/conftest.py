"""Which trials are run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-seed", type=int, default=0, help="Seed of the first trial of each kind (0)."
    )
