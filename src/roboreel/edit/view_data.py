"""What a view is made of: its datasets, and what is to be done with them. The verbs are in `view.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from roboreel.edit.episode_slices import END, EpisodeSlices
from roboreel.edit.opened import Opened
from roboreel.edit.recipe import Recipe, Step
from roboreel.edit.relative_actions import RelativeActions
from roboreel.edit.write_options import WriteOptions
from roboreel.errors import OutOfRangeError, UsageError, known_episodes, ranged
from roboreel.format.encoding import Encoding, Reencoding
from roboreel.format.model import EPISODE, LENGTH, Model
from roboreel.format.version import FormatVersion, parse_version
from roboreel.stats.sampling import OWN, SamplingProfile, StatsProfile
from roboreel.types import Int64


@dataclass(frozen=True, slots=True)
class ExternalVideos:
    """Videos that are to become a camera."""

    folder: str
    """Their folder."""
    names: tuple[str | None, ...] = field(repr=False)
    """(episodes of the dataset,) the file of each; None for episodes that the view does not take."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A dataset that a view takes episodes of, with what was done to its features."""

    dataset: Opened = field(repr=False)
    model: Model = field(repr=False)
    """Its documents, features renamed and removed as asked."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """New name of a feature by the one that it has in the files."""
    removed: frozenset[str] = frozenset()
    """Features that are left out, by their names in the files."""
    supplied: Mapping[str, pa.ChunkedArray] = field(default_factory=dict, repr=False)
    """Columns that are added: a value for each of its rows, episodes in order."""
    external_videos: Mapping[str, ExternalVideos] = field(default_factory=dict, repr=False)
    """Cameras that are added."""
    filled: Mapping[str, pa.DataType] = field(default_factory=dict, repr=False)
    """Types of columns that it does not have, or has shorter, and that are filled up with zeros; and of
    those that say where that is so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A feature that the result does not have."""

    name: str
    why: str
    is_asked: bool
    """True where the user named it."""
    is_essential: bool
    """True for the action, the state and cameras: without being asked, they are not left out."""

    def __str__(self) -> str:
        return f"'{self.name}': {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ViewData:
    """An ordered choice of episode slices, and how they are to be written. Immutable."""

    sources: tuple[Source, ...]
    slices: EpisodeSlices = field(repr=False)
    """One for each episode of the result, in order."""
    options: WriteOptions
    """As what it is written; nothing in it is left to the datasets."""
    new_fps: Fraction | None = None
    """Frame rate to write, if the view is resampled; datasets that have it already are not changed."""
    splits: Mapping[str, str] | None = None
    """Named ranges of the result's episodes; None carries the source's over where they still make sense."""
    encodings: Mapping[str, Encoding | Reencoding] = field(default_factory=dict)
    """How cameras are to be re-encoded, by name; the others are copied."""
    images: frozenset[str] = frozenset()
    """Cameras whose video becomes images in the tables."""
    masks: Mapping[str, str] = field(default_factory=dict)
    """Column that says where a padded feature has values, by the feature's name."""
    left_out: tuple[LeftOut, ...] = field(default=(), repr=False)
    """Features of its sources that verbs have left out, by the names that they had then."""
    recomputed: frozenset[str] = frozenset()
    """Features whose statistics are recomputed, whatever is stored."""
    sampling: SamplingProfile = OWN
    """How statistics are computed that are recomputed or missing."""
    like: StatsProfile | None = None
    """The release of lerobot whose rules `sampling` has; None: ours."""
    relative: RelativeActions | None = None
    """How the action is described over all episodes, where it is to be relative to the state."""
    join: bool = False
    """True: files that stay as they are grouped may share a file, up to its size limit."""
    provenance: bool = False
    """True: the table of episodes says of each which dataset and episode it was."""
    edited: bool = False
    """True where it is more than a whole dataset with another target: unused tasks leave the list."""
    recipe: Recipe | None = field(default=None, repr=False)
    """How it was made, for a view file; None where such a file could not say it."""

    def having(self: AnyView, **changes: Any) -> AnyView:
        """The view with other fields. A verb says with `noting` what it did, else no file can tell."""
        return replace(self, **{"edited": True, "recipe": None, **changes})

    def noting(
        self: AnyView,
        before: ViewData,
        verb: str,
        values: Mapping[str, pa.ChunkedArray] | None = None,
        **given: Any,
    ) -> AnyView:
        """The view, noted to be what a verb made of the view before.

        Args:
            before: that view.
            verb: the verb's name.
            values: columns of values that it was given.
            **given: what else it was given, resolved: plain JSON, or arrays of positions.
        """
        recipe = before.recipe
        noted = None if recipe is None else recipe.then(Step(verb, given, values or {}))
        return replace(self, recipe=noted)

    @property
    def name(self) -> str:
        """The names of its datasets' folders, for messages."""
        return " + ".join(dict.fromkeys(source.dataset.name for source in self.sources))

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of videos that are added, each once."""
        every = (
            external_videos.folder
            for source in self.sources
            for external_videos in source.external_videos.values()
        )
        return tuple(dict.fromkeys(every))

    @property
    def roots(self) -> int:
        """How many folders it reads: those of its datasets, and those of videos that are added."""
        return len(self.sources) + len(self.folders)

    @property
    def model(self) -> Model:
        """The documents of its first source."""
        return self.sources[0].model

    @property
    def version(self) -> FormatVersion:
        """The version to write."""
        return parse_version(self.options.to or self.model.info.version)

    @property
    def numbers(self) -> Int64:
        """(n,) what its episodes are called: the dataset's own numbers; in an edited view, positions."""
        if self.edited or len(self.sources) > 1:
            return np.arange(len(self.slices), dtype=np.int64)
        numbers: Int64 = self.model.episodes[EPISODE].to_numpy()[self.slices.row]
        return numbers

    @property
    def lengths(self) -> Int64:
        """(n,) frames of each episode, by the documents, at the sources' frame rate."""
        slices = self.slices
        whole = np.zeros(len(slices), dtype=np.int64)
        for number, source in enumerate(self.sources):
            here = slices.source == number
            whole[here] = source.model.episodes[LENGTH].to_numpy()[slices.row[here]]
        stop = np.where(slices.stop == END, whole, slices.stop)
        return np.asarray(stop - slices.start, dtype=np.int64)

    def uids(self) -> list[str]:
        """(n,) the uid of each episode: see `lineage.py`. Reads statistics where uids are not stored."""
        known = [source.dataset.uids() for source in self.sources]
        slices = self.slices
        return [
            known[n][row]
            for n, row in zip(slices.source.tolist(), slices.row.tolist(), strict=True)
        ]

    def positions(self, episodes: Iterable[int] | None) -> Int64:
        """Positions of episodes, by their numbers; None: of all.

        Raises:
            UsageError: some are not there, or named twice.
        """
        if episodes is None:
            return np.arange(len(self.slices), dtype=np.int64)
        numbers = self.numbers
        position = {number: at for at, number in enumerate(numbers.tolist())}
        if callable(episodes):
            raise UsageError("a function cannot choose episodes: give their numbers, as in [0, 3]")
        if not isinstance(episodes, Iterable):
            raise UsageError(f"{episodes!r} is not a list of episodes: write [{episodes!r}]")
        wanted = [whole_number(number) for number in episodes]
        unknown = sorted({number for number in wanted if number not in position})
        if unknown:
            raise OutOfRangeError(
                f"no episode {ranged(unknown)}: the dataset has {known_episodes(numbers.tolist())}"
            )
        twice = sorted(number for number, times in Counter(wanted).items() if times > 1)
        if twice:
            raise UsageError(f"episode {ranged(twice)} is named twice")
        return np.array([position[number] for number in wanted], dtype=np.int64)


AnyView = TypeVar("AnyView", bound=ViewData)
"""What a function gives back of the class that it is given."""


def whole_number(number: object, what: str = "the number of an episode") -> int:
    """A whole number.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(number, (bool, np.bool_)) or not hasattr(number, "__index__"):
        raise UsageError(f"{number!r} is not {what}")
    return int(number.__index__())
