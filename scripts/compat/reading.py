"""Proves that our `LeRobotDataset` gives the items of lerobot's. See README.md beside this file.

python scripts/compat/reading.py --peer 0.6.1=PYTHON --peer 0.4.4=PYTHON --peer 0.3.3=PYTHON \\
    --data FOLDER [--only NAME] [--out FOLDER]
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cases import READERS, Source, as_version, sources
from conversion import copy_writable
from item_reports import MERGING_ROUNDING, ItemReport, compared, load_items
from peers import Peer
from proof import say

WRITERS = ("0.6.1", "0.4.4")
"""Releases that record new datasets for this."""
THEIRS = "lerobot.datasets.lerobot_dataset"
OURS = {"0.6.1": "roboreel.torch", "0.4.4": "roboreel.torch", "0.3.3": "roboreel.torch.v2"}
SOUND = ("so101_rosbag_v30", "pusht_image_slice_v30")
"""Datasets found in the wild that all releases load."""
SAME, OWN = "same decoder", "own decoder"


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """How a dataset is opened."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)  # Any: JSON
    every: int = 1
    releases: tuple[str, ...] = ("0.6.1", "0.4.4", "0.3.3")


@dataclass(frozen=True, kw_only=True)
class Case:
    source: Source
    release: str
    variant: Variant

    @cached_property
    def key(self) -> str:
        return f"{self.source.name}/{self.release}/{self.variant.name}"


def variants(source: Source, cameras: list[str], fps: float) -> list[Variant]:
    """The whole, windows, subsets, and both."""
    step = 1 / fps
    near: dict[str, list[float]] = {
        "action": [k * step for k in range(-1, 4)],
        "observation.state": [-2 * step, -step, 0.0],
    }
    if cameras:
        near[cameras[0]] = [-2 * step, 0.0, step]
    windows, single = {"delta_timestamps": near}, {"delta_timestamps": {c: [0.0] for c in cameras}}
    some: dict[str, Any] = {"episodes": [0, 2]}  # Any: JSON
    every = 1 if source.release is not None else 29
    return [
        Variant(name="whole", every=every),
        Variant(name="windows", arguments=windows, every=8 * every),
        Variant(name="windows of one", arguments=single, every=16 * every),
        Variant(name="subset", arguments=some, every=4 * every),
        # 0.4.4 reads wrong rows there, and 0.3.3 fails
        Variant(
            name="windows, subset", arguments=windows | some, every=8 * every, releases=("0.6.1",)
        ),
        Variant(
            name="uint8", arguments={"return_uint8": True}, every=8 * every, releases=("0.6.1",)
        ),
    ]


def cases(source: Source) -> Iterator[Case]:
    import roboreel  # the peers' interpreters have none

    dataset = roboreel.open(source.path)
    cameras = [name for name, feature in dataset.features.items() if feature.is_camera]
    for release in READERS[source.version]:
        for variant in variants(source, cameras, float(dataset.fps)):
            if release in variant.releases:
                yield Case(source=source, release=release, variant=variant)


def recorded(peers: dict[str, Peer], folder: Path) -> list[Source]:
    """New datasets of the releases that are here: one file of each kind, and a file per episode."""
    found = []
    for release in WRITERS:
        if release not in peers:
            continue
        jobs = [
            {"root": str(folder / f"v3.0-{release}-{files}"), "seed": seed, "files": files}
            for seed, files in enumerate(("one", "many"))
        ]
        say(f"lerobot {release} records {len(jobs)} datasets")
        error = peers[release].run("write_with_lerobot.py", jobs)
        if error:
            raise RuntimeError(f"lerobot {release} did not record: {error}")
        for job in jobs:
            root = Path(str(job["root"]))
            found.append(
                Source(name=root.name, path=root, version=as_version("v3.0"), release=release)
            )
    return found


@dataclass(kw_only=True)
class Readings:
    """What everyone reads, below `root`."""

    root: Path
    peers: dict[str, Peer]
    cases: list[Case]

    def run(self) -> None:
        for case in self.cases:
            copy = self._copy(case.source)
            if not copy.is_dir():
                copy_writable(case.source.path, copy)
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(self._read_by, self.peers))
        self._read(self._own_peer(), OWN, self.cases)

    def report(self, case: Case, side: str) -> ItemReport | str:
        return load_items(self._folder(case, side))

    def _read_by(self, release: str) -> None:
        """lerobot, then roboreel in the same interpreter, which therefore decodes alike."""
        own = [case for case in self.cases if case.release == release]
        peer = self.peers[release]
        self._read(peer, "lerobot", own)
        ours = replace(peer, home=peer.home / "roboreel", source=source_folder())
        self._read(ours, SAME, own)

    def _own_peer(self) -> Peer:
        return Peer(
            release="here",
            python=Path(sys.executable),
            home=self.root / "here",
            source=source_folder(),
        )

    def _read(self, peer: Peer, side: str, some: list[Case]) -> None:
        say(f"{side} in the environment of {peer.release}: {len(some)} readings")
        error = peer.run("read_items.py", [self._job(case, side) for case in some])
        if error:
            say(f"{side} in the environment of {peer.release}: {error}")

    def _job(self, case: Case, side: str) -> dict[str, Any]:  # Any: JSON
        arguments = {"video_backend": "pyav"} | case.variant.arguments
        if case.source.version == "v2.0":
            arguments["revision"] = "v2.0"
        return {
            "root": str(self._copy(case.source)),
            "out": str(self._folder(case, side)),
            "module": THEIRS if side == "lerobot" else OURS[case.release],
            "arguments": arguments,
            "every": case.variant.every,
        }

    def _copy(self, source: Source) -> Path:
        return self.root / "sets" / source.name

    def _folder(self, case: Case, side: str) -> Path:
        return self.root / "readings" / case.key / side


def source_folder() -> Path:
    """Where `import roboreel` finds the package that runs here."""
    import roboreel

    return Path(str(roboreel.__file__)).parent.parent


def table(readings: Readings) -> tuple[str, int]:
    """One line per case, and how many differ."""
    lines: list[tuple[str, ...]] = [("dataset", "lerobot", "opened", SAME, OWN)]
    failed = 0
    for case in readings.cases:
        theirs = readings.report(case, "lerobot")
        told = []
        for side in (SAME, OWN):
            ours = readings.report(case, side)
            rounding = MERGING_ROUNDING if case.release in READERS["v2.1"] else 0.0
            found = compared(ours, theirs, exact_pictures=side == SAME, rounding=rounding)
            failed += found.failed
            told.append(("DIFFERS " if found.failed else "") + found.told)
        lines.append((case.source.name, case.release, case.variant.name, *told))
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    padded = [
        "  ".join([*(c.ljust(w) for c, w in zip(line, widths, strict=False)), line[4]])
        for line in lines
    ]
    return "\n".join(padded), failed


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--peer", action="append", required=True, metavar="RELEASE=PYTHON")
    parser.add_argument("--data", type=Path, required=True, help="folder of the test datasets")
    parser.add_argument("--out", type=Path, help="keep the work in this new folder")
    parser.add_argument("--only", default="", help="datasets whose name contains this")
    return parser.parse_args()


def chosen(options: argparse.Namespace, peers: dict[str, Peer], root: Path) -> list[Case]:
    found = [s for s in sources(options.data.resolve()) if s.release or s.name in SOUND]
    found += recorded(peers, root / "recorded")
    some = [case for s in found if options.only in s.name for case in cases(s)]
    return [case for case in some if case.release in peers]


def main() -> int:
    options = arguments()
    with ExitStack() as stack:
        root = Path(options.out or stack.enter_context(tempfile.TemporaryDirectory())).resolve()
        root.mkdir(parents=True, exist_ok=True)
        pythons = dict(peer.split("=", 1) for peer in options.peer)
        peers = {
            release: Peer(release=release, python=Path(python), home=root / f"peer-{release}")
            for release, python in pythons.items()
        }
        readings = Readings(root=root, peers=peers, cases=chosen(options, peers, root))
        readings.run()
        told, failed = table(readings)
    print(told)
    print(f"{2 * len(readings.cases)} comparisons, {failed} differ")
    return 1 if failed or not readings.cases else 0


if __name__ == "__main__":
    sys.exit(main())
