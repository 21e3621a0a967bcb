"""Odd datasets, by the hundred: each converts to a sound one, or is refused with a reason.

A finding prints the trial's name, which makes it again:
`pytest tests/fuzz -m "" -k v2.1-tables-17`, or `python tests/fuzz/run.py v2.1-tables-17`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from roboreel.testing import Version
from tests.fuzz.trial import MUTATIONS, VERSIONS, Trial, make_bases, run_trial

TRIALS_OF_A_KIND = {"documents": 110, "tables": 115, "movies": 85, "tree": 60}
"""For each version."""
QUICK = 4
"""Of these, in a plain run; the others are slow."""


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[Version, Path]:
    return make_bases(tmp_path_factory.mktemp("bases"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    first = metafunc.config.getoption("--fuzz-seed")
    trials = [
        pytest.param(
            Trial(version, kind, seed),
            id=str(Trial(version, kind, seed)),
            marks=[pytest.mark.slow] if seed >= first + QUICK else [],
        )
        for version in VERSIONS
        for kind in MUTATIONS
        for seed in range(first, first + TRIALS_OF_A_KIND[kind])
    ]
    metafunc.parametrize("trial", trials)


def test_odd_dataset_is_converted_or_refused(
    trial: Trial, bases: dict[Version, Path], tmp_path: Path
) -> None:
    run_trial(trial, bases, tmp_path)
    shutil.rmtree(tmp_path)  # a thousand copies are not worth keeping
