"""Compare what describes the whole dataset: rate, robot, features, tasks, extra keys, splits, extra files."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping

from roboreel.diffing.compare_values import shortened
from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.diffing.side import Side
from roboreel.errors import StorageError
from roboreel.format.extras import extra_values
from roboreel.format.feature import DECLARED_KEYS, INDEX_DTYPES, Feature
from roboreel.format.model import LEFT_OUT_FIELDS
from roboreel.format.origin_columns import ORIGIN_COLUMNS
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
"""Video facts that a re-encoding changes."""
_BLOCK_BYTES = 1 << 20
_CODES_DEPTH = re.compile(r"depth|shift|use_log")


def compare_info(first: Side, second: Side, ledger: DiffLedger) -> None:
    """Compare frame rate, robot type, extra keys of `info.json`, and splits."""
    a, b = first.dataset.model.info, second.dataset.model.info
    if a.fps != b.fps:
        what = f"fps {a.fps_value} against {b.fps_value}"
        ledger.add_difference(Difference(kind="info", what=what), fold="fps")
    elif repr(a.fps_value) != repr(b.fps_value):
        what = f"fps is written {a.fps_value!r} against {b.fps_value!r}"
        ledger.add_note(Difference(kind="info", what=what), fold="fps")
    if a.robot_type != b.robot_type:
        what = f"robot_type {a.robot_type!r} against {b.robot_type!r}"
        ledger.add_difference(Difference(kind="info", what=what), fold="robot")
    for text in mismatched_keys(a.extra, b.extra):
        ledger.add_difference(Difference(kind="info", what=text), fold="extra")
    splits = [
        usable_splits(side.dataset.model.info.splits, side.dataset.total_episodes, Problems())
        for side in (first, second)
    ]
    counts = [side.dataset.total_episodes for side in (first, second)]
    if splits[0] != splits[1] and counts[0] == counts[1] and first.chosen is None:
        what = f"splits {splits[0]} against {splits[1]}"
        ledger.add_difference(Difference(kind="info", what=what), fold="splits")
    for side in (first, second):
        for problem in side.dataset.problems:
            if problem.rule in LEFT_OUT_FIELDS:
                what = f"not compared, in {side.label}: {problem.message}"
                ledger.add_note(Difference(kind="extras", what=what), fold=what)


def compare_episodes(first: Side, second: Side, ledger: DiffLedger) -> None:
    """Compare the number of episodes and their indexes, which may be renumbered from 0."""
    counts = first.dataset.total_episodes, second.dataset.total_episodes
    if counts[0] != counts[1]:
        what = f"{counts[0]} against {counts[1]} episodes"
        ledger.add_difference(Difference(kind="episodes", what=what), fold="count")
    for position, (a, b) in enumerate(zip(first.numbers, second.numbers, strict=False)):
        if a != b:
            found = Difference(kind="episodes", what=f"number {a} against {b}", episode=position)
            ledger.add(found, counts=b != position, fold="number")


def compare_tasks(first: Side, second: Side, ledger: DiffLedger) -> None:
    """Compare the task lists as multisets of texts."""
    a, b = dict(first.dataset.tasks), dict(second.dataset.tasks)
    if a == b:
        return
    strings = Counter(a.values()), Counter(b.values())
    for which, only in (("first", strings[0] - strings[1]), ("second", strings[1] - strings[0])):
        for text in only.elements():
            what = f"only the {which} lists {shortened(text)}"
            ledger.add_difference(Difference(kind="tasks", what=what), fold=which)
    if strings[0] == strings[1]:
        what = "the same tasks with other indexes"
        ledger.add_note(Difference(kind="tasks", what=what), fold="indexes")


def compare_features(first: Side, second: Side, ledger: DiffLedger, *, decode: bool) -> None:
    """Compare the declarations of shared features, except their dtype (see `compare_declared`)."""
    a, b = first.features, second.features
    for name in [name for name in a if name in b]:
        for what, counts in _mismatched_features(a[name], b[name], decode=decode):
            found = Difference(kind="features", what=what, column=name)
            ledger.add(found, counts=counts and name not in INDEX_DTYPES, fold=what.split()[0])
    order = [[name for name in side if name in a and name in b] for side in (a, b)]
    if order[0] != order[1]:
        what = "declared in another order"
        ledger.add_note(Difference(kind="features", what=what), fold="order")


def compare_declared(
    first: Side,
    second: Side,
    seen: tuple[set[str], set[str]],
    widened: set[str],
    ledger: DiffLedger,
) -> None:
    """Compare dtypes, and report features that only one side declares.

    Args:
        first: the first dataset.
        second: the second.
        seen: columns and cameras found in the files of each side.
        widened: columns with several types in the first dataset, and one common type in the second.
        ledger: collects the differences.
    """
    a, b = first.features, second.features
    for name in [name for name in a if name in b and a[name].dtype != b[name].dtype]:
        what = f"dtype {a[name].dtype} against {b[name].dtype}"
        found = Difference(kind="features", what=what, column=name)
        ledger.add(found, counts=name not in widened and name not in INDEX_DTYPES, fold="dtype")
    for name in [name for name in a if name not in b]:
        found = Difference(kind="features", what="declared in the first only", column=name)
        ledger.add(found, counts=name in seen[0] and name not in INDEX_DTYPES)
    for name in [name for name in b if name not in a]:
        found = Difference(kind="features", what="declared in the second only", column=name)
        ledger.add(found, counts=name not in seen[1])


def compare_extras(first: Side, second: Side, ledger: DiffLedger) -> None:
    """Compare the extra columns of the episodes table."""
    sides = [_extras(side) for side in (first, second)]
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        if name in ORIGIN_COLUMNS and not (name in sides[0] and name in sides[1]):
            what = (
                f"the origin of episodes, only in the {'first' if name in sides[0] else 'second'}"
            )
            ledger.add_note(Difference(kind="extras", what=what, column=name))
            continue
        values = [
            [extras[name][position] if name in extras else None for position in side.positions]
            for extras, side in zip(sides, (first, second), strict=True)
        ]
        for episode, (a, b) in enumerate(zip(*values, strict=False)):
            if canonical(a) != canonical(b):
                what = f"{shortened(a)} against {shortened(b)}"
                found = Difference(kind="extras", what=what, episode=episode, column=name)
                ledger.add_difference(found)


def compare_files(first: Side, second: Side, ledger: DiffLedger) -> None:
    """Compare the files beside the format's own; those that conversions leave behind are only notes."""
    extra = first.dataset.model.extra_files, second.dataset.model.extra_files
    other = first.dataset.model.other_files, second.dataset.model.other_files
    for (a, b), counts in ((extra, True), (other, False)):
        for name in sorted({*a, *b}):
            if name in a and name in b:
                what = _file_mismatch(first, second, name)
            else:
                what = f"only the {'first' if name in a else 'second'} has this file"
            if what:
                found = Difference(kind="files", what=what, path=name)
                ledger.add(found, counts=counts, fold=name if counts else what)


def mismatched_keys(a: JsonObject, b: JsonObject) -> list[str]:
    """Describe each key whose value differs between two JSON objects."""
    found = []
    for key in dict.fromkeys([*a, *b]):
        values = [shortened(part[key]) if key in part else "nothing" for part in (a, b)]
        if key not in a or key not in b or canonical(a[key]) != canonical(b[key]):
            found.append(f"'{key}': {values[0]} against {values[1]}")
    return found


def canonical(value: Json) -> str:
    """JSON text that is equal exactly for equal values; 1 and 1.0 are different."""
    return json.dumps(value, sort_keys=True, default=str)


def _extras(side: Side) -> Mapping[str, list[Json]]:
    model = side.dataset.model
    return {
        name: extra_values(model.episodes.schema.field(name), model.episodes[name])
        for name in model.extra_columns
    }


def _mismatched_features(a: Feature, b: Feature, *, decode: bool) -> list[tuple[str, bool]]:
    """(description, whether it counts) of each difference between two declarations."""
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
    """True if the dimensions have the same names in the same order, whatever the JSON form."""
    names = a.dimension_names, b.dimension_names
    return names[0] is not None and names[0] == names[1]


def _mismatched_facts(a: JsonObject, b: JsonObject, *, decode: bool) -> list[tuple[str, bool]]:
    """(description, whether it counts) of each video fact that differs.

    A fact that only one side states is a note, because the file has it too; depth encoding always counts.
    """
    found = []
    for key in dict.fromkeys([*a, *b]):
        x, y = a.get(key), b.get(key)
        if x == y or key.endswith("is_depth_map"):
            continue
        stated = x is not None and y is not None
        counts = bool(_CODES_DEPTH.search(key)) or (stated and not (decode and key in _ENCODED))
        found.append((f"video fact '{key}': {shortened(x)} against {shortened(y)}", counts))
    return found


def _facts(feature: Feature) -> dict[str, Json]:
    """The declared video facts, from `info` or `video_info`; if both are used, the second as `beside.*`."""
    both = [feature.spec.get(key) for key in ("info", "video_info")]
    there = [facts for facts in both if isinstance(facts, Mapping) and facts]
    beside = {f"beside.{key}": value for facts in there[1:] for key, value in facts.items()}
    return {**(dict(there[0]) if there else {}), **beside}


def _file_mismatch(first: Side, second: Side, name: str) -> str:
    """Describe how two files differ; empty if they hold the same bytes."""
    try:
        sizes = [side.dataset.root.stat(name).size_bytes for side in (first, second)]
        if sizes[0] != sizes[1]:
            return f"{sizes[0]} bytes against {sizes[1]}"
        with first.dataset.root.input(name) as a, second.dataset.root.input(name) as b:
            for at in range(0, sizes[0], _BLOCK_BYTES):
                left, right = a.read(_BLOCK_BYTES), b.read(_BLOCK_BYTES)
                if left != right:
                    pairs = enumerate(zip(left, right, strict=False))
                    return (
                        f"the first difference is at byte"
                        f" {next((at + i for i, (x, y) in pairs if x != y), at)}"
                    )
    except (StorageError, OSError) as error:
        return str(error)
    return ""
