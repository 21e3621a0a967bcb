"""What is sent to a worker: the op's rows as they are, and no other's."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

import roboreel
from roboreel.plan.plan import MeasureCamera, Plan, WriteTables
from roboreel.runner.work import Work, work_of
from roboreel.testing import Camera, make_dataset


def _plan(folder: Path, episodes: int) -> Plan:
    cameras = {"top": Camera(height=32)}
    source = make_dataset(folder / "a", version="v2.0", episodes=(2,) * episodes, cameras=cameras)
    return roboreel.plan_convert(source, to="v2.1", out=folder / "out")


def _sent(work: Work) -> Work:
    received: Work = pickle.loads(pickle.dumps(work))
    return received


def _bytes_of_last_measure(plan: Plan) -> int:
    measures = [w for w in work_of(plan, "") if isinstance(w.op, MeasureCamera)]
    return len(pickle.dumps(measures[-1]))


def test_what_is_sent_does_not_grow_with_the_dataset(tmp_path: Path) -> None:
    few, many = (_bytes_of_last_measure(_plan(tmp_path / str(n), n)) for n in (3, 60))
    assert many < few * 1.05


def test_what_comes_is_what_was_sent(tmp_path: Path) -> None:
    for work in work_of(_plan(tmp_path, 3), "staging"):
        received = _sent(work)
        assert received == work
        for ours, theirs in ((work.inputs, received.inputs), (work.outputs, received.outputs)):
            assert theirs.schema.equals(ours.schema, check_metadata=True)
        assert received.described == work.described


def test_new_columns_are_sent_for_the_episodes_of_the_op(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(3, 2, 4), cameras={})
    values = np.arange(9, dtype=np.float32)
    view = roboreel.open(source).as_view().add("reward", values)
    plan = roboreel.plan_write(view, out=tmp_path / "out")
    found = []
    for work in work_of(plan, ""):
        if isinstance(work.op, WriteTables):
            supplied = _sent(work).supplied
            found += [supplied[at]["reward"].to_pylist() for at in sorted(supplied)]
    assert found == [[0, 1, 2], [3, 4], [5, 6, 7, 8]]
