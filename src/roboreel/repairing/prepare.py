"""Prepare a dataset for the engine: what keeps it from being opened or read is repaired first."""

from __future__ import annotations

from collections.abc import Mapping

from roboreel.dataset.open import usual_templates
from roboreel.errors import DatasetError, StorageError
from roboreel.format import v30
from roboreel.format.info import parse_info
from roboreel.format.model import INFO, Info
from roboreel.format.parse import Problems
from roboreel.repairing.declarations import correct_declarations
from roboreel.repairing.draft import Draft
from roboreel.repairing.pending_frames import note_unused_frames
from roboreel.repairing.unfinished_tables import finish_tables
from roboreel.repairing.unlisted_episodes import list_episodes
from roboreel.storage.tables import read_table


def prepare(draft: Draft) -> None:
    """Repair what the engine cannot, in the draft."""
    info = _info(draft)
    finish_tables(draft, info)
    if not info.version.one_file_per_episode:
        list_episodes(draft, info, _tasks(draft))
    note_unused_frames(draft)
    correct_declarations(draft)


def _info(draft: Draft) -> Info:
    return parse_info(draft.read(INFO), Problems(), defaults=usual_templates, files=draft.list())


def _tasks(draft: Draft) -> Mapping[int, str]:
    """The task list; empty where it cannot be read."""
    try:
        table = read_table(draft, v30.TASK_TABLE)
        return v30.parse_task_table(table, Problems())
    except (StorageError, DatasetError):
        return {}
