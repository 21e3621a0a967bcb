"""The statistics of one episode as two flat arrays, so that a hundred small ones merge at once."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, Mapping[str, npt.NDArray[np.generic]]]
_FIRST = ("min", "max", "std", "mean")


class FlatStats:
    """Merged statistics of episodes that all have the same features and statistics, in the same shapes.

    The numbers stand statistic by statistic: every feature's `min`, then every `max`, `std`, `mean`, then the
    others. The arithmetic is, number by number, that of `stats.merged_pair`.
    """

    def __init__(self, stats: Arrays) -> None:
        """Begin with these; `is_flat` says whether they can be."""
        self._form = _form(stats)
        others = dict.fromkeys(key for parts in stats.values() for key in parts)
        keys = [*_FIRST, *(key for key in others if key not in (*_FIRST, "count"))]
        self._places = [
            (name, key) for key in keys for name, parts in stats.items() if key in parts
        ]
        self._shapes = self._shapes_of(stats)
        sizes = [stats[name][key].size for name, key in self._places]
        feature = {name: number for number, name in enumerate(stats)}
        owner = [feature[name] for name, _ in self._places]
        self._owner = np.repeat(np.array(owner, dtype=np.int64), sizes)
        self._bounds = list(pairwise(accumulate(sizes, initial=0)))
        self._width = sum(sizes[: len(stats)])
        self._values, self._counts = self._flat(stats)

    @staticmethod
    def is_flat(stats: Arrays) -> bool:
        """True where every feature has the five basic statistics, of its own shape, and one count."""
        return bool(stats) and all(
            "count" in parts
            and parts["count"].shape == (1,)
            and all(key in parts and parts[key].shape == parts["min"].shape for key in _FIRST)
            for parts in stats.values()
        )

    def add(self, stats: Arrays) -> bool:
        """Merge those of one more episode; False, and nothing is done, where they are of another form."""
        if _form(stats) != self._form or self._shapes_of(stats) != self._shapes:
            return False
        values, counts = self._flat(stats)
        total = (self._counts + counts).astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):  # of infinity comes NaN
            shares = np.where(total != 0, counts / total, 0.5)
            self._values = self._merged(values, shares[self._owner])
        self._counts = self._counts + counts
        return True

    def result(self) -> dict[str, dict[str, npt.NDArray[np.generic]]]:
        """The merged statistics, each in its shape."""
        found: dict[tuple[str, str], npt.NDArray[np.generic]] = {}
        for place, shape, (start, stop) in zip(
            self._places, self._shapes, self._bounds, strict=True
        ):
            found[place] = self._values[start:stop].reshape(shape)
        for number, (name, *_) in enumerate(self._form):
            found[name, "count"] = self._counts[number : number + 1]
        return {name: {key: found[name, key] for key in keys} for name, *keys in self._form}

    def _merged(
        self, new: npt.NDArray[np.float64], share: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        old, width = self._values, self._width
        merged = old + (new - old) * share
        apart = ~(np.isfinite(old) & np.isfinite(new))
        if apart.any():  # infinity stays
            merged[apart] = (old * (1 - share) + new * share)[apart]
        merged[:width] = np.minimum(old[:width], new[:width])
        merged[width : 2 * width] = np.maximum(old[width : 2 * width], new[width : 2 * width])
        std, mean = slice(2 * width, 3 * width), slice(3 * width, 4 * width)
        part = share[std]
        between = (new[mean] - old[mean]) ** 2 * part * (1 - part)
        within = old[std] ** 2 * (1 - part) + new[std] ** 2 * part
        merged[std] = np.sqrt(within + between)
        return merged

    def _shapes_of(self, stats: Arrays) -> list[tuple[int, ...]]:
        return [stats[name][key].shape for name, key in self._places]

    def _flat(self, stats: Arrays) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        values = np.concatenate([stats[name][key] for name, key in self._places], axis=None)
        counts = np.concatenate([parts["count"] for parts in stats.values()])
        return np.asarray(values, dtype=np.float64), np.asarray(counts, dtype=np.int64)


def _form(stats: Arrays) -> list[tuple[str, ...]]:
    return [(name, *parts) for name, parts in stats.items()]
