"""What a progress callback receives."""

from __future__ import annotations

from dataclasses import dataclass

from roboreel.summary.words import duration, human_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEvent:
    """How far a call is. Its text is a line for people: `copying videos, episode 5 of 17`."""

    phase: str
    """What is being done: `reading tables`, `copying videos`, `measuring camera statistics`, …"""
    detail: str = ""
    """Where in the phase it is: `episode 5 of 17`, `file 3 of 12`; empty if there is nothing to count."""
    done: int = 0
    """How much of the phase is done, in `unit`."""
    total: int = 0
    """How much the phase has, in `unit`; 0 if that is not known."""
    unit: str = ""
    """`frames`, `episodes`, `files` or `bytes`."""
    frames: int = 0
    """Frames (or rows of tables) that the phase has read, copied, decoded or encoded."""
    size_bytes: int = 0
    """Bytes that the phase has copied or fetched; 0 if bytes say little, such as for decoding."""
    frames_per_s: float | None = None
    """Speed of the phase in frames per second; None until it can be estimated."""
    bytes_per_s: float | None = None
    """Speed of the phase in bytes per second; None if `size_bytes` is 0."""
    fraction: float | None = None
    """Share of the work that is done, 0 to 1: of all that a run writes and measures, else of the phase. None
    if it is not known."""
    elapsed_s: float = 0.0
    """Seconds since the call began."""
    seconds_left: float | None = None
    """Estimated seconds until `fraction` is 1; None until it can be estimated."""

    @property
    def text(self) -> str:
        """What is being done, and where: `copying videos, episode 5 of 17`."""
        return f"{self.phase}, {self.detail}" if self.detail else self.phase

    @property
    def speed(self) -> str:
        """The speed with its unit, `35 MB/s` or `1,200 frames/s`; empty until it can be told."""
        if self.bytes_per_s:
            return f"{human_bytes(self.bytes_per_s)}/s"
        return f"{self.frames_per_s:,.0f} frames/s" if self.frames_per_s else ""

    @property
    def time_left(self) -> str:
        """The time left, `2 min 5 s left`; empty until it can be told."""
        return "" if self.seconds_left is None else f"{duration(self.seconds_left)} left"

    def __str__(self) -> str:
        return ", ".join(part for part in (self.text, self.speed, self.time_left) if part)
