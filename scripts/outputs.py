"""Hash what every command makes of every dataset, to compare two states of the code.

    python ops/lerobot_names/outputs.py DATA --out before.json
    python ops/lerobot_names/outputs.py DATA --out after.json --against before.json

DATA is searched for datasets (`meta/info.json`). A case is one command on one dataset: its exit code
and the SHA-256 of each file it wrote. `--against` lists the cases that differ; the exit code is 1 where
a command that succeeded before now writes other bytes or fails.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

Case = dict[str, Any]
COMMANDS: dict[str, tuple[str, ...]] = {
    "convert-v2.0": ("convert", "{}", "--to", "v2.0", "--allow-reencode"),
    "convert-v2.1": ("convert", "{}", "--to", "v2.1", "--allow-reencode"),
    "convert-v3.0": ("convert", "{}", "--to", "v3.0"),
    "convert-v3.0-small-files": (
        *("convert", "{}", "--to", "v3.0", "--data-file-mb", "0.02", "--video-file-mb", "0.1"),
    ),
    "convert-skip": ("convert", "{}", "--to", "v3.0", "--on-broken", "skip"),
    "delete": ("delete", "{}", "--episodes", "1"),
    "keep-v2.1": ("keep", "{}", "--episodes", ":2", "--to", "v2.1", "--allow-reencode"),
    "merge": ("merge", "{}", "{}"),
    "trim": ("trim", "{}", "--episode", "0", "--frames", "2:20", "--to", "v3.0"),
    "shuffle": ("shuffle", "{}", "--seed", "3"),
    "rename": ("features", "{}", "--rename", "action=act"),
    "tasks": ("tasks", "{}", "--set", "do it"),
    "compact": ("compact", "{}"),
    "split": ("split", "{}", "--into", "a=0.5,b=0.5"),
    "recompute": ("stats", "{}", "--recompute"),
}


def main() -> int:
    """Run every case; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="where the hashes are written")
    parser.add_argument("--against", type=Path, help="hashes of an earlier run")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    sets = sorted(path.parents[1] for path in arguments.data.rglob("meta/info.json"))
    cases = [(root, name) for root in sets for name in COMMANDS]
    with ThreadPoolExecutor(arguments.workers) as pool:
        found = list(pool.map(lambda case: _case(*case), cases))
    names = [f"{root.relative_to(arguments.data)} {name}" for root, name in cases]
    result = dict(zip(names, found, strict=True))
    arguments.out.write_text(json.dumps(result, indent=1))
    done = sum(case["exit"] == 0 for case in found)
    print(f"{len(found)} cases, {done} succeeded, {sum(len(c['files']) for c in found)} files")
    if arguments.against is None:
        return 0
    faults = list(_differences(json.loads(arguments.against.read_text()), result))
    print("\n".join(faults) or "no output differs")
    return int(bool(faults))


def _case(root: Path, name: str) -> Case:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        words = [str(root) if word == "{}" else word for word in COMMANDS[name]]
        command = [sys.executable, "-m", "roboreel", *words, "-o", str(out), "--quiet"]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        files = {str(p.relative_to(out)): p for p in sorted(out.rglob("*")) if p.is_file()}
        hashes = {at: sha256(path.read_bytes()).hexdigest() for at, path in files.items()}
        return {"exit": run.returncode, "files": hashes, "message": run.stderr[-500:]}


def _differences(before: dict[str, Case], after: dict[str, Case]) -> Iterator[str]:
    for name, old in before.items():
        new = after.get(name)
        if new is None or old["exit"] != 0:
            continue
        if new["exit"] != 0:
            yield f"{name}: now exits {new['exit']}: {new['message'].strip()}"
            continue
        changed = sorted(
            at
            for at in old["files"].keys() | new["files"].keys()
            if old["files"].get(at) != new["files"].get(at)
        )
        if changed:
            yield f"{name}: {', '.join(changed)}"


if __name__ == "__main__":
    sys.exit(main())
