"""Copy files that are not part of the format."""

from __future__ import annotations

from roboreel.edit.plan import CopyFile
from roboreel.runner.work import OpResult, Work


def run_copy_file(work: Work, op: CopyFile) -> OpResult:
    """Copy one file as it is."""
    source, staging = work.roots()
    work.check_input(source, op.path)
    size = source.stat(op.path).size_bytes
    with source.input(op.path) as file, staging.create(op.path) as sink:
        sink.copy(file, start=0, size=size)
    return OpResult(number=work.number, files=1, size_bytes=size)
