"""`roboreel split`: one dataset into several, or into named splits."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from roboreel.cli.edit.appending import Appending
from roboreel.cli.failures.advice import AmbiguousError, NoOutputError
from roboreel.cli.shared.choosing import TasksFromOption, episodes_in, show_episodes
from roboreel.cli.shared.progress import progress_shown
from roboreel.cli.shared.reports import show_plan, show_renumbered, tell_report
from roboreel.cli.shared.shared_options import Form, SourceArgument
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.shared.writing import Writing, only_prints, run_shown, writes
from roboreel.cli.text.output import emit_json, say
from roboreel.edit.splits import by_task as positions_by_task
from roboreel.edit.splits import named
from roboreel.edit.tasks import TasksFrom, refuse_tasks_from
from roboreel.edit.view import Verbs, View
from roboreel.errors import UsageError
from roboreel.ops.split import Parts, plan_parts
from roboreel.plan.plan import Plan
from roboreel.runner.run_report import Report

_SIZE = re.compile(r"\d{1,9}")
_FRACTION = re.compile(r"(\d+\.\d*|\.\d+)(e-?\d+)?")
_PERCENT, _WHOLE_PERCENT = re.compile(r"(\d{1,3})\s*(%?)"), 100


@writes
def split(
    options: Writing,
    source: SourceArgument,
    into: Annotated[
        str | None,
        typer.Option(
            "--into",
            metavar="PARTS",
            help="Name the parts, with fractions that sum to 1 (train=0.8,val=0.2) or with episodes, each"
            " once (train=0:10,val=10,12:15, or train=@FILE).",
        ),
    ] = None,
    rest: Annotated[
        str | None,
        typer.Option(
            "--rest",
            metavar="NAME",
            help="Put the episodes that --into does not name in this part.",
        ),
    ] = None,
    by_task: Annotated[
        bool,
        typer.Option(
            "--by-task", help="Make one part for each task. The first task of an episode counts."
        ),
    ] = False,
    tasks_from: TasksFromOption = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            help="With fractions: choose the episodes of each part at random, with this seed (0 or more).",
        ),
    ] = None,
    as_splits: Annotated[
        bool,
        typer.Option("--as-splits", help="Write one dataset with named splits instead of several."),
    ] = False,
) -> None:
    """Split a dataset: each part becomes the dataset DST/NAME. Nothing is written until all are planned.

    Without --into or --by-task, lists the episodes.

    Examples:
        roboreel split my_dataset --into train=0.8,val=0.2 --seed 0 -o parts
        roboreel split my_dataset --by-task -o by_task
    """
    if only_prints(options, [into, rest, by_task, seed, as_splits], "--into or --by-task"):
        show_episodes(options.view(source), as_json=options.as_json, tasks_from=tasks_from)
        return
    if (into is None) != by_task:
        raise UsageError("give one way to split: either --into train=0.8,val=0.2 or --by-task")
    if by_task and seed is not None:
        raise UsageError(
            "--seed only works with fractions (--into train=0.8,val=0.2), not with --by-task: leave it"
            " out"
        )
    if by_task and rest is not None:
        raise UsageError(
            "--rest only works with --into, because --by-task puts every episode in a part: leave it out"
        )
    if not by_task:
        refuse_tasks_from(tasks_from, "--by-task")
    how = _Division(into, rest, seed, tasks_from)
    if as_splits:
        options.write_edited(source, how.one)
    else:
        _write_parts(source, options, how)


def parts_in(text: str, source: Verbs, rest: str | None = None) -> dict[str, float | list[int]]:
    """Parse `train=0.8,val=0.2` or `a=0:10,b=10,12:15`; `rest` takes the episodes that no part names.

    Raises:
        UsageError: a part has no name, or two have the same, or numbers mean sizes.
    """
    view = source.as_view()
    words: dict[str, list[str]] = {}
    name = None
    for word in text.split(","):
        left, equals, right = word.partition("=")
        if equals:
            name = left.strip()
            if name in words:
                raise UsageError(f"--into names the part '{name}' twice: give it once")
        if name is None:
            raise UsageError(f"--into '{text}': expected NAME=0.8,NAME=0.2 or NAME=0:10,NAME=10:15")
        words.setdefault(name, []).append((right if equals else word).strip())
    _refuse_percentages(words, view)
    if rest is None:
        _refuse_sizes(text, words, len(view.slices))
    return {name: _part(name, listed, view) for name, listed in words.items()}


def _refuse_percentages(words: Mapping[str, list[str]], view: View) -> None:
    """Raise `UsageError` if `train=80,val=20` means percentages, which would be read as two episodes."""
    found = {name: _PERCENT.fullmatch(" ".join(listed)) for name, listed in words.items()}
    shares = {name: int(match[1]) for name, match in found.items() if match is not None}
    signed = any(match is not None and match[2] for match in found.values())
    if not signed:
        known = set(view.numbers.tolist())
        named = set(shares.values())
        meant = sum(shares.values()) == _WHOLE_PERCENT or not named <= known
        if len(shares) < len(words) or not meant or named == known:
            return
    fractions = ",".join(f"{name}={share / _WHOLE_PERCENT:g}" for name, share in shares.items())
    said = ",".join(f"{name}={','.join(listed)}" for name, listed in words.items())
    reads = "" if signed else " would name single episodes, not percentages"
    raise UsageError(f"--into '{said}'{reads}: write percentages as fractions, {fractions}")


def _refuse_sizes(text: str, words: Mapping[str, list[str]], episodes: int) -> None:
    """Raise `UsageError` if `train=16,val=4` means sizes, as its numbers sum to the number of episodes."""
    sizes = {name: " ".join(listed) for name, listed in words.items()}
    if len(sizes) == episodes or not all(_SIZE.fullmatch(size) for size in sizes.values()):
        return
    if sum(map(int, sizes.values())) == episodes:
        shares = ",".join(f"{name}={int(size) / episodes:.9g}" for name, size in sizes.items())
        raise AmbiguousError(
            f"--into '{text}' would name single episodes, not sizes: write sizes as fractions",
            text,
            {shares: ""},
            option="--into",
        )


def _part(name: str, words: list[str], view: View) -> float | list[int]:
    if not any(words):
        raise UsageError(
            f"--into: the part '{name}' has no fraction and no episodes: write {name}=0.8 or {name}=0:10"
        )
    if any(_FRACTION.fullmatch(word) for word in words):
        if len(words) > 1:
            raise UsageError(
                f"--into: the part '{name}' needs one fraction or a list of episodes, got"
                f" {', '.join(words)}"
            )
        return float(words[0])
    return [number for word in words for number in episodes_in(word, view)]


@dataclass(frozen=True, slots=True)
class _Division:
    """How to divide the dataset, from the options."""

    into: str | None
    """None divides by task."""
    rest: str | None
    seed: int | None
    tasks_from: TasksFrom | None

    def one(self, view: View) -> View:
        """One dataset with named splits."""
        if self.into is None:
            return named(view, positions_by_task(view, self.tasks_from))
        return view.as_splits(parts_in(self.into, view, self.rest), seed=self.seed, rest=self.rest)

    def several(self, view: View) -> Mapping[str, View]:
        """The parts as views, by name."""
        if self.into is None:
            return view.split_by_task(tasks_from=self.tasks_from)
        return view.split(parts_in(self.into, view, self.rest), seed=self.seed, rest=self.rest)


def _write_parts(source: str, options: Writing, how: _Division) -> None:
    if isinstance(options, Appending):
        raise UsageError(
            "a view file is one dataset: add --as-splits, or write the parts as datasets with `roboreel"
            " split`"
        )
    if options.out is None and not options.in_place:
        raise NoOutputError(source, in_place=False)
    if options.out is None or options.in_place:
        raise UsageError(
            "--in-place cannot replace one dataset by several: give a folder for the parts with -o DST"
        )
    run_options = options.run_options
    with stoppable(options.out) as output:
        divided = how.several(options.view(source))
        what = options.write_options()
        views = {name: view.written_as(what) for name, view in divided.items()}
        with progress_shown(quiet=options.quiet or options.as_json):
            parts = plan_parts(views, out=options.out, options=run_options)
        if options.dry_run:
            _show_plans(parts.plans, options.form)
            return
        reports: dict[str, Report] = {}
        with parts.written():
            for name, plan in parts.plans.items():
                output.path = plan.out
                reports[name] = run_shown(plan, options, run_options)
        output.written = True
    _tell_reports(reports, parts, options)


def _show_plans(plans: Mapping[str, Plan], form: Form) -> None:
    if form == "json":
        emit_json({name: plan.to_json() for name, plan in plans.items()})
        return
    for plan in plans.values():
        show_plan(plan, form)


def _tell_reports(reports: Mapping[str, Report], parts: Parts, options: Writing) -> None:
    if options.as_json:
        emit_json({name: report.to_json() for name, report in reports.items()})
        return
    for name in parts.finished:
        if not options.quiet:
            say(f"{os.path.join(parts.folder, name)} was already written by an earlier run")
    for name, report in reports.items():
        tell_report(report, options.form)
        if not options.quiet:
            show_renumbered(parts.plans[name])
