"""`roboreel diff`: exit codes, what it prints, JSON that parses, silence where asked."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import roboreel
from roboreel.testing import make_dataset
from tests.command import run_here
from tests.tamper import edit_values, flip_bit, flip_packet_byte
from tests.unit.diff.bases import TOP


def _diff(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run_here("diff", *arguments)


def test_the_same_leaves_with_0(first: Path, second: Path) -> None:
    done = _diff(first, second)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"the same: {first} and {second}",
        "compared: 3 episodes, 15 rows of 14 columns, 30 packets",
    ]


def test_the_first_difference_is_named_and_leaves_with_1(first: Path, second: Path) -> None:
    flip_bit(second, 1, 2)
    flip_packet_byte(second, 0, 1, TOP)
    done = _diff(first, second)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"different: {first} and {second}"
    assert lines[1].startswith("  values: episode 1, row 2, 'action': value 5: ")
    assert lines[2].startswith("compared up to the first difference: 1 episode, 6 rows")
    assert lines[3] == "  without a difference: episodes, info, extras, files"
    assert lines[4] == "  --all goes on and lists every difference"
    assert len(lines) == 5


def test_all_lists_every_kind(first: Path, second: Path) -> None:
    flip_bit(second, 1, 2)
    flip_bit(second, 2, 3)
    flip_packet_byte(second, 0, 1, TOP)
    lines = _diff(first, second, "--all").stdout.splitlines()
    assert lines[1].startswith("  values: episode 1, row 2, 'action': ")
    assert lines[1].endswith("(and 1 more in 2 episodes)")
    assert lines[2] == f"  packets: episode 0, frame 1, '{TOP}': its packet differs"
    assert lines[3] == "compared: 3 episodes, 15 rows of 14 columns, 30 packets"


def test_json_is_one_document(first: Path, second: Path) -> None:
    same = json.loads(_diff(first, second, "--json").stdout)
    assert same["same"] is True
    assert same["compared"]["packets"] == 30
    decoded = json.loads(_diff(first, second, "--json", "--decode").stdout)
    assert decoded["compared"]["pictures"] == 45
    flip_bit(second, 1, 2)
    done = _diff(first, second, "--json", "--all")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["same"] is False
    (found,) = report["differences"]
    assert (found["kind"], found["episode"], found["row"]) == ("values", 1, 2)
    assert report["compared"]["rows"] == 15


def test_quiet_says_nothing(first: Path, second: Path) -> None:
    assert (_diff(first, second, "-q").returncode, _diff(first, second, "-q").stdout) == (0, "")
    flip_bit(second, 1, 2)
    done = _diff(first, second, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_names_can_be_mapped(first: Path) -> None:
    done = _diff(first, first, "--map", "action=observation.state")
    assert done.returncode == 2
    assert "are renamed to 'observation.state'" in done.stderr
    both = ("--map", "action=observation.state", "--map", "observation.state=action")
    done = _diff(first, first, *both)
    assert done.returncode == 1
    assert "values: episode 0" in done.stdout


def test_mistakes_are_one_message(first: Path, tmp_path: Path) -> None:
    cases: list[tuple[int, list[object]]] = [
        (1, [first, tmp_path / "nowhere"]),
        (1, [tmp_path, first]),
        (2, [first]),
        (2, [first, first, "--map", "action"]),
        (2, [first, first, "--map", "ghost=action"]),
        (2, [first, first, "--map", "a=action", "--map", "a=next.done"]),
    ]
    for code, arguments in cases:
        done = _diff(*arguments)
        assert done.returncode == code
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert done.stderr


def test_notes_are_shown_and_do_not_count(first: Path, second: Path) -> None:
    edit_values(second, 0, "index", lambda values: values.__iadd__(1000))
    done = _diff(second, first)
    assert done.returncode == 0
    assert "differences that do not count as content" in done.stdout
    assert "index: episode 0, row 0, 'index': 1000 against 0: renumbered" in done.stdout


def test_swapped_names_are_told(tmp_path: Path) -> None:
    first = make_dataset(tmp_path / "a", episodes=(3,), cameras={})
    roboreel.write(roboreel.open(first).rename({"action": "act"}), out=tmp_path / "b")
    done = run_here("diff", first, tmp_path / "b", "--map", "action=act")
    assert done.returncode == 2
    assert "swap them: act=action" in done.stderr
    assert run_here("diff", first, tmp_path / "b", "--map", "act=action").returncode == 0
