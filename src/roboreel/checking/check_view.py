"""Check a view: its sources, and of their problems those of what it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from roboreel.checking.check_report import CheckReport
from roboreel.edit.view import View
from roboreel.errors import Problem
from roboreel.format.model import EPISODE


def view_report(view: View, path: str, reports: Mapping[str, CheckReport]) -> CheckReport:
    """The report of a view.

    Args:
        view: the view.
        path: what to call it.
        reports: those of its datasets, by path.
    """
    urls = list(dict.fromkeys(source.dataset.url for source in view.sources))
    own = [reports[url] for url in urls]
    problems = dict.fromkeys(problem for url in urls for problem in _taken(view, reports[url], url))
    order: Sequence[str] = ("error", "warning", "note")
    return CheckReport(
        path=path,
        version=view.version,
        episodes=len(view.slices),
        rows=sum(report.rows for report in own),
        packets=sum(report.packets for report in own),
        files=sum(report.files for report in own),
        pictures=sum(report.pictures for report in own),
        problems=tuple(sorted(problems, key=lambda one: order.index(one.severity))),
    )


def _taken(view: View, report: CheckReport, url: str) -> Iterator[Problem]:
    """The problems of a dataset that concern what a view takes of it."""
    sources = [(number, one) for number, one in enumerate(view.sources) if one.dataset.url == url]
    episodes: set[int] = set()
    for number, source in sources:
        rows = view.slices.row[view.slices.source == number]
        episodes |= set(source.dataset.model.episodes[EPISODE].to_numpy()[rows].tolist())
    removed = frozenset[str].intersection(*(source.removed for _, source in sources))
    for problem in report.problems:
        if problem.column in removed:
            continue
        if problem.episode is None or problem.episode in episodes:
            yield problem
