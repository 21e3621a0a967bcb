"""Random edits, saved as a view file and opened again, are the same view and write the same dataset."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import roboreel
from roboreel.dataset.view_edit import begin_view, edit_view
from roboreel.edit.view import Verbs, View
from tests.examples import examples
from tests.oracle import tree_digest
from tests.property import test_edits
from tests.property.test_edits import PHASES, Base
from tests.same_view import differing

bases = test_edits.bases
QUIET = {"phases": PHASES, "suppress_health_check": list(HealthCheck)}


@examples(short=8, long=60, **QUIET)
@given(data=st.data())
def test_a_saved_view_is_the_same_view(bases: dict[str, Base], data: st.DataObject) -> None:
    view = _edited(bases, data).as_view()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.view.json"
        view.save(path)
        assert differing(view, roboreel.open_view(path)) == []


@examples(short=3, long=20, **QUIET)
@given(data=st.data())
def test_a_saved_view_writes_the_same_dataset(bases: dict[str, Base], data: st.DataObject) -> None:
    view = _edited(bases, data).as_view()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        view.save(path / "a.view.json")
        again = roboreel.open_view(path / "a.view.json")
        assert _written(view, path / "a") == _written(again, path / "b")


@examples(short=3, long=25, **QUIET)
@given(data=st.data())
def test_a_view_file_reads_the_items_of_the_dataset_written_from_it(
    bases: dict[str, Base], data: st.DataObject
) -> None:
    view = _edited(bases, data).as_view()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        view.save(path / "a.view.json")
        again = roboreel.open_view(path / "a.view.json")
        try:
            roboreel.write(again, out=path / "out")
        except roboreel.PlanError:  # a cut that only an encoder can make: other frames
            return
        ours = roboreel.reader(again)[:]
        theirs = roboreel.reader(roboreel.open(path / "out"))[:]
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        assert np.array_equal(ours[name], values), name


@examples(short=4, long=25, **QUIET)
@given(data=st.data())
def test_a_view_file_edited_step_by_step_is_the_view_edited_at_once(
    bases: dict[str, Base], data: st.DataObject
) -> None:
    base = bases[data.draw(st.sampled_from(list(bases)))]
    steps = [one for one in test_edits._steps(data, base.model, bases) if "concat" not in one.name]
    view: Verbs = roboreel.open(base.root)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.view.json"
        begin_view(path, [base.root])
        for step in steps:
            try:
                view = step.on_view(view)
            except roboreel.UsageError:  # it was drawn for what a step with `concat` left
                continue
            edit_view(path, lambda v, step=step: step.on_view(v).as_view())  # type: ignore[misc]
        assert differing(view.as_view(), roboreel.open_view(path)) == []


def _edited(bases: dict[str, Base], data: st.DataObject) -> Verbs:
    base = bases[data.draw(st.sampled_from(list(bases)))]
    view: Verbs = roboreel.open(base.root)
    for step in test_edits._steps(data, base.model, bases):
        view = step.on_view(view)
    return view


def _written(view: View, out: Path) -> str:
    """The digest of what a view writes, or what it is refused with."""
    try:
        roboreel.write(view.written_as(_telling(view)), out=out)
    except roboreel.PlanError as refusal:
        return str(refusal)
    return str(tree_digest(out))


def _telling(view: View) -> roboreel.WriteOptions:
    return replace(view.options, with_uids=True)
