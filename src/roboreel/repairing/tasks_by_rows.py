"""Let episodes list the tasks that their rows have."""

from __future__ import annotations

import json

import pyarrow as pa

from roboreel.dataset.open import dataset_below
from roboreel.edit.tasks import tasks_by_rows, tasks_of
from roboreel.errors import DatasetError, StorageError
from roboreel.format import v2
from roboreel.format.model import EPISODE, TASKS
from roboreel.format.v30_episodes import EPISODES_FOLDER, episode_files, whole_numbers
from roboreel.repairing.damaged_documents import readable_lines
from roboreel.repairing.draft import Draft
from roboreel.storage.tables.tables import read_table


def list_tasks_by_rows(draft: Draft) -> None:
    """Change the lists of the episodes whose rows have other tasks."""
    try:
        dataset = dataset_below(draft)
    except (DatasetError, StorageError):  # opening the repaired dataset reports it
        return
    view = dataset.as_view()
    numbers = view.numbers.tolist()
    pairs = zip(numbers, tasks_of(view), tasks_by_rows(view), strict=True)
    changed = {number: rows for number, own, rows in pairs if own != rows}
    if not changed:
        return
    one_file = dataset.version.one_file_per_episode
    (_change_lines if one_file else _change_tables)(draft, changed)
    path = v2.EPISODES if one_file else EPISODES_FOLDER
    draft.repaired(
        "task.rows",
        f"{len(changed):,} episodes did not list the tasks of their rows: corrected",
        path=path,
    )


def _change_lines(draft: Draft, changed: dict[int, list[str]]) -> None:
    lines = []
    for line, entry in readable_lines(draft.read(v2.EPISODES), v2.EPISODES):
        number = int((entry or {}).get(EPISODE, -1))
        if number in changed:
            text = json.dumps({**(entry or {}), TASKS: changed[number]}, ensure_ascii=False)
            line = text.encode()
        lines.append(line + b"\n")
    draft.put(v2.EPISODES, b"".join(lines))


def _change_tables(draft: Draft, changed: dict[int, list[str]]) -> None:
    for name in episode_files(draft.list()):
        table = read_table(draft, name)
        numbers = whole_numbers(table[EPISODE]).to_pylist()
        if TASKS in table.column_names and any(number in changed for number in numbers):
            own = table[TASKS].to_pylist()
            texts = [changed.get(number, known) for number, known in zip(numbers, own, strict=True)]
            at = table.column_names.index(TASKS)
            table = table.set_column(at, TASKS, pa.array(texts, pa.list_(pa.string())))
            draft.put_table(name, table)
