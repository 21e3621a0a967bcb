"""Times conversions beside `ffmpeg -c copy` and `cp` of the same content; see README.md here.

python bench/convert.py [--size-mb 1000] [--runs 5] [--json FILE]
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import copying
from contenders import cp, roboreel_call
from fabrication import Fabricated, fabricate
from measure import Cost, cost, machine, median_cost
from racing import Contender, Result, race

HERE = Path(__file__).parent


def ffmpeg_up(dataset: Fabricated, joined: list[copying.JoinedFile]) -> Contender:
    def run(out: Path) -> Cost:
        commands = list(copying.join_commands(dataset, joined, out))
        return cost([*commands, copying.copy_tables(dataset.root, out)])

    return run


def ffmpeg_down(dataset: Fabricated, joined: list[copying.JoinedFile], v30: Path) -> Contender:
    def run(out: Path) -> Cost:
        commands = list(copying.split_commands(dataset, joined, out))
        spent = cost([*commands, copying.copy_tables(v30, out)])
        copying.check_split(dataset, joined, out)
        return spent

    return run


def without_startup(result: Result, startup_s: float) -> float:
    """Median seconds less the start-up of its ffmpeg processes."""
    return result.median.seconds - result.median.ffmpegs * startup_s


def ffmpeg_startup_s() -> float:
    runs = [cost([("ffmpeg", "-version")]) for _ in range(11)]
    return median_cost(runs).seconds


def measured(dataset: Fabricated, *, runs: int, work: Path) -> list[Result]:
    v30 = work / "v30"
    roboreel_call(dataset.root, version="v3.0")(v30)
    joined = copying.joined_files(v30, dataset)
    up = {
        "roboreel": roboreel_call(dataset.root, version="v3.0"),
        "ffmpeg -c copy + cp": ffmpeg_up(dataset, joined),
        "cp -r": cp(dataset.root),
    }
    down = {
        "roboreel": roboreel_call(v30, version="v2.1"),
        "ffmpeg -c copy + cp": ffmpeg_down(dataset, joined, v30),
        "cp -r": cp(v30),
    }
    return [
        *race("v2.1 -> v3.0", up, runs=runs, work=work),
        *race("v3.0 -> v2.1", down, runs=runs, work=work),
    ]


def table(results: list[Result], *, startup_s: float) -> str:
    """`x` columns: roboreel's median over that line's, ffmpeg's start-up included or not."""
    ours = {r.direction: r.median.seconds for r in results if r.contender == "roboreel"}
    head = f"{'direction':14}{'who':22}{'s':>8}{'ffmpegs':>9}{'s less start-up':>17}"
    lines = [f"{head}{'roboreel x':>12}{'x less':>8}{'peak MB':>9}"]
    for result in results:
        mid, less = result.median, without_startup(result, startup_s)
        seconds = f"{mid.seconds:8.2f}{mid.ffmpegs:9}{less:17.2f}"
        ratios = f"{ours[result.direction] / mid.seconds:12.2f}{ours[result.direction] / less:8.2f}"
        memory = f"{mid.peak_rss_bytes / 2**20:9.0f}"
        lines.append(f"{result.direction:14}{result.contender:22}{seconds}{ratios}{memory}")
    return "\n".join(lines)


def report(dataset: Fabricated, results: list[Result], *, startup_s: float) -> dict[str, object]:
    version = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True)
    return {
        "machine": machine() | {"ffmpeg": version.stdout.split()[2]},
        "dataset": dataset.described(),
        "ffmpeg_startup_s": startup_s,
        "results": [result.to_json() for result in results],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mb", type=int, default=1000, help="of the dataset, in 10^6 bytes")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", type=Path, help="a folder on the disk to measure")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "convert.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        dataset = fabricate(Path(folder) / "v21", size_bytes=options.size_mb * 10**6)
        results = measured(dataset, runs=options.runs, work=Path(folder))
    startup_s = ffmpeg_startup_s()
    document = report(dataset, results, startup_s=startup_s)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(table(results, startup_s=startup_s))
    print(f"ffmpeg -version: {startup_s:.3f} s")


if __name__ == "__main__":
    main()
