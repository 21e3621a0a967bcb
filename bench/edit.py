"""Times edits beside lerobot's own, `ffmpeg -c copy` of what is kept, and `cp`; see README.md here.

python bench/edit.py --lerobot-python PYTHON --work FOLDER [--scale 1] [--runs 5] [--only NAME] [--json FILE]

PYTHON is the interpreter of an environment with lerobot. FOLDER keeps the datasets for the next time. Exits 1
where a required ratio is missed.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import copying
import pyarrow.parquet as pq
from contenders import alone, contents, cp
from edit_fabrication import CAMERA, Sets, make_sets
from measure import Cost, cost, last_json, machine, resolve
from peer import peer_versions
from racing import Contender, Result, race

HERE = Path(__file__).parent
OURS, PEER, FFMPEG, COPY, BARE = "roboreel", "lerobot", "ffmpeg -c copy", "cp -r", "bare"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A ratio of medians, and what it has to be."""

    over: str
    """Whose seconds: `times_faster` divides them by ours, else ours by them."""
    limit: float
    times_faster: bool = False

    def ratio(self, seconds: dict[str, float]) -> float:
        ours, other = seconds[OURS], seconds[self.over]
        return other / ours if self.times_faster else ours / other

    def met(self, ratio: float) -> bool:
        return ratio >= self.limit if self.times_faster else ratio <= self.limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """An edit of datasets, and the stretches of their files that are kept."""

    name: str
    job: dict[str, Any]
    asks: tuple[Ask, ...]
    kept: tuple[tuple[int, ...], ...] = ()
    """Episodes by result, for one dataset; empty for all of all datasets."""
    lerobot: bool = True
    written_limit: float | None = None
    """Bytes written, over those of the result."""


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What a case has cost everyone."""

    case: Case
    results: list[Result]
    bytes_written: list[int] = field(default_factory=list)
    result_bytes: int = 0
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Rows and packets of a result, by who made it."""

    @property
    def seconds(self) -> dict[str, float]:
        return {result.contender: result.median.seconds for result in self.results}

    @property
    def written_over_result(self) -> float:
        return max(self.bytes_written) / self.result_bytes

    def lines(self) -> Iterable[str]:
        for result in self.results:
            mid = result.median
            memory = f"{mid.peak_rss_bytes / 2**20:9.0f}"
            yield f"{self.case.name:24}{result.contender:16}{mid.seconds:10.3f}{memory}"
        for ask in self.case.asks:
            if ask.over in self.seconds:
                ratio = ask.ratio(self.seconds)
                sign = ("faster than", ">=") if ask.times_faster else ("times as long as", "<=")
                mark = "" if ask.met(ratio) else "   MISSED"
                yield f"    {ratio:8.2f} {sign[0]} {ask.over}, required {sign[1]} {ask.limit:g}{mark}"
        if len(set(self.counts.values())) > 1:
            yield f"    (rows, packets) of the results are not the same: {self.counts}   MISSED"
        if self.case.written_limit:
            ratio, limit = self.written_over_result, self.case.written_limit
            mark = "" if ratio <= limit else "   MISSED"
            yield f"    {ratio:8.2f} bytes written for each of the result, required <= {limit:g}{mark}"

    def missed(self) -> bool:
        return any("MISSED" in line for line in self.lines())

    def to_json(self) -> dict[str, object]:
        asks = [
            asdict(ask) | {"ratio": ask.ratio(self.seconds)}
            for ask in self.case.asks
            if ask.over in self.seconds
        ]
        return {
            "case": self.case.name,
            "asks": asks,
            "bytes_written_over_result": self.written_over_result,
            "result_bytes": self.result_bytes,
            "results": [result.to_json() for result in self.results],
        }


def cases(sets: Sets) -> list[Case]:
    """Every edit that a speed is required of."""
    found = []
    near = Ask(over=FFMPEG, limit=1.3)
    for name, root, times in (("av1", sets.aloha_av1, 80), ("h264", sets.aloha_h264, 60)):
        count = episodes_of(root)
        asks = (Ask(over=PEER, limit=times, times_faster=True), near)
        gone = (1, count // 2)
        kept = tuple(n for n in range(count) if n not in gone)
        job: dict[str, Any] = {"operation": "delete", "roots": [str(root)], "episodes": gone}
        found.append(Case(name=f"delete {name}", job=job, asks=asks, kept=(kept,)))
        first = int(count * 0.8)
        parts = (tuple(range(first)), tuple(range(first, count)))
        job = {"operation": "split", "roots": [str(root)], "into": {"train": 0.8, "val": 0.2}}
        found.append(Case(name=f"split {name}", job=job, asks=asks, kept=parts))
    return [*found, *_state_only(sets), *_merges(sets), _encode(sets)]


def _state_only(sets: Sets) -> Iterable[Case]:
    faster = Ask(over=PEER, limit=150, times_faster=True)
    job: dict[str, Any] = {"operation": "delete", "episodes": (1, 2)}
    few, many = {**job, "roots": [str(sets.state_few)]}, {**job, "roots": [str(sets.state_many)]}
    yield Case(name="delete, few state-only", job=few, asks=(faster,))
    # lerobot needs an hour for these: it is not measured
    yield Case(name="delete, many state-only", job=many, asks=(), lerobot=False)


def _merges(sets: Sets) -> Iterable[Case]:
    job = {"operation": "merge", "roots": [str(root) for root in sets.sessions]}
    asks = (Ask(over=PEER, limit=3, times_faster=True), Ask(over=FFMPEG, limit=1.3))
    yield Case(name="merge sessions", job=job, asks=asks, written_limit=1.1)
    job = {"operation": "merge", "roots": [str(sets.state_many)] * 2}
    faster = Ask(over=PEER, limit=20, times_faster=True)
    yield Case(name="merge, many state-only", job=job, asks=(faster,))


def _encode(sets: Sets) -> Case:
    job = {"operation": "encode", "roots": [str(sets.images)], "camera": CAMERA}
    asks = (Ask(over=PEER, limit=4, times_faster=True), Ask(over=BARE, limit=1.25))
    return Case(name="image to video", job=job, asks=asks)


def measured(case: Case, *, python: str, runs: int, peer_runs: int, work: Path) -> Outcome:
    """What a case costs roboreel, what it is held against, and lerobot."""
    outcome = Outcome(case=case, results=[])
    counts: dict[str, tuple[int, int]] = {}

    def told(command: tuple[str, ...], name: str) -> Contender:
        def run(out: Path) -> Cost:
            report = last_json((*command, json.dumps({**case.job, "out": str(out)})))
            counts[name] = contents(out)
            if name == OURS:
                outcome.bytes_written.append(report["bytes_written"])
                outcome.result_bytes = bytes_below(out)
            return Cost(
                seconds=report["seconds"], peak_rss_bytes=report["peak_rss_bytes"], ffmpegs=0
            )

        return run

    quick = {OURS: told((sys.executable, str(HERE / "one_edit.py")), OURS), **others(case)}
    outcome.results = race(case.name, quick, runs=runs, work=work)
    if case.lerobot and peer_runs:
        script = (*alone(python, home=work / "lerobot"), str(HERE / "lerobot_edit.py"))
        outcome.results.append(repeated(case.name, told(script, PEER), peer_runs, work))
        outcome.counts = counts
    return outcome


def others(case: Case) -> dict[str, Contender]:
    """The limits of physics of a case."""
    roots = [Path(root) for root in case.job["roots"]]
    if case.job["operation"] == "encode":
        script = (sys.executable, str(HERE / "bare_encode.py"), str(roots[0]), case.job["camera"])
        return {BARE: _bare(script)}
    found: dict[str, Contender] = {COPY: _copies(roots)}
    if any((root / "videos").is_dir() for root in roots):
        found[FFMPEG] = ffmpeg_copy(roots, case.kept)
    return found


def _bare(script: tuple[str, ...]) -> Contender:
    def run(out: Path) -> Cost:
        report = last_json((*script, str(out)))
        return Cost(seconds=report["seconds"], peak_rss_bytes=report["peak_rss_bytes"], ffmpegs=0)

    return run


def _copies(roots: list[Path]) -> Contender:
    if len(roots) == 1:
        return cp(roots[0])

    def run(out: Path) -> Cost:
        out.mkdir()
        return cost([copying.copy_all(root, out / str(n)) for n, root in enumerate(roots)])

    return run


def ffmpeg_copy(roots: list[Path], kept: tuple[tuple[int, ...], ...]) -> Contender:
    """The packets of what is kept, an ffmpeg for each result and camera, and `cp` of tables and documents.

    It does less: tables are copied, not rewritten. Without faststart, which writes twice.
    """
    cameras = sorted(path.name for path in (roots[0] / "videos").iterdir())

    def run(out: Path) -> Cost:
        out.mkdir()
        commands: list[tuple[str, ...]] = []
        for number, part in enumerate(kept or ((),)):
            for camera in cameras:
                script = out / f"{number}-{camera}.txt"
                script.write_text("".join(row_ranges(roots, camera, part)), encoding="utf-8")
                source = ("-f", "concat", "-safe", "0", "-i", str(script))
                commands.append(
                    (*copying.FFMPEG, *source, "-c", "copy", str(script.with_suffix(".mp4")))
                )
        for number, root in enumerate(roots):
            (out / str(number)).mkdir()
            commands.append(copying.copy_tables(root, out / str(number)))
        return cost(commands)

    return run


def row_ranges(roots: list[Path], camera: str, kept: tuple[int, ...]) -> Iterable[str]:
    """Lines for the concat demuxer: runs of kept episodes in each file, or whole files."""
    for root in roots:
        if not kept:
            files = sorted((root / "videos" / camera).rglob("*.mp4"))
            yield from (f"file '{path}'\n" for path in files)
            continue
        runs: list[tuple[str, float, float]] = []
        for path, start, stop in (external_videos(root, camera)[n] for n in kept):
            if runs and runs[-1][0] == path and abs(runs[-1][2] - start) < 1e-6:
                runs[-1] = (path, runs[-1][1], stop)
            else:
                runs.append((path, start, stop))
        for path, start, stop in runs:
            # before the last frame's end: the demuxer takes what begins there too
            yield f"file '{path}'\ninpoint {start:.6f}\noutpoint {stop - 0.001:.6f}\n"


def external_videos(root: Path, camera: str) -> list[tuple[str, float, float]]:
    """File, first and last second by episode."""
    info = json.loads((root / "meta/info.json").read_text(encoding="utf-8"))
    at = f"videos/{camera}/"
    names = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
    rows = episodes_table(root, [at + name for name in names])
    return [
        (
            str(root / info["video_path"].format(video_key=camera, chunk_index=c, file_index=f)),
            start,
            stop,
        )
        for c, f, start, stop in zip(*(rows[at + name] for name in names), strict=True)
    ]


def episodes_table(root: Path, columns: list[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [] for name in columns}
    for path in sorted((root / "meta/episodes").rglob("*.parquet")):
        table = pq.read_table(path, columns=columns)
        for name in columns:
            found[name] += table[name].to_pylist()
    return found


def episodes_of(root: Path) -> int:
    return int(json.loads((root / "meta/info.json").read_text("utf-8"))["total_episodes"])


def repeated(direction: str, contender: Contender, runs: int, work: Path) -> Result:
    """Some runs without one that does not count: they are long enough."""
    costs = []
    for _ in range(runs):
        resolve()
        costs.append(contender(work / "out"))
        shutil.rmtree(work / "out")
    return Result(direction=direction, contender=PEER, runs=costs)


def bytes_below(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def growth(outcomes: list[Outcome], sets: Sets) -> str:
    """How the time of the many state-only episodes follows from that of the few."""
    seconds = {outcome.case.name: outcome.seconds[OURS] for outcome in outcomes}
    names = ("delete, few state-only", "delete, many state-only")
    if not set(names) <= set(seconds):
        return ""
    more = episodes_of(sets.state_many) / episodes_of(sets.state_few)
    longer = seconds[names[1]] / seconds[names[0]]
    said = f"{more:.0f} times the state-only episodes take {longer:.1f} times as long"
    return f"{said}; linear is at most {more:.0f}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--lerobot-python", required=True, help="an interpreter that has lerobot")
    parser.add_argument("--work", type=Path, required=True, help="a folder on the disk to measure")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the episodes")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer-runs", type=int, default=1, help="of lerobot; 0 leaves it out")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "edit.json")
    options = parser.parse_args()
    work = options.work.resolve() / f"edits-{options.scale:g}"
    work.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(work / "out", ignore_errors=True)
    sets = make_sets(work, scale=options.scale)
    outcomes = []
    limits: dict[str, Any] = {"runs": options.runs, "peer_runs": options.peer_runs, "work": work}
    python = options.lerobot_python
    for case in (one for one in cases(sets) if options.only in one.name):
        outcomes.append(measured(case, python=python, **limits))
        print("\n".join(outcomes[-1].lines()), flush=True)
    print(growth(outcomes, sets))
    document = {
        "machine": machine(),
        "lerobot": peer_versions(python, work / "lerobot"),
        "scale": options.scale,
        "cases": [outcome.to_json() for outcome in outcomes],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 1 if any(outcome.missed() for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
