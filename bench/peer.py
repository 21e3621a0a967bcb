"""Times v2.1 -> v3.0 beside lerobot's own converter and `cp`; see README.md here.

python bench/peer.py --lerobot-python PYTHON [--episodes 40] [--runs 5] [--work FOLDER] [--json FILE]

PYTHON is the interpreter of an environment with lerobot. Exits 1 where roboreel's command is less than
three times as fast as lerobot's.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from contenders import (
    alone,
    checked,
    contents,
    cp,
    lerobot_call,
    lerobot_command,
    roboreel_call,
    roboreel_command,
)
from fabrication import UR5, Fabricated, fabricate
from measure import last_json, machine
from racing import Contender, Result, race

HERE = Path(__file__).parent
WANTED = 3.0
"""lerobot's median seconds over roboreel's, whole processes."""
PROCESSES, CALLS = "whole process", "call alone"


def measured(dataset: Fabricated, *, python: str, runs: int, work: Path) -> list[Result]:
    """Raises ValueError where a result has not every row and packet."""
    source, home = dataset.root, work / "lerobot"
    processes = {
        "roboreel": roboreel_command(source, version="v3.0"),
        "lerobot": lerobot_command(source, python=python, home=home),
        "cp -r": cp(source),
    }
    calls = {
        "roboreel": roboreel_call(source, version="v3.0"),
        "lerobot": lerobot_call(source, python=python, home=home),
    }
    return [
        *race(PROCESSES, complete(processes, dataset), runs=runs, work=work),
        *race(CALLS, complete(calls, dataset), runs=runs, work=work),
    ]


def complete(contenders: dict[str, Contender], dataset: Fabricated) -> dict[str, Contender]:
    rows, packets = dataset.frames, dataset.frames * len(dataset.shape.cameras)
    if contents(dataset.root) != (rows, packets):
        raise ValueError(f"the source does not hold {rows} rows and {packets} packets")
    return {name: checked(one, rows=rows, packets=packets) for name, one in contenders.items()}


def times_faster(results: list[Result], what: str) -> float:
    """lerobot's median seconds over roboreel's."""
    seconds = {r.contender: r.median.seconds for r in results if r.direction == what}
    return seconds["lerobot"] / seconds["roboreel"]


def table(results: list[Result]) -> str:
    lines = [f"{'what':16}{'who':12}{'s':>8}{'peak MB':>9}"]
    for result in results:
        mid = result.median
        memory = f"{mid.peak_rss_bytes / 2**20:9.0f}"
        lines.append(f"{result.direction:16}{result.contender:12}{mid.seconds:8.2f}{memory}")
    return "\n".join(lines)


def peer_versions(python: str, home: Path) -> dict[str, str]:
    """What lerobot runs on."""
    wanted = ["lerobot", "av", "pyarrow", "numpy", "torch"]
    script = "import json, platform, sys, importlib.metadata as m; print(json.dumps("
    script += "{'python': platform.python_version()} | {n: m.version(n) for n in sys.argv[1:]}))"
    command = (*alone(python, home=home), "-c", script, *wanted)
    return {str(name): str(version) for name, version in last_json(command).items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lerobot-python", required=True, help="an interpreter that has lerobot")
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", type=Path, help="a folder on the disk to measure")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "peer.json")
    options = parser.parse_args()
    python = options.lerobot_python
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        work = Path(folder)
        dataset = fabricate(work / "v21", shape=UR5, episodes=options.episodes)
        versions = peer_versions(python, work / "lerobot")
        results = measured(dataset, python=python, runs=options.runs, work=work)
    faster = {what: times_faster(results, what) for what in (PROCESSES, CALLS)}
    document = {
        "machine": machine(),
        "lerobot": versions,
        "dataset": dataset.described(),
        "times_faster": faster,
        "results": [result.to_json() for result in results],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(table(results))
    print("; ".join(f"{what}: {factor:.1f} times faster" for what, factor in faster.items()))
    return 0 if faster[PROCESSES] >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
