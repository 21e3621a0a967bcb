"""Survey the stored statistics: for which episodes and features they can be kept."""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.errors import DatasetError
from roboreel.format import v2
from roboreel.format.depth import has_camera_stats
from roboreel.format.model import EPISODE, LENGTH
from roboreel.format.v30_episodes import episode_files
from roboreel.format.version import FormatVersion
from roboreel.probes.probe_request import ProbeRequest, flat
from roboreel.probes.probe_stats import probe_stats
from roboreel.probes.probing import Probing
from roboreel.stats.feature_stats import CAMERA_AXES
from roboreel.survey.findings import Findings
from roboreel.survey.whole_std import pooled_stds
from roboreel.types import Bools, Int64

_PART_BYTES = 8 << 20
_BYTES_PER_US = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsFacts:
    """Which stored statistics are usable; see the fields of the same names in `Inventory`."""

    with_stats: dict[str, Bools] = field(default_factory=dict)
    stats_dims: dict[str, int] = field(default_factory=dict)
    impossible_std: dict[str, Bools] = field(default_factory=dict)
    overcounted: dict[str, Bools] = field(default_factory=dict)
    pooled_std: dict[str, tuple[float, ...]] = field(default_factory=dict)


def survey_stats(
    findings: Findings, rows: Int64, columns: Container[str], probing: Probing
) -> StatsFacts:
    """Find out which stored statistics can be kept, their dimensions, and which are impossible.

    Args:
        findings: collects problems.
        rows: (episodes,) number of rows in each episode's table.
        columns: names of all table columns.
        probing: runs the probes.

    Raises:
        DatasetError: a line of the statistics cannot be read.
        StorageError: a table of episodes cannot be read.
    """
    dataset = findings.dataset
    answers = probing.answers("statistics", probe_stats, _requests(findings))
    failures = answers["error"].drop_null().to_pylist()
    if failures:
        for _ in dataset.episode_stats():  # raises an error that names the line
            pass
        raise DatasetError(json.loads(failures[0]))
    return _resolve(answers, rows, columns, findings)


def statistics_files(dataset: Dataset) -> list[str]:
    """The existing documents that hold statistics."""
    names = [v2.EPISODE_STATS, v2.GLOBAL_STATS, *episode_files(dataset.files)]
    return [name for name in names if name in dataset.files]


def _requests(findings: Findings) -> ProbeRequest:
    """Request each file of the v3.0 episodes table, or byte ranges of v2.1's JSON Lines file."""
    dataset = findings.dataset
    parts: list[tuple[str, int, int]] = []
    if dataset.version is FormatVersion.V30:
        parts = [
            (name, 0, findings.files[name].size_bytes) for name in episode_files(dataset.files)
        ]
    elif dataset.version is FormatVersion.V21 and v2.EPISODE_STATS in findings.files:
        size = findings.files[v2.EPISODE_STATS].size_bytes
        starts = range(0, size, _PART_BYTES)
        parts = [(v2.EPISODE_STATS, start, min(start + _PART_BYTES, size)) for start in starts]
    ranges = np.array([byte_range for _, *byte_range in parts], dtype=np.int64).reshape(-1, 2)
    return ProbeRequest(
        context=(),
        paths=[path for path, _, _ in parts],
        files=[findings.files[path] for path, _, _ in parts],
        bounds=np.arange(len(parts) + 1),
        episodes=ranges,
        cost_us=(ranges[:, 1] - ranges[:, 0]) // _BYTES_PER_US,
    )


def _resolve(
    answers: pa.Table, rows: Int64, columns: Container[str], findings: Findings
) -> StatsFacts:
    dataset = findings.dataset
    if not len(rows):
        return StatsFacts()
    codes, names = _merged(answers)
    row, known = _rows_of_episodes(dataset, flat(answers, "episodes"))
    counts, dims = flat(answers, "counts"), flat(answers, "dims")
    impossible = flat(answers, "impossible").astype(np.bool_)
    whole = (rows == dataset.episodes[LENGTH].to_numpy())[row] & (counts > 0) & known
    found: dict[int, tuple[str, Bools]] = {}
    unusable: dict[int, tuple[str, int]] = {}
    wrong: dict[str, Bools] = {}
    overcounted: dict[str, Bools] = {}
    fewest: dict[str, int] = {}
    for code, name in enumerate(names):
        feature = dataset.features.get(name)
        camera = feature is not None and feature.is_camera
        here = known & (codes == code)
        usable = here & whole & (dims == CAMERA_AXES if camera else counts == rows[row])
        if usable.any():
            found[int(usable.argmax())] = (name, np.zeros(len(rows), dtype=np.bool_))
            found[int(usable.argmax())][1][row[usable]] = True
            fewest[name] = int(dims[usable].min())
        if feature is not None and camera:
            colour = not feature.is_depth  # the known bug overflows squares of 8-bit values
            for into, where in ((wrong, impossible & colour), (overcounted, counts > rows[row])):
                if (usable & where).any():
                    into[name] = np.zeros(len(rows), dtype=np.bool_)
                    into[name][row[usable & where]] = True
        inconsistent = here & ~usable
        if feature is None and name not in columns and inconsistent.any():
            _report_undeclared(name, findings)
        elif inconsistent.any():
            unusable[int(inconsistent.argmax())] = (name, int(inconsistent.sum()))
    for _, (name, count) in sorted(unusable.items()):
        _report(name, count, findings)
    ordered = sorted(found.items(), key=lambda item: item[0])
    return StatsFacts(
        with_stats=dict(pair for _, pair in ordered),
        stats_dims=fewest,
        impossible_std=wrong,
        overcounted=overcounted,
        pooled_std=pooled_stds(dataset, wrong),
    )


def _merged(answers: pa.Table) -> tuple[Int64, list[str]]:
    """(feature number of each entry, feature names), with numbers common to all files."""
    numbers: dict[str, int] = {}
    codes = []
    for features, text in zip(answers["features"], answers["names"].to_pylist(), strict=True):
        own = [numbers.setdefault(name, len(numbers)) for name in json.loads(text)]
        listed = features.values.to_numpy(zero_copy_only=False)
        codes.append(np.array(own, dtype=np.int64)[listed])
    return np.concatenate([np.zeros(0, dtype=np.int64), *codes]), list(numbers)


def _rows_of_episodes(dataset: Dataset, episodes: Int64) -> tuple[Int64, Bools]:
    """(rows in the episodes table, True where the episode exists) of episode indexes."""
    listed = dataset.episodes[EPISODE].to_numpy()  # ascending
    row = np.minimum(np.searchsorted(listed, episodes), len(listed) - 1)
    return row, np.asarray(listed[row] == episodes)


def _report_undeclared(name: str, findings: Findings) -> None:
    """Add a note, not a warning: some writers store statistics of more than features, e.g. the length."""
    message = f"there are statistics for '{name}', which is not a feature"
    action = "left out when the dataset is written"
    findings.problems.add("stats.usable", message, severity="note", column=name, action=action)


def _report(name: str, count: int, findings: Findings) -> None:
    features = findings.dataset.features
    message = f"the statistics of {count} episodes are not usable, or of another length"
    unknown = name in features and features[name].is_camera and not has_camera_stats(features[name])
    action = "commands that write " + ("leave them out" if unknown else "recompute them")
    findings.problems.add("stats.usable", message, column=name, action=action)
