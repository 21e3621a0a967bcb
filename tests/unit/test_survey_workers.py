"""Surveys in several processes: the same inventory, and one clear error where a process ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from roboreel.errors import RunError
from roboreel.executors.worker_options import WorkerOptions
from roboreel.format.inventory import FileFacts
from roboreel.parallel import Workers
from roboreel.probes import probe_request as request
from roboreel.probes import probing
from roboreel.probes.probe_request import ProbeRequest
from roboreel.probes.probing import Probing, probe_all
from roboreel.storage.fs import open_root
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import Root
from roboreel.testing import make_dataset
from tests.unit.inventories import surveyed

VERSIONS = ("v2.0", "v2.1", "v3.0")
SOURCE = Path(probing.__file__).parents[2]


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start processes for any amount of work, and give each task one file."""
    monkeypatch.setattr(probing, "_WORTH_PROCESSES_US", 0)
    monkeypatch.setattr(request, "_BATCH_US", 1)


def asked(count: int) -> ProbeRequest:
    return ProbeRequest(
        context=(),
        paths=[f"{number}" for number in range(count)],
        files=[FileFacts(size_bytes=1, stamp="1")] * count,
        bounds=np.arange(count + 1),
        episodes=np.arange(count)[:, None],
        cost_us=np.full(count, 60_000),
    )


def who_answered(_root: Root, asked: ProbeRequest) -> pa.Table:
    return pa.table({"path": list(asked.paths), "process": [os.getpid()] * len(asked)})


MEETING = threading.Barrier(4)


def meets(root: Root, asked: ProbeRequest) -> pa.Table:
    """Answer when four files are looked at, at once."""
    MEETING.wait(timeout=60)
    return who_answered(root, asked)


def dies(_root: Root, asked: ProbeRequest) -> pa.Table:
    if asked.paths == ["3"]:
        os._exit(7)
    return who_answered(_root, asked)


@pytest.mark.parametrize("version", VERSIONS)
def test_processes_find_what_one_finds(version: str, tmp_path: Path, eager: None) -> None:
    many = {"data_episodes_per_file": 2, "video_episodes_per_file": 1} if version == "v3.0" else {}
    root = make_dataset(
        tmp_path / "dataset",
        version=version,  # type: ignore[arg-type]
        episodes=(9, 4, 7, 3, 5),
        **many,  # type: ignore[arg-type]
    )
    video = sorted(root.rglob("*.mp4"))[3]
    video.write_bytes(video.read_bytes()[:-9])
    serial = surveyed(root)
    assert surveyed(root, workers=2) == serial
    assert dict(serial)["broken"]


def test_answers_come_in_the_order_of_the_questions(tmp_path: Path) -> None:
    tasks: list[tuple[Root, ProbeRequest]] = [(LocalRoot(tmp_path), q) for q in asked(9).batches()]
    assert len(tasks) == 9
    with Workers(2) as workers:
        answers = pa.concat_tables(probe_all(who_answered, tasks, workers))
    assert answers["path"].to_pylist() == [str(number) for number in range(9)]
    assert os.getpid() not in answers["process"].to_pylist()


def test_the_files_of_a_store_are_asked_for_at_once() -> None:
    pytest.importorskip("fsspec")
    with Probing(open_root("memory://x"), workers=WorkerOptions(), cache=None) as several:
        answers = several.answers("tables", meets, asked(8))
    assert answers["path"].to_pylist() == [str(number) for number in range(8)]


@pytest.mark.usefixtures("spawned")
def test_the_death_of_a_process_is_one_error(tmp_path: Path) -> None:
    tasks: list[tuple[Root, ProbeRequest]] = [(LocalRoot(tmp_path), q) for q in asked(9).batches()]
    with pytest.raises(RunError, match="a worker process died"), Workers(2) as workers:
        probe_all(dies, tasks, workers)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("workers", [1, 2])
def test_little_work_starts_no_process(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "worker_pool", None)  # fails where it is called
    surveyed(make_dataset(tmp_path / "dataset", episodes=(3, 2)), workers=workers)


def test_unasked_for_no_process_starts(
    tmp_path: Path, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "worker_pool", None)
    surveyed(make_dataset(tmp_path / "dataset", episodes=(3, 2)))


def script(root: Path, body: str) -> list[str]:
    text = """
    from roboreel.probes import probing
    from roboreel.probes import probe_request as questions
    from roboreel.dataset.open import open_dataset
    from roboreel.survey.survey import survey
    probing._WORTH_PROCESSES_US, questions._BATCH_US = 0, 1
    """
    path = root.parent / "script.py"
    path.write_text(textwrap.dedent(text) + body)
    return [sys.executable, str(path)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE)}


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "dataset", episodes=(3, 2), cameras={})
    command = script(root, f"survey(open_dataset({str(root)!r}), workers=2)\n")
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX has them")
def test_an_interrupt_ends_it_and_leaves_no_process(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "dataset", episodes=(3, 2), cameras={})
    body = f"""
if __name__ == "__main__":
    print("started", flush=True)
    while True:
        survey(open_dataset({str(root)!r}), workers=2)
"""
    with subprocess.Popen(
        script(root, body),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(1.5)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                if process.poll() is None:  # it would go on for ever
                    os.killpg(process.pid, signal.SIGKILL)
    assert errors.count("Traceback") == 1
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert _all_end(process.pid, within_s=10)


def _all_end(group: int, *, within_s: float) -> bool:
    """True where no process of a group is left before long; the last one ends after its parent."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
