"""`roboreel stats`: the statistics of a dataset: shown, checked, recomputed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from roboreel.checking.stats_report import StatsDifference, StatsReport
from roboreel.cli.failures.advice import MisplacedWordsError
from roboreel.cli.shared.progress import progress_shown
from roboreel.cli.shared.several import Seen, SourcesArgument, see_each
from roboreel.cli.shared.shared_options import Form, choices
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.shared.writing import Writing, only_prints, writes
from roboreel.cli.text.output import heading, problems, say, tell, wide_table
from roboreel.edit.recompute import CameraChoice, refuse_unknown
from roboreel.edit.relative_actions import CHUNK, KEPT, RelativeActions
from roboreel.errors import UsageError, counted, listed
from roboreel.format.feature import Feature
from roboreel.hub.open_reference import is_here
from roboreel.ops.check_stats import check_stats
from roboreel.stats.feature_stats import Array, FeatureStats, Stats, quantile_share, stats_to_json
from roboreel.stats.sampling import StatsProfile

_COLUMNS = ("min", "max", "mean", "std")
_COLOURS = ("red", "green", "blue")
_COMPONENTS = 8
"""Most components of a feature to show; `--feature` and `--json` show all."""


@writes
def stats(
    options: Writing,
    sources: SourcesArgument,
    feature: Annotated[
        list[str] | None,
        typer.Option(
            "--feature",
            metavar="NAME",
            help="Show, check or recompute only this feature. Repeatable.",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Compare stored statistics with the data, and explain differences."
        ),
    ] = False,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Write the dataset with recomputed statistics.")
    ] = False,
    features: Annotated[
        str | None,
        typer.Option(
            "--features", metavar="A,B", help="Show, check or recompute only these features."
        ),
    ] = None,
    relative: Annotated[
        bool,
        typer.Option(
            "--relative-actions",
            help="With --recompute: compute statistics of `action` relative to the state at the start of"
            " its chunk.",
        ),
    ] = False,
    chunk: Annotated[
        int,
        typer.Option(
            "--chunk-size",
            metavar="N",
            min=1,
            help="With --relative-actions: use action chunks of N frames (1 or more).",
        ),
    ] = CHUNK,
    exclude: Annotated[
        str,
        typer.Option(
            "--exclude-joints",
            metavar="A,B",
            help="With --relative-actions: keep these joints absolute.",
        ),
    ] = ",".join(KEPT),
    quantiles: Annotated[
        str | None,
        typer.Option(
            "--quantiles",
            metavar="Q,Q",
            help="With --recompute: store these quantiles too, each from 0 to 1, such as 0.05,0.95.",
        ),
    ] = None,
    like: Annotated[
        StatsProfile | None,
        typer.Option(
            "--like",
            metavar=choices(StatsProfile),
            help="With --recompute: follow the rules of this release of lerobot.",
        ),
    ] = None,
    cameras: Annotated[
        CameraChoice | None,
        typer.Option(
            "--cameras",
            metavar=choices(CameraChoice),
            help="Decode a sample of the frames, all or none for camera statistics. Default: sample with"
            " --recompute, none with --check.",
        ),
    ] = None,
) -> None:
    """Show the statistics of a dataset, check them, or recompute them.

    With --check, exits with 0 if every difference is explained, 1 if one is not. With several datasets,
    --json prints a list.

    Examples:
        roboreel stats my_dataset --feature action
        roboreel stats my_dataset --recompute --cameras all -o my_dataset_stats
    """
    if check and recompute:
        raise UsageError(
            "--check compares statistics and --recompute writes them: give only one of them"
        )
    chosen = [*(feature or []), *_listed(features)] or None
    if len(sources) > 1:
        _refuse_features(sources, options)
    if recompute:
        how: CameraChoice = cameras or "sample"
        kept = tuple(_listed(exclude))
        of = RelativeActions(chunk=chunk, kept=kept) if relative else None
        shares = _shares(quantiles)
        if len(sources) > 1:
            raise UsageError("--recompute works on one dataset at a time: give only one SRC")
        options.write_edited(
            sources[0],
            lambda view: view.recompute(
                chosen, cameras=how, relative_actions=of, quantiles=shares, like=like
            ),
        )
        return
    if relative or like is not None or quantiles is not None:
        raise UsageError(
            "--relative-actions, --quantiles and --like need --recompute: add it, or leave them out"
        )
    only_prints(options, [], "--recompute")
    if cameras is not None and not check:
        raise UsageError("--cameras needs --check or --recompute: add one of them, or leave it out")

    def look(source: str) -> Seen:
        if check:
            return _checked(source, options, chosen, cameras or "none")
        return _shown(source, options, chosen)

    see_each(sources, options.form, look)


_OF_QUANTILES = (
    "lerobot averages the quantiles (q01, …) of the episodes; --check tells where that was done, --recompute"
    " takes those of all rows"
)


def _listed(text: str | None) -> list[str]:
    return [] if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _shares(text: str | None) -> list[float]:
    try:
        return [float(word) for word in _listed(text)]
    except ValueError:
        raise UsageError(
            f"--quantiles '{text}': expected numbers from 0 to 1, such as 0.05,0.95"
        ) from None


def _refuse_features(sources: Sequence[str], options: Writing) -> None:
    """Refuse features of the first dataset that were typed as if they were datasets."""
    words = [word for word in sources[1:] if "/" not in word and not is_here(word)]
    if not words:
        return
    known = [*options.opened(sources[0], needs="documents").features]
    whole = {word: [one for one in known if f".{one}".endswith(f".{word}")] for word in words}
    found = {word: names[0] for word, names in whole.items() if names}
    if found:
        raise MisplacedWordsError(
            f"no dataset, but a feature of '{sources[0]}': {listed([*found])}",
            {word: ["--feature", name] for word, name in found.items()},
        )


def _shown(source: str, options: Writing, features: Sequence[str] | None) -> Seen:
    dataset = options.opened(source, needs="documents")
    refuse_unknown(dataset.as_view(), features or (), "none")
    with stoppable():
        found = dataset.stats()
    shown = {name: parts for name, parts in found.items() if not features or name in features}
    ordered: Stats = {name: shown[name] for name in dataset.features if name in shown}
    ordered |= shown
    if options.form == "json":
        return Seen({"path": dataset.url, "stats": stats_to_json(ordered)})
    if not ordered:
        say(f"{source}: no statistics are stored")
    most = None if features else _COMPONENTS
    for name, parts in ordered.items():
        heading(_heading(name, parts))
        wide_table([*_rows(parts, _labels(dataset.features.get(name)), most)])
    if any(quantile_share(key) is not None for parts in ordered.values() for key in parts):
        say(_OF_QUANTILES)
    return Seen(None)


def _heading(name: str, parts: FeatureStats) -> str:
    number = int(parts["count"][0]) if "count" in parts and parts["count"].size else 0
    return f"{name} ({counted(number, 'value')})" if number else name


def _labels(feature: Feature | None) -> Sequence[str]:
    """Names of the components: joints, or the colours of a camera."""
    if feature is None:
        return ()
    return _COLOURS if feature.is_camera else feature.dimension_names or ()


def _rows(parts: FeatureStats, labels: Sequence[str], most: int | None) -> Iterator[Sequence[str]]:
    """A row per component, at most `most`, with a column per statistic; numbers end at the same column."""
    shares = {key: share for key in parts if (share := quantile_share(key)) is not None}
    keys = [key for key in (*_COLUMNS, *sorted(shares, key=shares.__getitem__)) if key in parts]
    if not keys:
        return
    flat: list[Array] = [parts[key].reshape(-1) for key in keys]
    size = max(len(values) for values in flat)
    shown = range(size if most is None else min(size, most))
    names = labels if len(labels) == size else [""] * size
    columns = [
        [key, *(_number(values, at) for at in shown)]
        for key, values in zip(keys, flat, strict=True)
    ]
    widths = [max(map(len, column)) for column in columns]
    for at, cells in enumerate(zip(*columns, strict=True)):
        label = f"{at - 1}  {names[at - 1]}".rstrip() if at else ""
        yield (label, *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)))
    if len(shown) < size:
        yield (f"… and {size - len(shown)} more", *("" for _ in keys))


def _number(values: Array, at: int) -> str:
    return f"{values[at]:.6g}" if at < len(values) else ""


def _checked(
    source: str, options: Writing, features: Sequence[str] | None, cameras: CameraChoice
) -> Seen:
    with stoppable(), progress_shown(quiet=options.form != "text"):
        report = check_stats(
            options.opened(source),
            features=features or None,
            cameras=cameras,
            **options.run_options.keywords(),
        )
    if options.form != "json":
        show_stats_report(report, options.form)
    return Seen(report.to_json(), 0 if report.ok else 1)


def show_stats_report(report: StatsReport, form: Form) -> None:
    """Print unexplained differences, explained ones by reason, and what could not be compared."""
    unexplained = [one for one in report.differences if one.why is None]
    if unexplained:
        heading("not explained")
        for one in unexplained:
            say(f"  {one.feature}: {_said(one)}")
    for line in report.failed:
        tell(f"failed: {line}")
    if form == "quiet":
        return
    by_reason: dict[str, list[StatsDifference]] = {}
    for one in report.differences:
        if one.why is not None:
            reason = f"{one.why} [{one.rule}]" if one.rule else one.why
            by_reason.setdefault(reason, []).append(one)
    for reason, group in by_reason.items():
        heading(reason)
        for one in group:
            say(f"  {one.feature}: {_said(one)}")
    if report.problems:
        heading("warnings")
        problems(report.problems)
    say(
        f"compared {report.path}: {report.version}, {counted(len(report.compared), 'feature')}:"
        f" {_outcome(len(report.differences), len(unexplained))}"
    )


def _outcome(differences: int, unexplained: int) -> str:
    if not differences:
        return "no difference"
    explained = f"{unexplained} not explained" if unexplained else "explained above"
    return f"{counted(differences, 'difference')}, {explained}"


def _said(one: StatsDifference) -> str:
    where = "whole dataset" if one.episodes is None else _episodes(one.episodes)
    gap = "" if one.gap is None else f" by up to {one.gap:.3g}"
    return f"{', '.join(one.statistics)}{gap}, {where}"


def _episodes(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"episode {numbers[0]}"
    return f"{counted(len(numbers), 'episode')} from {numbers[0]}"
