"""The errors of a merge whose datasets differ, with the ways to merge them that work."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from roboreel.errors import UsageError, counted, listed

_FEW = 3
"""Most datasets of one frame rate that the message names."""


class DifferentRatesError(UsageError):
    """Datasets with different frame rates cannot be merged without resampling."""

    def __init__(self, urls: Mapping[Fraction, Sequence[str]], *, videos: bool) -> None:
        """Name the datasets of each frame rate.

        Args:
            urls: the datasets by frame rate; two or more rates.
            videos: True if they have videos, which are re-encoded then.
        """
        self.rate = rate_to_suggest(urls)
        self.reencodes = videos
        self.to_resample = _few_others(urls) if videos else []
        super().__init__(
            f"the datasets have different frame rates: {_rates_said(urls)}. Resample them to one rate with"
            f" .resample({_as_argument(self.rate)})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeWay:
    """Arguments of `concat` with which datasets go together."""

    rename: Mapping[str, str] = field(default_factory=dict)
    features: str = "strict"
    allow_missing: Sequence[str] = ()
    size: tuple[int, int] | None = None
    """(width, height) to which cameras are scaled."""
    scaled: Sequence[str] = ()
    """The cameras that have several sizes."""

    @property
    def effect(self) -> str:
        """What it does."""
        effects = {"pad": ["fills the gaps with zeros"], "common": ["keeps what all have alike"]}
        done = [f"takes {old} as {new}" for old, new in self.rename.items()]
        done += effects.get(self.features, []) if not self.allow_missing else []
        done += [f"leaves out {', '.join(self.allow_missing)}"] if self.allow_missing else []
        return "; ".join(done)

    def __str__(self) -> str:
        given = [f"rename={_as_json(dict(self.rename))}"] if self.rename else []
        given += [] if self.features == "strict" else [f'features="{self.features}"']
        given += [f"allow_missing={_as_json([*self.allow_missing])}"] if self.allow_missing else []
        sizes = [f'"{name}": Reencoding(size={self.size})' for name in self.scaled]
        given += [f".encode({{{', '.join(sizes)}}})"] if sizes else []
        return f"{' and '.join(given)} ({self.effect})"


class DatasetsDifferError(UsageError):
    """Datasets cannot be merged as asked."""

    def __init__(
        self,
        differing: Sequence[object],
        ways: Sequence[MergeWay],
        *,
        rates: Mapping[Fraction, Sequence[str]],
        robots: Sequence[str | None],
        without_videos: Sequence[str],
        unfilled: Iterable[str],
        videos: bool,
    ) -> None:
        """Name all that differs, and the ways that work.

        Args:
            differing: differences of features.
            ways: with these the datasets go together.
            rates: the datasets by frame rate.
            robots: the robot types.
            without_videos: the datasets whose videos are all missing.
            unfilled: features that `pad` was to fill, but cannot.
            videos: True if they have videos.
        """
        self.without_videos = tuple(without_videos) if ways else ()
        self.ways = () if without_videos else tuple(ways)
        self.rate = rate_to_suggest(rates) if len(rates) > 1 else None
        self.reencodes = videos and self.rate is not None
        self.to_resample = _few_others(rates) if videos else []
        what = "the same features" if self.rate is None else "the same features and frame rate"
        each = ", each" * (len(self.ways) > 1)
        at_one_rate = f"{each} with .resample({_as_argument(self.rate)})" if self.rate else ""
        if self.ways:
            advice = f"pass {', or '.join(map(str, ways))}{at_one_rate}"
        elif self.without_videos:
            advice = (
                f"fetch the videos of {listed(without_videos)} first, or leave out these cameras"
            )
        else:
            advice = "no merge would keep an action or state, since none is alike in all of them"
        names = [*dict.fromkeys(unfilled)]
        why = f"pad cannot fill {listed(names)}; " if names else ""
        said = f"the datasets do not have {what}: {why}{advice}"
        lines = [*self._other_lines(rates, robots), *map(str, differing)]
        super().__init__("\n  - ".join([said, *lines]))

    def _other_lines(
        self, rates: Mapping[Fraction, Sequence[str]], robots: Sequence[str | None]
    ) -> Iterator[str]:
        names = list(dict.fromkeys(robots))
        if len(names) > 1:
            said = " and ".join(repr(one) if one else "none" for one in names)
            yield f"robot type: {said}; no obstacle, all are kept"
        if self.rate is not None:
            yield f"frame rate: {_rates_said(rates)}"


def rate_to_suggest(urls: Mapping[Fraction, Sequence[str]]) -> Fraction:
    """The rate of most datasets, the highest of several."""
    return max(urls, key=lambda rate: (len(urls[rate]), rate))


def _few_others(urls: Mapping[Fraction, Sequence[str]]) -> list[str]:
    """The datasets of another rate than the suggested one, if they are few."""
    most = rate_to_suggest(urls)
    others = [url for rate, names in urls.items() if rate != most for url in names]
    return others if len(others) <= _FEW else []


def _rates_said(urls: Mapping[Fraction, Sequence[str]]) -> str:
    rare_first = sorted(urls.items(), key=lambda item: len(item[1]))
    return "; ".join(f"{float(rate):g} fps in {_named(names)}" for rate, names in rare_first)


def _named(urls: Sequence[str]) -> str:
    return listed(urls) if len(urls) <= _FEW else counted(len(urls), "dataset")


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _as_argument(rate: Fraction) -> str:
    whole = rate.denominator == 1
    return str(rate) if whole else f"Fraction({rate.numerator}, {rate.denominator})"
