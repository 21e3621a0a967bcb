"""The facade: each operation makes a plan and runs it, without logic of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import dataset_below, open_dataset
from roboreel.edit.replay import retargeted
from roboreel.edit.view import Verbs, View, view_of
from roboreel.edit.write_options import WriteKeywords, WriteOptions, lists_options
from roboreel.errors import DatasetError, UsageError
from roboreel.executors.make_executor import make_executor
from roboreel.executors.worker_options import WorkerChoice
from roboreel.executors.worker_pool import cluster_session
from roboreel.format.causes import naming
from roboreel.format.inventory import Inventory
from roboreel.format.version import FormatVersion
from roboreel.hub.open_source import open_source
from roboreel.ops.inputs import (
    require_codecs,
    require_one_subtask_list,
    surveyed,
    with_encoders,
    with_uids,
)
from roboreel.ops.named_arguments import names_all_but_one
from roboreel.ops.output import finished_report, output_path, refuse_discarding
from roboreel.plan.compile import compile_view
from roboreel.plan.plan import Plan, source_prefix
from roboreel.progress.choice import ProgressChoice, listening
from roboreel.runner.run import run_plan
from roboreel.runner.run_options import RunKeywords, RunOptions
from roboreel.runner.run_report import Report, with_python_warning
from roboreel.runner.unchanged_sources import refuse_changed
from roboreel.runner.whole_stats import doubtful
from roboreel.stats.feature_stats import Stats
from roboreel.storage.root import Root
from roboreel.survey.survey import survey
from roboreel.survey.survey_stats import statistics_files

if TYPE_CHECKING:
    from typing_extensions import Unpack


class ConvertKeywords(WriteKeywords, RunKeywords, total=False):
    """Arguments of `convert` besides the version and the output, for type checkers."""


class TargetKeywords(WriteKeywords, total=False):
    """The fields of `WriteOptions` as keyword arguments, for type checkers."""

    to: str | FormatVersion | None


class ViewKeywords(TargetKeywords, RunKeywords, total=False):
    """Arguments of `write` besides the output, for type checkers."""


@lists_options(WriteOptions)
def plan_convert(
    dataset: Dataset | View | str | os.PathLike[str],
    *,
    to: str | FormatVersion,
    out: str | os.PathLike[str] | None = None,
    in_place: bool = False,
    workers: WorkerChoice = 1,
    **options: Unpack[WriteKeywords],
) -> Plan:
    """Plan the conversion of a dataset to another format version. Nothing is written.

    `timestamps` defaults to `regular`, and files are grouped again, even if the version stays the same.

    Args:
        dataset: an open dataset, a view, or the path of a dataset or view file.
        to: `v2.0`, `v2.1` or `v3.0`.
        out: the folder to create; it must be empty if it exists.
        in_place: replace the dataset instead of writing to `out`; the original is kept under another name.
        workers: processes that may read the files, if there are many; or `RunOptions` that say where.
        **options: the fields of `WriteOptions`.

    Raises:
        UsageError: an argument is wrong, or the output exists.
        StorageError, DatasetError: the dataset cannot be read.
        PlanError: the dataset cannot be converted as requested; carries every reason.
    """
    given: WriteKeywords = {"timestamps": "regular", "regroup": True, **options}
    what = WriteOptions(to=to, **given)
    source = dataset if isinstance(dataset, Verbs) else open_source(dataset)
    return plan_write(source.written_as(what), out=out, in_place=in_place, workers=workers)


@names_all_but_one("convert(dataset, to='v3.0', out='new_folder')")
@lists_options(WriteOptions, RunOptions)
def convert(
    dataset: Dataset | View | str | os.PathLike[str],
    *,
    to: str | FormatVersion,
    out: str | os.PathLike[str] | None = None,
    in_place: bool = False,
    progress: ProgressChoice = None,
    **options: Unpack[ConvertKeywords],
) -> Report:
    """Convert a dataset to another format version: `run(plan_convert(…))`.

    Video is copied packet by packet, user columns bit for bit. The output appears complete or not at all; the
    source is only read. `timestamps` defaults to `regular`.

    Args:
        dataset: an open dataset, a view, or the path of a dataset or view file.
        to: `v2.0`, `v2.1` or `v3.0`.
        out: the folder to create; it must be empty if it exists.
        in_place: replace the dataset instead of writing to `out`; the original is kept under another name.
        progress: True shows a bar on the terminal or in the notebook; a function is called with a
            `ProgressEvent` up to ten times a second, and stops the conversion by raising an exception.
        **options: the fields of `WriteOptions` and `RunOptions`.

    Raises:
        UsageError, StorageError, DatasetError, PlanError: as `plan_convert`.
        RunError: as `run`.

    Example:
        >>> import roboreel, roboreel.testing, tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> source = roboreel.testing.make_dataset(folder / "a", version="v2.1", episodes=(5, 3))
        >>> roboreel.convert(source, to="v3.0", out=folder / "b").frames
        8
    """
    what, given = _apart(options)
    how = RunOptions(**given)
    if how.leftovers == "resume" and (done := finished_report(dataset, out)) is not None:
        return done
    with listening(progress), cluster_session(how):
        plan = plan_convert(dataset, to=to, out=out, in_place=in_place, workers=how, **what)
        return with_python_warning(run(plan, how))


def _apart(given: Mapping[str, Any]) -> tuple[Any, Any]:
    """Split keyword arguments into those about what to write, and those about the run."""
    names = {one.name for one in fields(RunOptions)}
    how = {name: given[name] for name in given if name in names}
    return {name: given[name] for name in given if name not in names}, how


@lists_options(RunOptions)
def run(
    plan: Plan,
    options: RunOptions | None = None,
    *,
    progress: ProgressChoice = None,
    sources: Sequence[Dataset] | None = None,
    **keywords: Unpack[RunKeywords],
) -> Report:
    """Run a plan; the result appears by one rename when it is complete and checked.

    Args:
        plan: the plan.
        options: how to run it, as a value; keyword arguments override it.
        progress: as in `convert`.
        sources: the datasets that the plan reads, where they cannot be opened by their paths.
        **keywords: the fields of `RunOptions`.

    Raises:
        UsageError: an argument is wrong, the output exists by now, or an earlier run left something.
        RunError: ops failed; there is no output, finished ops are kept beside it, the source is unchanged.
    """
    options = replace(options or RunOptions(), **keywords)
    if options.discard_original and not plan.in_place:
        raise UsageError("discard_original=True is only for in_place=True")
    if options.discard_original:
        refuse_discarding(plan)
    executor = make_executor(options, decodes=plan.decodes)
    locations = [(one.url, one.follow_links) for one in plan.datasets]
    if sources is None:
        known = {one: open_dataset(one[0], follow_links=one[1]) for one in dict.fromkeys(locations)}
        sources = [known[one] for one in locations]
    opened = dict(zip(locations, sources, strict=True))

    def unchanged() -> None:
        for number, source in enumerate(sources):
            prefix = source_prefix(number, len(plan.sources))
            names = statistics_files(source)
            if plan.in_place:  # changed files would be replaced
                names += [n.removeprefix(prefix) for n in plan.files if n.startswith(prefix)]
            refuse_changed(source.root, prefix, names, plan)

    unchanged()
    by_location = {one: source.stored_stats().blocks for one, source in opened.items()}
    stored = [by_location[one] for one in locations]
    with listening(progress):
        return run_plan(
            plan,
            executor,
            options,
            unchanged=unchanged,
            stored_stats=lambda number, episodes: stored[number](episodes),
            global_stats=_global_stats(sources[0], plan),
            contradictions=_contradictions(sources, plan),
            verify=_verified if plan.in_place else dataset_below,
        )


@lists_options(WriteOptions)
def plan_write(
    view: Dataset | View,
    *,
    out: str | os.PathLike[str] | None = None,
    in_place: bool = False,
    workers: WorkerChoice = 1,
    surveys: dict[str, Inventory] | None = None,
    **options: Unpack[TargetKeywords],
) -> Plan:
    """Plan to write a view. Nothing is written.

    Args:
        view: what to write: an edited dataset, or several merged ones.
        out: the folder to create; it must be empty if it exists.
        in_place: replace the only dataset instead of writing to `out`; the original is kept under another
            name.
        workers: processes that may read the files, if there are many; or `RunOptions` that say where.
        surveys: surveys of datasets by their paths, to share between plans; new ones are added.
        **options: the fields of `WriteOptions`; those that are not given are as `with_target` last set them.

    Raises:
        UsageError: an argument is wrong, or the output exists.
        StorageError: a dataset cannot be read.
        PlanError: the view cannot be written as requested; carries every reason.
    """
    view = retargeted(view_of(view, "write"), options)
    require_one_subtask_list(view)
    if (out is None) != in_place:
        raise UsageError("say where to write: give either a new folder (out=DST) or in_place=True")
    path = output_path([source.dataset.url for source in view.sources], out)
    view = with_uids(with_encoders(view))
    plan = compile_view(view, surveyed(view, workers, {} if surveys is None else surveys))
    require_codecs(plan)
    problems = naming(path, plan.problems)
    return replace(plan, out=path, in_place=in_place, problems=problems)


@lists_options(WriteOptions, RunOptions)
def write(
    view: Dataset | View,
    options: RunOptions | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    in_place: bool = False,
    progress: ProgressChoice = None,
    **keywords: Unpack[ViewKeywords],
) -> Report:
    """Write a view: `run(plan_write(…))`.

    Packets and columns are copied unchanged where possible, and files without any change byte for byte.

    Args:
        view: what to write: an edited dataset, or several merged ones.
        options: how to run the plan, as a value; keyword arguments override it.
        out: the folder to create; it must be empty if it exists.
        in_place: replace the only dataset instead of writing to `out`; the original is kept under another
            name.
        progress: as in `convert`.
        **keywords: the fields of `WriteOptions` and `RunOptions`.

    Raises:
        UsageError, StorageError, PlanError: as `plan_write`.
        RunError: as `run`.

    Example:
        >>> import roboreel, roboreel.testing, tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> source = roboreel.testing.make_dataset(folder / "a", version="v3.0", episodes=(5, 3, 4))
        >>> roboreel.write(roboreel.open(source).delete([1]), out=folder / "b").frames
        9
    """
    if not isinstance(options, RunOptions | None):
        raise UsageError(
            f"options is {options!r}, expected RunOptions: name the folder, out={options!r}"
        )
    what, how = _apart(keywords)
    options = replace(options or RunOptions(), **how)
    if options.leftovers == "resume":
        done = finished_report(view.as_view().sources[0].dataset.url, out)
        if done is not None:
            return done
    with listening(progress), cluster_session(options):
        plan = plan_write(view, out=out, in_place=in_place, workers=options, **what)
        return with_python_warning(run(plan, options))


def _global_stats(source: Dataset, plan: Plan) -> Stats:
    """The stored statistics of the whole dataset, if a run needs them."""
    if plan.stats.compare_global:
        return source.stats()
    try:
        return (source.whole_stats() or {}) if plan.stats.reconcile_global else {}
    except DatasetError:  # the check reports the error; here these statistics are ignored
        return {}


def _contradictions(sources: Sequence[Dataset], plan: Plan) -> dict[str, str]:
    """How the stored statistics of sources that are not used as a whole contradict each other, by feature."""
    found: dict[str, str] = {}
    if plan.stats.reconcile_global or plan.stats.compare_global:
        return found
    for number, source in enumerate(sources):
        if not (source.version.has_episode_stats and source.has_global_stats):
            continue
        try:
            stored = source.stats()
        except DatasetError:
            continue
        blocks = (block for _, block in source.stored_stats().in_blocks())
        found = {**doubtful(plan, number, stored, blocks), **found}
    return found


def _verified(result: Root) -> None:
    """Raise `DatasetError` if a result must not replace an original."""
    found = survey(dataset_below(result))
    if found.broken:
        reasons = [problem for problems in found.broken.values() for problem in problems]
        raise DatasetError("the result failed its check, so the original stays", reasons)
