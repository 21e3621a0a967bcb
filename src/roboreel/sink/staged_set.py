"""Which staged episodes go together into one dataset, and why the others do not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.dataset.dataset import Dataset
from roboreel.edit.write_options import OnBroken
from roboreel.errors import DatasetError, Problem, UsageError
from roboreel.executors.worker_options import WorkerOptions
from roboreel.format.feature import EPISODE_INDEX, INDEX
from roboreel.format.inventory import FileFacts, Inventory
from roboreel.sink import staged_table as staged
from roboreel.sink.manifest import write_manifest
from roboreel.sink.staged_dataset import staged_dataset, write_statistics
from roboreel.sink.staging_list import SkippedEpisode, StagingList, list_staging, skipped_episode
from roboreel.storage.write_root import WriteRoot
from roboreel.survey.survey import survey
from roboreel.types import Json

_SHOWN = 20
INDEXED = "meta/indexed.json"
"""Names the set of tables that the statistics below `meta/` are of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedSet:
    """The staged episodes that become a dataset."""

    listed: StagingList
    episodes: pa.Table = field(repr=False)
    """Rows of `staged_table`, in the order of the result."""
    dataset: Dataset
    """Those that go together, sound or not."""
    inventory: Inventory = field(repr=False)
    sound: list[int] = field(repr=False)
    """The rows of `dataset.episodes` that can be written."""
    statistics: list[str] = field(repr=False)
    """The files of statistics in the staging folder."""
    skipped: tuple[SkippedEpisode, ...]
    problems: tuple[Problem, ...]
    """What is odd of episodes that can be written."""


def staged_set(root: WriteRoot, *, on_broken: OnBroken, workers: WorkerOptions) -> StagedSet:
    """Find out what is staged, and survey it.

    Statistics and the manifest are written below `meta/` in the staging folder.

    Args:
        root: the staging folder.
        on_broken: what to do where a staged episode is damaged, or does not go with the others: `fail`, or
            `skip`.
        workers: processes that may read.

    Raises:
        UsageError: nothing is staged.
        DatasetError: an episode cannot be written, and may not be skipped.
        StorageError: a file cannot be read or written.
    """
    listed = list_staging(root)
    given_up = [skipped_episode(root, name) for name in listed.given_up]
    if not listed.whole:
        raise UsageError(_nothing(root, given_up))
    every = staged.staged_table(root, listed.whole, workers=workers)
    episodes, left_out = _alike(every)
    _refuse(left_out, on_broken, len(every))
    statistics = _indexed(root, episodes, workers)
    dataset = staged_dataset(root, episodes, statistics)
    inventory = survey(dataset, workers=workers)
    broken = [
        SkippedEpisode(key=staged.key_of_row(episodes, row), reason="; ".join(map(str, found)))
        for row, found in inventory.broken.items()
    ]
    _refuse(broken, on_broken, len(every))
    sound = [row for row in range(len(episodes)) if row not in inventory.broken]
    kept = episodes.take(pa.array(sound, pa.int64()))
    skipped = (*given_up, *left_out, *broken)
    documents = write_manifest(root, kept, skipped)
    return StagedSet(
        listed=listed,
        episodes=kept,
        dataset=_with_documents(dataset, documents),
        inventory=_inventory(root, inventory, documents),
        sound=sound,
        statistics=statistics,
        skipped=skipped,
        problems=tuple(_odd_rates(kept)),
    )


def _nothing(root: WriteRoot, given_up: list[SkippedEpisode]) -> str:
    if not given_up:
        return f"no episode is staged in '{root.url}'"
    shown = "".join(f"\n  - {one}" for one in given_up[:_SHOWN])
    return f"no episode in '{root.url}' is complete:{shown}"


def _alike(every: pa.Table) -> tuple[pa.Table, list[SkippedEpisode]]:
    """The episodes that can be read and declare what most do, and why the others are left out."""
    readable = every.filter(pc.is_null(every[staged.ERROR]))
    failed = every.filter(pc.is_valid(every[staged.ERROR]))
    skipped = [SkippedEpisode(key=None, reason=text) for text in failed[staged.ERROR].to_pylist()]
    declared = readable[staged.DECLARED].cast(pa.string())
    counts = pc.value_counts(declared).to_pylist()
    if not counts:
        return readable, skipped
    usual = max(counts, key=lambda one: one["counts"])["values"]  # of equals the first in order
    alike = pc.equal(declared, usual)
    others = np.flatnonzero(~np.asarray(alike.to_numpy()))
    for row in others.tolist():
        difference = _difference(json.loads(usual), json.loads(declared[row].as_py()))
        key = staged.key_of_row(readable, row)
        skipped.append(SkippedEpisode(key=key, reason=f"most episodes differ: {difference}"))
    return readable.filter(alike), skipped


def _difference(usual: Mapping[str, Json], own: Mapping[str, Json]) -> str:
    """What an episode declares otherwise than most: the first difference."""
    for name in ("fps", "robot_type"):
        if usual[name] != own[name]:
            return f"{name} is {own[name]}, not {usual[name]}"
    ours, theirs = own["features"], usual["features"]
    for name in dict.fromkeys([*theirs, *ours]):
        if ours.get(name) != theirs.get(name):
            return f"feature '{name}' is {ours.get(name)}, not {theirs.get(name)}"
    return "its features are in another order"


def _refuse(found: list[SkippedEpisode], on_broken: OnBroken, count: int) -> None:
    if not found or (on_broken == "skip" and len(found) < count):
        return
    shown = "".join(f"\n  - {one}" for one in found[:_SHOWN])
    more = f"\n  … and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    advice = (
        ': stage them again, or pass on_broken="skip" to leave them out'
        if len(found) < count
        else ""
    )
    raise DatasetError(
        f"{len(found)} of {count} staged episodes cannot be written{advice}{shown}{more}"
    )


def _indexed(root: WriteRoot, episodes: pa.Table, workers: WorkerOptions) -> list[str]:
    """The files of statistics; they are written again only where the set of tables has changed."""
    names = episodes[staged.TABLE].to_pylist()
    found = root.stats(names)
    marks = [[name, str(stat)] for name, stat in zip(names, found, strict=True)]
    mark = sha256(json.dumps(marks).encode()).hexdigest()
    if root.exists(INDEXED):
        known = json.loads(root.read(INDEXED))
        if known["set"] == mark and all(map(root.exists, known["files"])):
            return list(known["files"])
    files = write_statistics(root, episodes, workers=workers)
    root.put(INDEXED, json.dumps({"set": mark, "files": files}).encode())
    return files


def with_documents(found: StagedSet, root: WriteRoot, names: tuple[str, ...]) -> StagedSet:
    """The set, with more documents of the staging folder that travel with the result."""
    return replace(
        found,
        dataset=_with_documents(found.dataset, names),
        inventory=_inventory(root, found.inventory, names),
    )


def _with_documents(dataset: Dataset, names: tuple[str, ...]) -> Dataset:
    model = replace(dataset.model, extra_files=(*dataset.model.extra_files, *names))
    return replace(dataset, model=model, files=tuple(sorted({*dataset.files, *names})))


def _inventory(root: WriteRoot, found: Inventory, documents: tuple[str, ...]) -> Inventory:
    """The survey, with the documents, and without notes of what every staged table lacks."""
    facts = {name: root.stat(name) for name in documents}
    files = {
        name: FileFacts(size_bytes=stat.size_bytes, stamp=stat.stamp)
        for name, stat in facts.items()
    }
    problems = tuple(
        problem
        for problem in found.problems
        if problem.rule != "table.index-columns" or problem.column not in (EPISODE_INDEX, INDEX)
    )
    return replace(found, files={**found.files, **files}, problems=problems)


def _odd_rates(episodes: pa.Table) -> Iterator[Problem]:
    """A warning for each camera whose videos were made of files of another rate, paired by number."""
    found: dict[str, list[tuple[int, float]]] = {}
    for row, text in enumerate(episodes[staged.VIDEOS].to_pylist()):
        for camera, video in json.loads(text).items():
            if video["source_fps"] is not None:
                found.setdefault(camera, []).append((row, video["source_fps"]))
    for camera, cases in found.items():
        row, rate = cases[0]
        yield Problem(
            rule="video.rate",
            severity="warning",
            message=f"the videos of {len(cases)} episodes do not have the dataset's frame rate, such as"
            f" {rate:g} fps",
            episode=row,
            column=camera,
            action="row k still gets frame k",
        )
