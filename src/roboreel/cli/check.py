"""`roboreel check`: whether a dataset is what it says it is."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from roboreel.checking.check import check as run_check
from roboreel.checking.check_report import CheckReport, ProblemGroup
from roboreel.cli.opening import SOURCE_HELP, copied
from roboreel.cli.output import count, emit_json, say, table
from roboreel.cli.progress import progress_shown
from roboreel.cli.stopping import stoppable
from roboreel.dataset.view_file import is_view_file
from roboreel.errors import Problem, UsageError
from roboreel.format.rules import RULES

_SHOWN = 2
"""Most problems of one rule and column to show individually; of more, only the worst is shown."""
_HEADINGS = {"error": "errors", "warning": "warnings", "note": "notes"}


def check(
    path: Annotated[str | None, typer.Argument(help=SOURCE_HELP, show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    decode: Annotated[
        bool,
        typer.Option(
            "--decode", help="Decode a sample of each episode, and whole files that hold several."
        ),
    ] = False,
    rules: Annotated[bool, typer.Option("--rules", help="List all rules and stop.")] = False,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Read what links out of the dataset lead to.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Check a dataset: documents, tables, videos and statistics. Nothing is written.

    Exits with 0 where there is no error, 1 where there is one.
    """
    if rules:
        _show_rules(as_json=as_json)
        return
    if path is None:
        raise UsageError("PATH is missing: the folder of the dataset to check")
    with stoppable(), progress_shown(quiet=quiet or as_json):
        report = run_check(copied(path), decode=decode, follow_links=follow_links)
    if as_json:
        emit_json(report.to_json())
    else:
        show_report(report, quiet=quiet)
    if not report.ok:
        raise typer.Exit(1)


def _show_rules(*, as_json: bool) -> None:
    if as_json:
        emit_json(
            [{"rule": r.id, "severity": r.severities, "says": r.says} for r in RULES.values()]
        )
    else:
        table([(rule.id, rule.severities, rule.says) for rule in RULES.values()], indent="")


def show_report(report: CheckReport, *, quiet: bool) -> None:
    """Print problems by severity, with many of one kind folded, and a line about what was checked."""
    for severity, heading in _HEADINGS.items():
        found = [group for group in report.groups if group.worst.severity == severity]
        if found and (severity == "error" or not quiet):
            say(heading)
            for line in _lines(found):
                say(f"  {line}")
    if not quiet:
        if report.repairs and not is_view_file(report.path):
            _show_repairs(report)
        say(_summary(report))


def _show_repairs(report: CheckReport) -> None:
    """Print the repair of each rule, where there is one."""
    say(shlex.join(["roboreel", "repair", report.path]))
    for rule, how in report.repairs.items():
        say(f"  {rule}: {how}")


def _lines(groups: Sequence[ProblemGroup]) -> Iterator[str]:
    for group in groups:
        shown = group.problems if len(group.problems) <= _SHOWN else group.problems[:1]
        yield from map(str, shown)
        rest = group.problems[len(shown) :]
        if rest:
            yield f"  … and {_folded(rest)}"


def _folded(rest: Sequence[Problem]) -> str:
    episodes = {problem.episode for problem in rest if problem.episode is not None}
    if len(episodes) == len(rest):
        return f"{len(rest):,} more episodes"
    return f"{len(rest):,} more"


def _summary(report: CheckReport) -> str:
    version = f"{report.version}, " if report.version else ""
    looked = [count(report.episodes, "episode"), count(report.rows, "row")]
    looked += [count(report.packets, "packet")]
    looked += [count(report.pictures, "picture")] if report.pictures else []
    what = f"{', '.join(looked)} in {count(report.files, 'file')}"
    numbers = [
        count(len(report.of(severity)), severity)
        for severity in ("error", "warning", "note")
        if report.of(severity)
    ]
    return f"checked {report.path}: {version}{what}: {', '.join(numbers) or 'no problem found'}"
