"""`~` is the home folder wherever a path is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import roboreel
from roboreel.ops.split import write_parts
from roboreel.testing import make_dataset


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    make_dataset(tmp_path / "d", version="v2.1", episodes=(6, 4))
    return tmp_path


def _view() -> roboreel.View:
    return roboreel.open("~/d").delete([0])


def _record() -> None:
    action = {"dtype": "float32", "shape": [2], "names": None}
    with roboreel.Recorder.create("~/new", fps=10, features={"action": action}) as recorder:
        recorder.add_frame({"action": np.zeros(2, np.float32)}, task="rest")
        recorder.save_episode()
    with roboreel.Recorder.resume("~/new") as recorder:
        assert recorder.episodes == 1


USES: dict[str, tuple[Callable[[], object], str | None]] = {
    "open": (lambda: roboreel.open("~/d"), None),
    "check": (lambda: roboreel.check("~/d"), None),
    "check_stats": (lambda: roboreel.check_stats("~/d"), None),
    "diff": (lambda: roboreel.diff("~/d", "~/d"), None),
    "convert": (lambda: roboreel.convert("~/d", to="v3.0", out="~/new"), "new"),
    "write": (lambda: roboreel.write(_view(), out="~/new"), "new"),
    "split": (lambda: write_parts({"a": _view()}, out="~/new"), "new/a"),
    "repair": (lambda: roboreel.repair("~/d", dry_run=True), None),
    "save": (lambda: _view().save("~/new.view.json"), "new.view.json"),
    "record": (_record, "new"),
}


@pytest.mark.parametrize(("use", "made"), USES.values(), ids=USES)
def test_a_tilde_is_the_home_folder(
    home: Path, use: Callable[[], object], made: str | None
) -> None:
    use()
    assert not (home / "~").exists()
    assert made is None or (home / made).exists()
