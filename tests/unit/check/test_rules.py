"""Every rule has a dataset that breaks it, and one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

import roboreel
from roboreel.format.rules import RULES
from roboreel.testing import Version, make_dataset
from tests.mutate import copied
from tests.oracle import tree_digest
from tests.unit.check.breaks import CAMERAS, LENGTHS
from tests.unit.check.cases import BREAKS, Break

VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    for version in VERSIONS:
        make_dataset(
            folder / version, version=version, episodes=LENGTHS, cameras=CAMERAS, features="rich"
        )
    return folder


@pytest.mark.parametrize("version", VERSIONS)
def test_a_made_dataset_breaks_no_rule(bases: Path, version: Version) -> None:
    report = roboreel.check(bases / version, decode=True)
    assert report.problems == ()
    assert (report.episodes, report.rows, report.packets) == (3, 38, 76)
    assert report.pictures == 3 * sum(LENGTHS)  # two videos and a camera in the table
    assert report.files == sum(path.is_file() for path in (bases / version).rglob("*"))


@pytest.mark.sample(60)
@pytest.mark.parametrize("case", BREAKS, ids=lambda case: f"{case.rule}-{case.version}")
def test_a_broken_rule_is_named(bases: Path, tmp_path: Path, case: Break) -> None:
    root = copied(bases / case.version, tmp_path / "broken")
    case.change(root)
    before = tree_digest(root)
    report = roboreel.check(root, decode=case.decode)
    found = [problem for problem in report.problems if problem.rule == case.rule]
    assert case.severity in {problem.severity for problem in found}, report.problems
    if case.episode is not None:
        assert case.episode in {problem.episode for problem in found}
    assert report.ok == (not report.of("error"))
    assert tree_digest(root) == before


def test_every_rule_that_a_check_knows_is_broken_once() -> None:
    known = {rule.id for rule in RULES.values() if rule.check is not None}
    assert {case.rule for case in BREAKS} == known


def test_every_severity_of_a_rule_is_seen() -> None:
    for rule in RULES.values():
        if rule.check is None:
            continue
        wanted = {rule.check} | ({rule.worst} if rule.worst else set())
        wanted |= {"error"} if rule.fails_in else set()
        seen = {case.severity for case in BREAKS if case.rule == rule.id}
        assert seen <= wanted, rule.id
        assert rule.worst is None or rule.worst in seen or rule.id in _HARD_TO_REACH, rule.id


_HARD_TO_REACH = {"video.long"}
"""Its errors need gaps in frame_index or timestamps: `convert/test_broken_episodes.py` has them."""
