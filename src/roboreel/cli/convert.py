"""`roboreel convert`: any version in, any version out."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from roboreel.cli.output import count, emit_json, human_bytes, problems, say, table, tell
from roboreel.cli.progress import progress_bar
from roboreel.cli.stopping import stoppable
from roboreel.dataset.open import open_dataset
from roboreel.errors import Problem, UsageError
from roboreel.format.json_types import Json
from roboreel.format.version import FormatVersion
from roboreel.ops import (
    ExecutorName,
    Leftovers,
    Plan,
    Report,
    finished_report,
    plan_convert,
    run,
)

_SHOWN_PROBLEMS = 30


class BrokenChoice(str, Enum):
    """What to do with episodes that cannot be written."""

    fail = "fail"
    skip = "skip"


class TimestampChoice(str, Enum):
    """What to do with irregular timestamps."""

    regular = "regular"
    keep = "keep"


def convert(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Folder of the dataset.")],
    to: Annotated[FormatVersion, typer.Option("--to", help="Format version to write.")],
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="DST", help="Folder to make; must not exist."),
    ] = None,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Instead of -o: take SRC's place; SRC stays as SRC.before-TIME."
        ),
    ] = False,
    discard_original: Annotated[
        bool,
        typer.Option("--discard-original", help="In place: remove SRC.before-TIME at the end."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from what an earlier run left.")
    ] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove what an earlier run left, and start over.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes to use.")] = 1,
    executor: Annotated[
        ExecutorName | None,
        typer.Option(help="Default: process where there are several workers."),
    ] = None,
    patience: Annotated[
        float,
        typer.Option(
            min=0, help="Times the usual allowance that a worker may take for an op; 0: for ever."
        ),
    ] = 1.0,
    dry_run: Annotated[bool, typer.Option(help="Print the plan and stop.")] = False,
    on_broken: Annotated[
        BrokenChoice, typer.Option(help="Refuse, or leave out, episodes that cannot be written.")
    ] = BrokenChoice.fail,
    timestamps: Annotated[
        TimestampChoice,
        typer.Option(
            help="Write irregular timestamps as k/fps (the originals stay beside), or keep."
        ),
    ] = TimestampChoice.regular,
    allow_reencode: Annotated[
        bool, typer.Option("--allow-reencode", help="Re-encode what cannot be cut by packets.")
    ] = False,
    drop_audio: Annotated[
        bool, typer.Option("--drop-audio", help="Leave sound out of the videos.")
    ] = False,
    data_file_mb: Annotated[
        float | None, typer.Option(help="Soft limit of a table file in MiB (v3.0).")
    ] = None,
    video_file_mb: Annotated[
        float | None, typer.Option(help="Soft limit of a video file in MiB (v3.0).")
    ] = None,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Read what links out of the dataset lead to.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Convert a dataset to another format version, by copying its packets: nothing is re-encoded unasked.

    SRC is only read. DST appears whole, by one rename, or not at all.
    """
    if resume and clean:
        raise UsageError("--resume goes on from what an earlier run left, --clean removes it")
    leftovers: Leftovers = "resume" if resume else "clean" if clean else "refuse"
    with stoppable(source if in_place else out) as output:
        finished = finished_report(source, out) if resume else None
        if finished is not None:
            _tell_report(finished, as_json=as_json, quiet=quiet)
            return
        plan = plan_convert(
            open_dataset(source, follow_links=follow_links),
            to=to,
            out=out,
            in_place=in_place,
            on_broken=on_broken.value,
            timestamps=timestamps.value,
            allow_reencode=allow_reencode,
            drop_audio=drop_audio,
            data_file_mb=data_file_mb,
            video_file_mb=video_file_mb,
            workers=workers,
        )
        if dry_run:
            _show_plan(plan, as_json=as_json)
            return
        with progress_bar(plan, quiet=quiet or as_json) as progress:
            report = run(
                plan,
                workers=workers,
                executor=executor,
                progress=progress,
                patience=patience,
                leftovers=leftovers,
                discard_original=discard_original,
            )
            output.written = True
        _tell_report(report, as_json=as_json, quiet=quiet)


def _tell_report(report: Report, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        emit_json(report.to_json())
    elif not quiet:
        show_report(report)
    else:
        _show_skipped(report.skipped)


def _show_plan(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        emit_json(plan_to_json(plan))
        return
    info = plan.model.info
    frames = sum(plan.model.episodes["length"].to_pylist())
    say(
        f"{plan.source} -> {plan.out}: {info.version},"
        f" {count(len(plan.model.episodes), 'episode')}, {count(frames, 'frame')},"
        f" about {human_bytes(plan.input_bytes)}"
    )
    table([_op_row(op) for op in plan_to_json(plan)["ops"]])
    _show_notes(plan.problems, plan.losses, plan.skipped)


def plan_to_json(plan: Plan) -> dict[str, Json]:
    """The plan as a JSON object: the ops with their reasons, and what is reported."""
    ops: list[dict[str, Json]] = []
    for op in plan.ops:
        camera, path = getattr(op, "camera", None), getattr(op, "path", None)
        episodes = getattr(op, "episodes", None)
        span = None if episodes is None else [episodes.start, episodes.stop]
        ops.append(
            {
                "op": op.kind,
                "camera": camera,
                "path": path,
                "episodes": span,
                "reason": op.reason,
            }
        )
    return {
        "source": plan.source,
        "out": plan.out,
        "version": plan.model.info.version.value,
        "episodes": len(plan.model.episodes),
        "input_bytes": plan.input_bytes,
        "ops": ops,
        "problems": [problem.to_json() for problem in plan.problems],
        "losses": list(plan.losses),
        "skipped": [problem.to_json() for problem in plan.skipped],
    }


def _op_row(op: dict[str, Json]) -> tuple[str, str, str, str]:
    span = op["episodes"]
    episodes = f"{span[0]}:{span[1]}" if span else ""
    return op["op"], episodes, op["camera"] or op["path"] or "", op["reason"]


def show_report(report: Report) -> None:
    """Say what was done."""
    say(
        f"wrote {report.out}: {report.version}, {count(report.episodes, 'episode')},"
        f" {count(report.frames, 'frame')}, {human_bytes(report.size_bytes)}"
        f" in {report.seconds:.1f} s"
    )
    if report.resumed:
        say(f"  {count(report.resumed, 'op')} had been done by an earlier run")
    if report.kept:
        say(f"  the original is now {report.kept}")
    rows = [
        ("tables", count(report.table_files, "file"), f"{count(report.frames, 'row')} verified")
    ]
    if report.cameras:
        copied = f"{count(report.packets_copied, 'packet')} copied and verified"
        encoded = f", {count(report.frames_encoded, 'frame')} re-encoded"
        done = copied + (encoded if report.frames_encoded else ", none re-encoded")
        rows.append(("videos", count(report.video_files, "file"), done))
    if report.measured:
        rows.append(("statistics", "computed", f"{count(report.measured, 'camera episode')}"))
    if report.files_copied:
        rows.append(("others", count(report.files_copied, "file"), "copied as they are"))
    table(rows)
    _show_notes(report.problems, report.losses, report.skipped)


def _show_notes(
    found: tuple[Problem, ...], losses: tuple[str, ...], skipped: tuple[Problem, ...]
) -> None:
    if found:
        say("taken with care")
        problems(found[:_SHOWN_PROBLEMS])
        if len(found) > _SHOWN_PROBLEMS:
            say(f"  … and {len(found) - _SHOWN_PROBLEMS} more: --json lists all")
    if losses:
        say("not carried over")
        for loss in losses:
            say(f"  {loss}")
    _show_skipped(skipped)


def _show_skipped(skipped: tuple[Problem, ...]) -> None:
    """Say on stderr, however quiet, which episodes are not in the result."""
    if skipped:
        episodes = sorted({problem.episode for problem in skipped if problem.episode is not None})
        tell(f"left out {count(len(episodes), 'episode')}: {', '.join(map(str, episodes))}")
        problems(skipped, to_stderr=True)
