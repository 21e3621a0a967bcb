"""Times conversions by one and more workers beside `cp` by as many processes; see README.md here.

python bench/workers.py [--size-mb 1000] [--runs 5] [--workers 1 2] [--work FOLDER] [--json FILE]
"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from contenders import checked, cp_together, roboreel_call, roboreel_command
from fabrication import Fabricated, fabricate
from measure import machine
from racing import Contender, Result, race

HERE = Path(__file__).parent
UP, DOWN = "v2.1 -> v3.0", "v3.0 -> v2.1"
COMMAND, CALL, CP = "roboreel", "call alone", "cp -r"


def measured(
    dataset: Fabricated, *, crews: Sequence[int], runs: int, work: Path
) -> list[tuple[int, Result]]:
    """(processes, what they took). Raises ValueError where a result lacks a row or packet."""
    v30 = work / "v30"
    roboreel_call(dataset.root, version="v3.0")(v30)
    found = []
    for direction, source, version in ((UP, dataset.root, "v3.0"), (DOWN, v30, "v2.1")):
        field = {
            (crew, who): contender
            for crew in crews
            for who, contender in contenders(source, version=version, crew=crew).items()
        }
        rows, packets = dataset.frames, dataset.frames * len(dataset.shape.cameras)
        check = partial(checked, rows=rows, packets=packets)
        named = {f"{who} {crew}": check(one) for (crew, who), one in field.items()}
        results = race(direction, named, runs=runs, work=work)
        found += list(zip((crew for crew, _ in field), results, strict=True))
    return found


def contenders(source: Path, *, version: str, crew: int) -> dict[str, Contender]:
    return {
        COMMAND: roboreel_command(source, version=version, workers=crew),
        CALL: roboreel_call(source, version=version, workers=crew),
        CP: cp_together(shares(source, crew)),
    }


def shares(source: Path, crew: int) -> list[Path]:
    """Folders beside the source that share out its files, about the same bytes in each.

    Hard links: `cp` reads the very files that the conversion reads.
    """
    folders = [source.with_name(f"{source.name}-{number}-of-{crew}") for number in range(crew)]
    sizes = dict.fromkeys(folders, 0)
    files = [path for path in source.rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: (-path.stat().st_size, path)):
        folder = min(folders, key=lambda one: sizes[one])
        link = folder / path.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, link)
        sizes[folder] += path.stat().st_size
    return folders


def speed_ups(found: list[tuple[int, Result]]) -> dict[str, float]:
    """Median seconds of the least processes over those of that many, by line of the table."""
    first: dict[tuple[str, str], float] = {}
    factors = {}
    for crew, result in found:
        who = result.contender.removesuffix(f" {crew}")
        seconds = result.median.seconds
        alone = first.setdefault((result.direction, who), seconds)
        factors[f"{result.direction}, {result.contender}"] = alone / seconds
    return factors


def table(found: list[tuple[int, Result]]) -> str:
    factors = speed_ups(found)
    lines = [f"{'direction':14}{'who':14}{'s':>8}{'speed-up':>10}{'peak MB':>9}"]
    for _, result in found:
        mid, factor = result.median, factors[f"{result.direction}, {result.contender}"]
        memory = f"{mid.peak_rss_bytes / 2**20:9.0f}"
        head = f"{result.direction:14}{result.contender:14}"
        lines.append(f"{head}{mid.seconds:8.2f}{factor:10.2f}{memory}")
    return "\n".join(lines)


def usual_crews() -> list[int]:
    cores = os.cpu_count() or 1
    return [1, 2, 4] if cores >= 4 else [1, 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mb", type=int, default=1000, help="of the dataset, in 10^6 bytes")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=usual_crews())
    parser.add_argument("--work", type=Path, help="a folder on the disk to measure")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "workers.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        dataset = fabricate(Path(folder) / "v21", size_bytes=options.size_mb * 10**6)
        crews = sorted(set(options.workers))
        found = measured(dataset, crews=crews, runs=options.runs, work=Path(folder))
    document = {
        "machine": machine(),
        "dataset": dataset.described(),
        "speed_ups": speed_ups(found),
        "results": [{"processes": crew} | result.to_json() for crew, result in found],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
