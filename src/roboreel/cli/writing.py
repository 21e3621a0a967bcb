"""Share what all writing commands need: their options, and the steps from plan to report."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar, get_type_hints

import typer

from roboreel.cli.opening import opened, opened_source
from roboreel.cli.output import tell
from roboreel.cli.progress import progress_shown
from roboreel.cli.reports import show_plan, tell_report
from roboreel.cli.stopping import stoppable
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.view_file import is_view_file
from roboreel.edit.view import View
from roboreel.edit.write_options import OnBroken, Timestamps, VideoBackend, WriteOptions
from roboreel.errors import UsageError
from roboreel.format.encoding import Reencoding
from roboreel.format.version import FormatVersion
from roboreel.hub.open_reference import Needs
from roboreel.ops.output import finished_report
from roboreel.ops.write import plan_write, run
from roboreel.plan.plan import Plan
from roboreel.runner.run_options import ExecutorName, Leftovers, RunOptions
from roboreel.runner.run_report import Report

_commands: dict[Callable[..., None], Callable[..., None]] = {}
_Own = ParamSpec("_Own")
_Options = TypeVar("_Options", WriteOptions, RunOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Where and how a command writes: the options shared by all of them, in the order of their help."""

    to: Annotated[
        FormatVersion | None,
        typer.Option("--to", help="Format version to write; by default that of the source."),
    ] = None
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="DST", help="Folder to make; must not exist."),
    ] = None
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Instead of -o: take SRC's place; SRC stays as SRC.before-TIME."
        ),
    ] = False
    discard_original: Annotated[
        bool,
        typer.Option("--discard-original", help="In place: remove SRC.before-TIME at the end."),
    ] = False
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from what an earlier run left.")
    ] = False
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove what an earlier run left, and start over.")
    ] = False
    workers: Annotated[
        int, typer.Option("--workers", "--num-workers", min=1, help="Processes to use.")
    ] = 1
    executor: Annotated[
        ExecutorName | None,
        typer.Option(
            help="Default: process where there are several workers, or something decodes."
        ),
    ] = None
    timeout_factor: Annotated[
        float,
        typer.Option(
            min=0, help="Times the usual allowance that a worker may take for an op; 0: for ever."
        ),
    ] = 1.0
    dry_run: Annotated[bool, typer.Option(help="Print the plan and stop.")] = False
    on_broken: Annotated[
        OnBroken, typer.Option(help="Refuse, or leave out, episodes that cannot be written.")
    ] = "fail"
    timestamps: Annotated[
        Timestamps | None,
        typer.Option(
            help="Write irregular timestamps as k/fps (the originals stay beside), or keep. Default: keep"
            " where the version stays."
        ),
    ] = None
    allow_reencode: Annotated[
        bool, typer.Option("--allow-reencode", help="Re-encode what cannot be cut by packets.")
    ] = False
    vcodec: Annotated[
        str | None,
        typer.Option(
            "--vcodec",
            help="Encode videos that must be re-encoded with h264, hevc, libsvtav1, … Default: the source's"
            " codec; of `encode` libsvtav1.",
        ),
    ] = None
    pix_fmt: Annotated[
        str | None,
        typer.Option(
            "--pix-fmt", help="Their pixel format. Default: the source's; of `encode` yuv420p."
        ),
    ] = None
    g: Annotated[
        int | None,
        typer.Option(
            "--g",
            min=1,
            help="Frames from keyframe to keyframe. Default: the source's, at most 30; of `encode` 2.",
        ),
    ] = None
    crf: Annotated[
        float | None,
        typer.Option(
            "--crf",
            min=0,
            help="CRF, 0 to 63: lower gives better quality and larger files. Default: near the source's; of"
            " `encode` 30.",
        ),
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            help="The encoder's own speed setting. Default: a fast one; of `encode` 12 (AV1).",
        ),
    ] = None
    fast_decode: Annotated[
        int | None, typer.Option("--fast-decode", min=0, max=2, help="Tune for players, 0 to 2.")
    ] = None
    drop_audio: Annotated[
        bool, typer.Option("--drop-audio", help="Leave sound out of the videos.")
    ] = False
    drop_unreadable: Annotated[
        bool,
        typer.Option(
            "--drop-unreadable",
            help="Leave out columns that lerobot cannot read (bytes, dates, structs, lists of strings).",
        ),
    ] = False
    allow_missing: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-missing",
            metavar="NAME",
            help="Write a result without this action, state or camera. Repeatable.",
        ),
    ] = None
    video_backend: Annotated[
        VideoBackend, typer.Option(help="What decodes videos for statistics.")
    ] = "pyav"
    with_global_stats: Annotated[
        bool,
        typer.Option(
            "--with-global-stats",
            help="Write meta/stats.json in v2.1 too, for trainers that want it.",
        ),
    ] = False
    with_uids: Annotated[
        bool | None,
        typer.Option(
            "--with-uids/--without-uids",
            help="Write the uid and the origin of each episode into the table of episodes. Default: where SRC"
            " has uids there, or is a view file.",
        ),
    ] = None
    data_file_mb: Annotated[
        float | None, typer.Option(help="Soft limit of a table file in MiB (v3.0).")
    ] = None
    video_file_mb: Annotated[
        float | None, typer.Option(help="Soft limit of a video file in MiB (v3.0).")
    ] = None
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Read what links out of the dataset lead to.")
    ] = False
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False

    @property
    def leftovers(self) -> Leftovers:
        """What to do with the remains of an earlier run."""
        if self.resume and self.clean:
            raise UsageError("--resume goes on from what an earlier run left, --clean removes it")
        return "resume" if self.resume else "clean" if self.clean else "refuse"

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
        wanted = (self.out, self.to, self.data_file_mb, self.video_file_mb)
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
                f"'{source}' is a view file, whose datasets stay as they are: write it with -o, or edit it"
                f" with roboreel edit {source}"
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
            return plan_write(view, out=self.out, in_place=self.in_place, workers=self.workers)

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


def writes(
    command: Callable[Concatenate[Writing, _Own], None],
) -> Callable[..., None]:
    """Add the options of `Writing` to a command after its own; `command` gets them as its first argument.

    An option that the command declares itself replaces the shared one.
    """
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
        if field.name not in named
    ]

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:  # the option values as typer has parsed them
        options = Writing(**{parameter.name: given.pop(parameter.name) for parameter in shared})
        command(options, **given)  # type: ignore[call-arg]

    by_name = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    every = [*by_name, *shared]
    wrapped.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {one.name: one.annotation for one in every}
    del wrapped.__wrapped__
    _commands[wrapped] = command
    return wrapped


def command_of(wrapped: Callable[..., None]) -> Callable[..., None]:
    """The function that `writes` made a command of."""
    return _commands[wrapped]


def carry_out(source: str, options: Writing, plan_of: Callable[[], Plan]) -> Report | None:
    """Plan and, unless it is a dry run, run the plan; print the plan or the report, and return the report.

    Args:
        source: the dataset that the result replaces if in place.
        options: the options given.
        plan_of: makes the plan.
    """
    run_options = options.run_options
    with stoppable(source if options.in_place else options.out) as output:
        if options.resume and (report := finished_report(source, options.out)) is not None:
            tell_report(report, as_json=options.as_json, quiet=options.quiet)
            return report
        with progress_shown(quiet=options.quiet or options.as_json):
            plan = plan_of()
        if options.dry_run:
            show_plan(plan, as_json=options.as_json)
            if plan.refused:
                raise typer.Exit(1)
            return None
        if plan.refused:
            tell(f"{plan.refused}: the others are measured, then the run ends without a result")
        report = run_shown(plan, options, run_options)
        output.written = True
        tell_report(report, as_json=options.as_json, quiet=options.quiet)
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
        raise UsageError(f"there is nothing to write: say what to do with {flags}")
    return True
