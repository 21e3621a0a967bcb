"""One run of the cases: makes the datasets, lets the peers read them, and judges each case."""

import json
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cases import CONVERTER, Case, Read, Source, Tree
from conversion import Workshop, copy_writable
from expectation import Truth, against_truth
from peers import Peer
from readings import PIXEL_TOLERANCE, Reading, differences, frame_numbers_differ, load


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    case: Case
    verdict: str
    """"same", "loads", or the differences."""
    failed: bool


@dataclass(kw_only=True, slots=True)
class Proof:
    """One run: the cases, the folder they are worked out in, and the peers."""

    cases: list[Case]
    root: Path
    peers: dict[str, Peer]
    sampled: int
    workshop: Workshop = field(init=False)

    def __post_init__(self) -> None:
        self.workshop = Workshop(root=self.root / "sets")

    def rows(self) -> list[Row]:
        self._make_trees()
        reads = {read for case in self.cases for read in case.reads}
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda release: self._witness(release, reads), self.peers))
        return [self._judge(case) for case in self.cases]

    def _make_trees(self) -> None:
        trees = {read.tree for case in self.cases for read in case.reads}
        for tree in sorted(trees, key=lambda t: (t.source.name, t.label)):
            if tree.writer == "roboreel":
                say(f"making {tree.source.name}: {tree.label}")
                self.workshop.make(tree)
        self._let_lerobot_convert([tree for tree in trees if tree.writer == "lerobot"])

    def _let_lerobot_convert(self, trees: list[Tree]) -> None:
        jobs = []
        for tree in trees:
            path = self.workshop.path(tree)
            self.workshop.make(Tree(source=tree.source))
            copy_writable(self.workshop.path(Tree(source=tree.source)), path)
            jobs.append({"root": str(path), "report": f"{path}.json"})
        if jobs:
            say(f"letting lerobot {CONVERTER} convert {len(jobs)} datasets")
            self.peers[CONVERTER].run("convert_with_lerobot.py", jobs)
        for tree, job in zip(trees, jobs, strict=True):
            error = json.loads(Path(job["report"]).read_text(encoding="utf-8"))["error"]
            if error:
                self.workshop.errors[tree] = f"lerobot {CONVERTER} cannot convert it: {error}"

    def _witness(self, release: str, reads: Iterable[Read]) -> None:
        own = [read for read in reads if read.release == release]
        able = [read for read in own if read.tree not in self.workshop.errors]
        say(f"lerobot {release} reads {len(able)} datasets")
        self.peers[release].run("read_with_lerobot.py", [self._read_job(read) for read in able])
        wild = {read.tree.source for read in own if read.tree.source.release is None}
        jobs = [job for source in wild for job in self._decode_jobs(source, release)]
        self.peers[release].run("decode_with_pyav.py", jobs)

    def _read_job(self, read: Read) -> dict[str, Any]:  # Any: JSON
        tree = read.tree
        wild = tree.source.release is None
        return {
            "root": str(self.workshop.path(tree)),
            "out": str(self._reading_folder(read)),
            "revision": tree.version if tree.version != "v3.0" else None,
            "picture_every": self.sampled if wild else 1,
            "keep_pictures": not wild,
        }

    def _decode_jobs(self, source: Source, release: str) -> list[dict[str, Any]]:  # Any: JSON
        truth = Truth(source=source)
        return [
            {
                "files": [str(path) for path in files],
                "rows": truth.rows_per_file(camera),
                "column": camera,
                "every": self.sampled,
                "out": str(self._frames_path(source, release, camera)),
            }
            for camera, files in truth.cameras.items()
        ]

    def _frames_path(self, source: Source, release: str, camera: str) -> Path:
        return self.root / "frames" / release / source.name / f"{camera}.json"

    def _reading_folder(self, read: Read) -> Path:
        tree = read.tree
        chain = "-".join((tree.writer, "original", *tree.hops))
        return self.root / "readings" / read.release / tree.source.name / chain

    def _reading(self, read: Read) -> Reading | str:
        if read.tree in self.workshop.errors:
            return self.workshop.errors[read.tree]
        return load(self._reading_folder(read), release=read.release)

    def _judge(self, case: Case) -> Row:
        left = self._reading(case.left)
        if case.group == "source":
            return Row(case=case, verdict=left if isinstance(left, str) else "loads", failed=False)
        if isinstance(left, str):
            return self._judge_unreadable(case, left)
        if case.right is None:
            found = against_truth(
                left, Truth(source=case.left.tree.source), pictures=self._frames(case)
            )
            return verdict(case, found)
        return self._judge_pair(case, left, case.right)

    def _judge_pair(self, case: Case, left: Reading, against: Read) -> Row:
        right = self._reading(against)
        note = ""
        tolerance = 0 if against.release == case.left.release else PIXEL_TOLERANCE
        if isinstance(right, str) and case.otherwise is not None:
            note = f" as {case.otherwise.release} reads the original; {right}"
            right, tolerance = self._reading(case.otherwise), PIXEL_TOLERANCE
        if isinstance(right, str):
            return Row(case=case, verdict=f"nothing to compare with: {right}", failed=True)
        if left.pictures != right.pictures:
            note = f", pictures within {tolerance} of 255{note}"
        found = differences(left, right, tolerance=tolerance) + frame_numbers_differ(left)
        return verdict(case, found, note=note)

    def _judge_unreadable(self, case: Case, error: str) -> Row:
        """Says where this release cannot read the source either: a fact about the data."""
        tree, release = case.left.tree, case.left.release
        original = Read(tree=Tree(source=tree.source), release=release)
        if original in {c.left for c in self.cases} and isinstance(self._reading(original), str):
            error = f"(nor does it load the source) {error}"
        return Row(case=case, verdict=error, failed=True)

    def _frames(self, case: Case) -> dict[str, dict[str, str]]:
        source, release = case.left.tree.source, case.left.release
        paths = {c: self._frames_path(source, release, c) for c in Truth(source=source).cameras}
        return {c: json.loads(path.read_text(encoding="utf-8")) for c, path in paths.items()}


def verdict(case: Case, found: list[str], *, note: str = "") -> Row:
    return Row(case=case, verdict="; ".join(found) or f"same{note}", failed=bool(found))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
