"""Proves that `--like` gives the statistics of lerobot where it is right, and lists where not. See README.md.

python scripts/compat/likeness.py --peer 0.6.1=PYTHON --peer 0.3.3=PYTHON --data FOLDER \\
    [--only NAME] [--out TMP]
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from conversion import copy_writable
from peers import Peer
from proof import say

import roboreel
from roboreel.errors import Problem
from roboreel.stats.sampling import StatsProfile
from roboreel.testing import Camera, make_dataset

LENGTHS = (60, 130, 25, 1, 61)
"""Frames of the episodes that are made: longer and shorter than the first, and than a sample."""
CAMERAS = {
    "observation.images.large": Camera(width=320, height=304),
    "observation.images.wide": Camera(width=480, height=160, gop=10),
    "observation.images.table": Camera(width=304, height=200, storage="image"),
}
FURTHER = (0.05, 0.25, 0.75, 0.95)
"""Quantiles beside the usual ones."""
REAL = {
    "0.3.3": ("gr00t_robot_sim_PickNPlace_v20", "sweep_franka_v20_h264"),
    "0.6.1": ("by_lerobot/v3.0-lerobot-0.6.1-av1", "pusht_image_slice_v30"),
}
LIKE: dict[str, StatsProfile] = {"0.3.3": "lerobot-0.3.3", "0.6.1": "lerobot-0.6.1"}
NEAR = 1e-6
"""Of the size of the values, of a deviation itself; absolute where pixels lie from 0 to 1."""
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A dataset, and the release that its statistics are to be like."""

    name: str
    release: str
    path: Path
    quantiles: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        return self.name + (" --quantiles" if self.quantiles else "")


@dataclass(kw_only=True, slots=True)
class Verdict:
    """What was found of a case."""

    case: Case
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def cases(data: Path, made: Path, only: str) -> Iterator[Case]:
    versions = {"0.3.3": ("v2.0",), "0.6.1": ("v3.0",)}
    for release, names in REAL.items():
        for version in versions[release]:
            name = f"made-{version}"
            if only in name:
                path = make_dataset(
                    made / name,
                    version=version,  # type: ignore[arg-type]  # those of the table
                    episodes=LENGTHS,
                    cameras=CAMERAS,
                    features="rich",
                )
                yield Case(name=name, release=release, path=path)
                if release == "0.6.1":
                    yield Case(name=name, release=release, path=path, quantiles=FURTHER)
        for name in names:
            if only in name:
                yield Case(name=name, release=release, path=data / name)


def compute_ours(case: Case, root: Path) -> tuple[Path, Path, tuple[Problem, ...]]:
    """The dataset that the peer reads, ours, and what ours says of the release."""
    base, out = root / "base", root / "ours"
    if case.release == "0.3.3":
        lacks = roboreel.open(case.path).missing_cameras
        roboreel.convert(case.path, to="v2.0", out=base, allow_missing=lacks)
    else:
        copy_writable(case.path, base)
    view = roboreel.open(base).recompute(like=LIKE[case.release], quantiles=case.quantiles)
    target = "v2.1" if case.release == "0.3.3" else "v3.0"
    report = roboreel.write(view.with_target(target), out=out)
    return base, out, tuple(p for p in report.problems if p.rule == "stats.like")


def far(name: str, key: str, ours: Json, theirs: Json, *, camera: bool) -> float:
    """How far a statistic is from theirs, in units of `NEAR`; infinite where the shape is another."""
    a, b = (np.asarray(side[name][key], dtype=np.float64) for side in (ours, theirs))
    if a.shape != b.shape:
        return float("inf")
    if key == "count" or not a.size:
        return 0.0 if np.array_equal(a, b) else float("inf")
    bounds = np.abs([theirs[name]["min"], theirs[name]["max"]]).max(initial=0.0)
    size = np.abs(b) + bounds * 1e-6 if key == "std" else np.maximum(np.abs(b), bounds)
    scale = np.ones_like(b) if camera else np.where(size > 0, size, 1.0)
    return float((np.abs(a - b) / scale).max() / NEAR)


def gaps(ours: Json, theirs: Json, cameras: set[str]) -> Iterator[tuple[str, str, float]]:
    """(feature, statistic, how far) of all that the release has."""
    for name, parts in theirs.items():
        for key in parts:
            there = name in ours and key in ours[name]
            gap = far(name, key, ours, theirs, camera=name in cameras) if there else float("inf")
            yield name, key, gap
        for key in ours.get(name, {}).keys() - parts.keys():
            yield name, key, float("inf")


def judge(case: Case, out: Path, told: Json, listed: tuple[Problem, ...]) -> Verdict:
    verdict = Verdict(case=case)
    if "error" in told:
        verdict.failed.append(f"lerobot: {told['error']}")
        return verdict
    result = roboreel.open(out)
    cameras = {name for name, feature in result.features.items() if feature.is_camera}
    videos = {name for name, feature in result.features.items() if feature.is_video}
    ours = [plain(stats) for _, stats in result.episode_stats()]
    whole = plain(result.stats())
    variants = told["variants"]
    worst = 0.0
    for at, theirs in enumerate(variants["exact"]["episodes"]):
        for name, key, gap in gaps(ours[at], theirs, cameras):
            worst = max(worst, gap)
            if gap > 1:
                verdict.failed.append(f"episode {at}, {name} {key}: {gap * NEAR:.2e}")
    for name, key, gap in gaps(whole, variants["exact"]["whole"], cameras):
        worst = max(worst, gap)
        if gap > 1:
            verdict.failed.append(f"whole, {name} {key}: {gap * NEAR:.2e}")
    verdict.notes.append(f"nearer than {worst * NEAR:.1e} where it is right")
    _judge_list(verdict, variants, ours, cameras, videos, listed)
    return verdict


def _judge_list(
    verdict: Verdict,
    variants: Json,
    ours: list[Json],
    cameras: set[str],
    videos: set[str],
    listed: tuple[Problem, ...],
) -> None:
    """What the release gives otherwise must be listed, and the episodes of other frames exactly."""
    named = {problem.column for problem in listed}
    notes = [(problem.column, *problem.message.rpartition(": ")[::2]) for problem in listed]
    released = variants["released"]["episodes"]
    off: dict[str, float] = {}
    for at, theirs in enumerate(released):
        for name, _, gap in gaps(ours[at], theirs, cameras):
            off[name] = max(off.get(name, 0.0), gap)
    for name in [name for name, gap in off.items() if gap > 1 and name not in named]:
        verdict.failed.append(f"{name} is {off[name] * NEAR:.1e} off, and not listed")
    for name in sorted(videos) if "right" in variants else ():
        where = [
            at
            for at, (theirs, right) in enumerate(
                zip(released, variants["right"]["episodes"], strict=True)
            )
            if theirs[name] != right[name]
        ]
        said = [text for column, why, text in notes if column == name and "other frames" in why]
        wanted = f"{len(where)} of {len(released)} episodes, the first {where[0]}" if where else ""
        if [wanted] * bool(where) != said:
            verdict.failed.append(f"{name}: other frames in {where}, listed: {said}")
        verdict.notes.append(f"{name}: other frames in episodes {where}")
    single = variants["right" if "right" in variants else "released"]["episodes"]
    for name in variants["exact"]["episodes"][0]:
        pairs = zip(single, variants["exact"]["episodes"], strict=True)
        found = [gaps({name: a[name]}, {name: b[name]}, cameras) for a, b in pairs]
        most = max(gap for each in found for _, _, gap in each)
        if most > 1:
            off_by = f"{most * NEAR:.1e} off" if most < float("inf") else "of another shape"
            verdict.notes.append(f"{name}: released, it is {off_by}")


def plain(stats: Any) -> Json:  # Any: arrays by feature and statistic
    return {
        name: {key: np.asarray(value).tolist() for key, value in parts.items()}
        for name, parts in stats.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--peer", action="append", required=True, metavar="RELEASE=PYTHON")
    parser.add_argument("--data", type=Path, required=True, help="folder of the test datasets")
    parser.add_argument("--out", type=Path, help="keep the work in this new folder")
    parser.add_argument("--only", default="", help="datasets whose name contains this")
    options = parser.parse_args()
    pythons = dict(peer.split("=", 1) for peer in options.peer)
    with ExitStack() as stack:
        root = options.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        root = root.resolve()
        chosen = list(cases(options.data.resolve(), root / "made", options.only))
        missing = {case.release for case in chosen} - pythons.keys()
        if missing or not chosen:
            say(f"no peer for lerobot {', '.join(sorted(missing))}, or nothing to do")
            return 2
        verdicts = run(chosen, root, pythons)
    for verdict in verdicts:
        mark = "DIFFERS" if verdict.failed else "same"
        print(f"{mark:8}{verdict.case.release}  {verdict.case.label}")
        more = [f"… {len(verdict.failed) - 12} more"] if len(verdict.failed) > 12 else []
        for line in [*verdict.failed[:12], *more, *verdict.notes]:
            print(f"         {line}")
    print(f"{len(verdicts)} cases, {sum(bool(v.failed) for v in verdicts)} differ")
    return 1 if any(verdict.failed for verdict in verdicts) else 0


def run(chosen: list[Case], root: Path, pythons: dict[str, str]) -> list[Verdict]:
    jobs: dict[str, list[Json]] = {}
    ours = []
    for number, case in enumerate(chosen):
        say(f"computing {case.label} like {case.release}")
        base, out, listed = compute_ours(case, root / "cases" / str(number))
        told = root / "cases" / str(number) / "theirs.json"
        shares = sorted({0.01, 0.1, 0.5, 0.9, 0.99, *case.quantiles})
        job = {"release": case.release, "root": str(base), "out": str(told)}
        jobs.setdefault(case.release, []).append(job | {"quantiles": shares})
        ours.append((case, out, told, listed))
    for release, wanted in jobs.items():
        say(f"lerobot {release} computes {len(wanted)} datasets")
        home = root / f"peer-{release}"
        died = Peer(release=release, python=Path(pythons[release]), home=home).run(
            "stats_with_lerobot.py", wanted
        )
        for job in wanted:
            if not Path(job["out"]).is_file():
                Path(job["out"]).write_text(json.dumps({"error": f"its process ended: {died}"}))
    return [
        judge(case, out, json.loads(told.read_text(encoding="utf-8")), listed)
        for case, out, told, listed in ours
    ]


if __name__ == "__main__":
    sys.exit(main())
