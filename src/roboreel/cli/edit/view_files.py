"""`roboreel edit` and `write`: view files, which hold edits as data."""

from __future__ import annotations

from typing import Annotated

import typer

from roboreel.cli.edit.appending import ENCODERS, appends, view_of_group
from roboreel.cli.edit.choosing import SourceArgument
from roboreel.cli.edit.episodes import delete, keep, reorder, shuffle
from roboreel.cli.edit.features import features
from roboreel.cli.edit.split import split
from roboreel.cli.edit.tasks import tasks
from roboreel.cli.edit.trim import trim
from roboreel.cli.edit.video import encode, resample
from roboreel.cli.output import count, emit_json, say, table
from roboreel.cli.stats import stats
from roboreel.cli.stopping import stoppable
from roboreel.cli.view_words import step_words
from roboreel.cli.writing import Writing, carry_out, writes
from roboreel.dataset.view_edit import ViewContent, begin_view, read_view, undo_edit
from roboreel.dataset.view_refresh import refresh_view
from roboreel.edit.replay import asked_options
from roboreel.edit.view import View
from roboreel.edit.write_options import options_from_json
from roboreel.hub.open_source import view_opener
from roboreel.ops.write import plan_write
from roboreel.plan.plan import Plan

edit = typer.Typer(
    name="edit",
    help="Edit a view file: the edits are kept as data, the datasets stay as they are.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FollowLinks = Annotated[
    bool, typer.Option("--follow-links", help="Read what links out of the datasets lead to.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]


@edit.callback()
def _view(
    context: typer.Context,
    view: Annotated[
        str, typer.Argument(metavar="VIEW", help="The view file: a name that ends in .view.json.")
    ],
) -> None:
    context.obj = view


@edit.command("from")
def begin(
    context: typer.Context,
    sources: Annotated[
        list[str], typer.Argument(metavar="SRC…", help="Datasets and view files, in order.")
    ],
    follow_links: FollowLinks = False,
) -> None:
    """Make VIEW, a view file of everything in SRC; several follow one another. Nothing is copied."""
    path = view_of_group(context)
    with stoppable():
        view = begin_view(path, sources, view_opener(follow_links=follow_links))
    say(f"{path} has {_size(view)}")


@edit.command()
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the sources and the verbs of VIEW, in order."""
    content = read_view(view_of_group(context))
    if as_json:
        emit_json(
            {"path": content.path, "sources": list(content.sources), "verbs": list(content.verbs)}
        )
        return
    _show(content)


@edit.command()
def undo(context: typer.Context, as_json: AsJson = False) -> None:
    """Take the last edit of VIEW back."""
    path = view_of_group(context)
    verbs = undo_edit(path)
    if as_json:
        emit_json({"path": path, "taken_back": list(verbs)})
        return
    for verb in reversed(verbs):
        say(f"taken back from {path}: {step_words(verb)}")


@edit.command()
def refresh(context: typer.Context, follow_links: FollowLinks = False) -> None:
    """Take changed datasets over, where each episode of VIEW is still there by its uid and length.

    New episodes are left out.
    """
    path = view_of_group(context)
    with stoppable():
        view = refresh_view(path, view_opener(follow_links=follow_links))
    say(f"{path} goes by its datasets as they are now: {_size(view)}")


for _command in (delete, keep, reorder, shuffle, trim, features, tasks, split, stats):
    edit.command()(appends(_command))
edit.command()(appends(resample, *ENCODERS))
edit.command()(appends(encode, *ENCODERS))


@writes
def write(options: Writing, source: SourceArgument) -> None:
    """Write a view file as a dataset: the edits are done, by copying packets wherever that is possible.

    Options that the view file holds count where they are not given.
    """
    _write(options, source)


@edit.command("write")
@writes
def write_view(options: Writing, context: typer.Context) -> None:
    """Write VIEW as a dataset, as `roboreel write VIEW` does."""
    _write(options, view_of_group(context))


def _write(options: Writing, source: str) -> None:
    def plan_of() -> Plan:
        view = options.view(source)
        before, given = asked_options(view).to_json(), options.write_options().to_json()
        view = view.written_as(options_from_json({**before, **given}))
        return plan_write(view, out=options.out, in_place=options.in_place, workers=options.workers)

    carry_out(source, options, plan_of)


def _size(view: View) -> str:
    return f"{count(len(view.slices), 'episode')}, {count(int(view.lengths.sum()), 'frame')}"


def _show(content: ViewContent) -> None:
    say("sources")
    for source in content.sources:
        say(f"  {source}")
    say("verbs" if content.verbs else "no verbs: the sources as they are")
    table([(str(number), step_words(one)) for number, one in enumerate(content.verbs, start=1)])
