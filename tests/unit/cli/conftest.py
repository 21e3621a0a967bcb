"""The command, run in this process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from roboreel.cli.main import main
from roboreel.testing import Camera, make_dataset

LENGTHS = (6, 4, 1, 8)
TOP = "observation.images.top"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a command left with, and what it printed."""

    code: object
    out: str
    err: str


Roboreel = Callable[..., Done]


@pytest.fixture
def roboreel(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Roboreel]:
    """Runs the command with some arguments, as a shell would."""
    signals = [signal.SIGTERM, signal.SIGHUP] if hasattr(signal, "SIGHUP") else [signal.SIGTERM]
    before = {number: signal.getsignal(number) for number in signals}

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["roboreel", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        printed = capsys.readouterr()
        return Done(code=left.value.code or 0, out=printed.out, err=printed.err)

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A v3.0 dataset that no test changes."""
    folder = tmp_path_factory.mktemp("commands") / "source"
    camera = {TOP: Camera(height=32, gop=2)}
    return make_dataset(folder, version="v3.0", episodes=LENGTHS, cameras=camera)
