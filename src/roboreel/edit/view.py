"""A view: a dataset that is not written yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from roboreel.edit.episode_slices import EpisodeSlices, whole_slices
from roboreel.edit.losses import LeftOut
from roboreel.edit.relative_actions import RelativeActions
from roboreel.edit.targets import OnBroken, Timestamps, VideoBackend
from roboreel.edit.verbs import Verbs
from roboreel.format.encoding import Encoding, Reencoding
from roboreel.format.model import Model
from roboreel.format.version import FormatVersion
from roboreel.stats.sampling import OWN, SamplingProfile, StatsProfile

FeaturePolicy: TypeAlias = Literal["strict", "common", "pad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to write, and what may be done for it."""

    version: FormatVersion
    data_file_mb: float | None = None
    """Soft limit of a table file in MiB of compressed input; None takes the dataset's, else 100."""
    video_file_mb: float | None = None
    """Soft limit of a video file in MiB; None takes the dataset's, else 200."""
    timestamps: Timestamps = "regular"
    """`regular`: irregular timestamps become k / fps, the originals are kept in a column beside."""
    on_broken: OnBroken = "fail"
    """What to do where episodes cannot be written: refuse with the list, or leave them out."""
    reencode: bool = False
    """Episodes of a camera that start inside a GOP may be re-encoded where nothing else is possible."""
    reencoding: Reencoding = field(default_factory=Reencoding)
    """How videos are encoded that must be, and that no verb says more of."""
    drop_audio: bool = False
    drop_unreadable: bool = False
    """Columns that lerobot cannot read are left out."""
    allow_missing: frozenset[str] = frozenset()
    """Names of actions, states and cameras that may be left out without being removed by name."""
    video_backend: VideoBackend = "pyav"
    """What decodes videos for statistics."""
    keep_old_stats: bool = False
    """A v2.0 dataset's statistics of the whole are kept beside those per episode."""
    with_global_stats: bool = False
    """True: v2.1 gets the statistics of the whole dataset too, in v2.0's form; others have them anyway."""
    regroup: bool = True
    """True: episodes are packed into files anew. False: files of the source's version stay as they are
    grouped, and those of which nothing changes are copied byte for byte."""


class Opened(Protocol):
    """An open dataset, as far as a view knows it."""

    @property
    def url(self) -> str:
        """Where it lies."""
        ...

    @property
    def name(self) -> str:
        """The name of its folder: what a result may say of it, wherever it is published."""
        ...

    @property
    def follow_links(self) -> bool:
        """True where links may lead out of it."""
        ...

    @property
    def model(self) -> Model:
        """Its documents."""
        ...

    def rows(
        self, row_ranges: Iterable[tuple[int, int, int]], columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Reads rows of stretches of episodes: for the verbs that need values."""
        ...

    def tasks_of_rows(self) -> Sequence[Sequence[str]]:
        """(episodes,) texts of the tasks that the rows of each have. Reads them."""
        ...


@dataclass(frozen=True, slots=True)
class ExternalVideos:
    """Videos that are to become a camera."""

    folder: str
    """Where they lie."""
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View(Verbs):
    """An ordered choice of stretches of episodes, and how they are to be written. Immutable."""

    sources: tuple[Source, ...]
    slices: EpisodeSlices = field(repr=False)
    """One for each episode of the result, in order."""
    target: Target
    fps: Fraction | None = None
    """Frame rate to write, where it is another than the sources'."""
    splits: Mapping[str, str] | None = None
    """Named ranges of the result's episodes; None carries the source's over where they still make sense."""
    encodings: Mapping[str, Encoding] = field(default_factory=dict)
    """How cameras are to be encoded anew, by name; the others are copied."""
    pictures: frozenset[str] = frozenset()
    """Cameras whose video becomes pictures in the tables."""
    masks: Mapping[str, str] = field(default_factory=dict)
    """Column that says where a padded feature has values, by the feature's name."""
    left_out: tuple[LeftOut, ...] = field(default=(), repr=False)
    """Features of its sources that verbs have left out, by the names that they had then."""
    recomputed: frozenset[str] = frozenset()
    """Features whose statistics are measured anew, whatever is stored."""
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

    def as_view(self) -> View:
        """Itself."""
        return self

    def having(self, **changes: Any) -> View:
        """The view with other fields."""
        return replace(self, edited=True, **changes)

    def written_as(self, target: Target) -> View:
        """The view with another target; that alone is a conversion."""
        return replace(self, target=target)

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


def whole_view(dataset: Opened, target: Target | None = None) -> View:
    """The view of a whole dataset: written with another target, it is a conversion.

    Args:
        dataset: the dataset.
        target: what to write; by default its own version, files grouped as they are, timestamps kept.
    """
    model = dataset.model
    return View(
        sources=(Source(dataset=dataset, model=model),),
        slices=whole_slices(np.arange(len(model.episodes), dtype=np.int64)),
        target=target or Target(version=model.info.version, timestamps="keep", regroup=False),
    )
