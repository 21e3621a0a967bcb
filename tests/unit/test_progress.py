"""What ops weigh in the progress bar, and how a plan of many is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

import roboreel
from roboreel.cli.progress import Bar, op_efforts
from roboreel.cli.reports import show_plan
from roboreel.plan.plan import MeasureCamera
from roboreel.runner.work import OpResult
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


def test_measuring_weighs_by_the_frames_of_the_sample(tmp_path: Path) -> None:
    cameras = {"top": Camera(height=32)}
    source = make_dataset(tmp_path / "a", version="v2.0", episodes=(500, 50), cameras=cameras)
    view = roboreel.open(source).as_view()
    for every, frames in ((False, [int(500**0.75), 50]), (True, [500, 50])):
        anew = view.recompute(["top"], cameras="all" if every else "sample")
        plan = roboreel.plan_write(anew, out=tmp_path / "out")
        measures = [isinstance(op, MeasureCamera) for op in plan.ops]
        efforts = [e for e, is_one in zip(op_efforts(plan), measures, strict=True) if is_one]
        assert efforts == [1e6 * count + 1 for count in frames]


def test_what_an_earlier_run_did_is_told_and_not_counted(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    efforts, shown = op_efforts(plan), list[tuple[float, float, str]]()
    bar = Bar(plan, lambda *state: shown.append(state))
    before, ops = {0, 2, 3}, len(plan.ops)
    left = sum(effort for number, effort in enumerate(efforts) if number not in before)
    bar.resumed(sorted(before))
    for number in sorted(set(range(ops)) - before):
        bar.finished(OpResult(number=number))
    spent, totals, words = zip(shown[0], shown[1], shown[-1], strict=True)
    assert spent == pytest.approx((0.0, 0.0, left))
    assert totals == pytest.approx((sum(efforts), left, left))
    assert words == (
        f"0/{ops} ops",
        f"0/{ops - 3} ops, 3 done before",
        f"{ops - 3}/{ops - 3} ops, 3 done before",
    )


def test_measures_of_a_camera_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_plan(_plan(tmp_path), as_json=False)
    lines = [line for line in capsys.readouterr().out.splitlines() if "measure_camera" in line]
    assert [line.split()[:3] for line in lines] == [
        ["measure_camera", "0:3", "top"],
        ["measure_camera", "0:3", "wrist"],
    ]
