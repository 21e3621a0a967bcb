"""What ops weigh in the progress bar, and how a plan of many is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

import roboreel
from roboreel.cli.progress import op_efforts
from roboreel.cli.reports import show_plan
from roboreel.edit.plan import MeasureCamera
from roboreel.testing import Camera, make_dataset


def _plan(tmp_path: Path) -> roboreel.Plan:
    cameras = {"top": Camera(height=32), "wrist": Camera(height=32)}
    source = make_dataset(tmp_path / "a", version="v2.0", episodes=(6, 2, 4), cameras=cameras)
    (source / "README.md").write_text("mine", "utf-8")
    return roboreel.plan_convert(source, to="v2.1", out=tmp_path / "out")


def test_measuring_weighs_by_frames_and_copying_by_bytes(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    efforts = op_efforts(plan)
    measures = [isinstance(op, MeasureCamera) for op in plan.ops]
    measured = [effort for effort, is_one in zip(efforts, measures, strict=True) if is_one]
    assert measured == [1e6 * frames + 1 for frames in (6, 2, 4)] * 2
    others = sum(efforts) - sum(measured)
    assert others == pytest.approx(plan.input_bytes + measures.count(False))


def test_measures_of_a_camera_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_plan(_plan(tmp_path), as_json=False)
    lines = [line for line in capsys.readouterr().out.splitlines() if "measure_camera" in line]
    assert [line.split()[:3] for line in lines] == [
        ["measure_camera", "0:3", "top"],
        ["measure_camera", "0:3", "wrist"],
    ]
