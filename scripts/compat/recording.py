"""Proves that lerobot reads what we record, at any moment, and that our recording calls do what lerobot's do.

python scripts/compat/recording.py --peer 0.6.1=PYTHON [--peer 0.4.4=PYTHON] [--peer 0.3.3=PYTHON]
    [--only PART] [--kills N] [--out FOLDER]

See README.md beside this file.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import recorded_frames as made
from item_reports import MERGING_ROUNDING, ItemReport, compared, load_items
from peers import HERE, Peer
from proof import say
from reading import OURS, THEIRS, source_folder

CALLS_OF = {"0.6.1": "", "0.4.4": "lerobot_record"}
"""The releases whose recording calls are compared: all, or one."""
DELIBERATE = {
    "read_while_recording": "lerobot refuses to read before finalize; we read every saved episode",
    "wrong_image_range": "lerobot takes the frame and fails to save the episode; we refuse the frame",
    "depth_images_in_metres": "lerobot stores them as float32; we take whole millimetres only, and say so",
    "zero_width": "lerobot 0.6.1 fails to save features of no elements; we refuse them when a dataset begins",
}
"""Behaviours that are to differ, and why."""
READ_BY = {"v3.0": ("0.6.1", "0.4.4"), "v2.1": ("0.3.3",)}
PARTS = ("calls", "growth", "saves", "kills")
BEFORE = 2
"""Episodes that are saved before the save that is stopped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    name: str
    told: str
    failed: bool

    def line(self) -> str:
        return f"{self.name:60}{'DIFFERS ' if self.failed else ''}{self.told}"


@dataclass(frozen=True, kw_only=True)
class Work:
    """Where things are, and who reads them."""

    root: Path
    peers: dict[str, Peer]

    def ours(self) -> Peer:
        """This interpreter with our package."""
        home = self.root / "here"
        python = Path(sys.executable)
        return Peer(release="here", python=python, home=home, source=source_folder())

    def releases(self, version: str) -> list[str]:
        """The releases here that read a version."""
        return [release for release in self.peers if release in READ_BY[version]]

    def read(self, release: str, sets: list[Path], side: str) -> dict[Path, ItemReport | str]:
        """What a release, or our class in its interpreter, reads of datasets."""
        peer = self.peers[release]
        if side == "ours":
            peer = replace(peer, home=peer.home / "ours", source=source_folder())
        out = {
            one: self.root / "readings" / release / side / one.parent.name / one.name
            for one in sets
        }
        jobs = [
            {
                "root": str(one),
                "out": str(folder),
                "module": THEIRS if side == "lerobot" else OURS[release],
                "arguments": {"video_backend": "pyav"},
            }
            for one, folder in out.items()
        ]
        error = peer.run("read_items.py", jobs)
        if error:
            say(f"{side} in the environment of {release}: {error}")
        return {one: load_items(folder) for one, folder in out.items()}


def behaviours(work: Work, release: str) -> Iterator[Verdict]:
    """The same calls with the same outcomes, in lerobot's own interpreter."""
    peer = work.peers[release]
    found = {}
    for side, alias in (("lerobot", ""), ("ours", "roboreel.torch")):
        home = work.root / "behaviours" / release / side
        run = replace(peer, home=home, source=source_folder())
        out = home / "out.json"
        say(f"recording calls of {release}, {side}")
        error = run.run(
            "recording_behaviours.py",
            [
                {
                    "folder": str(home / "sets"),
                    "out": str(out),
                    "alias": alias,
                    "only": CALLS_OF[release],
                }
            ],
        )
        if error:
            yield Verdict(name=f"recording calls of {release}, {side}", told=error, failed=True)
            return
        found[side] = json.loads(out.read_text(encoding="utf-8"))
    classes = [found[side].pop("class").split(".")[0] for side in ("lerobot", "ours")]
    yield Verdict(
        name="classes under test",
        told=" and ".join(classes),
        failed=classes != ["lerobot", "roboreel"],
    )
    for name, theirs in found["lerobot"].items():
        yield judged(name, release, found["ours"].get(name), theirs)


def judged(call: str, release: str, ours: Any, theirs: Any) -> Verdict:  # Any: JSON
    name = f"{call}, {release}"
    apart = ours != theirs
    shown = f"ours {ours!r:.200}, lerobot {theirs!r:.200}"
    if call in DELIBERATE:
        told = f"{DELIBERATE[call]} ({shown})" if apart else "no longer differs"
        return Verdict(name=name, told=told, failed=not apart)
    broken = str(ours).startswith("failed:")
    return Verdict(name=name, told=shown if apart or broken else "same", failed=apart or broken)


def growing(work: Work, kind: str) -> Iterator[Verdict]:
    """After every episode, and after finalize, each release reads what was recorded and what we read."""
    folder = work.root / f"grow-{kind}"
    if (error := recorded(work, ["grow", str(folder), kind])) is not None:
        yield Verdict(name=f"recording {kind}", told=error, failed=True)
        return
    sets = [*sorted(folder.glob("after-*")), folder / "set"]
    for release in work.releases("v2.1" if kind == "v2" else "v3.0"):
        theirs, ours = work.read(release, sets, "lerobot"), work.read(release, sets, "ours")
        for number, one in enumerate(sets, start=1):
            name = f"{kind}, {one.name if one.name != 'set' else 'finalized'}, {release}"
            rounding = MERGING_ROUNDING if kind == "v2" else 0.0
            found = compared(ours[one], theirs[one], exact_pictures=True, rounding=rounding)
            wrong = [] if kind == "rich" else truth(theirs[one], [min(number, len(sets) - 1)])
            files = len([*one.glob("data/*/*")])
            told = "; ".join([found.told, *wrong, f"{files} data files"])
            yield Verdict(name=name, told=told, failed=found.failed or bool(wrong))


def truth(report: ItemReport | str, episodes: list[int]) -> list[str]:
    """How what was read differs from what was recorded.

    Args:
        report: a reading of all items.
        episodes: how many episodes there may be.
    """
    if isinstance(report, str):
        return [report]
    count = report.told["total_episodes"]
    where = [(e, n) for e in range(count) for n in range(made.length_of(e))]
    if count not in episodes or report.told["len"] != len(where):
        return [f"{count} episodes, {report.told['len']} items"]
    numbers, pictures = report.arrays("numbers"), report.arrays("pictures")
    found = []
    for at, (episode, number) in enumerate(where):
        expected = made.frame_of(episode, number)
        found += [
            f"item {at}: another {name}"
            for name in ("observation.state", "action")
            if not np.array_equal(numbers[f"{at}/{name}"], expected[name])
        ]
        if report.items[at]["task"] != made.task_of(episode):
            found.append(f"item {at}: another task")
        for camera, name in enumerate(made.CAMERAS):
            image = pictures[f"{at}/{name}"].transpose(1, 2, 0)
            if made.painted_on(image) != (number, episode, camera):
                found.append(f"item {at}: another picture of {name}")
    return found[:3]


def recorded(work: Work, arguments: list[str]) -> str | None:
    """Run our recorder; returns why it failed."""
    say(f"roboreel: {arguments[0]}")
    output = work.ours().output("record_with_roboreel.py", arguments)
    return output[-600:] if "Traceback" in output else None


def stopped_saves(work: Work) -> Iterator[Verdict]:
    """What lerobot opens if a save is stopped at any operation on the disk, before any recovery."""
    folder = work.root / "operations"
    if (error := recorded(work, ["operations", str(folder)])) is not None:
        yield Verdict(name="a save, operation by operation", told=error, failed=True)
        return
    yield from opened(
        work, sorted(one for one in folder.iterdir() if one.name != "set"), BEFORE, "save"
    )


def opened(work: Work, sets: list[Path], saved: int, what: str) -> Iterator[Verdict]:
    for release in work.releases("v3.0"):
        counts = {saved: 0, saved + 1: 0}
        wrong = []
        for one, report in work.read(release, sets, "lerobot").items():
            found = truth(report, [saved, saved + 1])
            if isinstance(report, ItemReport) and report.told["total_episodes"] in counts:
                counts[report.told["total_episodes"]] += 1
            wrong += [f"{one.name}: {text}" for text in found]
        told = ", ".join(f"{many} with {count} episodes" for count, many in counts.items())
        told = f"{len(sets)} copies: {told}" + "".join(f"; {text}" for text in wrong[:4])
        few = not all(counts.values())
        yield Verdict(name=f"{what}, {release}", told=told, failed=bool(wrong) or few)


def kills(work: Work, count: int) -> Iterator[Verdict]:
    """Recorders killed by SIGKILL at random moments: lerobot opens what is left, `resume` goes on."""
    chance, left = random.Random(1), []
    for number in range(count):
        folder = work.root / "killed" / f"{number:03d}"
        folder.mkdir(parents=True)
        left.append((folder / "set", killed(work, folder, chance.random())))
    spread = sorted({saved for _, saved in left})
    told = f"{count} kills, {spread[0]} to {spread[-1]} episodes before"
    yield from looked_at(work, left, f"killed recorders ({told})", (0, 1))
    folders = [str(one.parent) for one, _ in left]
    if (error := recorded(work, ["go-on", *folders])) is not None:
        yield Verdict(name="resume", told=error, failed=True)
        return
    yield from looked_at(work, left, "resumed, one more episode, finalized", (1, 2))


def looked_at(
    work: Work, sets: list[tuple[Path, int]], what: str, more: tuple[int, ...]
) -> Iterator[Verdict]:
    """What releases read of datasets that have so many episodes, and 0 to 2 more."""
    for release in work.releases("v3.0"):
        reports = work.read(release, [one for one, _ in sets], "lerobot")
        wrong = [
            f"{one.parent.name}: {text}"
            for one, saved in sets
            for text in truth(reports[one], [saved + n for n in more])
        ]
        told = "; ".join(wrong[:4]) or f"{len(sets)} as recorded"
        yield Verdict(name=f"{what}, {release}", told=told, failed=bool(wrong))


def killed(work: Work, folder: Path, moment: float) -> int:
    """Record, and kill between the second and the fourth episode; returns how many were saved."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source_folder()), str(HERE)])}
    script = [sys.executable, str(HERE / "record_with_roboreel.py"), "until-killed", str(folder)]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            script,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            start_new_session=True,
        )
    assert process.stdout is not None
    begun, told = 0.0, list[str]()
    while len(told) < BEFORE:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError((folder / "log.txt").read_text()[-500:])
        told.append(line)
        if len(told) == 1:
            begun = time.monotonic()
    time.sleep((time.monotonic() - begun) * 2 * moment)
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.readlines()
    process.wait()
    return len(told)


def verdicts(work: Work, count: int, parts: Collection[str]) -> Iterator[Verdict]:
    for release in sorted(work.peers.keys() & CALLS_OF.keys()) if "calls" in parts else ():
        yield from behaviours(work, release)
    kinds = ["video", "image", "rich"] + ["v2"] * bool(work.releases("v2.1"))
    for kind in kinds if "growth" in parts else ():
        yield from growing(work, kind)
    if "saves" in parts:
        yield from stopped_saves(work)
    if "kills" in parts:
        yield from kills(work, count)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--peer", action="append", required=True, metavar="RELEASE=PYTHON")
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part")
    parser.add_argument("--kills", type=int, default=20, help="recorders to kill at random moments")
    parser.add_argument("--out", type=Path, help="keep the work in this new folder")
    wanted = parser.parse_args()
    failed = 0
    with ExitStack() as stack:
        root = Path(wanted.out or stack.enter_context(tempfile.TemporaryDirectory())).resolve()
        root.mkdir(parents=True, exist_ok=True)
        peers = {
            release: Peer(release=release, python=Path(python), home=root / f"peer-{release}")
            for release, python in (one.split("=", 1) for one in wanted.peer)
        }
        work = Work(root=root, peers=peers)
        for verdict in verdicts(work, wanted.kills, wanted.only or PARTS):
            print(verdict.line(), flush=True)
            failed += verdict.failed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
