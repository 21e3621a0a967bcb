"""Check that the sources of a plan have not changed since it was made."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from roboreel.errors import RunError, StorageError
from roboreel.plan.plan import Plan
from roboreel.runner.ledger import Ledger
from roboreel.runner.work import check_unchanged
from roboreel.storage.root import Root


def refuse_changed(root: Root, prefix: str, names: Iterable[str], plan: Plan) -> None:
    """Raise `RunError` if a dataset's documents have changed since the plan was made.

    Args:
        root: the dataset.
        prefix: prefix of its file names in the plan.
        names: documents that a run reads, in addition to those that the plan was made from.
        plan: the plan.
    """
    surveyed = [name[len(prefix) :] for name in plan.files if name.startswith(f"{prefix}meta/")]
    try:
        wanted = {*surveyed, *names}
        check_unchanged(root, wanted, {name: plan.files[prefix + name] for name in wanted})
    except StorageError as error:
        raise RunError(str(error)) from error


@contextlib.contextmanager
def held_against(unchanged: Callable[[], object], ledger: Ledger) -> Iterator[None]:
    """Call `unchanged` after the block, even if it fails: a file that changes meanwhile may look damaged.

    Its exception is passed on, and the finished ops become invalid for a later run with the same plan.
    """
    try:
        yield
    finally:
        try:
            unchanged()
        except RunError:
            ledger.of_use = False
            raise
