"""Commands that add a verb to a view file: those that edit, without the options of writing."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

import typer

from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.shared.writing import Writing, command_of
from roboreel.cli.text.output import emit_json, say
from roboreel.cli.text.view_words import step_words
from roboreel.dataset.view_edit import edit_view
from roboreel.edit.view import View
from roboreel.edit.write_options import WriteOptions
from roboreel.errors import counted
from roboreel.hub.open_source import view_opener

_SHARED = ("follow_links", "as_json", "quiet", "verbose")
ENCODERS = ("vcodec", "pix_fmt", "g", "crf", "preset", "fast_decode")
"""Options of writing that say how cameras are encoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appending(Writing):
    """Options of a command that adds to a view file, in place of writing a dataset."""

    def write_edited(
        self, source: str, edited: Callable[[View], View], *, regroup: bool | None = None
    ) -> None:
        """Add to the view file what an edit does."""
        options = self.write_options(regroup=regroup)

        def both(view: View) -> View:
            made = edited(view)
            return made if options == WriteOptions() else made.written_as(options)

        with stoppable():
            view, verbs = edit_view(source, both, view_opener(follow_links=self.follow_links))
        if self.as_json:
            emit_json({"path": source, "verbs": list(verbs), "episodes": len(view.slices)})
            return
        if not self.quiet:
            for verb in verbs:
                say(f"{step_words(verb)}: {source} now has {counted(len(view.slices), 'episode')}")


def appends(
    wrapped: Callable[..., None],
    *shared: str,
    without: tuple[str, ...] = (),
    source_of: Callable[[str], object] = str,
) -> Callable[..., None]:
    """A command that adds to the view file of its group what a command of its own would write.

    Args:
        wrapped: that command.
        *shared: options of writing that it takes too.
        without: its own options that make no sense here.
        source_of: makes what the command takes for a source of the path of the view file.
    """
    command = command_of(wrapped)
    own = list(inspect.signature(command, eval_str=True).parameters.values())[2:]
    own = [one for one in own if one.name not in without]
    hints, keyword = get_type_hints(Writing, include_extras=True), inspect.Parameter.KEYWORD_ONLY
    taken = [
        inspect.Parameter(one.name, keyword, default=one.default, annotation=hints[one.name])
        for one in fields(Writing)
        if one.name in (*shared, *_SHARED)
    ]

    @functools.wraps(command)
    def run(
        context: typer.Context, **given: Any
    ) -> None:  # the values of options, as typer has parsed them
        options = Appending(**{one.name: given.pop(one.name) for one in taken})
        command(options, source_of(view_of_group(context)), **given)

    context = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    every = [context, *(one.replace(kind=keyword) for one in own), *taken]
    run.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in every}
    del run.__wrapped__
    return run


def view_of_group(context: typer.Context) -> str:
    """The view file that was named before the verb."""
    return str(context.obj)
