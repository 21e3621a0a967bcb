"""Functions under the names and arguments that users know from other projects' scripts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from roboreel.dataset.open import open_dataset
from roboreel.errors import UsageError
from roboreel.format.version import FormatVersion, parse_version
from roboreel.ops.convert_on_hub import copy_to_convert, hub_reference, push_conversion
from roboreel.ops.output import finished_report
from roboreel.ops.write import convert

if TYPE_CHECKING:
    from roboreel.edit.write_options import VideoBackend
    from roboreel.executors.worker_options import ExecutorName
    from roboreel.runner.run_options import Leftovers
    from roboreel.runner.run_report import Report

_Path = str | os.PathLike[str]


def convert_dataset(
    repo_id: str | None = None,
    root: _Path | None = None,
    push_to_hub: bool = False,
    delete_old_stats: bool = True,
    branch: str | None = None,
    num_workers: int = 4,
    video_backend: VideoBackend = "pyav",
    use_process_pool: bool = True,
    *,
    to: str | FormatVersion | None = None,
    out: _Path | None = None,
    local_dir: _Path | None = None,
    max_workers: int | None = None,
    backend: VideoBackend | None = None,
    leftovers: Leftovers = "refuse",
    allow_missing: Iterable[str] = (),
) -> Report:
    """Convert a v2.0 dataset to v2.1: `convert` with the arguments of earlier conversion scripts.

    Statistics are computed per episode, and their merged values are compared with the old ones
    [`stats.agree`]. As in those scripts, the dataset itself is converted unless `out` is given. The original
    is kept beside it as `NAME.before-TIME`.

    Args:
        repo_id: the dataset's name on the Hub; also its folder if neither `root` nor `local_dir` is given.
            What is not there is pulled from the Hub, at its tag `v2.0` if it has one.
        root: the dataset's folder.
        push_to_hub: push what the conversion changed to `repo_id`, and tag it with the version.
        delete_old_stats: False keeps `meta/stats.json` beside the new statistics.
        branch: the branch to push to, created if it does not exist; None is the main branch.
        num_workers: threads or processes to use.
        video_backend: the library that decodes videos: `pyav`, `torchcodec` or `decord`.
        use_process_pool: False uses threads, which cannot be stopped if a decoder hangs.
        to: the version to write, from any other. By default v2.0 becomes v2.1, and another version is
            refused.
        out: write to this new folder instead of converting in place.
        local_dir: another name for `root`.
        max_workers: another name for `num_workers`.
        backend: another name for `video_backend`.
        leftovers: what to do with the remains of an earlier run: `refuse`, `resume` or `clean`.
        allow_missing: actions, states and cameras that the result may lack because their files are missing.

    Raises:
        UsageError: an argument is missing, or contradicts another.
        HubError: the Hub cannot be reached, or refuses.
        PlanError, RunError, StorageError, DatasetError: as `convert`.

    Example:
        >>> import roboreel, roboreel.testing, tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> source = roboreel.testing.make_dataset(folder / "a", version="v2.0", episodes=(5, 3))
        >>> roboreel.convert_dataset("me/a", root=source, num_workers=1).version
        'v2.1'
    """
    if push_to_hub and repo_id is None:
        raise UsageError("give repo_id, the name on the Hub to push to")
    if branch is not None and not push_to_hub:
        raise UsageError("branch is only used for a push: set push_to_hub=True, or leave it out")
    if root is not None and local_dir is not None:
        raise UsageError("root and local_dir mean the same: give only one")
    folder = root if root is not None else local_dir if local_dir is not None else repo_id
    if folder is None:
        raise UsageError("give the dataset's folder as root")
    version = FormatVersion.V21 if to is None else parse_version(to)
    if folder is repo_id and (reference := hub_reference(folder)) is not None:
        folder = copy_to_convert(reference, version, synced=push_to_hub)
    if leftovers == "resume" and (done := finished_report(folder, out)) is not None:
        return done
    dataset = open_dataset(folder)
    if out is None and dataset.version is version:
        hint = ": push it with roboreel.hub.push" if push_to_hub else ""
        raise UsageError(f"'{os.fspath(folder)}' is already {dataset.version}{hint}")
    if to is None and dataset.version is not FormatVersion.V20:
        raise UsageError(
            f"'{os.fspath(folder)}' is {dataset.version}, and convert_dataset converts {FormatVersion.V20} to"
            f' {version}: for another conversion, say to="{version}"'
        )
    executor: ExecutorName = "process" if use_process_pool else "thread"
    report = convert(
        dataset,
        to=version,
        out=out,
        in_place=out is None,
        workers=num_workers if max_workers is None else max_workers,
        executor=executor,
        leftovers=leftovers,
        video_backend=video_backend if backend is None else backend,
        keep_old_stats=not delete_old_stats,
        allow_missing=allow_missing,
    )
    if push_to_hub and repo_id is not None:
        push_conversion(report.out, repo_id, branch, keep_old_stats=not delete_old_stats)
    return report
