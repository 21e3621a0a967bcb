"""Which datasets are converted, who reads them, and what each reading must equal.

Opens nothing: only lists the folder of the datasets.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Version = Literal["v2.0", "v2.1", "v3.0"]
READERS: dict[Version, tuple[str, ...]] = {
    "v3.0": ("0.6.1", "0.4.4"),
    "v2.1": ("0.3.3",),
    "v2.0": ("0.3.3",),
}
CONVERTER = "0.6.1"
"""The release whose own v2.1 -> v3.0 converter is compared with."""

REAL: dict[str, Version] = {
    "gr00t_robot_sim_PickNPlace_v20": "v2.0",
    "sweep_franka_v20_h264": "v2.0",
    "cr5_v21_av1_first20": "v2.1",
    "so101_rosbag_v30": "v3.0",
    "pusht_image_slice_v30": "v3.0",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    name: str
    path: Path
    version: Version
    release: str | None = None
    """The lerobot release that wrote it, None for a dataset found in the wild."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """A dataset on disk: the copy of a source, or what a chain of conversions made of it."""

    source: Source
    hops: tuple[Version, ...] = ()
    writer: Literal["roboreel", "lerobot"] = "roboreel"

    @property
    def version(self) -> Version:
        return self.hops[-1] if self.hops else self.source.version

    @property
    def label(self) -> str:
        by = " (by lerobot)" if self.writer == "lerobot" else ""
        return " > ".join((self.source.version, *self.hops)) + by


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    tree: Tree
    release: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    group: Literal["source", "a", "b", "c", "d"]
    left: Read
    right: Read | None = None
    """What `left` must equal. None: the source's rows and frames; in group "source", anything."""
    otherwise: Read | None = None
    """Taken for `right` where lerobot itself could not make it."""

    @property
    def reads(self) -> tuple[Read, ...]:
        return tuple(read for read in (self.left, self.right, self.otherwise) if read)


def sources(data: Path) -> list[Source]:
    """Every usable dataset below `data`, as its README lists them."""
    genuine = []
    for path in sorted((data / "by_lerobot").iterdir()):
        version, _, release, *_ = path.name.split("-")
        release = "0.3.3" if release not in ("0.3.3", "0.4.4", "0.6.1") else release
        genuine.append(
            Source(name=path.name, path=path, version=as_version(version), release=release)
        )
    real = [Source(name=n, path=data / n, version=version) for n, version in REAL.items()]
    return genuine + real


def as_version(text: str) -> Version:
    for version in READERS:
        if version == text:
            return version
    raise ValueError(f"{text!r} is no dataset version; known: {', '.join(READERS)}")


def cases(source: Source) -> Iterator[Case]:
    if source.release is None:
        yield from real_cases(source)
    elif source.version == "v3.0":
        yield from round_trips(source, release=source.release)
        yield from downgrades(source)
    else:
        yield from upgrades(source)


def round_trips(source: Source, *, release: str) -> Iterator[Case]:
    """(a) v3.0 through v2.x and back reads as before, by its own release and by the newest."""
    for reader in sorted({release, CONVERTER}):
        for middle in ("v2.1", "v2.0"):
            there_and_back = Tree(source=source, hops=(as_version(middle), "v3.0"))
            yield Case(
                group="a",
                left=Read(tree=there_and_back, release=reader),
                right=Read(tree=Tree(source=source), release=reader),
            )


def upgrades(source: Source) -> Iterator[Case]:
    """(b) our v3.0 reads as lerobot's own conversion; (c) v2.1 -> v2.0 reads as the original."""
    original = Read(tree=Tree(source=source), release="0.3.3")
    theirs = Tree(source=source, hops=("v3.0",), writer="lerobot")
    for reader in READERS["v3.0"]:
        left = Read(tree=Tree(source=source, hops=("v3.0",)), release=reader)
        if source.version == "v2.1":
            right = Read(tree=theirs, release=reader)
            yield Case(group="b", left=left, right=right, otherwise=original)
        else:
            yield Case(group="b", left=left, right=original)
    other: Version = "v2.0" if source.version == "v2.1" else "v2.1"
    down = Read(tree=Tree(source=source, hops=(other,)), release="0.3.3")
    yield Case(group="c", left=down, right=original)


def downgrades(source: Source) -> Iterator[Case]:
    """(c) our v2.x of a v3.0 dataset, read by 0.3.3, is what 0.6.1 reads in the original."""
    right = Read(tree=Tree(source=source), release="0.6.1")
    for version in ("v2.1", "v2.0"):
        left = Read(tree=Tree(source=source, hops=(as_version(version),)), release="0.3.3")
        yield Case(group="c", left=left, right=right)


def real_cases(source: Source) -> Iterator[Case]:
    """(d) what was found in the wild loads once converted, with the source's rows and frames."""
    for reader in READERS[source.version]:
        yield Case(group="source", left=Read(tree=Tree(source=source), release=reader))
    for version, readers in READERS.items():
        tree = Tree(source=source, hops=hops_to(version, source=source))
        for reader in readers:
            yield Case(group="d", left=Read(tree=tree, release=reader))


def hops_to(version: Version, *, source: Source) -> tuple[Version, ...]:
    """Through another version where the target is the source's, so that something is converted."""
    if version != source.version:
        return (version,)
    return ("v2.1", version) if version == "v3.0" else ("v3.0", version)
