"""`roboreel info`: what a dataset holds."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from roboreel.cli.feature_words import describe_features, feature_row
from roboreel.cli.info_view import show_lineage, show_view
from roboreel.cli.opening import SOURCE_HELP, opened_source
from roboreel.cli.output import count, emit_json, human_bytes, problems, say, table
from roboreel.cli.stopping import stoppable
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.pull_record import PullRecord, record_among
from roboreel.edit.view import View
from roboreel.types import Json

_SHOWN_TASKS = 10


def info(
    path: Annotated[str, typer.Argument(help=SOURCE_HELP)],
    lineage: Annotated[
        bool,
        typer.Option(
            "--lineage",
            help="List the uid of each episode, and the dataset and rows it comes from.",
        ),
    ] = False,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Read what links out of the dataset lead to.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show what a dataset holds: features, counts, sizes, tasks, and what is odd about it."""
    with stoppable():
        dataset = opened_source(path, follow_links=follow_links, needs="documents")
        if lineage:
            show_lineage(dataset.as_view(), as_json=as_json)
            return
    if isinstance(dataset, View):
        show_view(dataset, path, as_json=as_json)
        return
    if as_json:
        emit_json(describe(dataset))
        return
    say(
        f"{dataset.version} dataset, {count(dataset.total_episodes, 'episode')},"
        f" {count(dataset.total_frames, 'frame')} at {dataset.model.info.fps_value:g} fps,"
        f" robot {dataset.robot_type or 'not named'}"
    )
    say(f"{dataset.url}: {count(len(dataset.files), 'file')}, {human_bytes(dataset.size_bytes())}")
    pulled = record_among(dataset.root, dataset.files)
    if pulled is not None:
        say(_origin(pulled))
    say()
    say("features")
    table([feature_row(feature) for feature in dataset.features.values()])
    say()
    say("tasks")
    for index, text in list(dataset.tasks.items())[:_SHOWN_TASKS]:
        say(f"  {index}  {text}")
    if len(dataset.tasks) > _SHOWN_TASKS:
        say(f"  … and {len(dataset.tasks) - _SHOWN_TASKS} more")
    say()
    if dataset.problems:
        say("problems")
        problems(dataset.problems)
    else:
        say("no problems in the documents")


def _origin(pulled: PullRecord) -> str:
    """Where a local copy is from, and which part of the dataset it holds."""
    chosen = {number for one in pulled.selections for number in one.episodes or ()}
    every = any(one.episodes is None and one.content != "documents" for one in pulled.selections)
    part = (
        ""
        if every
        else f", {count(len(chosen), 'episode')} of it"
        if chosen
        else ", documents only"
    )
    unfinished = "" if pulled.complete else "; the pull was interrupted"
    return f"pulled from {pulled.repo_id}@{pulled.revision} (commit {pulled.commit[:8]}){part}{unfinished}"


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
