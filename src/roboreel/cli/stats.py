"""`roboreel stats`: the statistics of a dataset: shown, checked, recomputed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from roboreel.checking.stats_report import StatsDifference, StatsReport
from roboreel.cli.edit.choosing import SourceArgument
from roboreel.cli.output import count, emit_json, problems, say, table, tell
from roboreel.cli.progress import progress_shown
from roboreel.cli.stopping import stoppable
from roboreel.cli.writing import Writing, only_prints, writes
from roboreel.dataset.dataset import Dataset
from roboreel.edit.recompute import CameraChoice, refuse_unknown
from roboreel.edit.relative_actions import CHUNK, KEPT, RelativeActions
from roboreel.errors import UsageError
from roboreel.ops.check_stats import check_stats
from roboreel.stats.feature_stats import Array, FeatureStats, Stats, quantile_share, stats_to_json
from roboreel.stats.sampling import StatsProfile

_COLUMNS = ("min", "max", "mean", "std")
_COMPONENTS = 8
"""Most components of a feature to show; `--feature` and `--json` show all."""


@writes
def stats(
    options: Writing,
    source: SourceArgument,
    feature: Annotated[
        list[str] | None,
        typer.Option("--feature", metavar="NAME", help="Only this feature. Repeatable."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Compare what is stored with the values, and explain differences."
        ),
    ] = False,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Write the dataset with statistics measured anew.")
    ] = False,
    features: Annotated[
        str | None,
        typer.Option("--features", metavar="A,B", help="With --recompute: only these features."),
    ] = None,
    relative: Annotated[
        bool,
        typer.Option(
            "--relative-actions",
            help="With --recompute: describe `action` relative to the state that a chunk begins in.",
        ),
    ] = False,
    chunk: Annotated[
        int, typer.Option("--chunk-size", min=1, help="Frames of a chunk of actions.")
    ] = CHUNK,
    exclude: Annotated[
        str, typer.Option("--exclude-joints", metavar="A,B", help="Joints that stay as they are.")
    ] = ",".join(KEPT),
    quantiles: Annotated[
        str | None,
        typer.Option(
            "--quantiles",
            metavar="Q,Q",
            help="With --recompute: further quantiles to store, from 0 to 1, such as 0.05,0.95.",
        ),
    ] = None,
    like: Annotated[
        StatsProfile | None,
        typer.Option("--like", help="With --recompute: by the rules of that release."),
    ] = None,
    cameras: Annotated[
        CameraChoice | None,
        typer.Option(
            "--cameras",
            help="Pictures to decode. Default: sample with --recompute, none with --check.",
        ),
    ] = None,
) -> None:
    """Show the statistics of a dataset, check them, or compute them again.

    With --check, exits with 0 where every difference is explained, 1 where one is not.
    """
    if check and recompute:
        raise UsageError("--check compares, --recompute writes: give one of them")
    if recompute:
        chosen = [*(feature or []), *_listed(features)] or None
        how: CameraChoice = cameras or "sample"
        kept = tuple(_listed(exclude))
        of = RelativeActions(chunk=chunk, kept=kept) if relative else None
        shares = _shares(quantiles)
        options.write_edited(
            source,
            lambda view: view.recompute(
                chosen, cameras=how, relative_actions=of, quantiles=shares, like=like
            ),
        )
        return
    if relative or like is not None or quantiles is not None:
        raise UsageError("--relative-actions, --quantiles and --like go with --recompute")
    if features is not None:
        raise UsageError("--features goes with --recompute; --feature NAME chooses what is shown")
    only_prints(options, [], "--recompute")
    if check:
        _check(source, options, feature, cameras or "none")
        return
    if cameras is not None:
        raise UsageError("--cameras goes with --check or --recompute")
    _show(options.opened(source, needs="documents"), feature, as_json=options.as_json)


def _listed(text: str | None) -> list[str]:
    return [] if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _shares(text: str | None) -> list[float]:
    try:
        return [float(word) for word in _listed(text)]
    except ValueError:
        raise UsageError(
            f"--quantiles is '{text}', expected numbers from 0 to 1 such as 0.05,0.95"
        ) from None


def _show(dataset: Dataset, features: Sequence[str] | None, *, as_json: bool) -> None:
    refuse_unknown(dataset.as_view(), features or (), "none")
    with stoppable():
        found = dataset.stats()
    shown = {name: parts for name, parts in found.items() if not features or name in features}
    ordered: Stats = {name: shown[name] for name in dataset.features if name in shown}
    ordered |= shown
    if as_json:
        emit_json({"path": dataset.url, "stats": stats_to_json(ordered)})
        return
    if not ordered:
        say("no statistics are stored")
        return
    for name, parts in ordered.items():
        say(_heading(name, parts))
        table([*_rows(parts, every=bool(features))])


def _heading(name: str, parts: FeatureStats) -> str:
    number = int(parts["count"][0]) if "count" in parts and parts["count"].size else 0
    return f"{name}: of {number:,}" if number else name


def _rows(parts: FeatureStats, *, every: bool) -> Iterator[Sequence[str]]:
    """A row per component, with a column per statistic."""
    shares = {key: share for key in parts if (share := quantile_share(key)) is not None}
    keys = [key for key in (*_COLUMNS, *sorted(shares, key=shares.__getitem__)) if key in parts]
    if not keys:
        return
    flat: list[Array] = [parts[key].reshape(-1) for key in keys]
    width = max(len(values) for values in flat)
    yield ("", *keys)
    for at in range(width if every else min(width, _COMPONENTS)):
        yield (f"[{at}]", *(_number(values, at) for values in flat))
    if width > _COMPONENTS and not every:
        yield (f"… and {width - _COMPONENTS} more", *("" for _ in keys))


def _number(values: Array, at: int) -> str:
    return f"{values[at]:.6g}" if at < len(values) else ""


def _check(
    source: str, options: Writing, features: Sequence[str] | None, cameras: CameraChoice
) -> None:
    with stoppable(), progress_shown(quiet=options.quiet or options.as_json):
        report = check_stats(
            options.opened(source),
            features=features or None,
            cameras=cameras,
            workers=options.workers,
            timeout_factor=options.timeout_factor,
        )
    if options.as_json:
        emit_json(report.to_json())
    else:
        show_stats_report(report, quiet=options.quiet)
    if not report.ok:
        raise typer.Exit(1)


def show_stats_report(report: StatsReport, *, quiet: bool) -> None:
    """Print unexplained differences, explained ones by reason, and what could not be compared."""
    unexplained = [one for one in report.differences if one.why is None]
    if unexplained:
        say("not explained")
        for one in unexplained:
            say(f"  {one.feature}: {_said(one)}")
    for line in report.failed:
        tell(f"failed: {line}")
    if quiet:
        return
    by_reason: dict[str, list[StatsDifference]] = {}
    for one in report.differences:
        if one.why is not None:
            reason = f"{one.why} [{one.rule}]" if one.rule else one.why
            by_reason.setdefault(reason, []).append(one)
    for reason, group in by_reason.items():
        say(reason)
        for one in group:
            say(f"  {one.feature}: {_said(one)}")
    if report.problems:
        say("taken with care")
        problems(report.problems)
    say(
        f"compared {report.path}: {report.version}, {count(len(report.compared), 'feature')}:"
        f" {count(len(report.differences), 'difference')}, {len(unexplained)} not explained"
    )


def _said(one: StatsDifference) -> str:
    where = "whole dataset" if one.episodes is None else _episodes(one.episodes)
    gap = "" if one.gap is None else f" by up to {one.gap:.3g}"
    return f"{', '.join(one.statistics)}{gap}, {where}"


def _episodes(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"episode {numbers[0]}"
    return f"{count(len(numbers), 'episode')} from {numbers[0]}"
