"""Exact statistics of images from counts of each pixel value, merged by adding the counts."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from roboreel.stats.feature_stats import FeatureStats, quantile_name
from roboreel.stats.histogram_quantiles import quantiles_of_counts
from roboreel.stats.sampling import SamplingProfile
from roboreel.types import Json

Counts: TypeAlias = npt.NDArray[np.int64]
"""(channels, values) how often each value occurs."""


PEAK = 255
"""The 8-bit value that means 1.0."""

_RGB = 3
_PAIR = np.dtype("<u2")
"""Two values of 8 bits, the first one low."""
_PAIRS = (PEAK + 1) ** 2
_CHANNELS_OF_PAIRS = ((0, 1), (2, 0), (1, 2))
"""Channels of the first and second value of each pair, in two pixels RGB RGB."""
_WORTH_PAIRING = 1 << 16
"""Pixels from which on a table of all pairs costs less than it saves."""
_AT_ONCE = 1 << 18
"""Values of which indices are in memory at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """The 8-bit pixels of a camera in some episodes."""

    counts: Counts
    episodes: int

    def merged(self, other: Counted) -> Counted | None:
        """The sum of both; None if their channels differ."""
        if self.counts.shape != other.counts.shape:
            return None
        return Counted(self.counts + other.counts, self.episodes + other.episodes)


class CameraCounts:
    """The pixels of some cameras, as they come in."""

    def __init__(self) -> None:
        self._known: dict[str, Counted | None] = {}

    def add(self, camera: str, counted: Counted | None) -> None:
        """Take in those of some episodes; None: they cannot be counted, and so not those of all."""
        known = self._known.get(camera, counted)
        if camera in self._known and known is not None:
            known = None if counted is None else known.merged(counted)
        self._known[camera] = known

    def by_camera(self) -> dict[str, Counted]:
        """The counts of the cameras whose pixels were all counted."""
        return {camera: known for camera, known in self._known.items() if known is not None}


class PixelCounter:
    """Counts 8-bit pixels; not to be shared by threads.

    numpy makes an 8-byte index for every value that it counts. That memory is kept, because allocating it
    for each image takes longer than counting.
    """

    def __init__(self) -> None:
        self._room = np.empty(0, dtype=np.intp)

    def counts(self, pixels: npt.NDArray[np.uint8]) -> Counts:
        """How often each value occurs in each channel of (pixels, channels).

        Many contiguous RGB pixels are counted two values at a time: half the indices, for
        a table of all pairs that is then added up.
        """
        count, channels = pixels.shape
        paired = count // 2 * 2 if channels == _RGB and pixels.flags.c_contiguous else 0
        if paired < _WORTH_PAIRING:
            return self._singly(pixels)
        pairs = pixels[:paired].reshape(-1).view(_PAIR).reshape(-1, _RGB)
        counts = self._singly(pixels[paired:])
        for pair, (first, second) in zip(pairs.T, _CHANNELS_OF_PAIRS, strict=True):
            table = self._occurrences(pair, _PAIRS).reshape(PEAK + 1, PEAK + 1)
            counts[first] += table.sum(axis=0)
            counts[second] += table.sum(axis=1)
        return counts

    def _singly(self, pixels: npt.NDArray[np.uint8]) -> Counts:
        return np.stack([self._occurrences(channel, PEAK + 1) for channel in pixels.T])

    def _occurrences(self, values: npt.NDArray[np.unsignedinteger], kinds: int) -> Counts:
        """(kinds,) how often each value occurs."""
        found = np.zeros(kinds, dtype=np.int64)
        for start in range(0, len(values), _AT_ONCE):
            part = values[start : start + _AT_ONCE]
            if len(part) > len(self._room):
                self._room = np.empty(len(part), dtype=np.intp)
            index = self._room[: len(part)]
            index[:] = part
            found += np.bincount(index, minlength=kinds)
        return found


def histogram_stats(
    counts: Counts, profile: SamplingProfile, *, images: int, peak: int = PEAK
) -> FeatureStats:
    """Exact camera statistics from counts of each pixel value, of shape (channels, 1, 1).

    Args:
        counts: of all pixels.
        profile: which quantiles to include, and how they are computed.
        images: number of images counted; becomes `count`, as in lerobot.
        peak: the value that means 1.0.
    """
    quantiles = profile.quantiles
    level = np.arange(counts.shape[1], dtype=np.float64) / peak
    total = counts.sum(axis=1, keepdims=True).astype(np.float64)
    mean = (counts * level).sum(axis=1, keepdims=True) / total
    spread = (counts * (level - mean) ** 2).sum(axis=1, keepdims=True) / total
    seen = counts > 0
    stats: FeatureStats = {
        "min": level[seen.argmax(axis=1)],
        "max": level[seen.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)],
        "mean": mean[:, 0],
        "std": np.sqrt(spread[:, 0]),
    }
    if profile.histogram_quantiles and quantiles:
        cuts = quantiles_of_counts(counts, quantiles) / peak
    else:
        cuts = quantiles_of_levels(counts, level, quantiles)
    stats |= {quantile_name(q): cut for q, cut in zip(quantiles, cuts, strict=True)}
    shaped: FeatureStats = {key: value.reshape(-1, 1, 1) for key, value in stats.items()}
    return {**shaped, "count": np.array([images], dtype=np.int64)}


def quantiles_of_levels(
    counts: Counts, level: npt.NDArray[np.float64], shares: Sequence[float]
) -> npt.NDArray[np.float64]:
    """(shares, channels) numpy's linear quantiles of values that occur so often.

    Args:
        counts: of each value; at least one in each channel.
        level: (values,) the values, ascending.
        shares: which, from 0 to 1.
    """
    found = np.empty((len(shares), len(counts)))
    for channel, reached in enumerate(counts.cumsum(axis=1)):
        last = int(reached[-1]) - 1
        rank = np.asarray(shares, dtype=np.float64) * last
        below = np.floor(rank).astype(np.int64)
        low, high = (
            level[np.searchsorted(reached, at, side="right")]
            for at in (below, np.minimum(below + 1, last))
        )
        found[:, channel] = low + (high - low) * (rank - below)
    return found


def counted_to_json(counted: Counted) -> Json:
    """Counts as JSON that restores them; an internal format."""
    packed = zlib.compress(counted.counts.astype("<i8", copy=False).tobytes(), level=1)
    return [counted.episodes, len(counted.counts), b64encode(packed).decode()]


def parse_counted(document: Json) -> Counted:
    """Restore counts from the output of `counted_to_json`."""
    episodes, channels, text = cast("tuple[int, int, str]", document)
    flat = np.frombuffer(zlib.decompress(b64decode(text)), dtype="<i8")
    return Counted(flat.reshape(channels, -1).astype(np.int64), episodes)
