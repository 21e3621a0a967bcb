"""`roboreel check`: whether a dataset is what it says it is."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from roboreel.checking.check import check as run_check
from roboreel.checking.check_report import CheckReport, ProblemGroup
from roboreel.cli.failures.advice import NoSourceError
from roboreel.cli.shared.opening import copied
from roboreel.cli.shared.progress import progress_shown
from roboreel.cli.shared.reports import HEADINGS
from roboreel.cli.shared.several import Seen, SourcesArgument, see_each
from roboreel.cli.shared.shared_options import (
    ExecutorOption,
    FollowLinksOption,
    Form,
    JsonOption,
    QuietOption,
    RayAddressOption,
    TimeoutOption,
    VerboseOption,
    WorkersOption,
    form_of,
)
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.text.output import emit_json, heading, say, table
from roboreel.dataset.open import GIVE_FOLDER, NO_EPISODE, datasets_inside
from roboreel.dataset.view_file import is_view_file
from roboreel.errors import Problem, counted
from roboreel.executors.worker_options import WorkerOptions
from roboreel.format.model import INFO
from roboreel.format.repairs import REPAIRS, SKIP
from roboreel.format.rules import RULES
from roboreel.types import Json

_SHOWN = 2
"""Most problems of one rule and column to show individually; of more, only the worst is shown."""


def check(
    sources: SourcesArgument = None,  # type: ignore[assignment]  # typer: may be left out for --rules
    decode: Annotated[
        bool,
        typer.Option(
            "--decode",
            help="Also decode frames: a sample of each episode, and every frame of files with several"
            " episodes.",
        ),
    ] = False,
    rules: Annotated[bool, typer.Option("--rules", help="List all rules and stop.")] = False,
    follow_links: FollowLinksOption = False,
    workers: WorkersOption = 1,
    executor: ExecutorOption = None,
    ray_address: RayAddressOption = None,
    timeout_factor: TimeoutOption = 1.0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Check documents, tables, videos and statistics of a dataset; nothing is written.

    Exits with 0 if there is no error, 1 if there is one. With several datasets, --json prints a list.

    Examples:
        roboreel check my_dataset
        roboreel check sessions/* --decode --quiet
    """
    form = form_of(as_json=as_json, quiet=quiet)
    how = WorkerOptions(
        workers=workers,
        executor=executor,
        ray_address=ray_address,
        timeout_factor=timeout_factor,
    )
    if rules:
        emit_json(_described_rules()) if form == "json" else _show_rules()
        return
    if not sources:
        raise NoSourceError("SRC is missing: give the folder of the dataset to check")

    def look(source: str) -> Seen:
        with stoppable(), progress_shown(quiet=form != "text"):
            report = run_check(
                copied(source), decode=decode, follow_links=follow_links, **how.keywords()
            )
        several = len(sources) > 1
        if several and form == "text" and report.problems:
            say()  # those without problems are one line each
        if form != "json":
            show_report(report, form, f" in {source}" if several or form == "quiet" else "")
        return Seen(report.to_json(), 0 if report.ok else 1)

    see_each(sources, form, look, _concluded)


def _concluded(seen: Sequence[Seen]) -> str:
    bad = sum(one.code != 0 for one in seen)
    have = "has" if bad < 2 else "have"
    return f"{bad or 'none'} of {counted(len(seen), 'dataset')} {have} errors"


def _described_rules() -> Json:
    return [{"rule": r.id, "severity": r.severities, "says": r.says} for r in RULES.values()]


def _show_rules() -> None:
    table([(rule.id, rule.severities, rule.says) for rule in RULES.values()], indent="")


def show_report(report: CheckReport, form: Form, where: str = "") -> None:
    """Print problems by severity, with many of one kind folded, and a line about what was checked.

    If quiet, only errors. `where` ends the headings, if other datasets are checked too.
    """
    for severity, title in HEADINGS.items():
        found = [group for group in report.groups if group.worst.severity == severity]
        if found and (severity == "error" or form != "quiet"):
            heading(title + where)
            for line in _lines(found):
                say(f"  {line}")
    if form != "quiet":
        if report.repairs and not is_view_file(report.path) and _is_here(report):
            _show_repairs(report)
        elif inner := _datasets_inside(report):
            heading(f"to check them: {shlex.join(['roboreel', 'check', *inner])}")
        say(_summary(report))


def _datasets_inside(report: CheckReport) -> list[str]:
    absent = any(one.path == INFO and one.rule == "document.missing" for one in report.problems)
    return datasets_inside(report.path) if absent else []


def _is_here(report: CheckReport) -> bool:
    """False if the folder has no tables, no episode is saved, or the dataset is above or inside it."""
    absent = [one for one in report.problems if (one.rule, one.path) == ("document.missing", INFO)]
    if any(one.action == NO_EPISODE for one in report.problems):
        return False
    return report.files > 0 and not any(one.action != GIVE_FOLDER for one in absent)


def _show_repairs(report: CheckReport) -> None:
    """Print the repair of each rule, if there is one."""
    out = f"{report.path.rstrip('/')}_repaired"
    leaves_out = _left_out(report)
    words = ["roboreel", "repair", report.path, *leaves_out, "-o", out]
    kept = ", and leave out what cannot be repaired" if leaves_out else ""
    heading(f"to repair{kept}: {shlex.join(words)}")
    for rule, how in report.repairs.items():
        say(f"  {how} [{rule}]")


def _left_out(report: CheckReport) -> list[str]:
    """The options without which a repair refuses, because it would leave out cameras or episodes."""
    asked = [one for one in report.of("error") if REPAIRS[one.rule].repaired == "on request"]
    cameras = any(one.rule == "video.missing" and one.episode is None for one in asked)
    episodes = any(one.episode is not None and SKIP in REPAIRS[one.rule].choice for one in asked)
    return ["--drop-missing-cameras"] * cameras + ["--on-broken", "skip"] * episodes


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
        return f"{counted(len(rest), 'more episode')}"
    return f"{len(rest):,} more"


def _summary(report: CheckReport) -> str:
    version = f"{report.version}, " if report.version else ""
    looked = [counted(report.episodes, "episode"), counted(report.rows, "row")]
    looked += [counted(report.packets, "packet")]
    looked += [counted(report.pictures, "frame") + " decoded"] if report.pictures else []
    what = f"{', '.join(looked)} in {counted(report.files, 'file')}"
    numbers = [
        counted(len(report.of(severity)), severity)
        for severity in ("error", "warning", "note")
        if report.of(severity)
    ]
    return f"checked {report.path}: {version}{what}: {', '.join(numbers) or 'no problem found'}"
