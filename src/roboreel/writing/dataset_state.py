"""What appending needs to know of a dataset: of the same size, however many episodes it has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset, usual_templates
from roboreel.errors import DatasetError, Problem, UsageError
from roboreel.format import v2, v30
from roboreel.format.feature import INDEX_DTYPES, dtype_of
from roboreel.format.info import parse_info
from roboreel.format.model import DATA_PATH, INFO, Info, Totals, video_path
from roboreel.format.parse import Problems, parse_json, usable_splits, whole_number
from roboreel.format.table_schema import schema_of
from roboreel.format.v30_documents import file_numbers
from roboreel.format.v30_episodes import episode_files
from roboreel.format.version import FormatVersion
from roboreel.stats.feature_stats import Stats, quantile_share
from roboreel.stats.merge import StatsMerger
from roboreel.stats.sampling import OWN, SamplingProfile
from roboreel.storage.local import LocalRoot
from roboreel.storage.tables.tables import read_footer
from roboreel.types import JsonObject

DATA, EPISODE_LIST = "data/", "meta/episodes/"
"""Kinds of files that are counted, beside those of each camera."""
_IN_THE_WAY = ("info.path-template", "episode.contiguous", "task.fields", "episode.fields")
"""Problems of documents that appending would carry on, or silently repair."""


@dataclass(slots=True)
class DatasetState:
    """What the next episode goes on from."""

    info: Info
    schema: pa.Schema
    """Of the tables."""
    totals: Totals
    tasks: dict[str, int]
    """Task index by text."""
    splits: dict[str, str]
    stats: StatsMerger
    """The statistics of all episodes."""
    profile: SamplingProfile
    """How episodes are measured."""
    per_last_axis: frozenset[str]
    """Matrices whose statistics are those of the last axis."""
    files: dict[str, int] = field(default_factory=dict)
    """v3.0: the number of the next file, by `DATA`, `EPISODE_LIST` and camera."""
    fields: dict[str, pa.Field] = field(default_factory=dict)
    """Further columns of the list of episodes."""
    keeps_whole_stats: bool = True
    """True where `meta/stats.json` is written: in v2.1 only where it is there already."""

    @property
    def one_file_per_episode(self) -> bool:
        """True for v2.1."""
        return self.info.version.one_file_per_episode


def new_info(
    *,
    fps: float,
    features: Mapping[str, JsonObject],
    version: FormatVersion,
    robot_type: str | None,
) -> Info:
    """The `info.json` of a new dataset; index columns that `features` lacks are added.

    Raises:
        UsageError: a feature is not declared as the format has it.
    """
    always = {n: {"dtype": d, "shape": [1], "names": None} for n, d in INDEX_DTYPES.items()}
    declared = {
        "codebase_version": version.value,
        "fps": fps,
        "robot_type": robot_type,
        "features": {**features, **{n: s for n, s in always.items() if n not in features}},
    }
    document = json.dumps(declared).encode()
    try:
        return parse_info(document, Problems(), defaults=usual_templates, files=())
    except DatasetError as error:
        wrong = "; ".join(_declaration(problem) for problem in error.problems)
        raise UsageError(f"the dataset cannot be created: {wrong}") from error


def _declaration(problem: Problem) -> str:
    """What is wrong with what a caller declares; the document that would state it doesn't exist yet."""
    return problem.message if problem.column is None else f"'{problem.column}': {problem.message}"


def new_state(info: Info) -> DatasetState:
    """The state of a dataset without episodes."""
    matrices = [f.name for f in info.features.values() if f.is_numeric and len(f.shape) > 1]
    quantiles = info.version.has_quantiles
    return DatasetState(
        info=info,
        schema=schema_of(info.features),
        totals=Totals(0, 0, 0),
        tasks={},
        splits={"train": "0:0"},
        stats=StatsMerger(),
        profile=OWN if quantiles else replace(OWN, quantiles=()),
        per_last_axis=frozenset(matrices if quantiles else ()),  # as lerobot since v3.0
        files=dict.fromkeys((DATA, EPISODE_LIST, *info.cameras), 0),
        keeps_whole_stats=info.version.has_global_stats,
    )


def read_state(root: LocalRoot) -> DatasetState:
    """The state of the dataset in a folder.

    Raises:
        DatasetError: it has problems that stand in the way of appending.
        UsageError: episodes of its version cannot be appended.
    """
    started = started_info(root)
    if started is not None:
        return new_state(started)
    complete_lines(root)
    dataset = open_dataset(root.path)
    if not dataset.version.has_episode_stats:
        raise UsageError(
            f"'{root.url}' is {dataset.version}, which has no statistics of single episodes: convert it"
            f" to a later"
            " version, then append"
        )
    _refuse_unusual(dataset)
    state = new_state(dataset.model.info)
    state.totals = Totals(dataset.total_episodes, dataset.total_frames, len(dataset.tasks))
    # reversed: of equal texts, the first index counts
    state.tasks = {text: index for index, text in reversed([*dataset.tasks.items()])}
    state.splits = _splits(dataset)
    state.fields = {n: dataset.episodes.schema.field(n) for n in dataset.model.extra_columns}
    state.keeps_whole_stats |= v30.GLOBAL_STATS in dataset.files
    if dataset.total_episodes:
        state.schema = _last_schema(dataset)
        state.files = {} if state.one_file_per_episode else _next_files(dataset)
        _take_stats(dataset, state)
    return state


def started_info(root: LocalRoot) -> Info | None:
    """The `info.json` of a dataset that was created and has no episode yet, else None.

    Such a dataset has no list of episodes, so it does not open. A kill in its first commit can have left
    other files, which the next commit replaces or renames.

    Raises:
        DatasetError: `info.json` cannot be read safely.
    """
    if not root.exists(INFO):
        return None
    problems = Problems()
    info = parse_info(root.read(INFO), problems, defaults=usual_templates, files=())
    if whole_number(info.totals.get("total_episodes")) != 0:
        return None
    files = root.list()
    if v2.EPISODES in files or episode_files(files):
        return None
    problems.raise_errors(f"'{root.url}' has an info.json that cannot be read safely")
    return info


def complete_lines(root: LocalRoot) -> None:
    """End the last line of each JSON-lines document; one that a power cut left torn is taken away."""
    for name in (v2.TASK_LIST, v2.EPISODES, v2.EPISODE_STATS):
        data = root.read(name) if root.exists(name) else b""
        if not data or data.endswith(b"\n"):
            continue
        last = data.rpartition(b"\n")[2]
        try:
            parse_json(last, name)
        except DatasetError:
            root.cut(name, len(data) - len(last))
        else:
            root.append(name, b"\n")


def _refuse_unusual(dataset: Dataset) -> None:
    info = dataset.model.info
    found = [p for p in dataset.problems if p.rule in _IN_THE_WAY or p.rule == "video.missing"]
    if found or (dataset.total_episodes and not dataset.model.has_task_list):
        raise DatasetError(
            f"'{dataset.url}' has problems that keep episodes from being appended: convert it first"
            f" (roboreel convert)",
            found,
        )
    data, video = usual_templates(info.version)
    if info.data_path != data or (info.cameras and info.video_path != video):
        raise UsageError(
            f"'{dataset.url}' has unusual file paths: convert it first (roboreel convert), then append"
            f" episodes"
        )


def _splits(dataset: Dataset) -> dict[str, str]:
    """The declared splits; a single one of all the episodes that `info.json` knows has those beyond, too."""
    info, count = dataset.model.info, dataset.total_episodes
    found = usable_splits(info.splits, count, Problems())
    stated = whole_number(info.totals.get("total_episodes"))
    return {
        name: f"0:{count}" if len(found) == 1 and value == f"0:{stated}" else value
        for name, value in found.items()
    }


def _last_schema(dataset: Dataset) -> pa.Schema:
    """The schema of the newest table, which that of a new one must equal."""
    path = dataset.episodes[DATA_PATH][-1].as_py()
    schema = read_footer(dataset.root, path).schema
    stored = [f for f in dataset.features.values() if not f.is_video]
    wrong = sorted({f.name for f in stored} ^ set(schema.names))
    wrong += [
        f.name
        for f in stored
        if f.name in schema.names
        and f.is_numeric
        and dtype_of(schema.field(f.name).type) != f.dtype
    ]
    if wrong:
        raise UsageError(
            f"'{path}' and info.json disagree about {', '.join(wrong)}: convert the dataset, then append"
        )
    return schema


def _next_files(dataset: Dataset) -> dict[str, int]:
    info, episodes = dataset.model.info, dataset.episodes
    paths: dict[str, pa.ChunkedArray] = {
        DATA: pc.unique(episodes[DATA_PATH]),
        EPISODE_LIST: pa.array(episode_files(dataset.files)),
        **{camera: pc.unique(episodes[video_path(camera)]) for camera in info.cameras},
    }
    return {kind: _next_number(pa.chunked_array([p]), info) for kind, p in paths.items()}


def _next_number(paths: pa.ChunkedArray, info: Info) -> int:
    chunks, files = (part.to_numpy(zero_copy_only=False) for part in file_numbers(paths))
    return int(np.max(chunks * info.chunks_size + files)) + 1


def _take_stats(dataset: Dataset, state: DatasetState) -> None:
    """Go on from the stored statistics of the whole dataset, else from those of the episodes."""
    stored = dataset.whole_stats()
    if stored and _describe(stored, dataset):
        state.stats = merger_of(stored)
    elif state.keeps_whole_stats:
        for _, block in dataset.stored_stats().in_blocks():
            state.stats.add(block)
    known = stored or state.stats.result()
    names = {name for parts in known.values() for name in parts}
    if state.profile.quantiles and known:
        shares = (quantile_share(name) for name in names)
        stated = tuple(sorted(share for share in shares if share is not None))
        state.profile = replace(state.profile, quantiles=stated)
    if not known and dataset.total_episodes:
        known = dataset.stored_stats().of(dataset.total_episodes - 1)
    state.per_last_axis = frozenset(
        name
        for name, feature in dataset.features.items()
        if feature.is_numeric and len(feature.shape) > 1
        if (
            known[name]["mean"].ndim == 1
            if "mean" in known.get(name, {})
            else state.profile.quantiles
        )
    )


def merger_of(stats: Stats) -> StatsMerger:
    """What goes on from these statistics."""
    merger = StatsMerger()
    for name, part in stats.items():
        merger.add_part(name, part)
    return merger


def _describe(stats: Mapping[str, Mapping[str, np.ndarray]], dataset: Dataset) -> bool:
    """True where statistics of the whole dataset count the rows that there are."""
    numeric = [f.name for f in dataset.features.values() if f.is_numeric]
    rows = dataset.total_frames
    return all(
        "count" in stats.get(name, {}) and int(stats[name]["count"].sum()) == rows
        for name in numeric
    )
