"""Why stored statistics may differ from those of the values, and which releases of lerobot cause it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from shlex import quote

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


def remedy(features: Iterable[str]) -> str:
    """The command that fixes wrong statistics of these features in a result."""
    names = quote(",".join(features))
    return (
        f"recompute before training: 'roboreel stats DST --recompute --features {names} --in-place'"
    )


WRAPPED = Cause("squares of 8-bit pixels that wrapped at 256", "as in lerobot 0.4.0 to 0.5.1")
CANCELLED = Cause("what float32 leaves of E[x²] − E[x]²", "as lerobot computes it since 0.4.0")
SUMMED = Cause("float32 sums over all pixels", "as lerobot computes them since 0.4.0")
HISTOGRAM = Cause(
    "read off a histogram of 5,000 bins at the rank q·n, where numpy interpolates between rows",
    "as lerobot does since 0.4.0",
)
WEIGHTED = Cause(
    "count-weighted means of the episodes' quantiles", "as lerobot merges them up to 0.6.1"
)
ENVELOPE = Cause(
    "the smallest (q50 and below) or largest of the episodes' quantiles",
    "as newer lerobot merges them",
)
NUMBERED = Cause(
    "of other numbers than those in the tables", "as lerobot's delete and merge keep the old ones"
)
PIXELS = Cause("it counts pixels", "as lerobot's streaming encoder does")
FLOAT = Cause("computed or stored in float32")
STILL = Cause("rounding, of a column that does not change")
SAMPLE = Cause("divided by n − 1 (the std of a sample), not by n")
CARRIED = Cause("merged of the episodes' stored statistics, with what is off in those")
LARGER = Cause("of a larger dataset, of which this is a part: info.json counts more frames")
ENCODED = Cause("of the frames before they were encoded, or of another sample of them")
