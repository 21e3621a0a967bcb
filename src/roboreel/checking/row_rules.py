"""Rules about what the rows hold: index columns, times, and numbers that say nothing."""

from __future__ import annotations

import numpy as np

from roboreel.checking.scan import TablesScan
from roboreel.dataset.dataset import Dataset
from roboreel.errors import counted
from roboreel.format.feature import (
    EPISODE_INDEX,
    INDEX,
    INDEX_DTYPES,
    SOURCE_TIMESTAMP,
    TASK_INDEX,
    TIMESTAMP,
    Feature,
)
from roboreel.format.fps import MAX_TIMESTAMP_ERROR_S
from roboreel.format.inventory import Inventory
from roboreel.format.model import DATA_PATH, EPISODE, TASKS
from roboreel.format.parse import Problems
from roboreel.stats.moments import Moments
from roboreel.types import Bools

_TELLING_ROWS = 10
"""Fewer rows than this may be constant without a problem."""
_MOVING = ("action", "state", "observation.state")
"""What a robot does and where it is, with all of the same name and a dot after it."""


def check_rows(
    dataset: Dataset, inventory: Inventory, scan: TablesScan, problems: Problems
) -> None:
    """Every rule about rows."""
    problems.found += scan.problems.found
    _check_timestamps(dataset, inventory, problems)
    _check_index(dataset, inventory, scan, problems)
    if dataset.version.one_file_per_episode:
        _check_episode_index(dataset, scan, problems)
    _check_finite(dataset, scan, problems)
    for name, moments in scan.moments.items():
        if _moves(dataset.features.get(name)):
            _check_frozen(dataset, name, moments, problems)
    _check_duplicates(dataset, scan, problems)
    _check_listed_tasks(dataset, scan, problems)


def _check_timestamps(dataset: Dataset, inventory: Inventory, problems: Problems) -> None:
    """Check timestamps: lerobot finds a row's frame by time, and fails or shows another frame."""
    numbers = dataset.episodes[EPISODE].to_pylist()
    for row in np.flatnonzero(inventory.timestamp_error_s > MAX_TIMESTAMP_ERROR_S).tolist():
        error = float(inventory.timestamp_error_s[row])
        far = f"up to {error:.4g} s" if np.isfinite(error) else "infinitely far"
        message = f"the timestamps are {far} away from k / fps (k: frame number)"
        action = (
            f'timestamps="regular" writes k / fps and keeps the recorded times in the column'
            f" '{SOURCE_TIMESTAMP}', as a conversion to another version does"
        )
        problems.add(
            "table.timestamps",
            message,
            episode=numbers[row],
            column=TIMESTAMP,
            action=action,
            amount=error,
        )


def _check_index(
    dataset: Dataset, inventory: Inventory, scan: TablesScan, problems: Problems
) -> None:
    if INDEX not in scan.moments:
        return
    numbers, paths = (dataset.episodes[name].to_pylist() for name in (EPISODE, DATA_PATH))
    expected = np.cumsum(inventory.rows) - inventory.rows
    known = scan.scanned & (scan.moments[INDEX].count > 0)
    wrong = known & ((scan.index_begin != expected) | ~scan.index_counts)
    for row in np.flatnonzero(wrong).tolist():
        begin = int(scan.index_begin[row])
        message = f"it begins at {begin}, expected {expected[row]} (the number of rows in earlier episodes)"
        off: float = abs(begin - int(expected[row]))
        if not scan.index_counts[row]:
            message, off = "it does not increase by one from row to row", np.inf
        location = {"path": paths[row], "episode": numbers[row], "column": INDEX}
        problems.add("table.index", message, amount=off, **location)


def _check_episode_index(dataset: Dataset, scan: TablesScan, problems: Problems) -> None:
    """Distinguish renumbering (numbers rise from file to file) from swapped files."""
    moments = scan.moments.get(EPISODE_INDEX)
    if moments is None:
        return
    numbers, paths = (dataset.episodes[name].to_pylist() for name in (EPISODE, DATA_PATH))
    known = np.flatnonzero(moments.usable)
    low, high = moments.low[:, 0], moments.high[:, 0]
    existing = set(numbers)
    rising = bool((np.diff(low[known]) > 0).all())
    for row in known.tolist():
        if low[row] == high[row] == numbers[row]:
            continue
        location = {"path": paths[row], "episode": numbers[row], "column": EPISODE_INDEX}
        if low[row] != high[row]:
            message = f"its rows have the episode indexes {low[row]:.0f} to {high[row]:.0f}"
            problems.error("table.episode-index", message, **location)
        elif low[row] in existing and not rising:
            message = (
                f"its rows have the episode index {low[row]:.0f}: is this the file of that episode?"
            )
            problems.error("table.episode-index", message, **location)
        else:
            message = f"its rows have the episode index {low[row]:.0f}"
            action = "the number in the documents is used, as after a renumbering"
            problems.add("table.episode-index", message, action=action, **location)


def _check_finite(dataset: Dataset, scan: TablesScan, problems: Problems) -> None:
    numbers, paths = (dataset.episodes[name].to_pylist() for name in (EPISODE, DATA_PATH))
    for name, moments in scan.moments.items():
        for row in np.flatnonzero(scan.scanned & ~moments.finite).tolist():
            message = "it has values that are missing, NaN or infinite"
            problems.error(
                "table.finite", message, path=paths[row], episode=numbers[row], column=name
            )


def _check_listed_tasks(dataset: Dataset, scan: TablesScan, problems: Problems) -> None:
    """Report listed tasks that no row has, and rows whose task is not listed."""
    moments = scan.moments.get(TASK_INDEX)
    if moments is None:
        return
    numbers, listed = (dataset.episodes[name].to_pylist() for name in (EPISODE, TASKS))
    without: dict[str, list[int]] = {}
    for row in np.flatnonzero(moments.usable & moments.constant).tolist():
        only = dataset.tasks.get(int(moments.low[row, 0]))
        if only is not None and listed[row] and only not in listed[row]:
            message = f"its rows have the task '{only}', which the episode does not list"
            problems.add("task.rows", message, episode=numbers[row])
        for text in listed[row]:
            if text != only:
                without.setdefault(text, []).append(numbers[row])
    for text, episodes in without.items():
        message = (
            f"{counted(len(episodes), 'episode')} list the task '{text}', but have no row with it"
        )
        problems.add("task.rows", message, episode=episodes[0], severity="note")


def _moves(feature: Feature | None) -> bool:
    if feature is None or feature.name in INDEX_DTYPES or feature.dtype == "bool":
        return False
    return any(feature.name == name or feature.name.startswith(f"{name}.") for name in _MOVING)


def _check_frozen(dataset: Dataset, name: str, moments: Moments, problems: Problems) -> None:
    telling = moments.usable & (moments.count >= _TELLING_ROWS)
    frozen = telling & moments.constant
    total = moments.total()
    if not telling.any():
        return
    if bool((total.low == total.high).all()):
        message = "it never changes in the whole dataset: was it recorded?"
        problems.add("feature.frozen", message, column=name)
        return
    numbers = dataset.episodes[EPISODE].to_pylist()
    for row in np.flatnonzero(frozen).tolist():
        message = f"it never changes during {moments.count[row]} rows"
        problems.add(
            "feature.frozen",
            message,
            episode=numbers[row],
            column=name,
            amount=int(moments.count[row]),
        )
    still = np.flatnonzero(total.low[0] == total.high[0]).tolist()
    if still:
        message = f"some components never change: {', '.join(map(str, still))}"
        problems.add("feature.component", message, column=name, severity="note")


def _check_duplicates(dataset: Dataset, scan: TablesScan, problems: Problems) -> None:
    """Episodes whose numbers have the same moments in every column, bit for bit."""
    user = [m for name, m in scan.moments.items() if name not in INDEX_DTYPES]
    if not user:
        return
    numbers = dataset.episodes[EPISODE].to_pylist()
    first: dict[bytes, int] = {}
    for row in np.flatnonzero(_comparable(user, scan.scanned)).tolist():
        parts = [part[row] for m in user for part in (m.low, m.high, m.mean, m.spread)]
        key = np.concatenate([*parts, user[0].count[row : row + 1]]).tobytes()
        before = first.setdefault(key, row)
        if before != row:
            message = f"it has the same data as episode {numbers[before]}"
            problems.add("episode.duplicate", message, episode=numbers[row], severity="note")


def _comparable(user: list[Moments], scanned: Bools) -> Bools:
    """(episodes,) True where there are enough rows and a value changes."""
    enough = scanned & (user[0].count >= _TELLING_ROWS)
    return np.asarray(enough & ~np.all([m.constant for m in user], axis=0))
