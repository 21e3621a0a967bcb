"""How far a run is: what finished ops did, and what ops at work tell, in the words of users."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from roboreel.plan.plan import (
    ROWS,
    CopyFile,
    CopyTables,
    CopyVideos,
    EncodeVideo,
    MeasureCamera,
    Op,
    Plan,
    RemuxVideo,
    WriteTables,
)
from roboreel.progress.reporter import LOGGER, current_reporter
from roboreel.stats.sampling import sample_size

_WORDS: dict[type[object], str] = {
    WriteTables: "writing tables",
    CopyTables: "copying tables",
    RemuxVideo: "copying videos",
    CopyVideos: "copying videos",
    EncodeVideo: "encoding videos",
    MeasureCamera: "measuring camera statistics",
    CopyFile: "copying other files",
}
_FRAME_BYTES: dict[type[object], float] = {MeasureCamera: 1e6, EncodeVideo: 5e6}
"""Number of bytes that are copied in the time to measure or encode a frame."""
_IMAGES = "observation.images."


class _Phase(NamedTuple):
    """Ops that users see as one thing being done."""

    words: str
    camera: str

    def shown(self, cameras: int) -> str:
        """What is being done, and of which camera if there are several."""
        named = bool(self.camera) and cameras > 1
        return self.words + (f" of {self.camera.removeprefix(_IMAGES)}" if named else "")


@dataclass(slots=True)
class _Total:
    """What a phase has, and what of it is done."""

    frames: int = 0
    files: int = 0
    done_frames: int = 0
    done_bytes: int = 0
    done_files: int = 0


@dataclass(slots=True)
class _AtWork:
    """What an op at work has told."""

    frames: int = 0
    size_bytes: int = 0


@dataclass(slots=True, kw_only=True)
class PlanProgress:
    """Tells the current reporter how far a run is; ops that an earlier run finished do not count."""

    plan: Plan
    done: Collection[int] = ()
    """Numbers of the ops that an earlier run finished."""
    _frames: list[list[int]] = field(init=False, repr=False)
    """Frames of each op, by episode."""
    _costs: list[float] = field(init=False, repr=False)
    _totals: dict[_Phase, _Total] = field(init=False, default_factory=dict)
    _at_work: dict[int, _AtWork] = field(init=False, default_factory=dict)
    _cameras: int = field(init=False)
    _spent: float = 0.0
    _begun: set[_Phase] = field(init=False, default_factory=set)
    _reached: dict[_Phase, int] = field(init=False, default_factory=dict)
    """The latest episode that was told, by phase: later ones may be finished first."""

    def __post_init__(self) -> None:
        self._frames = op_frames(self.plan)
        self._costs = op_costs(self.plan, self._frames)
        self._cameras = len({getattr(op, "camera", "") for op in self.plan.ops} - {""})
        if (reporter := current_reporter()) is not None:
            reporter.begin_run()
        for number, op in enumerate(self.plan.ops):
            if number in self.done:
                self._costs[number] = 0.0
                continue
            total = self._totals.setdefault(_phase_of(op), _Total())
            total.frames += sum(self._frames[number])
            total.files += 1

    def moved(self, number: int, frames: int, size_bytes: int) -> None:
        """Note what an op at work has done so far."""
        self._at_work[number] = _AtWork(frames, size_bytes)
        self._tell(min(self._at_work))

    def finished(self, number: int) -> None:
        """Note that an op is finished."""
        told = self._at_work.pop(number, None)
        total = self._totals[_phase_of(self.plan.ops[number])]
        total.done_frames += sum(self._frames[number])
        total.done_files += 1
        total.done_bytes += 0 if told is None else told.size_bytes
        self._spent += self._costs[number]
        self._tell(min(self._at_work, default=number))

    def _tell(self, number: int) -> None:
        """Tell about the first op at work: ops that follow it are ahead, and would make numbers jump."""
        op = self.plan.ops[number]
        phase = _phase_of(op)
        shown = phase.shown(self._cameras)
        if phase not in self._begun:
            self._begun.add(phase)
            LOGGER.info("%s", shown)
        reporter = current_reporter()
        if reporter is None:
            return
        total, of_files = self._totals[phase], isinstance(op, CopyFile)
        at_work = [(n, told) for n, told in self._at_work.items() if self._of(n) == phase]
        frames = total.done_frames + sum(min(t.frames, sum(self._frames[n])) for n, t in at_work)
        reporter.tell(
            shown,
            _file(total) if of_files else self._episode(number),
            done=total.done_files if of_files else frames,
            total=total.files if of_files else total.frames,
            unit="files" if of_files else "frames",
            frames=frames,
            size_bytes=total.done_bytes + sum(told.size_bytes for _, told in at_work),
            fraction=self._share(),
            at_once=not self._at_work and number in self._last_of(phase),
        )

    def _of(self, number: int) -> _Phase:
        return _phase_of(self.plan.ops[number])

    def _last_of(self, phase: _Phase) -> Collection[int]:
        """Every op, once all of the phase are finished."""
        total = self._totals[phase]
        return range(len(self.plan.ops)) if total.done_files == total.files else ()

    def _episode(self, number: int) -> str:
        """Which episode of the result an op has reached."""
        op = self.plan.ops[number]
        assert not isinstance(op, CopyFile)
        told = self._at_work.get(number)
        ends = list(accumulate(self._frames[number]))
        within = len(ends) - 1 if told is None else bisect_right(ends, told.frames)
        episode = op.episodes.start + min(within, len(ends) - 1) + 1
        episode = self._reached[self._of(number)] = max(
            episode, self._reached.get(self._of(number), 0)
        )
        return f"episode {episode:,} of {len(self.plan.model.episodes):,}"

    def _share(self) -> float:
        """The share of the run's cost that is done."""
        spent, cost = self._spent, sum(self._costs)
        for number, told in self._at_work.items():
            frames = sum(self._frames[number])
            spent += self._costs[number] * min(told.frames / frames, 1.0) if frames else 0.0
        return min(spent / cost, 1.0) if cost else 1.0


def _file(total: _Total) -> str:
    return f"file {min(total.done_files + 1, total.files):,} of {total.files:,}"


def _phase_of(op: Op) -> _Phase:
    return _Phase(_WORDS[type(op)], getattr(op, "camera", ""))


def op_frames(plan: Plan) -> list[list[int]]:
    """The frames that each op copies, decodes or encodes, by episode; none where other files are copied."""
    rows = plan.inputs[ROWS].to_pylist()
    found = []
    for op in plan.ops:
        own = [] if isinstance(op, CopyFile) else rows[op.episodes.start : op.episodes.stop]
        if isinstance(op, MeasureCamera) and not op.profile.every_frame(video=op.video):
            own = list(map(sample_size, own))
        found.append(own)
    return found


def op_costs(plan: Plan, frames: list[list[int]]) -> list[float]:
    """The cost of each op, in bytes: decoding and encoding count as the bytes copied in their time.

    Args:
        plan: the plan.
        frames: the frames of each op, by episode.
    """
    copied = sum(
        sum(own) for own, op in zip(frames, plan.ops, strict=True) if type(op) not in _FRAME_BYTES
    )
    each = plan.input_bytes / max(copied, 1)
    return [
        1.0 + sum(own) * _FRAME_BYTES.get(type(op), each)
        for own, op in zip(frames, plan.ops, strict=True)
    ]
