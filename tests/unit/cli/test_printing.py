"""What cannot be printed: an exit code tells, and one line where somebody may read it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from roboreel.testing import make_dataset

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("printing")
    return make_dataset(folder / "in", version="v2.1", episodes=(3, 2), cameras={})


def _shell(
    line: str, *words: object, stdout: IO[bytes] | int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash in which `$R` is the command, and `$1`, `$2`, … are words."""
    command = ["bash", "-c", f"R='{sys.executable} -m roboreel'; {line}", "bash"]
    return subprocess.run(
        [*command, *map(str, words)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )


PRINTED = ["info $1", "check $1 --json", "--help", "--version"]


@pytest.mark.sample(2)
@pytest.mark.parametrize("words", PRINTED)
def test_a_full_disk_is_an_error(source: Path, words: str) -> None:
    done = _shell(f"$R {words} >/dev/full", source)
    assert done.returncode == 1
    assert done.stderr == "error: the output cannot be printed: No space left on device\n"


@pytest.mark.parametrize("words", ["info $1", "--help"])
def test_an_output_that_is_closed_is_an_error(source: Path, words: str) -> None:
    done = _shell(f"$R {words} >&-", source)
    assert (done.returncode, done.stderr) == (
        1,
        "error: the output cannot be printed: it is closed\n",
    )


@pytest.mark.parametrize("words", ["check $1 --json", "--help"])
def test_a_reader_that_goes_away_ends_it_quietly(source: Path, words: str) -> None:
    read, write = os.pipe()
    os.close(read)  # it is gone before anything is written: `| true` may be slower than we are
    with os.fdopen(write, "wb") as gone:
        done = _shell(f"$R {words}", source, stdout=gone)
    assert (done.returncode, done.stderr) == (141, "")


def test_ctrl_c_while_the_command_is_imported_is_one_word(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "roboreel", "--help"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_messages_that_get_lost_are_an_error_too(source: Path) -> None:
    assert _shell("$R info nowhere 2>/dev/full", source).returncode == 1
    assert _shell("$R frobnicate 2>/dev/full").returncode == 2


def test_the_work_is_done_all_the_same(source: Path, tmp_path: Path) -> None:
    done = _shell("$R convert $1 --to v3.0 -o $2 >/dev/full", source, tmp_path / "out")
    assert done.returncode == 1
    assert (tmp_path / "out/meta/info.json").is_file()
    quiet = _shell("$R convert $1 --to v3.0 -o $2 -q >/dev/full", source, tmp_path / "other")
    assert (quiet.returncode, quiet.stderr) == (0, "")
