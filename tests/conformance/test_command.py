"""The command: exit codes, one message per mistake, JSON that parses, silence where asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from roboreel.testing import Camera, make_dataset
from tests.command import run_here
from tests.judge import faults
from tests.oracle import read

SMALL = {"observation.images.top": Camera(height=32)}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    return make_dataset(folder / "a", version="v2.1", episodes=(5, 3), cameras=SMALL)


def _roboreel(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "roboreel", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_conversion_says_what_it_did(source: Path, tmp_path: Path) -> None:
    done = _roboreel("convert", source, "--to", "v3.0", "-o", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 episodes, 8 frames" in done.stdout
    assert "8 packets copied and verified, none re-encoded" in done.stdout
    assert faults(read(tmp_path / "out")) == []


def test_quiet_says_nothing(source: Path, tmp_path: Path) -> None:
    done = run_here("convert", source, "--to", "v3.0", "-o", tmp_path / "out", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_json_is_one_document(source: Path, tmp_path: Path) -> None:
    done = run_here("convert", source, "--to", "v3.0", "-o", tmp_path / "out", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["frames"] == 8
    info = run_here("info", tmp_path / "out", "--json")
    assert (info.returncode, json.loads(info.stdout)["version"]) == (0, "v3.0")


def test_a_dry_run_prints_the_plan_and_writes_nothing(source: Path, tmp_path: Path) -> None:
    arguments = ("convert", source, "--to", "v3.0", "-o", tmp_path / "out", "--dry-run")
    plain, as_json = run_here(*arguments), run_here(*arguments, "--json")
    assert (plain.returncode, as_json.returncode) == (0, 0)
    assert "rows joined" in plain.stdout
    assert "packets copied, not re-encoded" in plain.stdout
    assert "write_tables" not in plain.stdout
    assert [op["op"] for op in json.loads(as_json.stdout)["ops"]] == ["write_tables", "remux_video"]
    assert not list(tmp_path.iterdir())


MISTAKES: dict[str, tuple[int, list[str]]] = {
    "no such folder": (1, ["convert", "nowhere", "--to", "v3.0", "-o", "out"]),
    "no dataset": (1, ["info", "."]),
    "unknown version": (2, ["convert", "{source}", "--to", "v9", "-o", "out"]),
    "no output": (2, ["convert", "{source}", "--to", "v3.0"]),
    "output taken": (2, ["convert", "{source}", "--to", "v3.0", "-o", "taken"]),
    "output inside": (2, ["convert", "{source}", "--to", "v3.0", "-o", "{source}/out"]),
    "no workers": (2, ["convert", "{source}", "--to", "v3.0", "-o", "out", "--workers", "0"]),
    "bad limit": (2, ["convert", "{source}", "--to", "v3.0", "-o", "out", "--data-file-mb", "0"]),
    "unknown executor": (
        2,
        ["convert", "{source}", "--to", "v3.0", "-o", "out", "--executor", "spark"],
    ),
    "unknown choice": (2, ["convert", "{source}", "--to", "v3.0", "-o", "out", "--on-broken", "x"]),
    "unknown command": (2, ["transmogrify"]),
    "remote output": (2, ["convert", "{source}", "--to", "v3.0", "-o", "http://127.0.0.1/x"]),
    "demo output taken": (2, ["demo", "taken"]),
    "demo in a bucket": (2, ["demo", "s3://bucket/demo"]),
    "unwritable output": (1, ["convert", "{source}", "--to", "v3.0", "-o", "taken/file/out"]),
}


@pytest.mark.parametrize(("code", "arguments"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_message(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    arguments: list[str],
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").write_text("mine")
    monkeypatch.chdir(tmp_path)
    done = run_here(*(part.format(source=source) for part in arguments))
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "taken"]


def test_problems_of_the_source_are_told_and_refusals_exit_with_1(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 3), cameras=SMALL)
    (root / "data/chunk-000/episode_000001.parquet").unlink()
    arguments = ("convert", root, "--to", "v3.0", "-o", tmp_path / "out")
    refused = _roboreel(*arguments)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: 1 of 2 episodes cannot be written")
    assert "Traceback" not in refused.stderr
    skipped = _roboreel(*arguments, "--on-broken", "skip", "--quiet")
    assert (skipped.returncode, skipped.stdout) == (0, "")


@pytest.mark.slow
def test_an_interrupted_conversion_is_resumed(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v2.0", episodes=(60,) * 40, cameras=SMALL)
    command = ("convert", root, "--to", "v3.0", "-o", tmp_path / "out", "--workers", "2")
    process = subprocess.Popen(
        [sys.executable, "-m", "roboreel", *map(str, command)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    ledger = tmp_path / ".out.roboreel-partial" / "ledger.jsonl"
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if ledger.exists() and ledger.read_bytes().count(b"\n") > 2:
            break
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "--resume" in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.roboreel-partial", "a"]
    refused = _roboreel(*command)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    resumed = _roboreel(*command, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "had already been done by an earlier run" in resumed.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "out"]


STOPPED_AT = """
import os, sys
ended, number = sys.argv.pop(1), int(sys.argv.pop(1))
def stop(event, arguments):
    global ended
    if event == "open" and ended and str(arguments[0]).endswith(ended):
        ended = ""
        os.kill(os.getpid(), number)
sys.addaudithook(stop)
from roboreel.cli.main import main
main()
"""
"""Runs the command, and sends it a signal when it opens the first file whose name ends so."""


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
    ids=["interrupt", "terminate"],
)
@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        (["info", "{source}"], ""),
        (["check", "{source}"], ""),
        (["diff", "{source}", "{source}"], ""),
        (["convert", "{source}", "--to", "v3.0", "-o", "{out}"], ": the output was not written"),
    ],
    ids=["info", "check", "diff", "convert"],
)
def test_only_who_writes_speaks_of_an_output_when_stopped(
    source: Path,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
    said: str,
    arguments: list[str],
    about: str,
) -> None:
    words = [word.format(source=source, out=tmp_path / "out") for word in arguments]
    opened = "info.json" if words[0] == "info" else ".mp4"
    stopped = [sys.executable, "-c", STOPPED_AT, opened, str(int(number)), *words]
    done = subprocess.run(stopped, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"{said}{about}\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.sample(1)
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there are no closed terminals")
@pytest.mark.parametrize("number", ["SIGHUP", "SIGINT", "SIGTERM"])
def test_a_signal_that_is_ignored_at_the_start_stays_ignored(source: Path, number: str) -> None:
    ignoring = f"import signal; signal.signal(signal.{number}, signal.SIG_IGN)\n"
    sent = str(int(getattr(signal, number)))
    command = [sys.executable, "-c", ignoring + STOPPED_AT, "info.json", sent, "info", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_demo_converts_and_verifies(tmp_path: Path) -> None:
    done = _roboreel("demo", tmp_path / "demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("verified") == 2
    for version in ("v2.0", "v3.0", "v2.0-again"):
        assert [f for f in faults(read(tmp_path / "demo" / version)) if "List" not in f] == []
