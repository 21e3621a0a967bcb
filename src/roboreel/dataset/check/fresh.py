"""The statistics of numeric features, computed from the rows, in the form of the stored ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np
import numpy.typing as npt

from roboreel.dataset.check.moments import Moments
from roboreel.dataset.check.scan import located
from roboreel.dataset.check.stored import StoredFeature, StoredStats
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.survey_tables import rows_by_path
from roboreel.errors import StorageError
from roboreel.format.feature import Feature
from roboreel.format.inventory import Floats, Inventory
from roboreel.format.model import DATA_PATH, EPISODE
from roboreel.format.parse import Problems
from roboreel.format.quantiles import BUDGET_BYTES, Quantiles
from roboreel.format.stats import QUANTILES, moments, quantile_name
from roboreel.format.values import column_values
from roboreel.storage.tables import TableFile

_NAMES = tuple(quantile_name(q) for q in QUANTILES)


def rank_name(quantile: str) -> str:
    """What the number at a quantile's rank ⌈q·n⌉ is called, beside the interpolated one."""
    return f"{quantile} by rank"


@dataclass(slots=True)
class FreshStats:
    """What the rows say; shapes are those of the stored statistics."""

    episodes: dict[str, StoredFeature] = field(default_factory=dict)
    whole: dict[str, StoredFeature] = field(default_factory=dict)
    sketched: set[str] = field(default_factory=set)
    """Features whose quantiles of the whole are only within `SKETCH_ERROR`."""
    problems: Problems = field(default_factory=Problems)


def fresh_numbers(
    dataset: Dataset, inventory: Inventory, stored: StoredStats, features: Mapping[str, Feature]
) -> FreshStats:
    """Statistics of numeric features in every episode whose rows can be read, and of all together.

    An episode of which values are missing, or of another shape, has none, and then neither has the whole.

    Args:
        dataset: where the rows lie.
        inventory: which of them belong to which episode.
        stored: those that the documents hold: features that have none are not read.
        features: those to compute.
    """
    fresh = FreshStats()
    forms = {
        name: (stored.episodes.get(name) or stored.whole[name]).shape
        for name in features
        if name in stored.episodes or name in stored.whole
    }
    numbers_each = max(1, sum(map(prod, forms.values())))
    columns = {
        name: _Column(len(dataset.episodes), shape, BUDGET_BYTES * prod(shape) // numbers_each)
        for name, shape in forms.items()
    }
    numbers = dataset.episodes[EPISODE].to_pylist()
    for path, members in rows_by_path(dataset.episodes[DATA_PATH]).items():
        sound = [row for row in members if located(inventory, row)]
        if path is None or path not in inventory.schemas or not sound:
            continue
        try:
            _add_file(dataset, inventory, path, sound, columns)
        except StorageError as error:
            for row in sound:
                fresh.problems.error("table.readable", str(error), path=path, episode=numbers[row])
    for name, column in columns.items():
        if column.found.have.any():
            fresh.episodes[name] = column.found
        if column.found.have.all():
            fresh.whole[name] = column.whole()
            if not column.exact:
                fresh.sketched.add(name)
    return fresh


def _add_file(
    dataset: Dataset,
    inventory: Inventory,
    path: str,
    members: list[int],
    columns: Mapping[str, _Column],
) -> None:
    with TableFile(dataset.root, path) as file:
        names = [name for name in columns if name in file.footer.schema.names]
        for row in sorted(members, key=lambda row: int(inventory.row_start[row])):
            start = int(inventory.row_start[row])
            table = file.rows(start, start + int(inventory.rows[row]), names)
            for name in names:
                values = column_values(table[name])
                if values is not None:
                    columns[name].add(row, values)


class _Column:
    """One feature, filled episode by episode."""

    def __init__(self, episodes: int, shape: tuple[int, ...], budget: int) -> None:
        self._width = prod(shape)
        self._quantiles = Quantiles(self._width, budget_bytes=budget)
        keys = ("min", "max", "mean", "std", *_NAMES, *map(rank_name, _NAMES))
        self.found = StoredFeature(
            shape,
            {key: np.full((episodes, self._width), np.nan) for key in keys},
            np.zeros(episodes, dtype=np.bool_),
            np.zeros(episodes, dtype=np.int64),
        )

    @property
    def exact(self) -> bool:
        """True where the quantiles of all episodes together are exact."""
        return self._quantiles.exact

    def add(self, row: int, values: npt.NDArray[np.generic]) -> None:
        """Take in the rows of an episode: of a matrix, those of all axes but the last where stored so."""
        if values[0].size % self._width:
            return
        with np.errstate(invalid="ignore", over="ignore"):
            wide = values.astype(np.float64).reshape(-1, self._width)
            for key, found in {**moments(wide, axis=0), **_cuts(wide)}.items():
                self.found.values[key][row] = found
        self._quantiles.add(wide)
        self.found.have[row] = True
        self.found.count[row] = len(values)

    def whole(self) -> StoredFeature:
        """The statistics of all episodes together."""
        whole = merged_base(self.found)
        exact, ranked = self._quantiles.of(QUANTILES), self._quantiles.of(QUANTILES, ranked=True)
        whole.values |= {name: cut[None] for name, cut in zip(_NAMES, exact, strict=True)}
        whole.values |= {rank_name(n): cut[None] for n, cut in zip(_NAMES, ranked, strict=True)}
        return whole


def merged_base(episodes: StoredFeature) -> StoredFeature:
    """Bounds, mean and std of all episodes together, of theirs; without quantiles."""
    parts = Moments(len(episodes.have), prod(episodes.shape))
    parts.count, parts.mean = episodes.count, episodes.values["mean"]
    parts.low, parts.high = episodes.values["min"], episodes.values["max"]
    parts.spread = episodes.values["std"] ** 2 * episodes.count[:, None]
    total = parts.total()
    values = {"min": total.low, "max": total.high, "mean": total.mean}
    values |= {"std": np.sqrt(total.variance)}
    return StoredFeature(episodes.shape, values, np.ones(1, dtype=np.bool_), total.count.copy())


def _cuts(wide: Floats) -> dict[str, Floats]:
    """Quantiles interpolated between rows, and the numbers at their ranks."""
    ordered = np.sort(wide, axis=0)
    shares = np.asarray(QUANTILES)
    places = shares * (len(wide) - 1)
    below = places.astype(np.int64)
    low, high = ordered[below], ordered[np.minimum(below + 1, len(wide) - 1)]
    linear = np.where(low == high, low, low + (high - low) * (places - below)[:, None])
    linear[:, np.isnan(ordered[-1])] = np.nan  # numpy sorts them to the end
    ranked = ordered[np.maximum(np.ceil(shares * len(wide)).astype(np.int64) - 1, 0)]
    found = dict(zip(_NAMES, linear, strict=True))
    return found | {rank_name(n): cut for n, cut in zip(_NAMES, ranked, strict=True)}
