"""Convert onto real disks that are too small: one clear error, the source as it was, nothing published.

    python scripts/full_disk.py [--steps 40]

Mounts a tmpfs of each of many sizes (as root, or in a user namespace of its own) and runs the command
there, with and without its look at the free space beforehand, and in place. Exits 1 where a promise breaks.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from hashlib import sha256
from pathlib import Path

from roboreel.testing import Camera, make_dataset

UNCHECKED = (
    "import roboreel.runner.requirements as known; known.free_bytes = lambda folder: 1 << 60;"
    "from roboreel.cli.main import main; main()"
)
PAGE = 4096


def main() -> int:
    """Try every size; returns the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--steps", type=int, default=40)
    steps = arguments.parse_args().steps
    if os.geteuid() != 0:
        command = ["unshare", "--map-root-user", "--mount", sys.executable, *sys.argv]
        return subprocess.run(command, check=False).returncode
    with tempfile.TemporaryDirectory() as folder:
        return _tried(Path(folder), steps)


def _tried(folder: Path, steps: int) -> int:
    cameras = {"top": Camera(height=64), "wrist": Camera(height=64)}
    source = make_dataset(folder / "set", version="v2.1", episodes=(40,) * 12, cameras=cameras)
    needed = 2 * sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    faults: list[str] = []
    for name, arguments, extra in (
        ("checked", ["-m", "roboreel"], 0),
        ("unchecked", ["-c", UNCHECKED], 0),
        ("in place, unchecked", ["-c", UNCHECKED], needed // 2),
    ):
        outcomes: Counter[str] = Counter()
        for step in range(1, steps + 1):
            size = (extra + needed * step // steps) // PAGE * PAGE + 16 * PAGE
            outcome, found = _try(folder, source, arguments, size, in_place=bool(extra))
            outcomes[outcome] += 1
            faults += [f"{name}, {size} bytes: {fault}" for fault in found]
        print(f"{name}: {dict(outcomes)}")
    print("\n".join(faults) or "no promise broken")
    return int(bool(faults))


def _try(
    folder: Path, source: Path, arguments: list[str], size: int, *, in_place: bool
) -> tuple[str, list[str]]:
    """Convert on a disk of `size` bytes; returns how it went, and what broke."""
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    try:
        place = disk / "set" if in_place else source
        if in_place:
            shutil.copytree(source, place)
        target = ["--in-place"] if in_place else ["-o", str(disk / "out")]
        command = [sys.executable, *arguments, "convert", str(place), "--to", "v3.0", *target]
        whole = _digest(source)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return _judged(done, disk, source, whole, in_place=in_place)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _judged(
    done: subprocess.CompletedProcess[str], disk: Path, source: Path, whole: str, *, in_place: bool
) -> tuple[str, list[str]]:
    faults = []
    originals = [p for p in disk.glob("set*") if _digest(p) == whole] if in_place else [source]
    if not originals or _digest(originals[0]) != whole:
        faults.append("the source is not what it was")
    if "Traceback" in done.stderr or done.stderr.count("error:") != int(done.returncode != 0):
        faults.append(f"not one clear error: {done.stderr!r}")
    if done.returncode == 0:
        return "written", faults
    if done.returncode != 1 or (disk / "out").exists():
        faults.append(f"exit code {done.returncode}, something published")
    refused = "MiB free" in done.stderr
    if not refused and "No space left" not in done.stderr:
        faults.append(f"another error: {done.stderr!r}")
    return "refused before" if refused else "stopped in the middle", faults


def _digest(folder: Path) -> str:
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
