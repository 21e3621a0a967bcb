"""Share what all writing commands need: their options, and the steps from plan to report."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar, get_type_hints

import typer

from roboreel.cli.failures.advice import NoOutputError, suggested_output
from roboreel.cli.help_page import WHAT
from roboreel.cli.shared.opening import opened, opened_source
from roboreel.cli.shared.progress import progress_shown
from roboreel.cli.shared.reports import show_plan, show_renumbered, tell_report
from roboreel.cli.shared.shared_options import (
    AllowMissingOption,
    CleanOption,
    DataFileOption,
    DiscardOriginalOption,
    DropAudioOption,
    DropUnreadableOption,
    DryRunOption,
    ExecutorOption,
    FollowLinksOption,
    Form,
    JsonOption,
    OnBrokenOption,
    OutOption,
    QuietOption,
    RayAddressOption,
    ReplaceOption,
    ResumeOption,
    TimeoutOption,
    TimestampsOption,
    ToOption,
    VerboseOption,
    VideoBackendOption,
    VideoFileOption,
    WorkersOption,
    form_of,
    leftovers_of,
)
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.text.output import tell
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.view_file import is_view_file
from roboreel.edit.view import View
from roboreel.edit.write_options import WriteOptions
from roboreel.errors import UsageError
from roboreel.format.encoding import Reencoding
from roboreel.hub.open_reference import Needs
from roboreel.ops.output import finished_report
from roboreel.ops.write import plan_write, run
from roboreel.plan.plan import Plan
from roboreel.runner.run_options import Leftovers, RunOptions
from roboreel.runner.run_report import Report

_commands: dict[Callable[..., None], Callable[..., None]] = {}
_Own = ParamSpec("_Own")
_Options = TypeVar("_Options", WriteOptions, RunOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Where and how a command writes: the options shared by all of them, in the order of their help."""

    to: ToOption = None
    on_broken: OnBrokenOption = "fail"
    timestamps: TimestampsOption = None
    allow_reencode: Annotated[
        bool,
        typer.Option(
            "--allow-reencode",
            help="Re-encode episodes that start between keyframes and so cannot be copied.",
            rich_help_panel=WHAT,
        ),
    ] = False
    vcodec: Annotated[
        str | None,
        typer.Option(
            "--vcodec",
            metavar="NAME",
            help="Re-encode with h264, hevc, libsvtav1, … Default: the source's codec (`encode`:"
            " libsvtav1).",
            rich_help_panel=WHAT,
        ),
    ] = None
    pix_fmt: Annotated[
        str | None,
        typer.Option(
            "--pix-fmt",
            metavar="NAME",
            help="Re-encode in this pixel format. Default: the source's (`encode`: yuv420p).",
            rich_help_panel=WHAT,
        ),
    ] = None
    g: Annotated[
        int | None,
        typer.Option(
            "--g",
            metavar="N",
            min=1,
            help="Put a keyframe every N frames. Default: as in the source, at most 30 (`encode`: 2).",
            rich_help_panel=WHAT,
        ),
    ] = None
    crf: Annotated[
        float | None,
        typer.Option(
            "--crf",
            metavar="X",
            min=0,
            help="Set the CRF, 0 to 63: lower gives better quality and larger files. Default: close to the"
            " source's quality (`encode`: 30).",
            rich_help_panel=WHAT,
        ),
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Use this speed setting of the encoder. Default: a fast one (`encode`: 12, for AV1).",
            rich_help_panel=WHAT,
        ),
    ] = None
    fast_decode: Annotated[
        int | None,
        typer.Option(
            "--fast-decode",
            metavar="N",
            min=0,
            max=2,
            help="Tune for fast decoding, 0 to 2 (AV1). Default: 0.",
            rich_help_panel=WHAT,
        ),
    ] = None
    drop_audio: DropAudioOption = False
    drop_unreadable: DropUnreadableOption = False
    allow_missing: AllowMissingOption = None
    with_global_stats: Annotated[
        bool,
        typer.Option(
            "--with-global-stats",
            help="Write meta/stats.json in v2.1 too, for trainers that read it.",
            rich_help_panel=WHAT,
        ),
    ] = False
    with_uids: Annotated[
        bool | None,
        typer.Option(
            "--with-uids/--without-uids",
            help="Store the uid and the origin of each episode in the episode table. Default: only if the"
            " source has them or is a view file.",
            rich_help_panel=WHAT,
        ),
    ] = None
    data_file_mb: DataFileOption = None
    video_file_mb: VideoFileOption = None
    workers: WorkersOption = 1
    executor: ExecutorOption = None
    ray_address: RayAddressOption = None
    timeout_factor: TimeoutOption = 1.0
    video_backend: VideoBackendOption = "pyav"
    resume: ResumeOption = False
    clean: CleanOption = False
    follow_links: FollowLinksOption = False
    out: OutOption = None
    in_place: ReplaceOption = False
    discard_original: DiscardOriginalOption = False
    dry_run: DryRunOption = False
    as_json: JsonOption = False
    quiet: QuietOption = False
    verbose: VerboseOption = 0

    @property
    def form(self) -> Form:
        """What to print."""
        return form_of(as_json=self.as_json, quiet=self.quiet)

    @property
    def leftovers(self) -> Leftovers:
        """What to do with the remains of an earlier run."""
        return leftovers_of(resume=self.resume, clean=self.clean)

    @property
    def reencoding(self) -> Reencoding:
        """The encoder settings that were given."""
        preset = self.preset
        number = preset is not None and re.fullmatch(r"-?\d{1,3}", preset)
        return Reencoding(
            vcodec=self.vcodec,
            pix_fmt=self.pix_fmt,
            g=self.g,
            crf=self.crf,
            preset=int(preset or 0) if number else preset,
            fast_decode=self.fast_decode,
        )

    @property
    def is_asked(self) -> bool:
        """True if an option was given that only makes sense when writing."""
        wanted = (self.out, self.to)
        flags = (self.in_place, self.dry_run, self.resume, self.clean, self.discard_original)
        return (
            any(flags) or any(value is not None for value in wanted) or bool(self.reencoding.given)
        )

    def opened(self, source: str, *, needs: Needs = "everything") -> Dataset:
        """Open the dataset in a folder, or on the Hub."""
        return opened(source, follow_links=self.follow_links, needs=needs)

    def view(self, source: str, *, needs: Needs = "everything") -> View:
        """The view of the dataset in a folder or on the Hub, or of a view file."""
        if self.in_place and is_view_file(source):
            raise UsageError(
                f"--in-place cannot replace the view file '{source}' or its datasets: write a dataset with"
                f" -o, or edit the view file with `roboreel edit {source}`"
            )
        return opened_source(source, follow_links=self.follow_links, needs=needs).as_view()

    def write_edited(
        self, source: str, edited: Callable[[View], View], *, regroup: bool | None = None
    ) -> None:
        """Write what an edit makes of a dataset or view file.

        Args:
            source: its path.
            edited: makes the view.
            regroup: whether to pack its files again; None leaves that to the options.
        """

        def plan_of() -> Plan:
            view = edited(self.view(source)).written_as(self.write_options(regroup=regroup))
            return plan_write(view, out=self.out, in_place=self.in_place, workers=self.run_options)

        carry_out(source, self, plan_of)

    def write_options(self, *, regroup: bool | None = None) -> WriteOptions:
        """What to write.

        Args:
            regroup: whether to pack files again; None lets the other options decide.
        """
        return replace(self._taken(WriteOptions), regroup=regroup)

    @property
    def run_options(self) -> RunOptions:
        """How to run the plan."""
        return self._taken(RunOptions)

    def _taken(self, options: type[_Options]) -> _Options:
        """An options object from the command's options of the same names."""
        given = {one.name: getattr(self, one.name, None) for one in fields(options)}
        return options(**{name: value for name, value in given.items() if value is not None})


def writes(command: Callable[Concatenate[Writing, _Own], None]) -> Callable[..., None]:
    """Add the options of `Writing` to a command after its own; `command` gets them as its first argument.

    An option that the command declares itself replaces the shared one.
    """
    return _writing(command, frozenset())


def writes_elsewhere(
    command: Callable[Concatenate[Writing, _Own], None],
) -> Callable[..., None]:
    """As `writes`, for a command that cannot replace its source."""
    return _writing(command, frozenset({"in_place", "discard_original"}))


def _writing(
    command: Callable[Concatenate[Writing, _Own], None], without: frozenset[str]
) -> Callable[..., None]:
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    named = {parameter.name for parameter in own}
    hints = get_type_hints(Writing, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in fields(Writing)
        if field.name not in named | without
    ]

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:  # the option values as typer has parsed them
        options = Writing(**{parameter.name: given.pop(parameter.name) for parameter in shared})
        if options.dry_run and options.out is None and not options.in_place:
            options = replace(options, out=suggested_output(_source_in(given), command.__name__))
        command(options, **given)  # type: ignore[call-arg]

    by_name = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    every = [*by_name, *shared]
    wrapped.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {one.name: one.annotation for one in every}
    del wrapped.__wrapped__
    _commands[wrapped] = command
    return wrapped


def _source_in(given: Mapping[str, Any]) -> str:
    """The first dataset among the arguments of a command."""
    source = given.get("source") or given.get("sources") or "dataset"
    return source if isinstance(source, str) else str(source[0])


def command_of(wrapped: Callable[..., None]) -> Callable[..., None]:
    """The function that `writes` made a command of."""
    return _commands[wrapped]


def carry_out(
    source: str,
    options: Writing,
    plan_of: Callable[[], Plan],
    *,
    then: Callable[[Report, Form], None] = tell_report,
) -> Report | None:
    """Plan and, unless it is a dry run, run the plan; print the plan or the report, and return the report.

    Args:
        source: the dataset that the result replaces if in place.
        options: the options given.
        plan_of: makes the plan.
        then: prints the report of a finished run.
    """
    run_options = options.run_options
    if options.out is None and not options.in_place:
        raise NoOutputError(source, in_place=not is_view_file(source))
    with stoppable(source if options.in_place else options.out) as output:
        if options.resume and (report := finished_report(source, options.out)) is not None:
            then(report, options.form)
            return report
        with progress_shown(quiet=options.quiet or options.as_json):
            plan = plan_of()
        if options.dry_run:
            show_plan(plan, options.form)
            if plan.refused:
                raise typer.Exit(1)
            return None
        if plan.refused:
            tell(
                f"{plan.refused}: the run measures the other episodes, then stops without a result."
                " To write the others, add --on-broken skip"
            )
        report = run_shown(plan, options, run_options)
        output.written = True
        then(report, options.form)
        if options.form == "text":
            show_renumbered(plan)
        return report


def run_shown(plan: Plan, options: Writing, run_options: RunOptions) -> Report:
    """Run a plan, with a progress bar if there is a terminal."""
    with progress_shown(quiet=options.quiet or options.as_json):
        return run(plan, run_options)


def only_prints(options: Writing, edits: Iterable[object], flags: str) -> bool:
    """True if no edit is requested, so the command only prints.

    Args:
        options: the options given.
        edits: the values of the editing options; None, False and empty values mean "not given".
        flags: names of the editing options, for the message.

    Raises:
        UsageError: an output is given, but nothing would be written.
    """
    if any(edit is not None and edit is not False and edit != [] for edit in edits):
        return False
    if options.is_asked:
        raise UsageError(f"nothing to write: no edit was given. Give one with {flags}")
    return True
