"""Check what must be true before a run begins, and before its result is published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from roboreel.errors import RunError
from roboreel.plan.plan import CopyFile
from roboreel.runner.ledger import Ledger, outputs_of
from roboreel.storage.disk import free_bytes
from roboreel.storage.staging.staging import Staging
from roboreel.storage.staging.store_staging import StoreStaging

_SHOWN = 20


def require_space(staging: Staging, ledger: Ledger) -> None:
    """Raise `RunError` if the result cannot fit on the disk."""
    plan = ledger.plan
    beside = [
        plan.files[op.source]
        for op in plan.ops
        if isinstance(op, CopyFile) and op.source in plan.files
    ]
    done = sum(result.size_bytes for result in ledger.done.values())
    needed = plan.input_bytes + sum(facts.size_bytes for facts in beside) - done
    free = free_bytes(staging.folder)
    if free < needed:
        raise RunError(
            f"the disk of '{staging.final.parent}' has {free / 2**20:,.1f} MiB free, the result needs"
            f" about {needed / 2**20:,.1f} MiB: make room, or write to another disk"
        )


def require_complete(
    staging: Staging | StoreStaging, ledger: Ledger, documents: Mapping[str, int]
) -> None:
    """Raise `RunError` unless the result contains every file of the plan, once, and nothing else."""
    names = [name for number in ledger.done for name in outputs_of(ledger.plan, number)]
    wanted = Counter([*names, *documents])
    found = dict(staging.files())
    reasons = [
        *(f"'{name}' is written more than once" for name in wanted if wanted[name] > 1),
        *(f"'{name}' is missing" for name in wanted if name not in found),
        *(f"'{name}' is not part of the plan" for name in found if name not in wanted),
    ]
    expected = sum(one.size_bytes for one in ledger.done.values()) + sum(documents.values())
    if not reasons and sum(found.values()) != expected:
        reasons = [f"its files have {sum(found.values())} bytes, expected {expected}"]
    if reasons:
        raise RunError("\n".join(listed("the result is not what was planned:", sorted(reasons))))


def listed(heading: str, messages: Iterable[str]) -> list[str]:
    """A heading and its messages as lines, at most 20 of them."""
    lines = [f"  - {message}" for message in messages]
    more = [f"  … and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return [heading, *lines[:_SHOWN], *more]
