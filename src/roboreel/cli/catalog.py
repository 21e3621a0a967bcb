"""The commands by name: where each is, and its line in `roboreel --help`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

LOOK, WRITE, EDIT, DATA = "Look", "Convert and write", "Edit", "Data"


@dataclass(frozen=True, slots=True)
class Entry:
    """A command, before its module is imported."""

    name: str
    group: str
    module: str
    """Dotted, below `roboreel.cli`."""
    summary: str
    """One line, at most 66 characters."""
    function: str = ""
    """Its name in the module, if it isn't the command's."""


ENTRIES = (
    Entry("info", LOOK, "info", "Show features, episode lengths, tasks and warnings."),
    Entry("check", LOOK, "check", "Find problems in a dataset; nothing is written."),
    Entry("stats", LOOK, "stats", "Show, check or recompute statistics."),
    Entry("diff", LOOK, "diff", "Compare two datasets: rows, tasks and video packets."),
    Entry(
        "convert", WRITE, "convert", "Change the format version; video is copied, not re-encoded."
    ),
    Entry("write", WRITE, "edit.view_files", "Write a view file as a dataset."),
    Entry("finalize", WRITE, "finalize", "Write the episodes that workers staged as one dataset."),
    Entry("repair", WRITE, "repair", "Repair what has only one possible fix; list the rest."),
    Entry("delete", EDIT, "edit.episodes", "Delete episodes by number, task or length."),
    Entry("keep", EDIT, "edit.episodes", "Keep only some episodes."),
    Entry("trim", EDIT, "edit.trim", "Cut the beginning or end of episodes."),
    Entry("split", EDIT, "edit.split", "Split a dataset into several, or into named splits."),
    Entry("merge", EDIT, "edit.files", "Merge datasets, even of different versions."),
    Entry("reorder", EDIT, "edit.episodes", "Put episodes in a given order."),
    Entry("shuffle", EDIT, "edit.episodes", "Put episodes in a random order."),
    Entry("features", EDIT, "edit.features", "Remove, rename or add columns and cameras."),
    Entry("tasks", EDIT, "edit.tasks", "List or change task texts."),
    Entry("resample", EDIT, "edit.video", "Change the frame rate."),
    Entry(
        "encode", EDIT, "edit.video", "Re-encode cameras: codec, quality, size, images or video."
    ),
    Entry("compact", EDIT, "edit.files", "Join small files; drop frames that no episode uses."),
    Entry("edit", EDIT, "edit.view_files", "Edit a view file: it stores edits, nothing is copied."),
    Entry("pull", DATA, "pull", "Download a dataset, or some episodes, from the Hub."),
    Entry("push", DATA, "push", "Upload the changed files of a dataset to the Hub, and tag it."),
    Entry("cache", DATA, "cache", "Decode frames once, before training."),
    Entry(
        "index",
        DATA,
        "packet_index_command",
        "Index the videos of a dataset to stream it.",
        "index",
    ),
    Entry("undo", DATA, "undo", "List and restore the originals of in-place edits."),
    Entry("demo", DATA, "demo", "Make a small dataset to try commands on."),
    Entry("config", DATA, "config", "Show the default options and where each one is set."),
)


def in_groups(entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """The entries by group, in order."""
    for group, members in groupby(entries, key=lambda entry: entry.group):
        yield group, list(members)
