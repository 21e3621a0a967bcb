"""Run one op: the function that every executor calls."""

from __future__ import annotations

import pyarrow as pa

from roboreel.errors import ChangedInputError, RoboreelError, RunError, StorageError
from roboreel.executors.jobs import JobFailure
from roboreel.plan.plan import (
    CopyFile,
    CopyTables,
    CopyVideos,
    EncodeVideo,
    MeasureCamera,
    RemuxVideo,
    WriteTables,
)
from roboreel.runner.kernels.copy_files import run_copy_file, run_copy_videos
from roboreel.runner.kernels.measure_cameras import run_measure_camera
from roboreel.runner.kernels.write_tables import run_copy_tables, run_write_tables
from roboreel.runner.kernels.write_videos import run_encode_video, run_remux_video
from roboreel.runner.work import OpResult, Work
from roboreel.storage.disk import is_full

_FAILURES = (
    RoboreelError, OSError, MemoryError, pa.ArrowException,
    ValueError, TypeError, KeyError, IndexError, OverflowError,
)  # fmt: skip
"""Errors that libraries raise on bad input: each op reports them in the same way."""


def attempt(work: Work) -> OpResult | JobFailure:
    """Run an op; return its result, or why it failed."""
    try:
        return execute(work)
    except RunError as error:
        stale = isinstance(error.__cause__, ChangedInputError)
        return JobFailure(
            number=work.number,
            message=str(error),
            ends_run=stale or is_full(error),
            inputs_changed=stale,
        )


def execute(work: Work) -> OpResult:
    """Run an op and return its result.

    Raises:
        RunError: the op failed, or its output is not as planned; the message says which op and why.
    """
    try:
        result = _executed(work)
        work.check_inputs()
    except _FAILURES as error:
        cause = _cause(work, error)
        raise RunError(f"{work.described}: {cause}") from cause
    return result


def _cause(work: Work, error: BaseException) -> BaseException:
    """Why an op failed: if an input changed while it was read, that is the cause."""
    try:
        work.check_inputs()
    except ChangedInputError as changed:
        return changed
    except StorageError:
        pass
    return error


def _executed(work: Work) -> OpResult:
    match work.op:
        case WriteTables() as op:
            return run_write_tables(work, op)
        case CopyTables() as op:
            return run_copy_tables(work, op)
        case CopyVideos() as op:
            return run_copy_videos(work, op)
        case RemuxVideo() as op:
            return run_remux_video(work, op)
        case EncodeVideo() as op:
            return run_encode_video(work, op)
        case MeasureCamera() as op:
            return run_measure_camera(work, op)
        case CopyFile() as op:
            return run_copy_file(work, op)
