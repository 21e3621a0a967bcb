"""`roboreel tasks`: the tasks of a dataset, and others in their place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import typer

from roboreel.cli.shared.choosing import TasksFromOption, number_in, pairs_in
from roboreel.cli.shared.shared_options import SourceArgument
from roboreel.cli.shared.writing import Writing, only_prints, writes
from roboreel.cli.text.output import emit_json, table
from roboreel.edit.tasks import TasksFrom, tasks_of, tasks_told
from roboreel.edit.view import View
from roboreel.errors import UsageError, counted


@writes
def tasks(
    options: Writing,
    source: SourceArgument,
    every: Annotated[
        str | None, typer.Option("--set", metavar="TEXT", help="Give all episodes this task.")
    ] = None,
    replace: Annotated[
        list[str] | None,
        typer.Option(
            "--replace", metavar="OLD=NEW", help="Replace the task text OLD by NEW. Repeatable."
        ),
    ] = None,
    episode: Annotated[
        list[str] | None,
        typer.Option("--episode", metavar="N=TEXT", help="Give episode N this task. Repeatable."),
    ] = None,
    tasks_from: TasksFromOption = None,
) -> None:
    """Change task texts. --episode overrides --replace, and --replace overrides --set.

    Without these, lists the tasks with the number of their episodes.

    Examples:
        roboreel tasks my_dataset --set "pick up the cube" -o renamed
        roboreel tasks my_dataset --episode 3="open the drawer" --in-place
    """
    if only_prints(options, [every, replace, episode], "--set, --replace or --episode"):
        _show(options.view(source), tasks_from, as_json=options.as_json)
        return
    own = _by_number(episode or [])

    def edited(view: View) -> View:
        known = {text for listed in tasks_of(view) for text in listed}
        known |= {text for source in view.sources for text in source.model.tasks.values()}
        replacing = _replacing(replace or [], sorted(known))
        return view.set_tasks(every, replacing=replacing, episodes=own, tasks_from=tasks_from)

    options.write_edited(source, edited)


def _listed(view: View) -> Mapping[int, str]:
    """Task text by task index, as the documents of a whole dataset have it; of an edited view, none."""
    return {} if view.edited else view.model.tasks


def _replacing(strings: list[str], known: list[str]) -> dict[str, str]:
    """New text by old text; if a text has several `=`, the dataset's tasks tell where it is split."""
    pairs: dict[str, str] = {}
    for text in strings:
        olds = [old for old in known if text.startswith(f"{old}=")]
        old = max(olds, key=len, default=None)
        found = pairs_in([text], "--replace") if old is None else {old: text[len(old) + 1 :]}
        if pairs.keys() & found.keys():
            raise UsageError(f"--replace has '{next(iter(found))}' twice: give it once")
        pairs |= found
    return pairs


def _by_number(strings: list[str]) -> dict[int, str]:
    pairs = pairs_in(strings, "--episode", form="N=TEXT")
    found = {number_in(number.strip()): text for number, text in pairs.items()}
    if len(found) < len(pairs):
        raise UsageError("--episode names the same episode twice: give each episode once")
    return found


def _show(view: View, tasks_from: TasksFrom | None, *, as_json: bool) -> None:
    told = tasks_told(view, tasks_from)
    listed = Counter(text for strings in told for text in set(strings))
    rows: list[tuple[int | None, str, int]] = [
        (index, text, listed.pop(text, 0)) for index, text in _listed(view).items()
    ]
    rows += [(None, text, episodes) for text, episodes in listed.items()]
    if as_json:
        emit_json({"tasks": [{"task_index": i, "task": t, "episodes": n} for i, t, n in rows]})
        return
    table([("" if i is None else str(i), counted(n, "episode"), text) for i, text, n in rows])
