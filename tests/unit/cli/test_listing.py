"""What is in a dataset, and in a folder of datasets, as the command line lists it."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from roboreel.testing import make_dataset
from tests.unit.cli.conftest import LENGTHS, Roboreel


def test_info_lists_the_episodes(roboreel: Roboreel, source: Path) -> None:
    done = roboreel("info", source, "--episodes")
    assert (done.code, done.err) == (0, "")
    first, counts, *rows = done.out.splitlines()
    assert (first, counts) == (str(source), "4 episodes, 19 frames")
    assert [row.split()[:5] for row in rows] == [
        [str(number), str(frames), "frames" if frames > 1 else "frame", f"{frames / 30:.1f}", "s"]
        for number, frames in enumerate(LENGTHS)
    ]
    assert len({row.index(" s  ") for row in rows}) == 1, "lengths end in one column"


def test_info_lists_the_episodes_of_several_as_json(roboreel: Roboreel, source: Path) -> None:
    (row, *_), _ = (
        one["episodes"]
        for one in json.loads(roboreel("info", source, source, "--episodes", "--json").out)
    )
    assert row == {
        "episode_index": 0,
        "length": LENGTHS[0],
        "duration_s": 0.2,
        "tasks": row["tasks"],
    }
    assert row["tasks"]


def test_info_lists_the_episodes_of_a_view_file(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    view = tmp_path / "x.view.json"
    roboreel("edit", view, "from", source)
    roboreel("edit", view, "delete", "--episodes", "0")
    assert "3 episodes, 13 frames" in roboreel("info", view, "--episodes").out


def test_info_refuses_numbers_of_episodes_and_two_lists(roboreel: Roboreel, source: Path) -> None:
    done = roboreel("info", source, "--episodes", "0:2", "3")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1] == f"  try: roboreel info {source} --episodes"
    assert "give one of them" in roboreel("info", source, "--episodes", "--lineage").err


@pytest.fixture
def days(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two datasets, a hidden one, and an original."""
    monkeypatch.chdir(tmp_path)
    for name in ("monday", "tuesday", ".cache/old", "monday.before-20260102T030405Z"):
        shutil.copytree(source, tmp_path / "days" / name)
    return tmp_path / "days"


@pytest.mark.parametrize("command", ["info", "stats"])
def test_a_folder_of_datasets_is_answered_with_the_datasets(
    roboreel: Roboreel, days: Path, command: str
) -> None:
    told = roboreel(command, "days").err
    assert "give one of the datasets inside it: 'monday', 'tuesday' [document.missing]" in told
    line = f"roboreel {command} days/monday days/tuesday"
    assert told.splitlines()[-1] == f"  try: {line}"
    assert roboreel(*shlex.split(line)[1:]).code == 0
    assert days.is_dir()


def test_the_check_of_a_folder_of_datasets_ends_with_theirs(
    roboreel: Roboreel, days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(days)
    done = roboreel("check", ".")
    assert done.code == 1
    assert "\nto check them: roboreel check monday tuesday\n" in done.out


def test_a_command_on_one_dataset_gets_a_line_for_each_inside(
    roboreel: Roboreel, days: Path
) -> None:
    done = roboreel("delete", days, "--episodes", "1", "-o", "out")
    assert done.err.splitlines()[-2:] == [
        f"  try: roboreel delete {days}/{name} --episodes 1 -o out"
        for name in ("monday", "tuesday")
    ]


def test_a_folder_of_a_dataset_is_answered_with_the_dataset(
    roboreel: Roboreel, source: Path
) -> None:
    told = roboreel("info", source / "meta").err
    assert told.splitlines()[-1] == f"  try: roboreel info {source}"


@pytest.mark.parametrize("damage", ["episodes", "tasks.parquet", "info.json"])
@pytest.mark.parametrize("command", [["diff"], ["merge", "-o", "out"]])
def test_of_several_datasets_the_damaged_one_is_named(
    roboreel: Roboreel,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    damage: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = make_dataset(tmp_path / "bad", version="v3.0", episodes=(3,), cameras={})
    if damage == "episodes":
        shutil.rmtree(bad / "meta" / damage)
    else:
        (bad / "meta" / damage).write_bytes(b"{")
    told = roboreel(command[0], source, "bad", *command[1:]).err.splitlines()
    assert told[0].startswith("error: 'bad': ")
    assert told[-1].startswith("  try: roboreel check bad ")
    assert "'bad'" not in roboreel("check", "bad").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("delete SRC --episodes 1 -o out", ["renumbered: episodes 0, 2, 3 are now 0 to 2"]),
        ("delete SRC --episodes 1 --dry-run", ["renumbered: episodes 0, 2, 3 are now 0 to 2"]),
        ("keep SRC --episodes 2 -o out", ["renumbered: episode 2 is now 0"]),
        ("keep SRC --episodes 0:2 -o out", []),
        ("split SRC --into a=0.5,b=0.5 -o out", ["renumbered: episodes 2, 3 are now 0 to 1"]),
        ("reorder SRC --order 3,1,0,2 -o out", []),
        ("merge SRC SRC -o out", []),
        ("delete SRC --episodes 1 -o out --quiet", []),
    ],
)
def test_a_result_whose_episodes_have_other_numbers_says_which(
    roboreel: Roboreel,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    told: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    done = roboreel(*shlex.split(words.replace("SRC", str(source))))
    assert done.code == 0
    assert [line for line in done.out.splitlines() if line.startswith("renumbered")] == told
