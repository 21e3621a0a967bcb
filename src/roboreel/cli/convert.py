"""`roboreel convert`: any version in, any version out."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from roboreel.cli.push import show_push
from roboreel.cli.shared.choosing import pair_words
from roboreel.cli.shared.progress import progress_shown
from roboreel.cli.shared.reports import tell_report
from roboreel.cli.shared.shared_options import (
    Form,
    RegularTimestampsOption,
    SourceArgument,
    version_in,
)
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.shared.writing import Writing, carry_out, writes
from roboreel.cli.text.output import emit_json, tell
from roboreel.dataset.open import open_dataset
from roboreel.edit.view import View
from roboreel.errors import RoboreelError, UsageError
from roboreel.format.version import FormatVersion
from roboreel.hub.push_report import PushReport
from roboreel.hub.reference import HubReference
from roboreel.ops.convert_on_hub import copy_to_convert, hub_reference, push_conversion
from roboreel.ops.write import plan_write
from roboreel.plan.plan import Plan
from roboreel.runner.run_report import Report


@writes
def convert(
    options: Writing,
    source: SourceArgument,
    to: Annotated[
        FormatVersion,
        typer.Option(
            "--to",
            metavar="VERSION",
            parser=version_in,
            help="Write this format version: v2.0, v2.1 or v3.0. Required.",
        ),
    ],
    timestamps: RegularTimestampsOption = "regular",
    keep_old_stats: Annotated[
        bool,
        typer.Option(
            "--keep-old-stats/--delete-old-stats",
            help="From v2.0 to v2.1: keep the old meta/stats.json beside the new statistics, or delete it."
            " Default: delete.",
        ),
    ] = False,
    push_to_hub: Annotated[
        bool,
        typer.Option(
            "--push-to-hub",
            help="Push the result to SRC, a USER/NAME on the Hub, and tag it with its version. Without -o,"
            " convert the local copy in place.",
        ),
    ] = False,
    branch: Annotated[
        str | None,
        typer.Option(
            "--branch",
            metavar="NAME",
            help="With --push-to-hub: push to this branch. Default: main.",
        ),
    ] = None,
    remove: Annotated[
        bool,
        typer.Option(
            "--remove",
            help="With --push-to-hub: remove data, videos and documents on the Hub that the result does"
            " not have.",
        ),
    ] = False,
) -> None:
    """Convert a dataset to another format version. Video packets are copied, not re-encoded.

    SRC is not modified. DST appears only once it is complete.

    Examples:
        roboreel convert my_dataset --to v3.0 -o my_dataset_v3
        roboreel convert user/name --to v2.1 --push-to-hub --branch v21
    """
    then: Callable[[Report, Form], None] = tell_report
    if push_to_hub:
        reference = _required_reference(source)
        then = upload = _Upload(reference.repo_id, branch, keep_old_stats, remove)
        if options.out is None:
            source, options = _copied(reference, to, options)
            if open_dataset(source).version is to:  # by an earlier run, whose push failed
                upload.push_only(source, options.form)
                return
    elif branch is not None or remove:
        named = "--branch" if branch is not None else "--remove"
        raise UsageError(f"{named} needs --push-to-hub: add --push-to-hub, or leave {named} out")
    what = replace(
        options.write_options(regroup=True),
        to=to,
        timestamps=timestamps,
        keep_old_stats=keep_old_stats,
    )
    views: list[View] = []

    def plan_of() -> Plan:
        views.append(options.view(source))
        view = views[0].written_as(what)
        return plan_write(
            view, out=options.out, in_place=options.in_place, workers=options.run_options
        )

    report = carry_out(source, options, plan_of, then=then)
    if report is not None and report.skipped and views and not options.quiet:
        _tell_how_to_compare(report.kept or source, report, views[0].numbers.tolist())


@dataclass(frozen=True, slots=True)
class _Upload:
    """Prints the report of a conversion, and pushes its result."""

    repo_id: str
    branch: str | None
    keep_old_stats: bool
    remove: bool

    def __call__(self, report: Report, form: Form) -> None:
        if form == "json":
            emit_json({**report.to_json(), "push": self._pushed(report.out, form).to_json()})
            return
        tell_report(report, form)
        self.push_only(report.out, form)

    def push_only(self, folder: str, form: Form) -> None:
        """Push a dataset that was converted before."""
        pushed = self._pushed(folder, form)
        if form == "json":
            emit_json({"push": pushed.to_json()})
        elif form == "text":
            show_push(pushed)

    def _pushed(self, folder: str, form: Form) -> PushReport:
        with stoppable(), progress_shown(quiet=form != "text"):
            try:
                return push_conversion(
                    folder,
                    self.repo_id,
                    self.branch,
                    keep_old_stats=self.keep_old_stats,
                    remove=self.remove,
                )
            except RoboreelError:
                again = ["roboreel", "push", folder, self.repo_id]
                again += ["--branch", self.branch] if self.branch is not None else []
                tell(f"'{folder}' is complete. To upload it later: {shlex.join(again)}")
                raise


def _required_reference(source: str) -> HubReference:
    """The repository to push to.

    Raises:
        UsageError: the source is a folder, whose repository is not known.
    """
    reference = hub_reference(source)
    if reference is None:
        raise UsageError(
            f"--push-to-hub needs a dataset on the Hub (user/name), not the folder '{source}': convert it,"
            " then upload the result with roboreel push DST user/name"
        )
    return reference


def _copied(reference: HubReference, to: FormatVersion, options: Writing) -> tuple[str, Writing]:
    """The local copy of a dataset on the Hub, and the options to convert it in place."""
    with stoppable(), progress_shown(quiet=options.form != "text"):
        folder = copy_to_convert(reference, to, synced=True)
    return str(folder), replace(options, in_place=True)


def _tell_how_to_compare(source: str, report: Report, numbers: list[int]) -> None:
    """Print the `diff` command that compares a result with its source if episodes were left out."""
    skipped = {problem.episode for problem in report.skipped}
    kept = [number for number in numbers if number not in skipped]
    pairs = pair_words(zip(kept, range(len(kept)), strict=True))
    command = ["roboreel", "diff", source, report.out, "--episodes", pairs]
    tell(f"compare the rest: {shlex.join(command)}")
