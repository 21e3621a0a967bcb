"""`roboreel edit` and `write`: view files, which hold edits as data."""

from __future__ import annotations

from typing import Annotated

import typer

from roboreel.cli.command_line import HELP_NAMES, Command, Group
from roboreel.cli.edit.appending import ENCODERS, appends, view_of_group
from roboreel.cli.edit.episodes import delete, keep, reorder, shuffle
from roboreel.cli.edit.features import features
from roboreel.cli.edit.split import split
from roboreel.cli.edit.tasks import tasks
from roboreel.cli.edit.trim import trim
from roboreel.cli.edit.video import encode, resample
from roboreel.cli.shared.shared_options import FollowLinksOption, JsonOption, SourceArgument
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.shared.writing import Writing, carry_out, writes
from roboreel.cli.stats import stats
from roboreel.cli.text.output import emit_json, heading, say, table
from roboreel.cli.text.view_words import step_words
from roboreel.dataset.view_edit import ViewContent, begin_view, read_view, undo_edit
from roboreel.dataset.view_refresh import refresh_view
from roboreel.edit.replay import asked_options
from roboreel.edit.view import View
from roboreel.edit.write_options import options_from_json
from roboreel.errors import counted
from roboreel.hub.open_source import view_opener
from roboreel.ops.write import plan_write
from roboreel.plan.plan import Plan

edit = typer.Typer(
    name="edit",
    cls=Group,
    add_completion=False,
    help="""Edit a view file. It stores the edits: nothing is copied, and the datasets are not modified.

Examples:
    roboreel edit clean.view.json from my_dataset
    roboreel edit clean.view.json delete --episodes 3,5
""",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings=HELP_NAMES,
)


@edit.callback()
def _view(
    context: typer.Context,
    view: Annotated[
        str, typer.Argument(metavar="VIEW", help="View file: a name that ends in .view.json.")
    ],
) -> None:
    context.obj = view


@edit.command("from", cls=Command, context_settings=HELP_NAMES)
def begin(
    context: typer.Context,
    sources: Annotated[
        list[str], typer.Argument(metavar="SRC…", help="Give datasets and view files, in order.")
    ],
    follow_links: FollowLinksOption = False,
) -> None:
    """Make VIEW, a view file of all episodes in SRC, one dataset after another. Nothing is copied.

    Examples:
        roboreel edit clean.view.json from my_dataset
        roboreel edit week.view.json from monday tuesday
    """
    path = view_of_group(context)
    with stoppable():
        view = begin_view(path, sources, view_opener(follow_links=follow_links))
    say(f"{path} has {_size(view)}")


@edit.command(cls=Command, context_settings=HELP_NAMES)
def show(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the sources and the edits of VIEW, in order."""
    content = read_view(view_of_group(context))
    if as_json:
        emit_json(
            {"path": content.path, "sources": list(content.sources), "verbs": list(content.verbs)}
        )
        return
    _show(content)


@edit.command(cls=Command, context_settings=HELP_NAMES)
def undo(context: typer.Context, as_json: JsonOption = False) -> None:
    """Undo the last edit of VIEW."""
    path = view_of_group(context)
    verbs = undo_edit(path)
    if as_json:
        emit_json({"path": path, "taken_back": list(verbs)})
        return
    for verb in reversed(verbs):
        say(f"undone in {path}: {step_words(verb)}")


@edit.command(cls=Command, context_settings=HELP_NAMES)
def refresh(context: typer.Context, follow_links: FollowLinksOption = False) -> None:
    """Accept changed datasets if they still have every episode of VIEW, with the same uid and length.

    New episodes are left out.
    """
    path = view_of_group(context)
    with stoppable():
        view = refresh_view(path, view_opener(follow_links=follow_links))
    say(f"{path} now refers to the current datasets: {_size(view)}")


for _command in (delete, keep, reorder, shuffle, trim, features, tasks, split):
    edit.command(cls=Command, context_settings=HELP_NAMES)(appends(_command))
edit.command(cls=Command, context_settings=HELP_NAMES)(
    appends(stats, source_of=lambda view: [view])
)
edit.command(cls=Command, context_settings=HELP_NAMES)(appends(resample, *ENCODERS))
edit.command(cls=Command, context_settings=HELP_NAMES)(appends(encode, *ENCODERS))


@writes
def write(options: Writing, source: SourceArgument) -> None:
    """Write a view file as a dataset, copying video packets wherever possible.

    Options stored in the view file apply unless you give others.

    Examples:
        roboreel write clean.view.json -o cleaned
        roboreel write clean.view.json --to v2.1 -o cleaned_v21
    """
    _write(options, source)


@edit.command("write", cls=Command, context_settings=HELP_NAMES)
@writes
def write_view(options: Writing, context: typer.Context) -> None:
    """Write VIEW as a dataset, as `roboreel write VIEW` does."""
    _write(options, view_of_group(context))


def _write(options: Writing, source: str) -> None:
    def plan_of() -> Plan:
        view = options.view(source)
        before, given = asked_options(view).to_json(), options.write_options().to_json()
        view = view.written_as(options_from_json({**before, **given}))
        return plan_write(
            view, out=options.out, in_place=options.in_place, workers=options.run_options
        )

    carry_out(source, options, plan_of)


def _size(view: View) -> str:
    return f"{counted(len(view.slices), 'episode')}, {counted(int(view.lengths.sum()), 'frame')}"


def _show(content: ViewContent) -> None:
    heading("sources")
    for source in content.sources:
        say(f"  {source}")
    heading("edits" if content.verbs else "no edits")
    table([(str(number), step_words(one)) for number, one in enumerate(content.verbs, start=1)])
