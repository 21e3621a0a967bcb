"""What to type where a view file, or a dataset that it names, is no longer what it was."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from roboreel.cli.failures.advice import RESULTS, shortened, typed, with_output
from roboreel.dataset.view_edit import read_view
from roboreel.dataset.view_file import is_view_file
from roboreel.dataset.view_source import undo_command
from roboreel.errors import RoboreelError

_VERB = re.compile(r"cannot be read as a view file: verb (\d+)")
_CHANGED = re.compile(r"'([^']+)' has changed since the view file")
_SHOWN = 3


def view_lines(path: str, message: str) -> Iterator[tuple[str, str]]:
    """Lines that take back what was changed, each with a comment.

    Args:
        path: the view file.
        message: why it cannot be used.
    """
    try:
        content = read_view(path)
    except RoboreelError:  # it is not even JSON
        return
    verb, changed = _VERB.search(message), _CHANGED.search(message)
    if verb is not None:
        last = int(verb[1]) == len(content.verbs)
        words, effect = (
            (["undo"], "takes the last edit back") if last else (["show"], "lists its edits")
        )
        yield typed(["edit", path, *words]), effect
        return
    sources = content.sources if changed is None else [changed[1]]
    for source in sources[:_SHOWN]:
        if is_view_file(source):
            yield typed(["edit", _as_seen(source), "undo"]), "takes its last edit back"
        elif undo := undo_command(path, source):
            yield undo, "restores the original"


def no_view_lines(words: Sequence[str], path: str) -> Iterator[tuple[str, str]]:
    """Lines where a view file was given for a dataset, or the other way round.

    Args:
        words: the arguments as typed.
        path: the one given.
    """
    if is_view_file(path):
        yield typed(["edit", path, "undo"]), "takes its last edit back"
    elif os.path.isdir(os.path.join(path, "meta")):
        yield (
            typed(["edit", f"{os.path.basename(os.path.abspath(path))}.view.json", "from", path]),
            "makes one",
        )
        if words[2:3] and words[2] in RESULTS:
            yield typed(with_output([words[2], path, *words[3:]])), "writes a dataset"


def _as_seen(path: str) -> str:
    """A path below the current folder without it."""
    inside = os.path.relpath(path)
    return shortened(path) if inside.startswith(os.pardir) else inside
