"""Proves that lerobot reads what Data-Juicer samples are exported to. See README.md beside this file.

PYTHONPATH=. python scripts/compat/exported_samples.py --peer 0.6.1=PYTHON --peer 0.3.3=PYTHON [--out FOLDER]
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from peers import Peer
from readings import Reading, load

from roboreel.sink.data_juicer import ExportToLeRobotMapper
from tests.data_juicer_samples import number_of
from tests.data_juicer_set import CAMERA, EXPECTED, sample_set, stage

VERSIONS = {"0.6.1": ("v3.0",), "0.4.4": ("v3.0",), "0.3.3": ("v2.1", "v2.0")}
"""Which versions a release reads."""


def exported(work: Path) -> dict[str, Path]:
    """The sample set as a dataset of each version."""
    for sample in sample_set(work / "source"):
        stage(sample, work / "export")
    made = {}
    for version in sorted({one for each in VERSIONS.values() for one in each}):
        out = made[version] = work / version
        ExportToLeRobotMapper.finalize_dataset(work / "export", version=version, out=out)
    return made


def problems(reading: Reading) -> Iterator[str]:
    """Where items are not the rows and frames that the samples have."""
    tasks = [task for _, task, frames in EXPECTED for _ in frames]
    frames = [frame for _, _, own in EXPECTED for frame in own]
    starts = [position for _, _, own in EXPECTED for position in range(len(own))]
    if reading.length != len(frames):
        yield f"{reading.length} items, not {len(frames)}"
        return
    if reading.tasks != tasks:
        yield "other tasks"
    columns = {name: values.reshape(-1) for name, values in reading.numbers.items()}
    if columns["source_frame_index"].tolist() != frames:
        yield "other rows"
    if not np.allclose(columns["timestamp"], np.array(starts) / 10, atol=1e-6):
        yield "other timestamps"
    if columns["index"].tolist() != list(range(len(frames))):
        yield "an index that does not count rows"
    shown = [number_of(image) for image in reading.pixels(CAMERA)]
    if shown != frames:
        yield f"frames {shown}, not {frames}"


def verdicts(peer: Peer, made: dict[str, Path]) -> Iterator[tuple[str, str]]:
    versions = VERSIONS[peer.release]
    outs = {version: peer.home / f"read-{version}" for version in versions}
    jobs = [
        {
            "root": str(made[version]),
            "out": str(outs[version]),
            "revision": None if version == "v3.0" else version,
            "keep_pictures": True,
        }
        for version in versions
    ]
    died = peer.run("read_with_lerobot.py", jobs)
    for version, out in outs.items():
        reading = load(out, release=peer.release)
        found = died or (reading if isinstance(reading, str) else "; ".join(problems(reading)))
        yield f"{version} read by lerobot {peer.release}", found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", action="append", required=True, help="RELEASE=PYTHON")
    parser.add_argument("--out", type=Path, help="keep what was made and read here")
    given = parser.parse_args()
    failed = 0
    with ExitStack() as stack:
        work = given.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made = exported(work)
        for named in given.peer:
            release, _, python = named.partition("=")
            peer = Peer(release=release, python=Path(python), home=work / f"home-{release}")
            for name, found in verdicts(peer, made):
                print(f"{name:40}{'FAILS   ' + found if found else 'ok'}")
                failed += bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
