"""What a result does not hold of its sources: told as losses, or refused until the user agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from roboreel.edit.view_data import LeftOut, ViewData
from roboreel.errors import PlanError, Problem, UsageError, listed
from roboreel.format.feature import INDEX_DTYPES, Feature
from roboreel.format.model import LEFT_OUT_FIELDS, Model, is_client_note

_FILES_NOT_READ = ("file.link", "file.name")
_NAMED_FILES = 20
"""Files of one folder that are named one by one; of more, the folder and their number."""


def features_left_out(
    view: ViewData,
    declared: Mapping[str, Feature],
    kept: Mapping[str, Feature],
    columns: Mapping[str, pa.Field],
) -> list[LeftOut]:
    """The features and columns of a view's sources that its result does not have.

    Args:
        view: what is written.
        declared: features that its sources declare, by their names in the view.
        kept: those of the result.
        columns: those of all tables, by their names in the view.
    """
    found = [one for one in view.left_out if one.is_asked or one.name not in kept]
    known = {one.name for one in found}
    for name, feature in declared.items():
        if name not in kept and name not in known and name not in INDEX_DTYPES:
            why = "none of its videos exists" if feature.is_video else "no table has this column"
            found.append(_unasked(feature, why))
    for name in columns:
        if name not in kept and name not in declared:
            why = "the column's name cannot be the name of a feature"
        elif name in kept and kept[name].is_video and declared[name].is_video:
            why = "the column has the name of a video camera"
        else:
            continue
        found.append(LeftOut(name=name, why=why, is_asked=False, is_essential=False))
    return found


def _unasked(feature: Feature, why: str) -> LeftOut:
    return LeftOut(name=feature.name, why=why, is_asked=False, is_essential=feature.is_essential)


def refuse_missing(view: ViewData, found: Iterable[LeftOut], allowed: Collection[str]) -> None:
    """Raise where an essential feature would be left out, and the user neither named nor allowed it.

    Raises:
        UsageError: a name is allowed to be missing that no source has.
        PlanError: one would be missing that is not allowed to be; carries every one.
    """
    found = list(found)
    known = {name for source in view.sources for name in source.model.info.features}
    known |= {name for source in view.sources for name in source.dataset.model.info.features}
    known |= {one.name for one in found}
    unknown = sorted(set(allowed) - known)
    if unknown:
        raise UsageError(
            f"allow_missing has '{unknown[0]}', but no dataset has such a feature: there are"
            f" {', '.join(sorted(known - set(INDEX_DTYPES)))}"
        )
    refused = [
        one for one in found if one.is_essential and not one.is_asked and one.name not in allowed
    ]
    if not refused:
        return
    lines = "".join(f"\n  - {one}" for one in refused)
    names = ", ".join(f'"{one.name}"' for one in refused)
    raise PlanError(
        f"the result would lack {listed([one.name for one in refused])}, which nobody removed by name:"
        f" pass allow_missing=[{names}] to write it without, or remove by name what you do not want{lines}"
    )


def losses(
    model: Model, features: Iterable[LeftOut], tasks: Iterable[str], urls: Mapping[str, str]
) -> Iterator[str]:
    """A line for each feature, column, task and file that is not carried over.

    Args:
        model: the documents of all sources.
        features: those that are left out.
        tasks: texts of tasks that are left out.
        urls: where the sources are, by the prefix of their files' names in `model`.
    """
    for feature in features:
        yield f"feature {feature}"
    for text in tasks:
        yield f"task '{text}': no episode of the result uses it"
    for problem in model.problems:
        if problem.rule in LEFT_OUT_FIELDS:
            column = f"column '{problem.column}'{_of(problem)}: " if problem.column else ""
            yield column + problem.message
        elif problem.rule in _FILES_NOT_READ:
            file = f"file '{problem.path}'{_of(problem)}: " if problem.path else ""
            yield file + problem.message
    for prefix, url in urls.items():
        where = f" of '{url}'" if prefix else ""
        for text in _files(_below(prefix, model.other_files)):
            yield f"{text}{where}: it belongs to no episode, and is not a document of this version"
        for text in _hidden(_below(prefix, model.hidden_files)):
            yield f"{text}{where}: hidden files are not copied"


def _of(problem: Problem) -> str:
    return f" of '{problem.dataset}'" if problem.dataset else ""


def _below(prefix: str, names: Iterable[str]) -> list[str]:
    """The names that begin with a prefix, without it."""
    return [name[len(prefix) :] for name in names if name.startswith(prefix)]


def _files(names: Sequence[str]) -> Iterator[str]:
    """Each file by name, or its folder where that holds many."""
    folders = Counter(name.rpartition("/")[0] for name in names)
    many = {folder for folder, files in folders.items() if files > _NAMED_FILES}
    for name in names:
        if name.rpartition("/")[0] not in many:
            yield f"file '{name}'"
    for folder in sorted(many):
        yield f"{folders[folder]} files in '{folder}/'"


def _hidden(names: Sequence[str]) -> Iterator[str]:
    """Hidden files by the file or folder that hides them, but for a Hub client's notes."""
    hiding = Counter(_hider(name) for name in names if not is_client_note(name))
    for name, files in hiding.items():
        yield f"file '{name}'" if not name.endswith("/") else f"{files} files in '{name}'"


def _hider(name: str) -> str:
    parts = name.split("/")
    at = next(n for n, part in enumerate(parts) if part.startswith("."))
    return "/".join(parts[: at + 1]) + ("" if at == len(parts) - 1 else "/")
