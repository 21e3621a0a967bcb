"""Commands that look at several datasets: one after another, with the worst exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from roboreel.cli.shared.shared_options import SOURCE_HELP, Form
from roboreel.cli.text.output import emit_json, refused, say, tell
from roboreel.errors import RoboreelError, UsageError
from roboreel.types import Json

SourcesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SRC…", help=f"One or several: {SOURCE_HELP[0].lower()}{SOURCE_HELP[1:]}"
    ),
]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a command found in one dataset."""

    document: Json
    """What `--json` prints."""
    code: int = 0
    """Exit code."""


def see_each(
    sources: Sequence[str],
    form: Form,
    look: Callable[[str], Seen],
    concluded: Callable[[Sequence[Seen]], str] | None = None,
) -> None:
    """Look at each dataset; what cannot be opened does not keep the others from being shown.

    Args:
        sources: the arguments of the command.
        form: what to print; as JSON, an object for one dataset, a list for several.
        look: looks at one, and prints text unless JSON is asked for.
        concluded: the last line below several datasets; with it, `look` puts blank lines between them.

    Raises:
        typer.Exit: with the highest exit code, if it isn't 0.
        RoboreelError: the only dataset cannot be opened.
    """
    seen: list[Seen] = []
    for source in sources:
        if seen and form == "text" and concluded is None:
            say()
        seen.append(look(source) if len(sources) == 1 else _caught(source, look))
    if form == "json":
        documents = [one.document for one in seen]
        emit_json(documents if len(sources) > 1 else documents[0])
    if concluded is not None and form == "text" and len(seen) > 1:
        say()
        say(concluded(seen))
    worst = max(one.code for one in seen)
    if worst:
        raise typer.Exit(worst)


def _caught(source: str, look: Callable[[str], Seen]) -> Seen:
    try:
        return look(source)
    except RoboreelError as error:
        tell(f"error: {error}")
        code = 2 if isinstance(error, UsageError) else 1
        return Seen({"path": source, "ok": False, **refused(error)}, code)
