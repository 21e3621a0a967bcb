"""The list of repairs: it has every rule, and what it promises holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import roboreel
from roboreel.cli.text.typed_options import as_typed
from roboreel.format.repairs import REPAIRS
from roboreel.format.rules import RULES
from roboreel.testing import Version, make_dataset
from tests.mutate import copied, edit_info
from tests.oracle import tree_digest
from tests.unit.check.breaks import (
    CAMERAS,
    DATA_FILE,
    LENGTHS,
    column,
    each,
    moved_tasks,
    table,
)
from tests.unit.check.cases import BREAKS, Break
from tests.unit.repair.damage import unfinished

PAGE = Path(__file__).parents[3] / "docs" / "repair.md"
VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")
NOT_THESE = {
    "info.version": "of a later version",
    "task.contiguous": "rows have an index that no text has",
    "table.readable": "a git-LFS pointer, and an empty file",
    "table.episode-index": "swapped files of different lengths",
    "table.types": "numbers and texts",
    "video.readable": "a git-LFS pointer",
}
"""Rules of which only some problems can be repaired, and which made examples are not among them."""


def _without_version(root: Path) -> None:
    edit_info(root, codebase_version=None)


_GAP = each(table("meta/tasks.parquet", moved_tasks), table(DATA_FILE, moved_tasks))
MORE = (
    Break("info.version", "v2.1", _without_version, "error"),
    Break("task.contiguous", "v3.0", _GAP, "error"),
    Break("table.episode-index", "v2.1", column(1, "episode_index", lambda x: x + 7), "warning"),
    Break("table.readable", "v3.0", lambda root: unfinished(root / DATA_FILE), "error"),
)
_PROMISED = [
    case
    for case in (*BREAKS, *MORE)
    if REPAIRS[case.rule].repaired in ("yes", "where possible")
    and (case.rule not in NOT_THESE or case in MORE)
]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    for version in VERSIONS:
        make_dataset(
            folder / version, version=version, episodes=LENGTHS, cameras=CAMERAS, features="rich"
        )
    return folder


def test_every_rule_has_a_repair_or_a_reason() -> None:
    assert [*REPAIRS] == [*RULES]


def test_the_page_lists_all_of_them() -> None:
    rows = re.findall(
        r"^\| `([a-z.-]+)` \| (.+?) \| (.*?) \| (.*?) \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    listed = [
        (one.rule, one.repaired, one.does or "–", as_typed(one.choice) or "–")
        for one in REPAIRS.values()
    ]
    assert rows == listed


@pytest.mark.sample(8)
@pytest.mark.parametrize("case", _PROMISED, ids=lambda case: f"{case.rule}-{case.version}")
def test_what_is_promised_is_gone_after_a_repair(bases: Path, tmp_path: Path, case: Break) -> None:
    root = copied(bases / case.version, tmp_path / "broken")
    case.change(root)
    before = tree_digest(root)
    report = roboreel.repair(root, out=tmp_path / "repaired", decode=case.decode)
    assert report.after is not None
    assert case.rule not in {problem.rule for problem in report.after.problems}
    assert case.rule in {step.rule for step in report.repaired}
    assert tree_digest(root) == before


_ALSO_GONE = {"table.episode-index", "table.types"}
"""Rules in `NOT_THESE` of which some made examples are repaired."""


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    "case",
    [case for case in BREAKS if case not in _PROMISED],
    ids=lambda case: f"{case.rule}-{case.version}",
)
def test_what_is_not_promised_is_named_or_refused(bases: Path, tmp_path: Path, case: Break) -> None:
    root = copied(bases / case.version, tmp_path / "broken")
    case.change(root)
    refused, report = "", None
    try:
        report = roboreel.repair(root, out=tmp_path / "repaired", decode=case.decode)
    except (roboreel.DatasetError, roboreel.PlanError, roboreel.RunError) as error:
        refused = str(error)
    if report is None:
        named = case.rule in refused or case.rule in NOT_THESE
        assert named or re.search("on_broken=|allow_missing=", refused)
        assert not (tmp_path / "repaired").exists()
    else:
        assert case.rule in {step.rule for step in report.left} or case.rule in _ALSO_GONE
    assert not list(tmp_path.glob(".*repair*"))
