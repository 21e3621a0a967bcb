"""Prepare a dataset for the engine: what keeps it from being opened or read is repaired first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roboreel.dataset.open import usual_templates
from roboreel.errors import DatasetError, StorageError, UsageError
from roboreel.format import v2, v30
from roboreel.format.info import parse_info
from roboreel.format.model import INFO, Info
from roboreel.format.parse import Problems
from roboreel.format.v30_documents import task_table
from roboreel.repairing.choices import RepairChoices
from roboreel.repairing.damaged_documents import repair_documents
from roboreel.repairing.declarations import correct_declarations
from roboreel.repairing.draft import Draft
from roboreel.repairing.misplaced_files import put_episode_table, put_videos
from roboreel.repairing.pending_frames import note_unused_frames
from roboreel.repairing.pending_save import finish_save
from roboreel.repairing.plain_images import wrap_images
from roboreel.repairing.rebuilt_info import rebuild_info
from roboreel.repairing.tasks_by_rows import list_tasks_by_rows
from roboreel.repairing.unfinished_tables import finish_tables
from roboreel.repairing.unfinished_videos import finish_videos
from roboreel.repairing.unlisted_episodes import list_episodes
from roboreel.repairing.unlisted_files import list_files
from roboreel.storage.tables.tables import read_table


def prepare(draft: Draft, choices: RepairChoices) -> None:
    """Repair what the engine cannot, in the draft."""
    finish_save(draft)
    repair_documents(draft)
    rebuild_info(draft)
    info = _info(draft)
    if info is None:
        return
    if choices.tasks:
        _write_tasks(draft, info, choices.tasks)
    finish_tables(draft, info)
    finish_videos(draft, info)
    if not info.version.one_file_per_episode:
        put_episode_table(draft)
        put_videos(draft, info)
    if info.version.one_file_per_episode:
        list_files(draft, info, _listed_tasks(draft))
    else:
        list_episodes(draft, info, _tasks_in_table(draft))
    note_unused_frames(draft)
    wrap_images(draft, info)
    if choices.tasks_from == "rows":
        list_tasks_by_rows(draft)
    correct_declarations(draft)


def _info(draft: Draft) -> Info | None:
    """Parse `info.json`; None if it is still wrong, which opening the dataset reports."""
    try:
        return parse_info(
            draft.read(INFO), Problems(), defaults=usual_templates, files=draft.list()
        )
    except DatasetError:
        return None


def _write_tasks(draft: Draft, info: Info, texts: Sequence[str]) -> None:
    """Write a lost task list.

    Raises:
        UsageError: the list exists.
    """
    one_file = info.version.one_file_per_episode
    name = v2.TASK_LIST if one_file else v30.TASK_TABLE
    if name in draft.list():
        raise UsageError(
            f"tasks= gives the texts of a lost task list, but '{name}' exists: leave it out"
        )
    tasks = dict(enumerate(texts))
    if one_file:
        draft.put(name, b"".join(v2.task_lines(tasks)))
    else:
        draft.put_table(name, task_table(tasks))
    draft.repaired(
        "document.missing", f"it was lost: written with the {len(texts)} given texts", path=name
    )


def _listed_tasks(draft: Draft) -> Mapping[int, str]:
    """The task list of v2.x; empty where it cannot be read."""
    try:
        return v2.parse_task_list(draft.read(v2.TASK_LIST), Problems())
    except (StorageError, DatasetError):
        return {}


def _tasks_in_table(draft: Draft) -> Mapping[int, str]:
    """The task list; empty where it cannot be read."""
    try:
        table = read_table(draft, v30.TASK_TABLE)
        return v30.parse_task_table(table, Problems())
    except (StorageError, DatasetError):
        return {}
