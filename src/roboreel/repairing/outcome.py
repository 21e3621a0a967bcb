"""Decide which problems a repair removes, which are left, and what the user can do about those. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from roboreel.checking.check_report import CheckReport
from roboreel.dataset.dataset import Dataset
from roboreel.errors import DatasetError, PlanError, Problem
from roboreel.format.repairs import DROP_CAMERAS, REPAIRS
from roboreel.plan.plan import Plan
from roboreel.repairing.repair_report import RepairReport, left_steps, repaired_steps

_WRITTEN_AGAIN = ("document.missing", "episode.columns")
"""Rules of documents that are written again wherever a dataset can be opened without them."""


def is_rewritten(problem: Problem) -> bool:
    """True if writing the dataset again removes a problem."""
    return REPAIRS[problem.rule].repaired == "yes" or problem.rule in _WRITTEN_AGAIN


def foreseen(report: RepairReport, found: CheckReport, plan: Plan) -> RepairReport:
    """The report of a dry run.

    Args:
        report: what was prepared.
        found: the check of the prepared dataset.
        plan: the plan of the result.
    """
    gone = [p for p in found.problems if is_rewritten(p) or _is_left_out(p, plan)]
    return _with_gone(report, found, gone, plan)


def finished(
    report: RepairReport, found: CheckReport, after: CheckReport, plan: Plan
) -> RepairReport:
    """The report of a repair: what was found before, and is not after, was repaired.

    Args:
        report: what was prepared.
        found: the check of the prepared dataset.
        after: the check of the result.
        plan: its plan.
    """
    still = {(problem.rule, problem.column) for problem in after.problems}
    gone = [p for p in found.problems if (p.rule, p.column) not in still]
    steps = repaired_steps(gone, lambda problem: _done_about(problem, plan))
    report = replace(report, after=after, repaired=report.repaired + steps)
    return with_left(report, after.problems)


def refused(
    report: RepairReport, found: CheckReport, error: DatasetError | PlanError
) -> RepairReport:
    """The report of a dry run of a repair that would be refused."""
    reasons = {(p.rule, p.episode, p.column) for p in error.problems}
    gone = [
        problem
        for problem in found.problems
        if is_rewritten(problem) and (problem.rule, problem.episode, problem.column) not in reasons
    ]
    report = _with_gone(report, found, gone, None)
    errors = len(report.before.of("error"))
    return replace(report, refused=str(error), expected_errors=errors)


def with_left(report: RepairReport, problems: Iterable[Problem]) -> RepairReport:
    """The report with the problems that are left, but for those that it names already."""
    named = {(step.rule, step.path) for step in report.left}
    left = [problem for problem in problems if (problem.rule, problem.path) not in named]
    return replace(report, left=report.left + left_steps(left))


def with_choices_named(
    error: DatasetError | PlanError, dataset: Dataset
) -> DatasetError | PlanError:
    """The error of a plan, with what the user of `repair` can choose."""
    summary = str(error).partition("\n")[0]
    if dataset.missing_cameras and DROP_CAMERAS not in summary:
        summary = f"{summary}; {DROP_CAMERAS}"
    problems = [replace(p, action=REPAIRS[p.rule].choice or p.action) for p in error.problems]
    return type(error)(summary, problems)


def _with_gone(
    report: RepairReport, found: CheckReport, gone: list[Problem], plan: Plan | None
) -> RepairReport:
    steps = repaired_steps(gone, lambda problem: _done_about(problem, plan))
    left = [problem for problem in found.problems if problem not in gone]
    report = replace(report, repaired=report.repaired + steps)
    errors = [problem for problem in left if problem.severity == "error"]
    return replace(with_left(report, left), expected_errors=len(errors))


def _is_left_out(problem: Problem, plan: Plan) -> bool:
    """True if a problem is of an episode or feature that the result does not have."""
    episodes = {skipped.episode for skipped in plan.skipped} - {None}
    features = {feature.name for feature in plan.model.info.features.values()}
    return problem.episode in episodes or (
        problem.rule in ("video.missing", "feature.absent", "feature.unreadable")
        and problem.column is not None
        and problem.column not in features
    )


def _done_about(problem: Problem, plan: Plan | None) -> str:
    """What was done about a problem that is gone."""
    if plan is not None and _is_left_out(problem, plan):
        return "left out on request"
    return REPAIRS[problem.rule].does or "gone, because its episode or camera was left out"
