"""Print plans and reports, as text or JSON."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roboreel.cli.shared.shared_options import Form
from roboreel.cli.text.output import emit_json, heading, problems, say, table, tell
from roboreel.cli.text.planned_files import planned_rows
from roboreel.errors import Problem, counted, ranged
from roboreel.plan.plan import SOURCE_EPISODE, Plan
from roboreel.plan.trimmed_episode import TrimmedEpisode
from roboreel.runner.run_report import Report
from roboreel.summary.words import human_bytes

_SHOWN_NOTES = 30
_SHOWN_TRIMS = 30
HEADINGS = {"error": "errors", "warning": "warnings", "note": "notes"}
"""Headings of problems, by severity, in order."""


def tell_report(report: Report, form: Form) -> None:
    """Print what was done; if quiet, only the episodes that were left out."""
    if form == "json":
        emit_json(report.to_json())
    elif form == "text":
        show_report(report)
    else:
        _show_skipped(report.skipped)


def show_plan(plan: Plan, form: Form) -> None:
    """Print what would be done."""
    if form == "json":
        emit_json(plan.to_json())
        return
    info = plan.model.info
    frames = sum(plan.model.episodes["length"].to_pylist())
    say(
        f"{plan.source} -> {plan.out}: {info.version},"
        f" {counted(len(plan.model.episodes), 'episode')}, {counted(frames, 'frame')};"
        f" reads about {human_bytes(plan.input_bytes)}"
    )
    table(planned_rows(plan))
    show_renumbered(plan)
    show_trims(plan.trimmed)
    _show_notes(plan.problems, plan.losses, () if plan.refused else plan.skipped)
    if plan.refused:
        tell(f"error: {plan.refused}: pass --on-broken skip to leave them out and write the others")
        problems(plan.skipped, to_stderr=True)


def show_report(report: Report) -> None:
    """Print what was done."""
    say(
        f"wrote {report.out}: {report.version}, {counted(report.episodes, 'episode')},"
        f" {counted(report.frames, 'frame')}, {human_bytes(report.size_bytes)}"
        f" in {report.seconds:.1f} s"
    )
    if report.resumed:
        say(f"  {counted(report.resumed, 'step')} had already been done by an earlier run")
    if report.kept:
        say(f"  the original is now {report.kept}")
    rows = [
        ("tables", counted(report.table_files, "file"), f"{counted(report.frames, 'row')} verified")
    ]
    if report.cameras:
        copied = f"{counted(report.packets_copied, 'packet')} copied and verified"
        encoded = f"{counted(report.frames_encoded, 'frame')} re-encoded"
        done = [copied] if report.packets_copied or not report.frames_encoded else []
        done.append(encoded if report.frames_encoded else "none re-encoded")
        rows.append(("videos", counted(report.video_files, "file"), ", ".join(done)))
    if report.measured:
        rows.append(("statistics", f"{report.measured:,} computed", "one per camera and episode"))
    if report.files_copied:
        rows.append(("other", counted(report.files_copied, "file"), "copied unchanged"))
    table(rows)
    show_trims(report.trimmed)
    _show_notes(report.problems, report.losses, report.skipped)


def show_renumbered(plan: Plan) -> None:
    """Print which numbers the episodes had, if some are left out of one dataset and the others follow up."""
    before = plan.inputs[SOURCE_EPISODE].to_numpy()
    in_order = len(before) > 0 and bool((np.diff(before) > 0).all())
    if len(plan.datasets) == 1 and in_order and before[-1] >= len(before):
        last = len(before) - 1
        now = (
            f"s {ranged(before.tolist())} are now 0 to {last}" if last else f" {before[0]} is now 0"
        )
        say(f"renumbered: episode{now}")


def show_trims(trimmed: Sequence[TrimmedEpisode]) -> None:
    """Print which frames remain of the trimmed episodes."""
    if not trimmed:
        return
    say(f"trimmed {counted(len(trimmed), 'episode')}; A:B are the frames from A to B-1")
    for one in trimmed[:_SHOWN_TRIMS]:
        say(f"  {one}")
    if len(trimmed) > _SHOWN_TRIMS:
        say(f"  … and {len(trimmed) - _SHOWN_TRIMS} more: --json lists all")


def _show_notes(
    found: tuple[Problem, ...], losses: tuple[str, ...], skipped: tuple[Problem, ...]
) -> None:
    for severity, title in HEADINGS.items():
        own = [problem for problem in found if problem.severity == severity]
        if own:
            heading(title)
            for problem in own[:_SHOWN_NOTES]:
                say(f"  {problem}")
            if len(own) > _SHOWN_NOTES:
                say(f"  … and {len(own) - _SHOWN_NOTES} more: --json lists all")
    if losses:
        heading("not carried over")
        for loss in losses[:_SHOWN_NOTES]:
            say(f"  {loss}")
        if len(losses) > _SHOWN_NOTES:
            say(f"  … and {len(losses) - _SHOWN_NOTES} more: --json lists all")
    _show_skipped(skipped)


def _show_skipped(skipped: tuple[Problem, ...]) -> None:
    """Print on stderr, even if quiet, which episodes are missing from the result."""
    if skipped:
        episodes: dict[str | None, set[int]] = {}
        for problem in skipped:
            if problem.episode is not None:
                episodes.setdefault(problem.dataset, set()).add(problem.episode)
        told = "; ".join(_named(numbers, dataset) for dataset, numbers in episodes.items())
        tell(f"left out {counted(sum(map(len, episodes.values())), 'episode')}: {told}")
        problems(skipped, to_stderr=True)


def _named(episodes: set[int], dataset: str | None) -> str:
    numbers = ranged(episodes)
    return numbers if dataset is None else f"{numbers} of '{dataset}'"
