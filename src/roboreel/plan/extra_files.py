"""Files that travel with a dataset as they are, and what they may not collide with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from unicodedata import normalize

from roboreel.errors import PlanError
from roboreel.format import v2, v30
from roboreel.format.model import DATA_PATH, INFO, Model, video_path
from roboreel.format.v30_episodes import EPISODES_FOLDER
from roboreel.format.version import FormatVersion
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.plan import CopyFile


def travelling_files(view: MergedSources, model: Model) -> list[CopyFile]:
    """The ops that copy what travels along.

    No file may have the name of a folder of the result. Names from several datasets are also compared without
    regard to capitals: on a disk that does not tell them apart, the later file would replace the earlier one.

    Args:
        view: what is written.
        model: the result.

    Raises:
        PlanError: there are such files; names them.
    """
    files = {own_name(path, view): path for path in view.model.extra_files}
    homes = {name: _home(path, view) for name, path in files.items()}
    told = [*_files_as_folders(_written(model) | set(homes), homes), *_alike(homes)]
    if told:
        lines = "".join(f"\n  - {line}" for line in told)
        raise PlanError(f"files would collide in the result: rename them, or move them away{lines}")
    return [
        CopyFile(path=name, source=path, reason="travels along as it is")
        for name, path in files.items()
    ]


def own_name(path: str, view: MergedSources) -> str:
    """The name of an input file within its dataset."""
    return path.partition("/")[2] if len(view.sources) > 1 else path


def _home(path: str, view: MergedSources) -> str:
    """Where the dataset of an input file is."""
    number = int(path.partition("/")[0].removeprefix("@")) if len(view.sources) > 1 else 0
    return view.sources[number].url


def _written(model: Model) -> set[str]:
    """Names of the tables, videos and documents of the result."""
    columns = [DATA_PATH, *(video_path(camera) for camera in model.info.cameras)]
    paths = {path for name in columns for path in model.episodes[name].unique().to_pylist()}
    return {*paths, *_documents(model.info.version)} - {None}


def _documents(version: FormatVersion) -> Iterable[str]:
    if version is FormatVersion.V30:
        return (INFO, v30.TASK_TABLE, v30.GLOBAL_STATS, EPISODES_FOLDER)
    return (*v2.DOCUMENTS, v2.EPISODE_STATS if version.has_episode_stats else v2.GLOBAL_STATS)


def _files_as_folders(names: set[str], travelling: Mapping[str, str]) -> list[str]:
    """Files below what is a file itself."""
    folders = {name.rpartition("/")[0] for name in names}
    folders |= {above for folder in folders for above in _folders(folder)}
    told = []
    for folder in sorted(folders & names):
        below = min(name for name in names if name.startswith(f"{folder}/"))
        own, other = _of(folder, travelling), _of(below, travelling)
        told.append(f"'{folder}'{own} is a file, and the folder of '{below}'{other}")
    return told


def _of(name: str, travelling: Mapping[str, str]) -> str:
    return f" of '{travelling[name]}'" if name in travelling else ""


def _alike(travelling: Mapping[str, str]) -> list[str]:
    """Files of different datasets whose names differ in nothing that every disk tells apart."""
    files: dict[str, str] = {}
    for name in travelling:
        files.setdefault(_folded(name), name)
    told = []
    for name, where in travelling.items():
        for part in (name, *_folders(name)):
            first = files.get(_folded(part), part)
            if first != part and travelling[first] != where:
                told.append(f"'{first}' of '{travelling[first]}' and '{name}' of '{where}'")
    return told


def _folded(name: str) -> str:
    return normalize("NFC", normalize("NFC", name).casefold())


def _folders(name: str) -> Iterable[str]:
    """The folders above a file, from the nearest one on."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name
