"""Compare what the documents say of the whole dataset: rate, robot, features, tasks, keys, splits."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping

from roboreel.diffing.compare_values import shortened
from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.diffing.side import Side
from roboreel.format.extras import extra_values
from roboreel.format.feature import DECLARED_KEYS, INDEX_DTYPES, Feature
from roboreel.format.model import LEFT_OUT_FIELDS
from roboreel.format.parse import Problems, usable_splits
from roboreel.types import Json, JsonObject

_ENCODED = (
    "video.codec",
    "video.pix_fmt",
    "video.g",
    "video.crf",
    "video.preset",
    "video.fast_decode",
    "video.video_backend",
    "video.extra_options",
)
"""Facts of a video that a new encoding changes."""
_CODES_DEPTH = re.compile(r"depth|shift|use_log")


def compare_info(first: Side, second: Side, ledger: DiffLedger) -> None:
    """Frame rate, robot type, unknown keys of `info.json`, splits."""
    a, b = first.dataset.model.info, second.dataset.model.info
    if a.fps != b.fps:
        what = f"fps {a.fps_value} against {b.fps_value}"
        ledger.differs(Difference(kind="info", what=what), fold="fps")
    elif repr(a.fps_value) != repr(b.fps_value):
        what = f"fps is spelled {a.fps_value!r} against {b.fps_value!r}"
        ledger.noted(Difference(kind="info", what=what), fold="fps")
    if a.robot_type != b.robot_type:
        what = f"robot_type {a.robot_type!r} against {b.robot_type!r}"
        ledger.differs(Difference(kind="info", what=what), fold="robot")
    for text in mismatched_keys(a.extra, b.extra):
        ledger.differs(Difference(kind="info", what=text), fold="extra")
    splits = [
        usable_splits(side.dataset.model.info.splits, side.dataset.total_episodes, Problems())
        for side in (first, second)
    ]
    counts = [side.dataset.total_episodes for side in (first, second)]
    if splits[0] != splits[1] and counts[0] == counts[1] and first.chosen is None:
        what = f"splits {splits[0]} against {splits[1]}"
        ledger.differs(Difference(kind="info", what=what), fold="splits")
    for side in (first, second):
        for problem in side.dataset.problems:
            if problem.rule in LEFT_OUT_FIELDS:
                what = f"not compared, in {side.called}: {problem.message}"
                ledger.noted(Difference(kind="extras", what=what), fold=what)


def compare_episodes(first: Side, second: Side, ledger: DiffLedger) -> None:
    """Number of episodes, and their numbers: the first's, or counted from 0."""
    counts = first.dataset.total_episodes, second.dataset.total_episodes
    if counts[0] != counts[1]:
        what = f"{counts[0]} against {counts[1]} episodes"
        ledger.differs(Difference(kind="episodes", what=what), fold="count")
    for position, (a, b) in enumerate(zip(first.numbers, second.numbers, strict=False)):
        if a != b:
            found = Difference(kind="episodes", what=f"number {a} against {b}", episode=position)
            ledger.judge(found, counts=b != position, fold="number")


def compare_tasks(first: Side, second: Side, ledger: DiffLedger) -> None:
    """The task list: the same texts, and as many of each."""
    a, b = dict(first.dataset.tasks), dict(second.dataset.tasks)
    if a == b:
        return
    strings = Counter(a.values()), Counter(b.values())
    for which, only in (("first", strings[0] - strings[1]), ("second", strings[1] - strings[0])):
        for text in only.elements():
            what = f"only the {which} lists {shortened(text)}"
            ledger.differs(Difference(kind="tasks", what=what), fold=which)
    if strings[0] == strings[1]:
        what = "the same tasks under other indexes"
        ledger.noted(Difference(kind="tasks", what=what), fold="indexes")


def compare_features(first: Side, second: Side, ledger: DiffLedger, *, decode: bool) -> None:
    """Declarations of the features that both sides declare, but for the dtype."""
    a, b = first.features, second.features
    for name in [name for name in a if name in b]:
        for what, counts in _mismatched_features(a[name], b[name], decode=decode):
            found = Difference(kind="features", what=what, column=name)
            ledger.judge(found, counts=counts and name not in INDEX_DTYPES, fold=what.split()[0])
    order = [[name for name in side if name in a and name in b] for side in (a, b)]
    if order[0] != order[1]:
        what = "declared in another order"
        ledger.noted(Difference(kind="features", what=what), fold="order")


def compare_declared(
    first: Side,
    second: Side,
    seen: tuple[set[str], set[str]],
    widened: set[str],
    ledger: DiffLedger,
) -> None:
    """What is declared, by what is there: dtypes, and features that only one side declares.

    Args:
        first: the first dataset.
        second: the second.
        seen: columns and cameras met on each side.
        widened: columns of several types in the first, and of one that holds them in the second.
        ledger: grows.
    """
    a, b = first.features, second.features
    for name in [name for name in a if name in b and a[name].dtype != b[name].dtype]:
        what = f"dtype {a[name].dtype} against {b[name].dtype}"
        found = Difference(kind="features", what=what, column=name)
        ledger.judge(found, counts=name not in widened and name not in INDEX_DTYPES, fold="dtype")
    for name in [name for name in a if name not in b]:
        found = Difference(kind="features", what="declared in the first only", column=name)
        ledger.judge(found, counts=name in seen[0] and name not in INDEX_DTYPES)
    for name in [name for name in b if name not in a]:
        found = Difference(kind="features", what="declared in the second only", column=name)
        ledger.judge(found, counts=name not in seen[1])


def compare_extras(first: Side, second: Side, ledger: DiffLedger) -> None:
    """The owner's keys of every episode."""
    sides = [_extras(side) for side in (first, second)]
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        values = [
            [extras[name][place] if name in extras else None for place in side.place]
            for extras, side in zip(sides, (first, second), strict=True)
        ]
        for episode, (a, b) in enumerate(zip(*values, strict=False)):
            if canonical(a) != canonical(b):
                what = f"{shortened(a)} against {shortened(b)}"
                found = Difference(kind="extras", what=what, episode=episode, column=name)
                ledger.differs(found)


def mismatched_keys(a: JsonObject, b: JsonObject) -> list[str]:
    """In words, each key whose values differ between two JSON objects."""
    found = []
    for key in dict.fromkeys([*a, *b]):
        values = [shortened(part[key]) if key in part else "nothing" for part in (a, b)]
        if key not in a or key not in b or canonical(a[key]) != canonical(b[key]):
            found.append(f"'{key}': {values[0]} against {values[1]}")
    return found


def canonical(value: Json) -> str:
    """JSON text that is equal where values are: numbers of other kinds are not."""
    return json.dumps(value, sort_keys=True, default=str)


def _extras(side: Side) -> Mapping[str, list[Json]]:
    model = side.dataset.model
    return {
        name: extra_values(model.episodes.schema.field(name), model.episodes[name])
        for name in model.extra_columns
    }


def _mismatched_features(a: Feature, b: Feature, *, decode: bool) -> list[tuple[str, bool]]:
    """(in words, whether it counts) for each part of two declarations that differs."""
    found = []
    if a.shape != b.shape:
        found.append((f"shape {list(a.shape)} against {list(b.shape)}", True))
    if canonical(a.names) != canonical(b.names):
        same = _same_names(a, b)
        found.append((f"names {shortened(a.names)} against {shortened(b.names)}", not same))
    if a.is_depth != b.is_depth:
        found.append((f"depth {a.is_depth} against {b.is_depth}", True))
    found += _mismatched_facts(_facts(a), _facts(b), decode=decode)
    own = [{k: v for k, v in each.spec.items() if k not in DECLARED_KEYS} for each in (a, b)]
    found += [(f"key {what}", True) for what in mismatched_keys(*own)]
    rates = [canonical(each.spec.get("fps")) for each in (a, b)]
    if rates[0] != rates[1]:
        found.append((f"fps of the feature {rates[0]} against {rates[1]}", False))
    return found


def _same_names(a: Feature, b: Feature) -> bool:
    """True where dimensions have the same names in the same order, in whatever form."""
    names = a.dimension_names, b.dimension_names
    return names[0] is not None and names[0] == names[1]


def _mismatched_facts(a: JsonObject, b: JsonObject, *, decode: bool) -> list[tuple[str, bool]]:
    """Facts of an encoded video that differ.

    One that only one side states is a note, as the file says it too; but for how depths are coded.
    """
    found = []
    for key in dict.fromkeys([*a, *b]):
        x, y = a.get(key), b.get(key)
        if x == y or key.endswith("is_depth_map"):
            continue
        stated = x is not None and y is not None
        told = _CODES_DEPTH.search(key) is not None or (stated and not (decode and key in _ENCODED))
        found.append((f"video fact '{key}': {shortened(x)} against {shortened(y)}", told))
    return found


def _facts(feature: Feature) -> dict[str, Json]:
    """What a declaration says of the encoded video, under whichever of the two keys."""
    both = [feature.spec.get(key) for key in ("info", "video_info")]
    there = [facts for facts in both if isinstance(facts, Mapping) and facts]
    beside = {f"beside.{key}": value for facts in there[1:] for key, value in facts.items()}
    return {**(dict(there[0]) if there else {}), **beside}
