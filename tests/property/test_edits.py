"""Sequences of random edits do to a dataset on disk what they do to a model of it in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, event, given, note
from hypothesis import strategies as st

import roboreel
from roboreel.edit.view import Verbs
from roboreel.testing import Camera, make_dataset
from tests.edit_model import EXTRA, Dataset, beyond_copies, digest, mismatch, model_of
from tests.examples import examples
from tests.judge import faults, sound
from tests.mutate import edit_info, edit_lines, set_column
from tests.oracle import INDEX_COLUMNS, read, tree_digest

T = TypeVar("T")
PHASES = (Phase.explicit, Phase.generate)
"""Shrinking writes hundreds of datasets; what is noted of a failure is short enough."""
pytestmark = pytest.mark.filterwarnings("default::hypothesis.errors.HypothesisWarning")
"""It warns while it tells of a failure; as an error, that would hide the failure."""
VERSIONS = ("v2.0", "v2.1", "v3.0")
BESIDE = ("README.md", "meta/modality.json")
TASKS = ("put it down", "öffne die Schublade", "turn around")
NAMES = ("action", "observation.state", "next.reward", "front", "left.camera", "extra", "more")
PLAIN = Camera(height=32)
LONG = Camera(height=32, gop=250, b_frames=2)
FIVE = Camera(height=32, gop=5)
RUN_ON = Camera(height=32, gop=250, b_frames=2, join="encoded")
TOP, WRIST = "observation.images.top", "observation.images.wrist"

MADE: dict[str, dict[str, Any]] = {
    "v2.1": {"episodes": (5, 1, 7, 3), "cameras": {TOP: PLAIN, WRIST: LONG}},
    "v2.0": {"episodes": (4, 6), "cameras": {TOP: Camera(height=32, gop=1), WRIST: PLAIN}},
    "v3.0": {"episodes": (3, 1, 8, 5, 2), "cameras": {TOP: PLAIN, WRIST: RUN_ON}},
    "v3.0 in files": {
        "episodes": (4, 1, 3, 6, 2),
        "cameras": {TOP: FIVE, WRIST: Camera(height=32, codec="av1")},
        "data_episodes_per_file": 2,
        "video_episodes_per_file": 3,
        "chunks_size": 2,
    },
    "v3.0 rich": {"episodes": (2, 5, 1), "cameras": {TOP: FIVE}, "features": "rich"},
    "v2.1 rich": {"episodes": (1, 4, 3), "cameras": {TOP: LONG}, "features": "rich"},
    "v3.0 without cameras": {"episodes": (6, 1, 9, 4), "cameras": {}},
    "v2.1 of one frame": {"episodes": (1,), "cameras": {TOP: PLAIN, WRIST: PLAIN}},
}


COPIED: set[str] = set()
"""Digests of the tables of all sources."""


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """A dataset on disk and its model."""

    root: Path
    model: Dataset = field(repr=False)  # a long text is warned of, which is an error here


@pytest.fixture(scope="module")
def bases() -> Iterator[dict[str, Base]]:
    with tempfile.TemporaryDirectory() as folder:
        made = {name: _made(Path(folder) / name, name) for name in MADE}
        before = {name: tree_digest(base.root) for name, base in made.items()}
        yield made
        assert {name: tree_digest(base.root) for name, base in made.items()} == before


def _made(root: Path, name: str) -> Base:
    """One of the datasets, with entries, columns and files that the format does not know."""
    make_dataset(root, version=name[:4], tasks_per_episode=2, **MADE[name])  # type: ignore[arg-type]
    count = len(MADE[name]["episodes"])
    people = [f"{name}, {number}" for number in range(count)]
    edit_info(root, custom={"kept": [name]})
    if name.startswith("v3"):
        set_column(root / "meta/episodes/chunk-000/file-000.parquet", EXTRA, pa.array(people))
    else:
        edit_lines(
            root / "meta/episodes.jsonl",
            lambda lines: [{**one, EXTRA: who} for one, who in zip(lines, people, strict=True)],
        )
    for path in BESIDE:
        (root / path).write_text("{}")
    COPIED.update(digest(path) for path in root.rglob("*.parquet"))
    loose = any(camera.join == "encoded" for camera in MADE[name]["cameras"].values())
    return Base(root, model_of(read(root), loose=loose))


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """An edit: what it does to a view, and what to a model."""

    name: str
    on_view: Callable[[Verbs], Verbs]
    on_model: Callable[[Dataset], Dataset]


Draw = Callable[[st.DataObject, Dataset, dict[str, Base]], Step | None]


def _subset(data: st.DataObject, items: Sequence[T]) -> list[T]:
    """Some of the items, or none."""
    chosen = data.draw(st.lists(st.booleans(), min_size=len(items), max_size=len(items)))
    return [item for item, taken in zip(items, chosen, strict=True) if taken]


def _some(data: st.DataObject, count: int) -> list[int]:
    """Places of episodes, at least one, in any order."""
    places = _subset(data, range(count)) or [data.draw(st.integers(0, count - 1))]
    return places[::-1] if data.draw(st.booleans()) else places


def keep(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step:
    chosen = _some(data, len(model))
    return Step("keep", lambda v: v.keep(chosen), lambda m: m.keep(sorted(chosen)))


def keep_by_length(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step:
    least = data.draw(st.integers(1, max(model.lengths)))
    places = [place for place, length in enumerate(model.lengths) if length >= least]
    return Step("keep", lambda v: v.keep(min_frames=least), lambda m: m.keep(places))


def keep_by_task(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step:
    task = data.draw(st.sampled_from(model.listed))
    places = [place for place, take in enumerate(model.takes) if task in take.listed]
    return Step("keep", lambda v: v.keep(task=task), lambda m: m.keep(places))


def delete(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step | None:
    gone = _some(data, len(model))
    if len(gone) == len(model):
        return None
    return Step("delete", lambda v: v.delete(gone), lambda m: m.delete(gone))


def trim(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step:
    frames = {}
    for place in _some(data, len(model)):
        start = data.draw(st.integers(0, model.lengths[place] - 1))
        frames[place] = (start, data.draw(st.integers(start + 1, model.lengths[place])))
    return Step("trim", lambda v: v.trim(frames), lambda m: m.trim(frames))


def reorder(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step:
    order = data.draw(st.permutations(range(len(model))))
    return Step("reorder", lambda v: v.reorder(order), lambda m: m.keep(order))


def shuffle(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step:
    # numpy's own shuffling: another would give users other results for the same seed
    seed = data.draw(st.integers(0, 99))
    order = np.random.default_rng(seed).permutation(len(model)).tolist()
    return Step("shuffle", lambda v: v.shuffle(seed=seed), lambda m: m.keep(order))


def rename(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step | None:
    olds = _subset(data, list(model.features)[::2])
    free = [n for n in (*NAMES, *olds) if n not in model.features or n in olds]
    news = data.draw(st.permutations(list(dict.fromkeys(free))))
    names = dict(zip(olds, news, strict=False))
    if not names or len(names) < len(olds):
        return None
    return Step("rename", lambda v: v.rename(names), lambda m: m.rename(names))


def remove(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step | None:
    gone = _subset(data, list(model.features)[1::3])
    if not gone or len(gone) == len(model.features):
        return None
    return Step("remove", lambda v: v.remove(*gone), lambda m: m.remove(gone))


def add(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step | None:
    name = data.draw(st.sampled_from(NAMES))
    if name in model.features:
        return None
    dtype = data.draw(st.sampled_from(["float32", "float64", "int64", "bool"]))
    rows, width = sum(model.lengths), data.draw(st.sampled_from([None, 2, 3]))
    values = np.arange(rows * (width or 1)).reshape(rows, *([width] if width else ())) % 7 * 3
    typed = values.astype(dtype)
    return Step(f"add {dtype}", lambda v: v.add(name, typed), lambda m: m.add(name, typed))


def set_tasks(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step | None:
    text = st.sampled_from(TASKS)
    # a text that a written dataset lists, and the documents of an unwritten view too
    known = [task for task in model.tasks if task in model.listed]
    what: dict[str, Any] = {
        "every": data.draw(st.none() | text),
        "replacing": {old: data.draw(text) for old in _subset(data, known[:3])},
        "episodes": {place: data.draw(text) for place in _subset(data, range(len(model))[:3])},
    }
    if not any(what.values()):
        return None
    return Step("tasks", lambda v: v.set_tasks(**what), lambda m: m.set_tasks(**what))


def join(data: st.DataObject, model: Dataset, bases: dict[str, Base]) -> Step:
    alike = [base for base in bases.values() if _declared(base.model) == _declared(model)]
    other = data.draw(st.none() | st.sampled_from(alike) if alike else st.none())
    if other is None or data.draw(st.booleans()):
        part = _some(data, len(model))
        return Step(
            "concat with itself",
            lambda v: roboreel.concat([v, v.keep(part)]),
            lambda m: m.joined(m.keep(sorted(part))),
        )
    return Step(
        f"concat with {other.model.version}",
        lambda v: roboreel.concat([v, roboreel.open(other.root)]),
        lambda m: m.joined(other.model),
    )


def _declared(model: Dataset) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (spec["dtype"], tuple(spec["shape"])) for name, spec in model.features.items()}


def split(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step | None:
    if len(model) < 2:
        return None
    first = data.draw(st.integers(1, len(model) - 1))
    part = data.draw(st.sampled_from(["a", "b"]))
    seed = data.draw(st.none() | st.integers(0, 9))
    shares = {"a": first / len(model), "b": 1 - first / len(model)}
    order = np.arange(len(model))
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(model))
    members = sorted((order[:first] if part == "a" else order[first:]).tolist())
    return Step("split", lambda v: v.split(shares, seed=seed)[part], lambda m: m.keep(members))


def version(data: st.DataObject, model: Dataset, _: dict[str, Base]) -> Step:
    wanted = data.draw(st.sampled_from(VERSIONS))
    limits = st.sampled_from([None, 0.0005, 0.004])
    sizes = {"data_file_mb": data.draw(limits), "video_file_mb": data.draw(limits)}

    def on_view(verbs: Verbs) -> Verbs:
        view = verbs.as_view()
        target = replace(
            view.options,
            to=wanted,
            regroup=True,
            **sizes,  # type: ignore[arg-type]
        )
        return view.written_as(target)

    return Step(f"as {wanted}", on_view, lambda m: m.written_as(wanted))


KINDS: tuple[Draw, ...] = (
    keep, keep_by_length, keep_by_task, delete, trim, trim, reorder, shuffle, rename, remove, add,
    set_tasks, join, split, version,
)  # fmt: skip


def _steps(data: st.DataObject, model: Dataset, bases: dict[str, Base]) -> list[Step]:
    """Up to five edits, each drawn for what the one before left."""
    steps = []
    for _ in range(data.draw(st.integers(1, 5))):
        step = data.draw(st.sampled_from(KINDS))(data, model, bases)
        if step is not None:
            event(step.name)
            steps.append(step)
            model = step.on_model(model)
    note(", then ".join(step.name for step in steps))
    return steps


def _attempt(view: Verbs, out: Path) -> roboreel.Report | roboreel.PlanError:
    try:
        return roboreel.write(view.as_view(), out=out)
    except roboreel.PlanError as refusal:
        return refusal


def _written(view: Verbs, model: Dataset, out: Path) -> Dataset:
    """Write a view and hold the result against the model; returns the model of what is there now."""
    done = _attempt(view, out)
    anew: set[tuple[int, str]] = set()
    if isinstance(done, roboreel.PlanError):
        assert {problem.rule for problem in done.problems} == {"video.gop"}, done
        assert model.version != "v3.0", "no cut needs an encoder there"
        assert not out.exists()
        anew = {(n, name) for n, t in enumerate(model.takes) if t.loose for name in model.videos}
        whole = view.as_view()
        again = whole.written_as(replace(whole.options, allow_reencode=True))
        report = roboreel.write(again, out=out)
        assert 0 < report.frames_encoded <= sum(model.lengths[place] for place, _ in anew)
        event("encoded anew")
    else:
        assert done.frames_encoded == 0
    result = read(sound(out))
    assert mismatch(model, result, reencoded=anew) == []
    assert beyond_copies(faults(result, extra_files=BESIDE), out, COPIED) == []
    return model.seen_again(result)


@examples(short=8, long=50, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_edits_of_one_view(bases: dict[str, Base], data: st.DataObject) -> None:
    base = bases[data.draw(st.sampled_from(list(bases)))]
    view: Verbs = roboreel.open(base.root)
    model = base.model
    for step in _steps(data, model, bases):
        view, model = step.on_view(view), step.on_model(model)
    with tempfile.TemporaryDirectory() as folder:
        _written(view, model, Path(folder) / "out")


@examples(short=6, long=40, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_view_reads_the_items_that_it_would_write(
    bases: dict[str, Base], data: st.DataObject
) -> None:
    base = bases[data.draw(st.sampled_from(list(bases)))]
    view: Verbs = roboreel.open(base.root)
    model = base.model
    for step in _steps(data, model, bases):
        view, model = step.on_view(view), step.on_model(model)
    again = view.as_view()
    if data.draw(st.booleans()):
        again = again.resample(data.draw(st.sampled_from([10, 15, 20, 45])))
    again = again.written_as(replace(again.options, allow_reencode=True))
    with tempfile.TemporaryDirectory() as folder:
        report = roboreel.write(again, out=Path(folder) / "out")
        written = roboreel.open(Path(folder) / "out")
        offsets = {name: [-1, 0, 2] for name in written.features if name not in INDEX_COLUMNS}
        expected, found = (roboreel.reader(one, offsets=offsets) for one in (written, again))
        assert found.lengths.tolist() == expected.lengths.tolist()
        if "task_index" in written.features:
            assert dict(found.tasks) == dict(expected.tasks)
        _same_items(found, expected, exact=not report.frames_encoded)


def _same_items(found: roboreel.Reader, expected: roboreel.Reader, *, exact: bool) -> None:
    assert len(found) == len(expected)
    ours, theirs = found[:], expected[:]
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        if name in expected.cameras and not exact:
            assert np.abs(ours[name].astype(int) - values).mean() < 12, name
        elif isinstance(values, list):
            assert ours[name] == values, name
        else:
            assert ours[name].dtype == values.dtype, name
            assert np.array_equal(ours[name], values, equal_nan=values.dtype.kind == "f"), name


@examples(short=4, long=25, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_edits_of_what_was_edited_and_written(bases: dict[str, Base], data: st.DataObject) -> None:
    base = bases[data.draw(st.sampled_from(list(bases)))]
    place, model = base.root, base.model
    with tempfile.TemporaryDirectory() as folder:
        for number, step in enumerate(_steps(data, model, bases)):
            out = Path(folder) / f"{number}"
            model = _written(step.on_view(roboreel.open(place)), step.on_model(model), out)
            place = out
