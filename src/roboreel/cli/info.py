"""`roboreel info`: what a dataset holds."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from statistics import median
from typing import Annotated

import typer

from roboreel.cli.failures.advice import MisplacedWordsError
from roboreel.cli.shared.choosing import described_episodes, show_described
from roboreel.cli.shared.opening import opened_source
from roboreel.cli.shared.several import Seen, SourcesArgument, see_each
from roboreel.cli.shared.shared_options import (
    FollowLinksOption,
    JsonOption,
    VerboseOption,
    form_of,
)
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.text.durations import duration, histogram
from roboreel.cli.text.feature_words import describe_features, feature_row
from roboreel.cli.text.info_view import describe_lineage, describe_view, show_lineage, show_view
from roboreel.cli.text.output import heading, problems, say, table
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.pull_record import PullRecord, record_among
from roboreel.edit.view import View
from roboreel.errors import UsageError, counted
from roboreel.format.model import LENGTH
from roboreel.hub.open_reference import is_here
from roboreel.summary.words import human_bytes
from roboreel.types import Json

_SHOWN_TASKS = 10


def info(
    sources: SourcesArgument,
    lineage: Annotated[
        bool,
        typer.Option(
            "--lineage",
            help="List the uid of each episode, and the dataset and rows it comes from.",
        ),
    ] = False,
    episodes: Annotated[
        bool,
        typer.Option(
            "--episodes", help="List the episodes: number, frames, length in seconds, tasks."
        ),
    ] = False,
    follow_links: FollowLinksOption = False,
    as_json: JsonOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Show features, counts, durations, episode lengths, tasks and warnings of a dataset.

    Reads documents only. With several datasets, --json prints a list.

    Examples:
        roboreel info my_dataset --episodes
        roboreel info sessions/* --json
    """
    form = form_of(as_json=as_json)
    if episodes:
        _refuse_numbers(sources)
    if episodes and lineage:
        raise UsageError("--episodes and --lineage print different lists: give one of them")

    def look(source: str) -> Seen:
        with stoppable():
            found = opened_source(source, follow_links=follow_links, needs="documents")
            if episodes:
                rows = described_episodes(found.as_view(), "episodes")
            view = found.as_view() if lineage else None
            if view is not None:
                document = describe_lineage(view)
        if form == "json":
            if episodes:
                document = {"path": source, "episodes": rows}
            elif view is None:
                document = (
                    describe_view(found, source) if isinstance(found, View) else describe(found)
                )
            return Seen(document)
        if episodes:
            heading(source)
            show_described(rows)
        elif view is not None:
            show_lineage(view)
        elif isinstance(found, View):
            show_view(found, source)
        else:
            show(found)
        return Seen(None)

    see_each(sources, form, look)


def _refuse_numbers(sources: Sequence[str]) -> None:
    """Refuse numbers after `--episodes`, which chooses episodes in other commands."""
    numbers = [word for word in sources[1:] if re.fullmatch(r"[\d:,]+", word)]
    if numbers := [word for word in numbers if not is_here(word)]:
        raise MisplacedWordsError(
            "--episodes lists all episodes here, and takes no numbers", dict.fromkeys(numbers, ())
        )


def show(dataset: Dataset) -> None:
    """Print what a dataset holds."""
    heading(dataset.url)
    table(_facts(dataset))
    say()
    heading("features")
    table([feature_row(feature) for feature in dataset.features.values()])
    say()
    heading("tasks")
    for index, text in list(dataset.tasks.items())[:_SHOWN_TASKS]:
        say(f"  {index}  {text}")
    if len(dataset.tasks) > _SHOWN_TASKS:
        say(f"  … and {len(dataset.tasks) - _SHOWN_TASKS} more")
    say()
    if dataset.problems:
        heading("problems in the documents")
        problems(dataset.problems)
    else:
        say("no problems in the documents")


def _facts(dataset: Dataset) -> list[tuple[str, str]]:
    fps = dataset.model.info.fps_value
    facts = [
        ("version", str(dataset.version)),
        ("robot", dataset.robot_type or "not named"),
        (
            "episodes",
            f"{dataset.total_episodes:,}: {counted(dataset.total_frames, 'frame')} at {fps:g} fps,"
            f" {duration(dataset.total_frames / float(dataset.fps))}",
        ),
    ]
    if dataset.total_episodes:
        facts += [("lengths", _lengths_in_words(dataset)), *_length_bars(dataset)]
    facts.append(
        ("files", f"{len(dataset.files):,}: {human_bytes(dataset.size_bytes())}"),
    )
    pulled = record_among(dataset.root, dataset.files)
    if pulled is not None:
        facts.append(("from", _origin(pulled)))
    return facts


def _lengths(dataset: Dataset) -> dict[str, float]:
    """Frames of the shortest, the middle and the longest episode."""
    lengths = dataset.episodes[LENGTH].to_pylist()
    return {"min": min(lengths), "median": median(lengths), "max": max(lengths)} if lengths else {}


def _lengths_in_words(dataset: Dataset) -> str:
    fps = float(dataset.fps)
    found = _lengths(dataset)
    least, middle, most = (duration(frames / fps) for frames in found.values())
    if found["min"] == found["max"]:
        return f"{least} each ({counted(int(found['min']), 'frame')})"
    return f"{least} to {most}, median {middle} ({found['min']} to {found['max']} frames)"


def _length_bars(dataset: Dataset) -> list[tuple[str, str]]:
    """A row of its own: bars of no height are blanks, at which a line would be broken."""
    bars = histogram(dataset.episodes[LENGTH].to_pylist())
    return [("", bars)] if bars else []


def _origin(pulled: PullRecord) -> str:
    """Where a local copy is from, and which part of the dataset it holds."""
    chosen = {number for one in pulled.selections for number in one.episodes or ()}
    every = any(one.episodes is None and one.content != "documents" for one in pulled.selections)
    part = (
        ""
        if every
        else f", {counted(len(chosen), 'episode')} chosen"
        if chosen
        else ", documents only"
    )
    unfinished = "" if pulled.complete else "; the download was interrupted"
    return f"{pulled.repo_id}@{pulled.revision} (commit {pulled.commit[:8]}){part}{unfinished}"


def describe(dataset: Dataset) -> dict[str, Json]:
    """What `info` shows, as a JSON object."""
    info = dataset.model.info
    return {
        "path": dataset.url,
        "version": dataset.version.value,
        "robot_type": dataset.robot_type,
        "fps": info.fps_value,
        "fps_exact": f"{dataset.fps.numerator}/{dataset.fps.denominator}",
        "episodes": dataset.total_episodes,
        "frames": dataset.total_frames,
        "duration_s": dataset.total_frames / float(dataset.fps),
        "episode_frames": _lengths(dataset),
        "files": len(dataset.files),
        "size_bytes": dataset.size_bytes(),
        "features": describe_features(dataset.features),
        "pulled": _pulled(dataset),
        "tasks": {str(index): text for index, text in dataset.tasks.items()},
        "extra_files": list(dataset.model.extra_files),
        "other_files": list(dataset.model.other_files),
        "problems": [problem.to_json() for problem in dataset.problems],
    }


def _pulled(dataset: Dataset) -> Json:
    """The record of a pulled dataset; None for others."""
    record = record_among(dataset.root, dataset.files)
    return None if record is None else json.loads(record.to_bytes())
