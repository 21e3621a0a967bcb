"""Extra files that are copied with a dataset, and the names that would collide in the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from unicodedata import normalize

from roboreel.errors import PlanError
from roboreel.format import v2, v30
from roboreel.format.model import DATA_PATH, INFO, Model, video_path
from roboreel.format.v30_episodes import EPISODES_FOLDER
from roboreel.format.version import FormatVersion
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.plan import UNCHANGED, CopyFile


def extra_file_ops(merged: MergedSources, model: Model) -> list[CopyFile]:
    """The ops that copy extra files.

    No file may have the name of a folder of the result. Names from several datasets are also compared
    ignoring case: on a case-insensitive disk the later file would replace the earlier one.

    Args:
        merged: what is written.
        model: the result.

    Raises:
        PlanError: files would collide; lists them.
    """
    files = {own_name(path, merged): path for path in merged.model.extra_files}
    homes = {name: _home(path, merged) for name, path in files.items()}
    found = [*_files_as_folders(_written(model) | set(homes), homes), *_same_but_for_case(homes)]
    if found:
        lines = "".join(f"\n  - {line}" for line in found)
        raise PlanError(
            f"several files would get the same name in the result: rename them, or move them away{lines}"
        )
    return [CopyFile(path=name, source=path, reason=UNCHANGED) for name, path in files.items()]


def own_name(path: str, merged: MergedSources) -> str:
    """The name of an input file within its dataset."""
    return path.partition("/")[2] if len(merged.sources) > 1 else path


def _home(path: str, merged: MergedSources) -> str:
    """The URL of the dataset of an input file."""
    number = int(path.partition("/")[0].removeprefix("@")) if len(merged.sources) > 1 else 0
    return merged.sources[number].url


def _written(model: Model) -> set[str]:
    """Names of the tables, videos and documents of the result."""
    columns = [DATA_PATH, *(video_path(camera) for camera in model.info.cameras)]
    paths = {path for name in columns for path in model.episodes[name].unique().to_pylist()}
    return {*paths, *_documents(model.info.version)} - {None}


def _documents(version: FormatVersion) -> Iterable[str]:
    if version is FormatVersion.V30:
        return (INFO, v30.TASK_TABLE, v30.GLOBAL_STATS, EPISODES_FOLDER)
    return (*v2.DOCUMENTS, v2.EPISODE_STATS if version.has_episode_stats else v2.GLOBAL_STATS)


def _files_as_folders(names: set[str], homes: Mapping[str, str]) -> list[str]:
    """A line for each name that is a file and also a folder of another file."""
    folders = {name.rpartition("/")[0] for name in names}
    folders |= {above for folder in folders for above in _folders(folder)}
    found = []
    for folder in sorted(folders & names):
        below = min(name for name in names if name.startswith(f"{folder}/"))
        own, other = _of(folder, homes), _of(below, homes)
        found.append(f"'{folder}'{own} is a file, and the folder of '{below}'{other}")
    return found


def _of(name: str, homes: Mapping[str, str]) -> str:
    return f" of '{homes[name]}'" if name in homes else ""


def _same_but_for_case(homes: Mapping[str, str]) -> list[str]:
    """A line for each pair of files of different datasets whose names differ only in case or Unicode form."""
    files: dict[str, str] = {}
    for name in homes:
        files.setdefault(_folded(name), name)
    found = []
    for name, home in homes.items():
        for part in (name, *_folders(name)):
            first = files.get(_folded(part), part)
            if first != part and homes[first] != home:
                found.append(f"'{first}' of '{homes[first]}' and '{name}' of '{home}'")
    return found


def _folded(name: str) -> str:
    # again after folding, which can undo the normal form (Unicode, section 3.13)
    return normalize("NFC", normalize("NFC", name).casefold())


def _folders(name: str) -> Iterable[str]:
    """The folders above a file, the nearest first."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name
