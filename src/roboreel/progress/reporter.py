"""Turn what is done into events: at most ten a second, with speeds and the time left.

The reporter of a call is known to all that the call does in its thread, so that it need not be passed along.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from roboreel.progress.event import ProgressEvent
from roboreel.summary.words import human_bytes

LOGGER = logging.getLogger("roboreel.runs")
"""For phases and warnings of reports, which the caller gets anyway: printed only where logging is set up.

Other loggers below `roboreel` have no handler of their own, so that Python prints their warnings: nobody else
tells of frames that were kept aside, or of a camera that has frozen.
"""
LOGGER.addHandler(logging.NullHandler())

_INTERVAL_S = 0.1
_TELLING_S, _TELLING_SHARE = 0.5, 0.005
"""Least time and share of the work from which a speed or the time left can be told."""
_current: ContextVar[Reporter | None] = ContextVar("_current", default=None)


class CallbackError(BaseException):
    """An error of a user's callback, which no handler on the way may take for one of the work."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Reporter:
    """Shows the events of one call."""

    def __init__(
        self, show: Callable[[ProgressEvent], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._show, self._clock = show, clock
        self._begun = self._phase_begun = clock()
        self._phase, self._next, self._failed = "", 0.0, False
        self._run_begun, self._run_share = self._begun, None  # type: float, float | None

    def begin_run(self) -> None:
        """Begin a run of several phases, whose events tell the share of the run that is done."""
        self._run_begun, self._run_share = self._clock(), 0.0

    def is_due(self) -> bool:
        """True unless an event was shown just now."""
        return self._clock() >= self._next

    def tell(
        self,
        phase: str,
        detail: str = "",
        *,
        done: int = 0,
        total: int = 0,
        unit: str = "",
        frames: int = 0,
        size_bytes: int = 0,
        fraction: float | None = None,
        at_once: bool = False,
    ) -> None:
        """Show how far the call is, unless that was told just now.

        Args:
            phase: what is being done.
            detail: where in it.
            done: how much of the phase is done.
            total: how much it has.
            unit: what `done` and `total` count.
            frames: frames of the phase that are done.
            size_bytes: bytes of the phase that are done.
            fraction: the share of the run that is done; None: what is done of the phase.
            at_once: True: tell it, however short ago the last event was.
        """
        now = self._clock()
        changed = phase != self._phase
        if self._failed or (now < self._next and not at_once and not changed):
            return
        if changed:
            self._phase, self._phase_begun = phase, now
        self._next = now + _INTERVAL_S
        in_phase = now - self._phase_begun
        in_run = now - self._run_begun
        left = _left(done / total if total else None, in_phase)
        share = done / total if total else self._run_share
        if fraction is not None:
            self._run_share = share = fraction
            left = _left(fraction, in_run)
        self._call(
            ProgressEvent(
                phase=phase,
                detail=detail,
                done=done,
                total=total,
                unit=unit,
                frames=frames,
                size_bytes=size_bytes,
                frames_per_s=_speed(frames, in_phase),
                bytes_per_s=_speed(size_bytes, in_phase),
                fraction=None if share is None else min(share, 1.0),
                elapsed_s=now - self._begun,
                seconds_left=left,
            )
        )

    def _call(self, event: ProgressEvent) -> None:
        try:
            self._show(event)
        except Exception as error:
            self._failed = True
            raise CallbackError(error) from error
        except BaseException:
            self._failed = True
            raise


def _speed(amount: int, seconds: float) -> float | None:
    return amount / seconds if amount and seconds >= _TELLING_S else None


def _left(share: float | None, seconds: float) -> float | None:
    if share is None or share < _TELLING_SHARE or seconds < _TELLING_S:
        return None
    return max(0.0, seconds * (1 - share) / share)


class Phase:
    """One phase of a call, whose parts are counted where they are done."""

    def __init__(self, name: str, *, total: int = 0, unit: str = "") -> None:
        """Args: the phase in words; how much it has; what is counted, in the plural."""
        self._name, self._total, self._unit = name, total, unit
        self._done = self._frames = 0
        self._reporter = _current.get()
        LOGGER.info("%s", name)
        self._tell(at_once=True)

    def add(self, done: int = 1, *, frames: int = 0) -> None:
        """Count what was done."""
        self._done += done
        self._frames += frames
        if self._reporter is not None and self._reporter.is_due():
            self._tell()

    def reach(self, done: int, total: int) -> None:
        """Set what is done, and of how much."""
        self._done, self._total = done, total
        self._tell(at_once=done == total)

    def _tell(self, *, at_once: bool = False) -> None:
        if self._reporter is None:
            return
        self._reporter.tell(
            self._name,
            self._detail(),
            done=self._done,
            total=self._total,
            unit=self._unit,
            frames=self._frames,
            size_bytes=self._done if self._unit == "bytes" else 0,
            at_once=at_once,
        )

    def _detail(self) -> str:
        """Which part is being done, or how many bytes are."""
        if not self._total or not self._unit:
            return ""
        if self._unit == "bytes":
            return f"{human_bytes(self._done)} of {human_bytes(self._total)}"
        part = min(self._done + 1, self._total)
        return f"{self._unit.removesuffix('s')} {part:,} of {self._total:,}"


def begin_phase(name: str, *, total: int = 0, unit: str = "") -> Phase:
    """Tell and log that a phase begins; what it gives counts the phase's parts."""
    return Phase(name, total=total, unit=unit)


def current_reporter() -> Reporter | None:
    """The reporter of the call that runs in this thread; None without a listener."""
    return _current.get()


@contextlib.contextmanager
def reporting(reporter: Reporter | None) -> Iterator[None]:
    """Let all that the block does tell the reporter; None: tell nobody.

    An error of the user's callback leaves the block as it was raised.
    """
    token = _current.set(reporter)
    try:
        yield
    except CallbackError as failed:
        raise failed.error from failed.error.__cause__
    finally:
        _current.reset(token)
