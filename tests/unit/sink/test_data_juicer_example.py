"""The example of the Data-Juicer export runs."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

import roboreel

EXAMPLE = Path(__file__).parents[3] / "examples" / "data_juicer" / "export_hands.py"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "6 episodes, 186 frames"),
        (["--segments", "--version", "v3.0"], "6 episodes, 120 frames"),
    ],
    ids=["videos", "segments"],
)
def test_the_example_makes_a_sound_dataset(
    options: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), str(out), *options])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert told in capsys.readouterr().out
    assert roboreel.check(out).problems == ()
