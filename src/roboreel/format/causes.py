"""Why stored statistics may differ from those of the values, and which releases of lerobot cause it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from shlex import quote

from roboreel.errors import Problem
from roboreel.format.version import FormatVersion


@dataclass(frozen=True, slots=True)
class Cause:
    """A known cause of differing statistics."""

    what: str
    """How the statistics were computed."""
    release: str = ""
    """The releases of lerobot that do it, with a conjunction; given only if they write the dataset's
    version."""
    versions: tuple[FormatVersion, ...] = (FormatVersion.V30,)
    """The versions that these releases write."""

    def said(self, *found_in: FormatVersion) -> str:
        """The cause in words; releases are named only if they write all of these versions."""
        if not self.release or not set(found_in) <= set(self.versions):
            return self.what
        return f"{self.what}, {self.release}"


RECOMPUTE = "recompute before training"
_COMMAND, _IN_PLACE = "roboreel stats DST --recompute", "--in-place'"


def remedy(features: Iterable[str]) -> str:
    """The command that fixes wrong statistics of these features in a result, which `naming` names."""
    names = quote(",".join(features))
    return f"{RECOMPUTE}: '{_COMMAND} --features {names} {_IN_PLACE}"


def naming(out: str | None, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems with the path of the result in the command of `remedy`; None leaves them as they are."""
    if out is None:
        return tuple(problems)
    return tuple(replace(one, action=one.action and _named(one.action, out)) for one in problems)


def _named(action: str, out: str) -> str:
    if _COMMAND in action and "://" in out:  # nothing is replaced at a URL
        action = action.replace(_IN_PLACE, f"-o {quote(out.rstrip('/') + '_stats')}'")
    return action.replace(_COMMAND, _COMMAND.replace("DST", quote(out)))


WRAPPED = Cause("squares of 8-bit pixels overflowed at 256", "a bug of lerobot 0.4.0 to 0.5.1")
CANCELLED = Cause("rounded by computing E[x²] − E[x]² in float32", "as lerobot does since 0.4.0")
SUMMED = Cause("summed over all pixels in float32", "as lerobot does since 0.4.0")
HISTOGRAM = Cause(
    "read from a histogram of 5,000 bins instead of interpolated between rows as numpy does",
    "as lerobot does since 0.4.0",
)
WEIGHTED = Cause(
    "averaged from the episodes' quantiles, weighted by count", "as lerobot does up to 0.6.1"
)
ENVELOPE = Cause(
    "the smallest (up to q50) or largest of the episodes' quantiles",
    "as newer lerobot does",
)
NUMBERED = Cause(
    "computed from an older numbering", "lerobot's delete and merge keep the old statistics"
)
PIXELS = Cause("it counts pixels, not frames", "as lerobot's streaming encoder does")
FLOAT = Cause("computed or stored in float32")
STILL = Cause("rounding, in a column that does not change")
SAMPLE = Cause("divided by n − 1 instead of n")
CARRIED = Cause("merged from the episodes' stored statistics, with their errors")
LARGER = Cause(
    "computed from a larger dataset that this is a part of: info.json declares more frames"
)
ENCODED = Cause("computed from the frames before encoding, or from another sample of frames")
