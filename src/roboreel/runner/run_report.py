"""The report of a run."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

from roboreel.errors import Problem, counted
from roboreel.format.causes import RECOMPUTE
from roboreel.plan.trimmed_episode import TrimmedEpisode
from roboreel.summary.summary import Summarized, Summary, by_rule, named, warned
from roboreel.summary.words import duration, human_bytes
from roboreel.types import Json


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Report(Summarized):
    """What was written, copied, encoded and verified, and what the user should know."""

    out: str
    version: str
    episodes: int
    frames: int
    """Rows of the result; each camera has as many frames."""
    cameras: int
    table_files: int
    video_files: int
    size_bytes: int
    """Bytes written."""
    packets_copied: int
    frames_encoded: int
    files_copied: int
    """Files outside the format that were copied too."""
    measured: int
    """Episodes × video cameras whose frames were sampled for statistics."""
    seconds: float
    resumed: int = 0
    """Ops that an earlier run had finished."""
    kept: str | None = None
    """Path of the original, if it was replaced and not discarded."""
    problems: tuple[Problem, ...] = field(default=(), repr=False)
    losses: tuple[str, ...] = ()
    trimmed: tuple[TrimmedEpisode, ...] = field(default=(), repr=False)
    """Episodes that lost frames at their start or end, in the order of the result."""
    skipped: tuple[Problem, ...] = field(default=(), repr=False)

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> Report:
        """The report from the JSON of `to_json`."""
        found = {name: [Problem(**p) for p in document[name]] for name in ("problems", "skipped")}
        trimmed = [TrimmedEpisode.from_json(one) for one in document.get("trimmed", [])]
        return cls(
            **{
                **document,
                "problems": tuple(found["problems"]),
                "losses": tuple(document["losses"]),
                "trimmed": tuple(trimmed),
                "skipped": tuple(found["skipped"]),
            }
        )

    def to_json(self) -> dict[str, Json]:
        """The report as a JSON object."""
        plain = (
            "out", "version", "episodes", "frames", "cameras", "table_files", "video_files",
            "size_bytes", "packets_copied", "frames_encoded", "files_copied", "measured", "seconds",
            "resumed", "kept",
        )  # fmt: skip
        return {
            **{name: getattr(self, name) for name in plain},
            "problems": [problem.to_json() for problem in self.problems],
            "losses": list(self.losses),
            "trimmed": [one.to_json() for one in self.trimmed],
            "skipped": [problem.to_json() for problem in self.skipped],
        }

    def _summary(self) -> Summary:
        copied = f"{counted(self.packets_copied, 'packet')} copied"
        encoded = (
            f", {counted(self.frames_encoded, 'frame')} re-encoded" if self.frames_encoded else ""
        )
        resumed = f", {counted(self.resumed, 'step')} done before" if self.resumed else ""
        warnings = [one for one in self.problems if one.severity != "note"]
        skipped = {(one.dataset, one.episode) for one in self.skipped}
        return Summary(
            f"Report: wrote '{self.out}' ({self.version})",
            [
                ("result", f"{counted(self.episodes, 'episode')}, {counted(self.frames, 'frame')}"),
                ("tables", counted(self.table_files, "file")),
                ("videos", f"{counted(self.video_files, 'file')}: {copied}{encoded}"),
                (
                    "statistics",
                    f"{counted(self.measured, 'camera episode')} measured" * bool(self.measured),
                ),
                (
                    "time",
                    f"{duration(self.seconds)}, {human_bytes(self.size_bytes)} written{resumed}",
                ),
                ("original", self.kept or ""),
                ("warnings", by_rule(warnings)),
                ("not carried", named(self.losses, between="; ")),
                ("left out", f"{counted(len(skipped), 'episode')}" if skipped else ""),
            ],
            warned(warnings),
        )


def _is_ours(names: Mapping[str, object]) -> bool:
    return str(names.get("__name__", "")).startswith("roboreel.")  # code in `exec` has no name


def with_python_warning(report: Report) -> Report:
    """The report. Python warns of wrong statistics: a script may drop the report and train."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_ours(frame.f_globals):
        frame, level = frame.f_back, level + 1
    for line in warned(one for one in report.problems if RECOMPUTE in (one.action or "")):
        warnings.warn(f"'{report.out}': {line}", stacklevel=level)
    return report
