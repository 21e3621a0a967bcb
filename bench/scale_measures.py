"""What a plan that measures very many cameras costs beside measuring: its ops are made up, not done."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from measure import Timed, seconds, timed
from scale_inventory import assumed_inventory

import roboreel
from roboreel.edit.view import whole_view
from roboreel.edit.write_options import WriteOptions
from roboreel.executors.jobs import JobFailure
from roboreel.executors.make_executor import make_executor
from roboreel.plan.compile import compile_view
from roboreel.plan.plan import MeasureCamera, Plan
from roboreel.runner.commit import write_documents
from roboreel.runner.ledger import Ledger
from roboreel.runner.resolve_stats import resolved_stats
from roboreel.runner.row_sketches import WholeSketches
from roboreel.runner.run_options import RunOptions
from roboreel.runner.work import OpResult, Work, work_of
from roboreel.stats.block import blocks_of
from roboreel.stats.camera_pixels import CameraPixels
from roboreel.stats.feature_stats import FeatureStats
from roboreel.stats.pixel_counts import Counted
from roboreel.stats.sampling import SamplingProfile
from roboreel.storage.local import LocalRoot

_WORKERS = 2
_PICTURES = 100


def measures(source: str, version: str, out: str) -> Timed:
    """Every station of a run, with all of its ops that measure cameras, and no other."""
    compiled, plan = _compiled(source, version)
    folder = LocalRoot(out)
    parts = {
        "compile": compiled,
        "slice": seconds(lambda: sum(1 for _ in work_of(plan, out))),
        "run": seconds(lambda: _run(plan, out, Ledger(plan, folder, folder))),
    }
    read = Ledger(plan, folder, folder)
    parts |= {"read": seconds(read.read), "reopen": seconds(read.reopen)}
    if len(read.done) != len(plan.ops):
        raise RuntimeError(f"{len(read.done)} of {len(plan.ops)} ops were read")
    return parts | {"documents": seconds(lambda: _write_documents(plan, read))}


def _compiled(source: str, version: str) -> tuple[tuple[float, float], Plan]:
    dataset = roboreel.open(source)
    options = WriteOptions(to=version, timestamps="regular", regroup=True)
    view = whole_view(dataset).written_as(options)
    inventory = replace(assumed_inventory(dataset), with_stats={})
    compiled, plan = timed(lambda: compile_view(view, [inventory]))
    return compiled, replace(plan, ops=tuple(o for o in plan.ops if isinstance(o, MeasureCamera)))


def _run(plan: Plan, out: str, ledger: Ledger) -> None:
    ledger.begin()
    executor = make_executor(RunOptions(workers=_WORKERS, executor="process"), decodes=True)
    for outcome in executor.run(work_of(plan, out), made_up):
        if isinstance(outcome, JobFailure):
            raise SystemExit(outcome.message)
        ledger.record(outcome)


def _write_documents(plan: Plan, ledger: Ledger) -> None:
    resolved = resolved_stats(plan, lambda _, episodes: [], ledger.stats_of)
    write_documents(
        LocalRoot(Path(ledger.notes.path) / "documents"),
        plan,
        resolved,
        ledger.pixels,
        WholeSketches(),
    )


def made_up(work: Work) -> OpResult:
    """In a worker: a result as the op would have one."""
    if not isinstance(work.op, MeasureCamera):
        raise TypeError(f"{work.op.kind} is not made up")
    stats, counted = _measured(work.op.profile)
    return OpResult(
        number=work.number,
        measured=1,
        stats=tuple(blocks_of([{work.op.camera: stats}])),
        pixels={work.op.camera: counted} if work.op.profile.exact_quantiles else {},
    )


@lru_cache(maxsize=1)
def _measured(profile: SamplingProfile) -> tuple[FeatureStats, Counted]:
    random = np.random.default_rng(0)
    pixels = CameraPixels(profile, video=True)
    for _ in range(_PICTURES):
        pixels.add(random.integers(0, 256, (480, 640, 3), dtype=np.uint8))
    stats, counted = pixels.stats(), pixels.counted
    if stats is None or counted is None:
        raise RuntimeError("no statistics of pictures")
    return stats, counted
