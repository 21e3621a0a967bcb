"""Who is measured: roboreel as a command or as a call, lerobot's converter, and cp."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import copying
import pyarrow.parquet as pq
from measure import Cost, cost, last_json, resolve
from racing import Contender

HERE = Path(__file__).parent


def roboreel_command(source: Path, *, version: str, workers: int = 1) -> Contender:
    """The whole process, from the interpreter's start to its end."""
    convert = (sys.executable, "-m", "roboreel", "convert", "--quiet")
    options = ("--to", version, "--workers", str(workers))
    return lambda out: cost([(*convert, *options, "-o", str(out), str(source))])


def roboreel_call(source: Path, *, version: str, workers: int = 1) -> Contender:
    """`open` and `convert` alone, in a process that has imported what they need."""
    script = str(HERE / "one_conversion.py")
    command = (sys.executable, script, str(source), version)
    return lambda out: told_cost((*command, str(out), str(workers)))


def lerobot_command(source: Path, *, python: str, home: Path) -> Contender:
    """The whole process of the converter that comes with lerobot."""
    module = (*alone(python, home=home), "-m", "lerobot.scripts.convert_dataset_v21_to_v30")
    options = ("--repo-id", "local/x", "--push-to-hub", "false", "--root")
    return lambda out: cost([(*module, *options, str(fresh_copy(source, out)))])


def lerobot_call(source: Path, *, python: str, home: Path) -> Contender:
    """lerobot's `convert_dataset` alone, in a process that has imported it."""
    script = (*alone(python, home=home), str(HERE / "lerobot_conversion.py"))
    return lambda out: told_cost((*script, str(fresh_copy(source, out))))


def alone(python: str, *, home: Path) -> tuple[str, ...]:
    """Another environment's interpreter: offline, with caches of its own, without our PYTHONPATH."""
    return ("env", "-u", "PYTHONPATH", "HF_HUB_OFFLINE=1", f"HF_HOME={home}", python)


def fresh_copy(source: Path, out: Path) -> Path:
    """lerobot converts in place, and keeps the original beside it: both lie in `out`."""
    out.mkdir()
    subprocess.run(copying.copy_all(source, out / "dataset"), check=True)
    resolve()
    return out / "dataset"


def cp(source: Path) -> Contender:
    return lambda out: cost([copying.copy_all(source, out)])


def cp_together(shares: Sequence[Path]) -> Contender:
    """Copies the folders at the same time, each by a process of its own."""

    def run(out: Path) -> Cost:
        out.mkdir()
        commands = [copying.copy_all(share, out / share.name) for share in shares]
        return cost(commands, together=True)

    return run


def told_cost(command: Sequence[str]) -> Cost:
    """Of a process that times itself and prints it as JSON."""
    report = last_json(command)
    return Cost(seconds=report["seconds"], peak_rss_bytes=report["peak_rss_bytes"], ffmpegs=0)


def checked(contender: Contender, *, rows: int, packets: int) -> Contender:
    """Raises ValueError where a run did not write them all: then it did not do the same work."""

    def run(out: Path) -> Cost:
        spent = contender(out)
        root = out / "dataset" if (out / "dataset").is_dir() else out
        if (found := contents(root)) != (rows, packets):
            raise ValueError(f"(rows, packets) are {found}, not {(rows, packets)}")
        return spent

    return run


def contents(root: Path) -> tuple[int, int]:
    """Rows of the tables and packets of the videos, wherever they lie."""
    tables = (path for path in root.rglob("*.parquet") if "data" in path.parts)
    rows = sum(pq.read_metadata(path).num_rows for path in tables)
    return rows, sum(copying.count_packets(path) for path in root.rglob("*.mp4"))
