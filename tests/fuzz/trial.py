"""One trial: a dataset is made odd, opened, converted; what may come of it, and what may not."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, get_args

import roboreel
from roboreel.errors import RoboreelError
from roboreel.survey.survey import survey
from roboreel.testing import Camera, Version, make_dataset
from tests.fuzz.documents import mutate_document
from tests.fuzz.movies import mutate_movie
from tests.fuzz.tables import mutate_table
from tests.fuzz.trees import mutate_tree

Mutation = Callable[[Path, random.Random], str]
Look = Callable[[Path, Path], object]
MUTATIONS: dict[str, Mutation] = {
    "documents": mutate_document,
    "tables": mutate_table,
    "movies": mutate_movie,
    "tree": mutate_tree,
}
VERSIONS: tuple[Version, ...] = get_args(Version)
LOOKS: list[Look] = [
    lambda _source, out: roboreel.check(out),
    lambda source, out: roboreel.diff(source, out),
]
"""What else is done with a source and what was written from it: commands that check and compare."""
LOOKED_AT_EVERY, DECODED_EVERY = 3, 8
"""Every source is checked, but a result looked at, and pictures decoded, only for one seed in so many: that
costs more than the conversion."""
SECONDS = 5.0
"""Of work: a busy machine is no finding."""
_HANGS_AFTER = 60.0
MEMORY = 300 << 20
"""Bytes by which a trial may raise the process's peak of resident memory."""
_ADDRESS_SPACE = 2 << 30


STAGED = ".out.roboreel-partial"


class Finding(AssertionError):  # noqa: N818 (what is found is a fact about roboreel)
    """Something that no input may bring about."""


class _TooSlow(BaseException):
    pass


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial, made again from its name alone."""

    version: Version
    kind: str
    seed: int

    def __str__(self) -> str:
        return f"{self.version}-{self.kind}-{self.seed}"


def trial_named(name: str) -> Trial:
    """The trial of that name."""
    version, kind, seed = name.rsplit("-", 2)
    found = next(known for known in VERSIONS if known == version)
    return Trial(found, kind, int(seed))


def make_bases(folder: Path) -> dict[Version, Path]:
    """The sound datasets that trials start from, by version."""
    cameras = {
        "observation.images.top": Camera(height=32, gop=2),
        "observation.images.wrist": Camera(height=32, gop=250, b_frames=2),
        "observation.images.png": Camera(height=32, storage="image"),
    }
    bases = {}
    for version in VERSIONS:
        bases[version] = make_dataset(
            folder / version,
            version=version,
            episodes=(4, 3, 5),
            cameras=cameras,
            features="rich",
            tasks_per_episode=2,
            data_episodes_per_file=None if version != "v3.0" else 2,
        )
        (bases[version] / "meta/modality.json").write_text("{}", "utf-8")
    return bases


def run_trial(trial: Trial, bases: dict[Version, Path], folder: Path) -> str:
    """Run a trial in an empty folder; says what came of it.

    Raises:
        Finding: what no input may bring about.
    """
    choose = random.Random(str(trial))
    source = folder / "source"
    (folder / "outside").mkdir()
    (folder / "here").mkdir()
    shutil.copytree(bases[trial.version], source)
    mutate = MUTATIONS[trial.kind]
    done = [mutate(source, choose) for _ in range(choose.choice((1, 1, 1, 2, 3)))]
    target = choose.choice([version for version in VERSIONS if version != trial.version])
    options: dict[str, Any] = {
        "on_broken": choose.choice(("fail", "skip", "skip")),
        "allow_reencode": choose.choice((True, False)),
        "timestamps": choose.choice(("regular", "keep")),
    }
    told = f"{trial} → {target} {options}: {'; '.join(done)}"
    decode = trial.seed % DECODED_EVERY == 0
    looks = LOOKS if trial.seed % LOOKED_AT_EVERY == 0 else []
    before = _snapshot(folder)
    try:
        with _inside(folder / "here"):
            _watched(lambda: _checked(source, decode=decode), folder / "out")
            outcome = _watched(
                lambda: _used(source, target, folder / "out", options, looks), folder / "out"
            )
    except Finding as finding:
        raise Finding(f"{finding}\n  {told}") from finding.__cause__
    shutil.rmtree(folder / "out", ignore_errors=True)
    shutil.rmtree(folder / STAGED, ignore_errors=True)
    after = _snapshot(folder)
    if before != after:
        changed = sorted(before.items() ^ after.items())
        raise Finding(f"changed on disk: {changed[:4]}\n  {told}")
    return f"{outcome}  {told}"


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    old = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(old)


def _watched(use: Callable[[], str], out: Path) -> str:
    peak, begun = _peak_bytes(), time.process_time()
    try:
        with _limits():
            try:
                outcome = use()
            except RoboreelError as error:
                _judge_error(error, out)
                outcome = f"refused: {str(error).splitlines()[0][:100]}"
    except _TooSlow as error:
        raise Finding(f"hangs: not done after {_HANGS_AFTER} s") from error
    except Finding:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise Finding(f"{type(error).__name__}: {error}") from error
    if time.process_time() - begun > SECONDS:
        raise Finding(f"took {time.process_time() - begun:.1f} s")
    if _peak_bytes() - peak > MEMORY:
        raise Finding(f"took {(_peak_bytes() - peak) >> 20} MiB")
    return outcome


def _checked(source: Path, *, decode: bool) -> str:
    """Check a dataset, also one that cannot be opened."""
    report = roboreel.check(source, decode=decode)
    json.dumps(report.to_json())
    return "checked"


def _used(
    source: Path, target: Version, out: Path, options: dict[str, Any], looks: Sequence[Look]
) -> str:
    """Open, look at, and convert a dataset; what is written must open again and be sound."""
    dataset = roboreel.open(source)
    str(dataset), dataset.size_bytes(), dataset.stats()
    json.dumps([problem.to_json() for problem in dataset.problems])
    plan = roboreel.plan_convert(dataset, to=target, out=out, **options)
    report = roboreel.run(plan)
    written = roboreel.open(out)
    broken = survey(written).broken
    if broken:
        raise Finding(f"what was written is broken: {next(iter(broken.values()))[0]}")
    if written.total_frames != report.frames or any(
        p.severity == "error" for p in written.problems
    ):
        raise Finding(f"what was written is not what was reported: {written.problems}")
    for look in looks:
        look(source, out)
    return "converted"


def _judge_error(error: RoboreelError, out: Path) -> None:
    text = str(error)
    if len(text) > 50_000 or len(text) < 10:
        raise Finding(f"a message of {len(text)} characters")
    unseen = [c for c in text if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)]
    if unseen:
        raise Finding(f"a message with {unseen[0]!r}: {text[:300]!r}")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            raise Finding(f"out of memory: {text[:300]}") from cause
        cause = cause.__cause__
    if out.exists():
        raise Finding("failed, and left an output")


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    """An alarm clock, and an end to the address space."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise _TooSlow

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    handler = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, _HANGS_AFTER)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _ADDRESS_SPACE, hard))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _snapshot(folder: Path) -> dict[str, str]:
    """What stands in a folder: kinds, links and contents, by name."""
    found: dict[str, str] = {}
    for at, folders, files in os.walk(folder):
        if at == str(folder) and STAGED in folders:
            folders.remove(STAGED)  # what is done is kept there, for a run that goes on
        for name in [*folders, *files]:
            path = os.path.join(at, name)
            key = repr(os.path.relpath(path, folder))
            if os.path.islink(path):
                found[key] = f"link {os.readlink(path)!r}"
            elif os.path.isfile(path):
                found[key] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            else:
                found[key] = "folder" if os.path.isdir(path) else "other"
    return found
