"""What to say about a table or video that the documents name and that isn't here."""

from __future__ import annotations

from roboreel.dataset.pull_record import read_record
from roboreel.errors import StorageError
from roboreel.format import v2
from roboreel.format.model import DATA_PATH, EPISODE, Model, video_path
from roboreel.storage.root import Root


def missing_file(root: Root, model: Model, row: int, camera: str = "") -> StorageError:
    """The error for an episode's file that isn't here: it names the file, and says how to fetch it.

    Args:
        root: the dataset's root.
        model: its documents.
        row: the episode's row in `Model.episodes`.
        camera: the camera of a video; empty for the table.
    """
    episode = int(model.episodes[EPISODE][row].as_py())
    path = model.episodes[video_path(camera) if camera else DATA_PATH][row].as_py()
    if path is None and model.info.version.one_file_per_episode:
        path = v2.expected_path(model.info, episode, camera)
    what = f"video of '{camera}'" if camera else "table"
    named = "" if path is None else f", '{path}',"
    return StorageError(
        f"episode {episode} in '{root.url}': its {what}{named} is missing{how_to_fetch(root, episode)}"
    )


def how_to_fetch(root: Root, episode: int | None = None) -> str:
    """The end of a message about a missing file: how to fetch it; empty if the dataset wasn't pulled."""
    record = read_record(root)
    if record is None:
        return ""
    command = record.command(root.url, episode)
    return f": it was not pulled from '{record.repo_id}'. Fetch it with: {command}"
