"""What holds for every test: a fixed terminal, repeatable examples, no network."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import settings

from tests import needs_s3
from tests.examples import mark_all_but_a_sample, note_run
from tests.forked import quick_workers
from tests.needs_torch import has_torch, needs_torch, what_is_left_out

# Shared machines are slow at times: a deadline would fail tests for no fault of the code. The same
# examples each run keep a red check about the change: `--hypothesis-profile=explore` has new ones.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("steady")

# Help and error texts are compared as files: no terminal of the reader may colour or wrap them.
# Set before rich and typer are imported, because they look once.
for _name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TTY_COMPATIBLE"):
    os.environ.pop(_name, None)
os.environ.update(NO_COLOR="1", TERM="dumb", COLUMNS="100")


# Where Python is told to keep no bytecode, each process that a test starts would compile all of roboreel: as
# long again as its imports take. What it keeps stands in `__pycache__`, which git does not look at.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_configure(config: pytest.Config) -> None:
    note_run(config)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: tests that start processes wait for them."""
    return (os.cpu_count() or 1) + 1


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    stores = Path(__file__).parent / needs_s3.FOLDER
    if stores in (collection_path, *collection_path.parents) and not needs_s3.has_s3():
        return True
    return True if not has_torch() and needs_torch(collection_path) else None


def pytest_report_header() -> list[str]:
    left_out = (one(Path(__file__).parent) for one in (what_is_left_out, needs_s3.what_is_left_out))
    return [line for line in left_out if line]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in pytest_report_header():
        terminalreporter.write_line(line, yellow=True)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_all_but_a_sample(items)


_OF_TESTS = ("ROBOREEL_REAL_DATA",)
"""Variables that choose what is tested."""

_LOCAL_FAMILIES = {socket.AF_UNIX} if hasattr(socket, "AF_UNIX") else set()


@pytest.fixture(autouse=True, scope="session")
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the surveys of tests out of the user's cache folder, and the user's defaults out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ROBOREEL_")]:
            if name not in _OF_TESTS:
                patch.delenv(name)
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.setenv("ROBOREEL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _interruptible_children() -> Iterator[None]:
    """Let the processes that tests start take Ctrl-C, also where the tests run in the background.

    A background job of a script, and what `nohup` starts, ignores SIGINT and the signal of a closed terminal,
    and so do its children. A handler, in place of that, does not pass to the programs that it starts: they
    begin with the default. It does nothing, so that the tests themselves go on ignoring the signal.
    """
    numbers = [getattr(signal, name, None) for name in ("SIGINT", "SIGHUP")]
    ignored = [n for n in numbers if n is not None and signal.getsignal(n) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda _number, _frame: None)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(autouse=True)
def _quick_workers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fork the workers of all tests but those with the fixture `spawned`."""
    if "spawned" in request.fixturenames:
        yield
        return
    with quick_workers():
        yield


@pytest.fixture
def spawned() -> None:
    """Start workers as roboreel does, with new interpreters."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a test reaches beyond this machine; worker processes talk over local sockets."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        local = self.family in _LOCAL_FAMILIES or address[0] in {"127.0.0.1", "::1", "localhost"}
        if not local:
            raise RuntimeError(f"a test tried to connect to {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


_HANGS_S = 300
"""Far more than any of these tests takes, on a busy machine too, and far less than for ever."""


@pytest.fixture
def no_hang() -> Iterator[None]:
    """End what waits for a pipe's other end."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError("it hangs")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    handler = signal.signal(signal.SIGALRM, ring)
    signal.alarm(_HANGS_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, handler)
