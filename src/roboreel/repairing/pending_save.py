"""Finish the save of an episode that was interrupted: our recorder's journal says what is left to do."""

from __future__ import annotations

from roboreel.dataset.commit_journal import (
    JOURNAL,
    CommitJournal,
    PendingFile,
    digest_of_info,
    read_journal,
)
from roboreel.repairing.draft import Draft


def finish_save(draft: Draft) -> None:
    """Show the files of an interrupted save under their names, where all of them are there."""
    journal = read_journal(draft.source)
    if journal is None:
        return
    if digest_of_info(draft.source) != journal.info_before:
        return  # out of date: readers pass over it
    files = [*journal.files, *journal.last, journal.info]
    present = frozenset(draft.list())
    if any(one.source not in present and one.name not in present for one in files):
        what = f"the interrupted save of episode {journal.episode} lacks files: the episode is left out"
        draft.leave("recording.unfinished", what, path=JOURNAL)
        return
    for one in files:
        _show(draft, one)
    _append(draft, journal)
    draft.set_aside(JOURNAL)
    what = f"the save of episode {journal.episode} was interrupted: finished"
    draft.repaired("recording.unfinished", what, path=JOURNAL)


def _show(draft: Draft, one: PendingFile) -> None:
    present = frozenset(draft.list())
    if one.source in present:
        if one.name in present:
            draft.set_aside(one.name)
        draft.move(one.source, one.name)


def _append(draft: Draft, journal: CommitJournal) -> None:
    for lines in journal.lines:
        before = draft.read(lines.name) if lines.name in draft.list() else b""
        draft.put(lines.name, before[: lines.size_bytes] + lines.data)
