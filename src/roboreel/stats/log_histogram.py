"""Counts of numbers by their leading bits: what quantiles of very many numbers are read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.types import Bools, Floats, Int64

MANTISSA_BITS = 12
_PAGE = 1 << MANTISSA_BITS
"""Bins of one sign and exponent: they are counted together."""
_SHIFT = 52 - MANTISSA_BITS
_SIZE_BITS = np.int64((1 << 63) - 1)
_TINY = 1e-300
"""What is smaller does not have all its leading bits, and counts as zero."""
_TINY_SIZE = int(np.float64(_TINY).view(np.int64)) >> _SHIFT
_SHIFT32, _SIGN32 = 23 - MANTISSA_BITS, np.int32(1 << (8 + MANTISSA_BITS))
_ABOVE32 = 1023 - 127
"""Between the exponent of a float32, as stored, and that of the same number as a float64."""
_SMALLEST32, _INFINITE32 = 1 << MANTISSA_BITS, 255 << MANTISSA_BITS

_EXACT = 1 << 53
"""Whole numbers below are float64 without rounding."""

_Sizes = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@dataclass(slots=True)
class LogHistogram:
    """How many numbers of one component fall into each bucket.

    A bucket has all numbers of one sign, exponent and leading 12 bits of the mantissa. Its key ascends with
    the numbers; 0 is that of zero. Adding and merging add counts: neither order nor grouping matters.
    """

    pages: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """(pages,) ascending: the exponents that occur, as stored, above 0; below 0 those of negative numbers."""
    counts: Int64 = field(default_factory=lambda: np.zeros((0, _PAGE), dtype=np.int64))
    """(pages, 4096) of the numbers of each leading mantissa."""
    zeros: int = 0
    low: float = np.inf
    high: float = -np.inf
    lacking: bool = False
    """True where a number is NaN."""

    def add(self, parts: Sequence[npt.NDArray[np.generic]]) -> None:
        """Take in numbers of any one type, in parts of (n,) each; those that are no float32 as float64."""
        parts = [part for part in parts if len(part)]
        if not parts or (parts[0].dtype == np.float32 and self._add_float32(parts)):
            return
        values = np.concatenate(parts)
        if values.dtype.kind not in "iu" or not self._add_integers(values):
            with np.errstate(invalid="ignore"):  # signalling NaNs become quiet ones
                self._add(values.astype(np.float64, copy=False))

    def _add_integers(self, values: npt.NDArray[Any]) -> bool:
        """Take in whole numbers: each that occurs once, with how often; False where they are far apart."""
        low, high = int(values.min()), int(values.max())
        if high - low > 4 * len(values):
            return False
        if high - low == len(values) - 1 and low > 0 and high < _EXACT and _counts_up(values):
            self._add_range(low, high)
            return True
        wide = np.uint64 if values.dtype.kind == "u" else np.int64
        counts = np.bincount((values.astype(wide) - wide(low)).astype(np.int64))
        there = np.flatnonzero(counts)
        numbers = (there.astype(wide) + wide(low)).astype(np.float64)
        self._widen(float(low), float(high))
        size = np.abs(numbers).view(np.int64) >> _SHIFT
        keys = np.where(numbers < 0, -size, size)
        first = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
        self._put_keys(keys[first], np.add.reduceat(counts[there], first))
        return True

    def _add_range(self, low: int, high: int) -> None:
        """Take in all whole numbers from one above 0 to another, as `index` has them."""
        first, last = (int(np.float64(end).view(np.int64)) >> _SHIFT for end in (low, high))
        keys = np.arange(first, last + 1)
        edges = np.ceil((keys << _SHIFT).view(np.float64)).astype(np.int64)
        edges[0] = low
        counts = np.diff(edges, append=high + 1)
        self._widen(float(low), float(high))
        self._put_keys(keys[counts > 0], counts[counts > 0])

    def _add(self, values: Floats) -> None:
        low, high = values.min(), values.max()
        if np.isnan(low):
            self.lacking = True
            values = values[~np.isnan(values)]
            if not len(values):
                return
            low, high = values.min(), values.max()
        self._widen(float(low), float(high))
        bits = values.view(np.int64)
        signs = bits >> 63 if low <= 0 else None
        sizes = (bits & _SIZE_BITS) >> _SHIFT
        zero = np.abs(values) < _TINY if sizes.min() <= _TINY_SIZE else None
        self._tally(sizes, signs, zero)

    def _add_float32(self, parts: Sequence[npt.NDArray[Any]]) -> bool:
        """Take in float32 without making them float64; False where some have other leading bits as such."""
        codes = np.concatenate([part.view(np.int32) >> _SHIFT32 for part in parts])
        signed = bool(codes.min() < 0)  # those of negative numbers are less by _SIGN32
        sizes = codes & (_SIGN32 - 1) if signed else codes
        if sizes.max() >= _INFINITE32:
            return False
        zero = sizes < _SMALLEST32 if sizes.min() < _SMALLEST32 else None
        if zero is not None and bool(np.concatenate(parts)[zero].any()):
            return False
        low, high = (min(part.min() for part in parts), max(part.max() for part in parts))
        self._widen(float(low), float(high))
        self._tally(sizes, np.right_shift(codes, 31, out=codes) if signed else None, zero, _ABOVE32)
        return True

    def _widen(self, low: float, high: float) -> None:
        self.low, self.high = min(self.low, low), max(self.high, high)

    def _tally(
        self, sizes: _Sizes, signs: _Sizes | None, zero: Bools | None, above: int = 0
    ) -> None:
        """Count numbers, those that are zero apart. What is given is overwritten.

        Args:
            sizes: (n,) their leading bits but for the sign.
            signs: (n,) -1 for negative numbers, else 0; None where there are none.
            zero: (n,) True for those that count as zero; None where there are none.
            above: how much further the exponents of their type begin as float64.
        """
        if zero is not None:
            kept = ~zero
            sizes = sizes[kept]
            signs = None if signs is None else signs[kept]
            self.zeros += len(kept) - len(sizes)
        if not len(sizes):
            return
        first = int(sizes.min()) >> MANTISSA_BITS
        exponents = np.arange(first, (int(sizes.max()) >> MANTISSA_BITS) + 1)
        span = len(exponents) * _PAGE
        if span > 8 * len(sizes) + _PAGE:
            self._scatter(sizes, signs, above)
            return
        sizes -= sizes.dtype.type(first << MANTISSA_BITS)
        if signs is not None:
            signs &= sizes.dtype.type(span)
            sizes += signs
        sides = 1 if signs is None else 2
        counts = np.bincount(sizes, minlength=span * sides).reshape(-1, _PAGE)
        exponents = exponents + above
        self._put(exponents, counts[: len(exponents)])
        if signs is not None:
            self._put(-exponents[::-1], counts[len(exponents) :][::-1])

    def _scatter(self, sizes: _Sizes, signs: _Sizes | None, above: int) -> None:
        """Count numbers of which few are alike."""
        keys = sizes if signs is None else np.where(signs < 0, -sizes, sizes)
        keys, counts = np.unique(keys.astype(np.int64), return_counts=True)
        self._put_keys(keys + np.sign(keys) * (above << MANTISSA_BITS), counts)

    def _put_keys(self, keys: Int64, counts: Int64) -> None:
        """Add counts of bins, by ascending key."""
        self.zeros += int(counts[keys == 0].sum())
        keys, counts = keys[keys != 0], counts[keys != 0]
        size = np.abs(keys)
        pages, page = np.unique(np.sign(keys) * (size >> MANTISSA_BITS), return_inverse=True)
        found = np.zeros((len(pages), _PAGE), dtype=np.int64)
        found[page.reshape(-1), size & (_PAGE - 1)] = counts
        self._put(pages, found)

    def _put(self, pages: Int64, counts: Int64) -> None:
        """Add counts of pages, each once, ascending; pages of nothing may be among them."""
        at = np.searchsorted(self.pages, pages)
        if not len(self.pages) or not np.array_equal(
            self.pages[np.minimum(at, len(self.pages) - 1)], pages
        ):
            filled = counts.any(axis=1)
            pages, counts = pages[filled], counts[filled]
            every = np.union1d(self.pages, pages)
            grown = np.zeros((len(every), _PAGE), dtype=np.int64)
            grown[np.searchsorted(every, self.pages)] = self.counts
            self.pages, self.counts = every, grown
            at = np.searchsorted(every, pages)
        if len(at) and at[-1] - at[0] + 1 == len(at):  # side by side, as nearly always: no copy
            self.counts[at[0] : at[-1] + 1] += counts
        else:
            self.counts[at] += counts

    def __getstate__(self) -> tuple[object, ...]:
        """What is shipped between processes: counts as small as they are."""
        small = self.counts.astype(np.min_scalar_type(self.counts.max(initial=0)))
        return (self.pages, small, self.zeros, self.low, self.high, self.lacking)

    def __setstate__(self, state: tuple[Int64, npt.NDArray[Any], int, float, float, bool]) -> None:
        self.pages, small, self.zeros, self.low, self.high, self.lacking = state
        self.counts = small.astype(np.int64)

    def merge(self, other: LogHistogram) -> None:
        """Take in another's counts."""
        self._put(other.pages, other.counts)
        self.zeros += other.zeros
        self._widen(other.low, other.high)
        self.lacking |= other.lacking

    def quantiles(self, shares: Sequence[float], *, ranked: bool) -> Floats:
        """(shares,) interpolated between the numbers of the ranks on both sides, or of one rank."""
        if self.lacking:
            return np.full(len(shares), np.nan)
        keys, counts = self._filled()
        middle = np.clip(_middles(keys), self.low, self.high)
        reached = np.cumsum(counts)
        wanted, most = np.asarray(shares, dtype=np.float64), int(reached[-1]) - 1
        rank = np.maximum(np.ceil(wanted * (most + 1)) - 1, 0.0) if ranked else wanted * most
        below = np.floor(rank).astype(np.int64)
        above = np.minimum(below + 1, most)
        a, b = (middle[np.searchsorted(reached, at, side="right")] for at in (below, above))
        part = rank - below
        with np.errstate(invalid="ignore"):
            return np.where((part == 0) | (a == b), a, a + (b - a) * part)

    def _filled(self) -> tuple[Int64, Int64]:
        """The keys of the bins that are not empty, ascending, and their counts."""
        below = self.pages < 0
        keys, counts = [], []
        for side in (below, ~below):
            found = (np.abs(self.pages[side])[:, None] << MANTISSA_BITS) + np.arange(_PAGE)
            keys.append((-found[:, ::-1] if side is below else found).reshape(-1))
            own = self.counts[side]
            counts.append((own[:, ::-1] if side is below else own).reshape(-1))
        every = np.concatenate([keys[0], [0], keys[1]])
        held = np.concatenate([counts[0], [self.zeros], counts[1]])
        filled = held > 0
        return every[filled], held[filled]


def _middles(keys: Int64) -> npt.NDArray[np.float64]:
    """The number in the middle of each bucket."""
    size = np.abs(keys)
    low, high = ((size + step << _SHIFT).view(np.float64) for step in (0, 1))
    with np.errstate(invalid="ignore", over="ignore"):
        middle = np.where(np.isfinite(high), low + (high - low) / 2, low)
    middle = np.where(size == 0, 0.0, middle)
    return np.asarray(np.where(keys < 0, -middle, middle))


def _counts_up(values: npt.NDArray[Any]) -> bool:
    """True where each number is one more than that before."""
    return bool((values[1:] - values[:-1] == 1).all())
